/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages.h - large pages for what products stream through
 *
 * With pages of 4 KB the processor would wait for translations; the whole
 * encoder is 3 % slower.  A wish, which the system may not grant.
 */
#ifndef ORIEL_CPU_PAGES_H
#define ORIEL_CPU_PAGES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

static inline void
oriel_cpu_wish_large_pages(void *memory, size_t bytes)
{
    const size_t unit = 65536; /* no system's pages are larger */
    size_t skipped = (size_t)(-(uintptr_t)memory % unit);

    if (bytes >= skipped + unit)
        (void)madvise((char *)memory + skipped, (bytes - skipped) / unit * unit,
                      MADV_HUGEPAGE);
}

#endif /* ORIEL_CPU_PAGES_H */
