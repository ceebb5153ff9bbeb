/* SPDX-License-Identifier: Apache-2.0 */
/* access.h - who may do what with a file that replaces another one */
#ifndef ORIEL_FILES_ACCESS_H
#define ORIEL_FILES_ACCESS_H

#include <sys/stat.h>

/*
 * Give the open file 'fd' the owner, group, permissions and access list of the
 * file 'old', which has the name 'path'.  What may not be given (only root
 * gives files away) is not made up for: the permissions are narrowed, so that
 * no user but the caller can do more with the new file than with the old one.
 * 0, or -1 with errno.
 */
int oriel_access_keep(int fd, const char *path, const struct stat *old);

#endif /* ORIEL_FILES_ACCESS_H */
