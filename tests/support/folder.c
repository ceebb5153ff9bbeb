/* SPDX-License-Identifier: Apache-2.0 */
#include "support/folder.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

folder
folder_make(void)
{
    folder f;
    const char *base = getenv("TMPDIR");

    snprintf(f.path, sizeof(f.path), "%s/oriel-test-XXXXXX",
             base && *base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(f.path));
    return f;
}

const char *
folder_path(const folder *f, const char *name)
{
    static char paths[8][512];
    static int turn;
    char *path = paths[turn++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", f->path, name);
    return path;
}

void
folder_remove(const folder *f)
{
    DIR *dir = opendir(f->path);

    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        folder inner;
        struct stat st;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(inner.path, sizeof(inner.path), "%s",
                 folder_path(f, e->d_name));
        if (lstat(inner.path, &st) == 0 && S_ISDIR(st.st_mode))
            folder_remove(&inner);
        else
            unlink(inner.path);
    }
    if (dir)
        closedir(dir);
    rmdir(f->path);
}

int
folder_count(const folder *f)
{
    DIR *dir = opendir(f->path);
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            n++;
    closedir(dir);
    return n;
}

int
folder_has(const folder *f, const char *name)
{
    struct stat st;

    return lstat(folder_path(f, name), &st) == 0;
}

unsigned char *
folder_read(const folder *f, const char *name, size_t *bytes)
{
    FILE *in = fopen(folder_path(f, name), "rb");
    unsigned char *data;
    long size;

    *bytes = 0;
    if (!in)
        return NULL;
    fseek(in, 0, SEEK_END);
    size = ftell(in);
    rewind(in);
    data = calloc((size_t)size + 1, 1); /* text gets its final zero */
    ck_assert_ptr_nonnull(data);
    *bytes = fread(data, 1, (size_t)size, in);
    ck_assert_uint_eq(*bytes, (size_t)size);
    fclose(in);
    return data;
}

void
folder_write(const folder *f, const char *name, const void *data, size_t bytes)
{
    FILE *out = fopen(folder_path(f, name), "wb");

    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(data, 1, bytes, out), bytes);
    ck_assert_int_eq(fclose(out), 0);
}
