/* SPDX-License-Identifier: Apache-2.0 */
/*
 * whole_file.h - a file that appears whole or not at all
 *
 * The bytes go into a file without a name (or, where the file system cannot do
 * that, with a temporary one) in the folder of the target.  Commit makes them
 * durable and gives them their name in one step; abort, or the end of the
 * process at any moment before, leaves nothing under that name.  A temporary
 * file of a killed process is removed by the next one that writes into the same
 * folder (files/temporary.h).
 */
#ifndef ORIEL_FILES_WHOLE_FILE_H
#define ORIEL_FILES_WHOLE_FILE_H

#include "oriel.h"

#include <stdbool.h>

typedef struct oriel_whole_file oriel_whole_file;

/*
 * Begin the file that will be 'path'.  Unless 'replace', something of that
 * name is ORIEL_ERR_ARGUMENT (cause EEXIST), here already and again at commit;
 * what is there and no regular file is never replaced.  A file that replaces
 * another one keeps its owner, group and permissions, and is never open to more
 * users than that one was (files/access.h).  'expected_bytes' (0: unknown) are
 * reserved, so that a full disk shows early.  'hooks' may be NULL and must
 * outlive the file.
 * ORIEL_ERR_ARGUMENT, _IO (cause: errno), _MEMORY (cause: 0 or ENOMEM)
 */
oriel_status oriel_whole_file_create(oriel_whole_file **out, const char *path,
                                     bool replace, uint64_t expected_bytes,
                                     const oriel_hooks *hooks,
                                     oriel_error *err);

/* Bytes at a place.  Any number of threads at once.  ORIEL_ERR_IO, _MEMORY */
oriel_status oriel_whole_file_write(oriel_whole_file *file, uint64_t offset,
                                    const void *data, size_t bytes,
                                    oriel_error *err);

/*
 * Cut or extend to 'bytes', put it on the disk, give it its name, and destroy
 * 'file', after a failure too; then nothing new has appeared.  When the file has
 * its name, but its folder cannot be put on the disk, that is a success with a
 * warning to the hooks' log: after a loss of power the file may be absent.
 * ORIEL_ERR_ARGUMENT (cause EEXIST), _IO, _MEMORY
 */
oriel_status oriel_whole_file_commit(oriel_whole_file *file, uint64_t bytes,
                                     oriel_error *err);

/* Forget it all.  NULL is fine. */
void oriel_whole_file_abort(oriel_whole_file *file);

/* A small file in one call. */
oriel_status oriel_whole_file_put(const char *path, bool replace,
                                  const void *data, size_t bytes,
                                  const oriel_hooks *hooks, oriel_error *err);

#endif /* ORIEL_FILES_WHOLE_FILE_H */
