/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spare.h - memory for libraries that do not look at what they are given
 *
 * oneDNN runs the constructors of its objects on what posix_memalign left,
 * memory or not (2.6.3, nstl.hpp), and OpenMP's runtime ends the process when
 * malloc has none (libgomp 12, alloc.c).  So a few blocks are set aside before
 * each call, and these libraries are given a posix_memalign and a malloc that
 * fall back on them.  The call then ends well, and the next one is refused,
 * because the blocks cannot be made up for.
 */
#ifndef ORIEL_CPU_SPARE_H
#define ORIEL_CPU_SPARE_H

#include <stdbool.h>

/* Set aside what is missing.  false: memory is out.  Threads: any. */
bool oriel_cpu_spare_fill(void);

/* One block, for free(); NULL when all are taken. */
void *oriel_cpu_spare_take(void);

/* Have the library at 'handle' of dlopen import the functions above in place of
   the C library's.  false: its table of imports cannot be changed, and it does
   as it did. */
bool oriel_cpu_spare_lend(void *handle);

#endif /* ORIEL_CPU_SPARE_H */
