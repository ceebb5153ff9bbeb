/* SPDX-License-Identifier: Apache-2.0 */
#include "faults/folders.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 1024 };

static void
fail(const char *what)
{
    perror(what);
    exit(2);
}

/* Calls 'each' with the path of every entry. */
static void
walk(const char *name,
     void (*each)(const char *path, const char *file, void *user), void *user)
{
    DIR *folder = opendir(name);
    struct dirent *entry;
    char path[PATH];

    while (folder && (entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0) {
            snprintf(path, sizeof(path), "%s/%s", name, entry->d_name);
            each(path, entry->d_name, user);
        }
    if (folder)
        closedir(folder);
}

static void
remove_one(const char *path, const char *file, void *user)
{
    (void)file;
    (void)user;
    if (unlink(path) != 0)
        fail(path);
}

void
folder_clear(const char *name)
{
    walk(name, remove_one, NULL);
    rmdir(name);
    if (mkdir(name, 0700) != 0)
        fail(name);
}

static void
move_one(const char *path, const char *file, void *user)
{
    char to[PATH];

    snprintf(to, sizeof(to), "%s/%s", (const char *)user, file);
    if (rename(path, to) != 0)
        fail(path);
}

void
folder_keep(const char *from, const char *to)
{
    folder_clear(to);
    walk(from, move_one, (void *)(size_t)to);
}

/* The whole file, to be freed; NULL: there is none. */
static char *
read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    char *text;

    *bytes = 0;
    if (!file)
        return NULL;
    if (fstat(fileno(file), &st) != 0)
        fail(path);
    text = calloc(1, (size_t)st.st_size + 1);
    if (!text)
        fail(path);
    *bytes = fread(text, 1, (size_t)st.st_size, file);
    fclose(file);
    return text;
}

bool
same_file(const char *a, const char *b)
{
    size_t n_a, n_b;
    char *text_a = read_file(a, &n_a), *text_b = read_file(b, &n_b);
    const bool same =
        text_a && text_b && n_a == n_b && memcmp(text_a, text_b, n_a) == 0;

    free(text_a);
    free(text_b);
    return same;
}

bool
file_has(const char *path, const char *text)
{
    size_t bytes;
    char *whole = read_file(path, &bytes);
    const bool has = whole && strstr(whole, text);

    free(whole);
    return has;
}

void
copy_file(const char *to, const char *from)
{
    size_t bytes;
    char *text = read_file(from, &bytes);
    FILE *file = text ? fopen(to, "wb") : NULL;

    if (!file || fwrite(text, 1, bytes, file) != bytes || fclose(file) != 0)
        fail(from);
    free(text);
}

typedef struct comparison {
    folder_state state;
    const char *name, *good;
} comparison;

static void
count_one(const char *path, const char *file, void *user)
{
    comparison *c = user;
    char good[PATH];

    snprintf(good, sizeof(good), "%s/%s", c->good, file);
    if (strncmp(file, ".oriel-", 7) == 0)
        c->state.temporary++;
    else if (access(good, F_OK) != 0)
        c->state.other++;
    else if (same_file(path, good))
        c->state.whole++;
    else
        c->state.different++;
}

static void
count_missing(const char *path, const char *file, void *user)
{
    comparison *c = user;
    char here[PATH];

    (void)path;
    snprintf(here, sizeof(here), "%s/%s", c->name, file);
    c->state.missing += access(here, F_OK) != 0;
}

folder_state
folder_compare(const char *name, const char *good)
{
    comparison c = {.name = name, .good = good};

    walk(name, count_one, &c);
    walk(good, count_missing, &c);
    return c.state;
}
