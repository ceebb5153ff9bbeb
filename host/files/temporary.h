/* SPDX-License-Identifier: Apache-2.0 */
/*
 * temporary.h - temporary files: their names, their locks, and their end
 *
 * A process that is killed cannot remove its temporary file.  So each one is
 * locked by flock for as long as its process has it open, and whoever writes
 * into the same folder next removes the files that are not locked.
 *
 * Where the file system has no locks, none are taken and none removed.
 */
#ifndef ORIEL_FILES_TEMPORARY_H
#define ORIEL_FILES_TEMPORARY_H

#include <stdbool.h>
#include <sys/types.h>

/* ".oriel-0123456789abcdef.tmp" */
typedef struct oriel_temporary_name {
    char text[32];
} oriel_temporary_name;

/* A new random name; false, with errno, when there is no randomness. */
bool oriel_temporary_draw(oriel_temporary_name *name);

/*
 * Create one in 'folder', locked, with this mode less the umask: its
 * descriptor for the caller to close, or -1 with errno.
 */
int oriel_temporary_create(int folder, mode_t mode, oriel_temporary_name *name);

/* Lock a file that has no name yet, before it is given a temporary one. */
void oriel_temporary_lock(int fd);

/* Remove one. */
void oriel_temporary_remove(int folder, const char *name);

/*
 * Remove the temporary files of killed processes from 'folder': regular files
 * with a name as above, of our own user, that are not locked.  What cannot be
 * removed stays; the caller's work does not depend on it.
 */
void oriel_temporary_sweep(int folder);

#endif /* ORIEL_FILES_TEMPORARY_H */
