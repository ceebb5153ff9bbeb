/* SPDX-License-Identifier: Apache-2.0 */
/* temporary.c - temporary files: their names, their locks, and their end */
#include "files/temporary.h"

#include "base/retry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX ".oriel-"
#define SUFFIX ".tmp"

enum { DIGITS = 16, ATTEMPTS = 16 };

bool
oriel_temporary_draw(oriel_temporary_name *name)
{
    uint64_t word;
    ssize_t n;

    ORIEL_RETRY(n, getrandom(&word, sizeof(word), 0));
    if (n >= 0 && n != (ssize_t)sizeof(word))
        errno = EIO; /* never, for so few */
    if (n != (ssize_t)sizeof(word))
        return false;
    snprintf(name->text, sizeof(name->text), PREFIX "%016" PRIx64 SUFFIX, word);
    return true;
}

static bool
is_temporary(const char *name)
{
    const size_t prefix = strlen(PREFIX);

    return strncmp(name, PREFIX, prefix) == 0 &&
           strspn(name + prefix, "0123456789abcdef") == DIGITS &&
           strcmp(name + prefix + DIGITS, SUFFIX) == 0;
}

static int
lock(int fd)
{
    int result;

    ORIEL_RETRY(result, flock(fd, LOCK_EX | LOCK_NB));
    return result;
}

/*
 * Between its creation and its lock a file looks like one that was left.  Then
 * another process has locked it to remove it, or has removed it already.
 */
static bool
lock_new(int fd)
{
    struct stat st;

    if (lock(fd) != 0 && errno == EWOULDBLOCK)
        return false;
    return oriel_fstat(fd, &st) == 0 && st.st_nlink > 0;
}

void
oriel_temporary_remove(int folder, const char *name)
{
    int result;

    ORIEL_RETRY(result, unlinkat(folder, name, 0));
}

void
oriel_temporary_lock(int fd)
{
    (void)lock(fd);
}

int
oriel_temporary_create(int folder, mode_t mode, oriel_temporary_name *name)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int fd;

        if (!oriel_temporary_draw(name))
            return -1;
        ORIEL_RETRY(fd, openat(folder, name->text,
                               O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode));
        if (fd < 0 && errno != EEXIST)
            return -1;
        if (fd >= 0 && lock_new(fd))
            return fd;
        if (fd >= 0) {
            oriel_temporary_remove(folder, name->text);
            close(fd);
            errno = EEXIST; /* the cause, when no attempt is left */
        }
    }
    return -1;
}

/* Open for writing: NFS locks no file that is open for reading alone. */
static void
remove_if_left(int folder, const char *name)
{
    struct stat st;
    int fd;

    ORIEL_RETRY(
        fd, openat(folder, name,
                   O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (fd < 0)
        return;
    if (oriel_fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_uid == geteuid() && lock(fd) == 0)
        oriel_temporary_remove(folder, name);
    close(fd);
}

void
oriel_temporary_sweep(int folder)
{
    struct dirent *entry;
    DIR *entries;
    int fd;

    ORIEL_RETRY(fd, openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    entries = fd < 0 ? NULL : fdopendir(fd);
    if (!entries) {
        if (fd >= 0)
            close(fd);
        return;
    }
    while ((entry = readdir(entries)) != NULL)
        if (is_temporary(entry->d_name))
            remove_if_left(folder, entry->d_name);
    closedir(entries);
}
