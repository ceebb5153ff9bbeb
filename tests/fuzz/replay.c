/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - a fuzz target without a fuzzer
 *
 * replay_NAME SEEDS MUTATIONS CORPUS SHARE: every file of SEEDS, whole (it must be
 * good), and so many times cut short or damaged in a fixed random way; then every file of CORPUS, of
 * which at least SHARE percent must be taken for good.  Prints how many were.
 */
#include "fuzz/fuzz.h"
#include "support/random.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1 << 20 };

static int mutations; /* of each seed */

/* A copy of exactly this size: a sanitizer sees one byte beyond. */
static void
run(const uint8_t *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);

    if (!copy)
        abort();
    memcpy(copy, data, bytes);
    LLVMFuzzerTestOneInput(copy, bytes);
    free(copy);
}

/* Bytes that parsers care about, and any. */
static uint8_t
interesting(random_stream *stream)
{
    static const uint8_t bytes[] = "\"\\[]{},:0123456789-.eE \0\xff\x80u";

    return random_u64(stream) % 2 ? bytes[random_u64(stream) % sizeof(bytes)]
                                  : (uint8_t)random_u64(stream);
}

/* Change, remove, repeat or insert a little; the new length. */
static size_t
mutate(random_stream *stream, uint8_t *data, size_t bytes)
{
    for (int64_t n = random_between(stream, 1, 4); n > 0 && bytes > 0; n--) {
        const size_t at = random_u64(stream) % bytes;
        const size_t left = bytes - at;
        const size_t some = 1 + random_u64(stream) % (left < 16 ? left : 16);

        switch (random_u64(stream) % 4) {
        case 0:
            data[at] = interesting(stream);
            break;
        case 1:
            memmove(data + at, data + at + some, left - some);
            bytes -= some;
            break;
        case 2: /* there is room at the end */
            memmove(data + at + some, data + at, left);
            bytes += some;
            break;
        default:
            memmove(data + at + 1, data + at, left);
            data[at] = interesting(stream);
            bytes++;
        }
    }
    return bytes;
}

typedef struct file {
    uint8_t data[MAX_BYTES];
    size_t bytes;
} file;

static void
read_whole(file *f, const char *path)
{
    FILE *stream = fopen(path, "rb");

    if (!stream) {
        perror(path);
        exit(1);
    }
    f->bytes = fread(f->data, 1, sizeof(f->data), stream);
    fclose(stream);
}

/* Whether the file itself was taken for good. */
static bool
replay_whole(file *f, const char *path)
{
    read_whole(f, path);
    fuzz_accepted = 0;
    run(f->data, f->bytes);
    return fuzz_accepted > 0;
}

static bool
replay_seed(const char *path)
{
    static file seed;
    static uint8_t data[MAX_BYTES + 4 * 16];
    random_stream stream = {1};

    if (!replay_whole(&seed, path)) {
        fprintf(stderr, "%s: a seed that is refused tests little\n", path);
        exit(1);
    }
    for (int i = 0; i < mutations; i++) {
        size_t n = seed.bytes;

        memcpy(data, seed.data, n);
        if (i % 8 == 0 && n > 0)
            n = random_u64(&stream) % n;
        else
            n = mutate(&stream, data, n);
        run(data, n);
    }
    return true;
}

static bool
replay_found(const char *path)
{
    static file found;

    return replay_whole(&found, path);
}

static bool
replay_aloud(const char *path)
{
    const bool good = replay_found(path);

    printf("%s %s\n", good ? "good" : "refused", path);
    return good;
}

/* Every file of a folder, which may be absent; the percentage that was good. */
static int
replay_folder(const char *name, bool (*replay)(const char *path), int *n_files)
{
    DIR *folder = opendir(name);
    struct dirent *entry;
    int good = 0, percent;

    *n_files = 0;
    while (folder && (entry = readdir(folder)) != NULL) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", name, entry->d_name);
        good += replay(path);
        ++*n_files;
    }
    if (folder)
        closedir(folder);
    percent = *n_files ? 100 * good / *n_files : 0;
    printf("%s: %d files, %d taken for good: %d %%\n", name, *n_files, good,
           percent);
    return percent;
}

int
main(int argc, char **argv)
{
    int n_seeds, n_found;

    if (argc == 2) {
        replay_folder(argv[1], replay_aloud, &n_found);
        return n_found == 0;
    }
    if (argc != 5) {
        fprintf(stderr, "usage: %s [SEEDS MUTATIONS] CORPUS [SHARE]\n",
                argv[0]);
        return 2;
    }
    mutations = atoi(argv[2]);
    replay_folder(argv[1], replay_seed, &n_seeds);
    if (n_seeds == 0) {
        fprintf(stderr, "%s: no seeds\n", argv[1]);
        return 1;
    }
    if (replay_folder(argv[3], replay_found, &n_found) < atoi(argv[4])) {
        fprintf(stderr, "%s: expected at least %s %%\n", argv[3], argv[4]);
        return 1;
    }
    return 0;
}
