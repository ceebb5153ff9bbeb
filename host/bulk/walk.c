/* SPDX-License-Identifier: Apache-2.0 */
/* walk.c - what lies in one folder, sorted */
#include "bulk/walk.h"

#include "base/fail.h"
#include "bulk/entry.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int
compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* With a slash at its end if it is a folder, be it through a link. */
static char *
path_of(const char *folder, const struct dirent *entry)
{
    size_t n = strlen(folder);
    char *path = malloc(n + strlen(entry->d_name) + 3);
    struct stat st;
    bool is_folder = entry->d_type == DT_DIR;

    if (!path)
        return NULL;
    sprintf(path, "%s%s%s", folder, n > 0 && folder[n - 1] == '/' ? "" : "/",
            entry->d_name);
    if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN)
        is_folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    if (is_folder)
        memcpy(path + strlen(path), "/", 2);
    return path;
}

static bool
add(char ***names, size_t *n, size_t *capacity, char *path)
{
    if (path && *n + 1 >= *capacity) {
        size_t larger = *capacity ? 2 * *capacity : 64;
        char **grown = reallocarray(*names, larger, sizeof(*grown));

        if (grown) {
            *names = grown;
            *capacity = larger;
        }
    }
    if (!path || *n + 1 >= *capacity) {
        free(path);
        return false;
    }
    (*names)[(*n)++] = path;
    (*names)[*n] = NULL;
    return true;
}

oriel_status
bulk_walk_list(const char *folder, char ***names, oriel_error *err)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;
    size_t n = 0, capacity = 0;
    oriel_status status = ORIEL_OK;

    *names = calloc(1, sizeof(**names));
    if (!entries)
        return bulk_fail_errno(err, "the folder cannot be opened");
    while (!status && (errno = 0, entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!add(names, &n, &capacity, path_of(folder, entry)))
            status = oriel_fail_memory(err, n, "the names of a folder");
    }
    if (!status && errno)
        status = bulk_fail_errno(err, "the folder cannot be read");
    closedir(entries);
    if (!status && !*names)
        status = oriel_fail_memory(err, sizeof(**names), "names");
    if (*names)
        qsort(*names, n, sizeof(**names), compare);
    return status;
}
