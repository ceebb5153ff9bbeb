/* SPDX-License-Identifier: Apache-2.0 */
#include "support/child.h"

#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 60 };

/* Of the leak sanitizer: whether it found any. */
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

void
run_in_child(int (*part)(void *context), void *context)
{
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int failed;

        alarm(SECONDS); /* a call that hangs ends the child */
        failed = part(context);
        if (!failed && __lsan_do_recoverable_leak_check)
            failed = __lsan_do_recoverable_leak_check();
        _exit(failed);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(!WIFSIGNALED(status), "the child: signal %d",
                  WTERMSIG(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
