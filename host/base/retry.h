/* SPDX-License-Identifier: Apache-2.0 */
/* retry.h - a system call that a signal interrupted is made again */
#ifndef ORIEL_BASE_RETRY_H
#define ORIEL_BASE_RETRY_H

#include <errno.h>
#include <sys/stat.h>

/* 'result' = 'call', made again for as long as it says EINTR.  Not for close():
   on Linux the descriptor is gone then, too. */
#define ORIEL_RETRY(result, call) \
    do \
        (result) = (call); \
    while ((result) < 0 && errno == EINTR)

static inline int
oriel_fstat(int fd, struct stat *st)
{
    int result;

    ORIEL_RETRY(result, fstat(fd, st));
    return result;
}

static inline int
oriel_stat(const char *path, struct stat *st)
{
    int result;

    ORIEL_RETRY(result, stat(path, st));
    return result;
}

#endif /* ORIEL_BASE_RETRY_H */
