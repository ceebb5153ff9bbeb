/* SPDX-License-Identifier: Apache-2.0 */
/* lock.h - one process at a time writes into a folder */
#ifndef ORIEL_BULK_LOCK_H
#define ORIEL_BULK_LOCK_H

#include "oriel.h"

#define BULK_LOCK_NAME ".oriel.lock"

/*
 * Lock the folder: '*fd' is for bulk_lock_release.  The lock is the kernel's, so
 * it ends with its process, however that ends; the file stays, and names the
 * process while there is one.  ORIEL_ERR_BUSY (another process has it, which the
 * message names), _IO, also where the file system has no locks
 */
oriel_status bulk_lock_take(int *fd, const char *folder, oriel_error *err);

void bulk_lock_release(int fd); /* negative: none */

#endif /* ORIEL_BULK_LOCK_H */
