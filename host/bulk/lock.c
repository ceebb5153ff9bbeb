/* SPDX-License-Identifier: Apache-2.0 */
/* lock.c - one process at a time writes into a folder */
#include "bulk/lock.h"

#include "base/fail.h"
#include "base/retry.h"
#include "bulk/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static oriel_status
fail_busy(int fd, const char *folder, oriel_error *err)
{
    char owner[128] = "";
    ssize_t n = pread(fd, owner, sizeof(owner) - 1, 0);

    owner[n > 0 ? n : 0] = '\0';
    owner[strcspn(owner, "\n")] = '\0';
    return oriel_fail(err, ORIEL_ERR_BUSY, "%s: %s is writing into it",
                      ORIEL_QUOTE(folder),
                      *owner ? ORIEL_QUOTE(owner) : "another process");
}

static void
write_owner(int fd)
{
    char host[64] = "", owner[128];
    int n, result;

    (void)gethostname(host, sizeof(host) - 1);
    n = snprintf(owner, sizeof(owner), "process %ld on %s\n", (long)getpid(),
                 host);
    ORIEL_RETRY(result, ftruncate(fd, 0));
    /* For messages alone: the lock is good without it. */
    if (pwrite(fd, owner, (size_t)n, 0) != n)
        ORIEL_RETRY(result, ftruncate(fd, 0));
}

oriel_status
bulk_lock_take(int *fd, const char *folder, oriel_error *err)
{
    char *path = bulk_path(folder, BULK_LOCK_NAME);
    oriel_status status = ORIEL_OK;
    int result = -1;

    *fd = -1;
    if (!path)
        return oriel_fail_memory(err, strlen(folder), "a path");
    ORIEL_RETRY(*fd,
                open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (*fd >= 0)
        ORIEL_RETRY(result, flock(*fd, LOCK_EX | LOCK_NB));
    if (*fd >= 0 && result != 0 && errno == EWOULDBLOCK)
        status = fail_busy(*fd, folder, err);
    else if (*fd < 0 || result != 0)
        status = oriel_fail_cause(err, ORIEL_ERR_IO, errno,
                                  "%s: cannot be locked: %s", ORIEL_QUOTE(path),
                                  strerror(errno));
    free(path);
    if (status) {
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
        return status;
    }
    write_owner(*fd);
    return oriel_ok(err);
}

void
bulk_lock_release(int fd)
{
    int result;

    if (fd < 0)
        return;
    ORIEL_RETRY(result, ftruncate(fd, 0));
    close(fd);
}
