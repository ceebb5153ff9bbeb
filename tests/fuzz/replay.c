/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - a fuzz target without a fuzzer: every file of a folder, whole (it
 * must be good), cut short and damaged in a fixed random way
 */
#include "fuzz/fuzz.h"
#include "support/random.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1 << 20, MUTATIONS = 3000 };

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

static void
replay(const char *path)
{
    static uint8_t seed[MAX_BYTES];
    static uint8_t data[MAX_BYTES + 4 * 16];
    FILE *f = fopen(path, "rb");
    random_stream stream = {1};
    size_t bytes;

    if (!f) {
        perror(path);
        exit(1);
    }
    bytes = fread(seed, 1, sizeof(seed), f);
    fclose(f);
    fuzz_accepted = 0;
    run(seed, bytes);
    if (fuzz_accepted == 0) {
        fprintf(stderr, "%s: a seed that is refused tests little\n", path);
        exit(1);
    }
    for (int i = 0; i < MUTATIONS; i++) {
        size_t n = bytes;

        memcpy(data, seed, bytes);
        if (i % 8 == 0 && bytes > 0)
            n = random_u64(&stream) % bytes;
        else
            n = mutate(&stream, data, n);
        run(data, n);
    }
}

int
main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    int n = 0;

    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER-OF-SEEDS\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(folder)) != NULL) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        replay(path);
        n++;
    }
    closedir(folder);
    printf("%d seeds, %d mutations of each\n", n, MUTATIONS);
    return n > 0 ? 0 : 1;
}
