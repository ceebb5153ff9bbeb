/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - a folder of a test's own, and what lies in it */
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <stddef.h>

typedef struct folder {
    char path[256];
} folder;

/* Under TMPDIR or /tmp.  Fails the test when it cannot be made. */
folder folder_make(void);
void folder_remove(const folder *f); /* with all that is in it */

/* "FOLDER/name" in one of a few static buffers, used in turn. */
const char *folder_path(const folder *f, const char *name);

int folder_count(const folder *f); /* of its entries */
int folder_has(const folder *f, const char *name);

/* A whole file, for the caller to free; NULL when there is none. */
unsigned char *folder_read(const folder *f, const char *name, size_t *bytes);
void folder_write(const folder *f, const char *name, const void *data,
                  size_t bytes);

#endif /* TESTS_SUPPORT_FOLDER_H */
