/* SPDX-License-Identifier: Apache-2.0 */
/* access.c - who may do what with a file that replaces another one */
#include "files/access.h"

#include "base/retry.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACCESS_LIST "system.posix_acl_access"

enum { LIST_BYTES = 4096 };

static bool
has_no_list(void)
{
    return errno == ENODATA || errno == EOPNOTSUPP || errno == ENOSYS;
}

/*
 * The old file's access list, or none: a new file may have got one from its
 * folder.  False when that is not possible, as for a list that speaks of
 * another group.
 */
static bool
keep_list(int fd, const char *path, bool same_group)
{
    char list[LIST_BYTES];
    ssize_t bytes;
    int result = -1;

    ORIEL_RETRY(bytes, getxattr(path, ACCESS_LIST, list, sizeof(list)));
    if (bytes >= 0) {
        if (same_group)
            ORIEL_RETRY(result,
                        fsetxattr(fd, ACCESS_LIST, list, (size_t)bytes, 0));
        return same_group && result == 0;
    }
    if (!has_no_list())
        return false;
    ORIEL_RETRY(result, fremovexattr(fd, ACCESS_LIST));
    return result == 0 || has_no_list();
}

/* Owner and group, or the group alone, as far as that is allowed. */
static int
keep_owner(int fd, const struct stat *old, struct stat *now)
{
    int result;

    if (oriel_fstat(fd, now) != 0)
        return -1;
    if (now->st_uid == old->st_uid && now->st_gid == old->st_gid)
        return 0;
    ORIEL_RETRY(result, fchown(fd, old->st_uid, old->st_gid));
    if (result != 0)
        ORIEL_RETRY(result, fchown(fd, (uid_t)-1, old->st_gid));
    return oriel_fstat(fd, now);
}

/* Permissions that give no user more, with the owner and group there are. */
static mode_t
narrowed(const struct stat *old, const struct stat *now)
{
    const mode_t owner = old->st_mode >> 6 & 7;
    mode_t group = old->st_mode >> 3 & 7;
    mode_t others = old->st_mode & 7;

    /* Members of the old group are now among the others, and the reverse. */
    if (now->st_gid != old->st_gid)
        group = others = group & others;
    /* The old owner is now one of either. */
    if (now->st_uid != old->st_uid) {
        group &= owner;
        others &= owner;
    }
    return owner << 6 | group << 3 | others;
}

int
oriel_access_keep(int fd, const char *path, const struct stat *old)
{
    struct stat now;
    mode_t mode;
    int result;

    if (keep_owner(fd, old, &now) != 0)
        return -1;
    mode = narrowed(old, &now);
    /* A list names users and groups; without it only the owner is certain. */
    if (!keep_list(fd, path, now.st_gid == old->st_gid))
        mode &= 0700;
    ORIEL_RETRY(result, fchmod(fd, mode));
    return result;
}
