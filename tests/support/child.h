/* SPDX-License-Identifier: Apache-2.0 */
/* child.h - a part of a test that runs in a child, after fork() */
#ifndef TESTS_SUPPORT_CHILD_H
#define TESTS_SUPPORT_CHILD_H

#include <check.h>
#include <stdio.h>

/* In the child's part, which returns 0 if all is well: Check's own assertions are
   the parent's. */
#define CHILD_MUST(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: in the child: %s\n", __FILE__, __LINE__, \
                    #condition); \
            return 1; \
        } \
    } while (0)

/* Fork, and fail the test unless 'part' returns 0 in the child within 60 seconds
   and has lost no memory that a leak sanitizer, if there is one, could find. */
void run_in_child(int (*part)(void *context), void *context);

#endif /* TESTS_SUPPORT_CHILD_H */
