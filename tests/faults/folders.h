/* SPDX-License-Identifier: Apache-2.0 */
/* folders.h - what a run of the tool has left in out/, compared with a good run */
#ifndef TESTS_FAULTS_FOLDERS_H
#define TESTS_FAULTS_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

/* Make the folder anew, empty. */
void folder_clear(const char *name);
/* Move all of 'from' into 'to', which is made anew. */
void folder_keep(const char *from, const char *to);

typedef struct folder_state {
    int whole;     /* files of the same name and bytes as in the good one */
    int missing;   /* files of the good one that are not there */
    int different; /* of the same name, but not of the same bytes */
    int temporary; /* files of the writers' own naming */
    int other;
} folder_state;

folder_state folder_compare(const char *name, const char *good);

bool same_file(const char *a, const char *b);
bool file_has(const char *path, const char *text);
void copy_file(const char *to, const char *from);

#endif /* TESTS_FAULTS_FOLDERS_H */
