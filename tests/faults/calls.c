/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - the table of system calls that are made to fail
 *
 * Absent are calls of which Linux documents no such failure, and on which the C
 * library ends the process by design: futex, rt_sigprocmask, rt_sigaction, exit,
 * set_robust_list, rseq, getpid, arch_prctl.  And brk, which returns no errno: what
 * comes of it is an allocation that fails, and those fail anyway.
 */
#include "faults/calls.h"

#include <sys/syscall.h>

#define CALL(name, about, length, changes) \
    { \
#name, SYS_##name, about, length, changes \
    }

const fault_call fault_calls[] = {
    CALL(openat, FAULT_FILE, -1, true),
    CALL(close, FAULT_HINT, -1, false),
    CALL(read, FAULT_FILE, 2, false),
    CALL(pread64, FAULT_FILE, 2, false),
    CALL(write, FAULT_FILE, 2, true),
    CALL(pwrite64, FAULT_FILE, 2, true),
    CALL(newfstatat, FAULT_FILE, -1, false),
    CALL(fstat, FAULT_FILE, -1, false),
    CALL(lseek, FAULT_FILE, -1, false),
    CALL(getdents64, FAULT_HINT, -1, false),
    CALL(readlink, FAULT_HINT, -1, false),
    CALL(faccessat2, FAULT_HINT, -1, false),
    CALL(getxattr, FAULT_HINT, -1, false),
    CALL(fsetxattr, FAULT_FILE, -1, true),
    CALL(fremovexattr, FAULT_HINT, -1, true),
    CALL(fchmod, FAULT_FILE, -1, true),
    CALL(fchown, FAULT_FILE, -1, true),
    CALL(flock, FAULT_HINT, -1, false),
    CALL(fallocate, FAULT_FILE, -1, true),
    CALL(ftruncate, FAULT_FILE, -1, true),
    CALL(fsync, FAULT_FILE, -1, true),
    CALL(linkat, FAULT_FILE, -1, true),
    CALL(renameat, FAULT_FILE, -1, true),
    CALL(renameat2, FAULT_FILE, -1, true),
    CALL(unlink, FAULT_HINT, -1, true),
    CALL(unlinkat, FAULT_HINT, -1, true),
    CALL(mkdir, FAULT_FILE, -1, true),
    CALL(getrandom, FAULT_FILE, -1, false),
    CALL(poll, FAULT_FILE, -1, false),
    CALL(fcntl, FAULT_FILE, -1, false),
    CALL(ioctl, FAULT_HINT, -1, false),
    CALL(sysinfo, FAULT_HINT, -1, false),
    CALL(sched_getaffinity, FAULT_HINT, -1, false),
    CALL(clone3, FAULT_MEMORY, -1, false),
    CALL(mmap, FAULT_MEMORY, -1, false),
    CALL(mprotect, FAULT_MEMORY, -1, false),
    CALL(munmap, FAULT_HINT, -1, false),
    CALL(madvise, FAULT_HINT, -1, false),
};
const size_t n_fault_calls = sizeof(fault_calls) / sizeof(fault_calls[0]);
