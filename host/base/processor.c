/* SPDX-License-Identifier: Apache-2.0 */
/* processor.c - features, cores and memory of the machine */
#include "base/processor.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

/* Leaf 7: AVX512_BF16 is sub-leaf 1, EAX bit 5; AMX_BF16 sub-leaf 0, EDX 22. */
static bool
leaf7(unsigned sub_leaf, int reg, unsigned bit)
{
    unsigned r[4];

    if (!__get_cpuid_count(7, sub_leaf, &r[0], &r[1], &r[2], &r[3]))
        return false;
    return (r[reg] >> bit & 1u) != 0;
}

/* The kernel saves the tile registers only when XCR0 has bits 17 and 18. */
__attribute__((target("xsave"))) static bool
kernel_keeps_tiles(void)
{
    return (_xgetbv(0) >> 17 & 3u) == 3u;
}

static oriel_isa
detect(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return ORIEL_ISA_BASELINE;
    if (!__builtin_cpu_supports("avx512f") ||
        !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return ORIEL_ISA_AVX2;
    return leaf7(1, 0, 5) ? ORIEL_ISA_AVX512_BF16 : ORIEL_ISA_AVX512;
}

/* Under a hypervisor CPUID costs microseconds: ask once.  Two threads that ask
   at the same time store the same answer. */
oriel_isa
oriel_processor_isa(void)
{
    static atomic_int known = -1;
    int isa = atomic_load_explicit(&known, memory_order_relaxed);

    if (isa < 0) {
        isa = (int)detect();
        atomic_store_explicit(&known, isa, memory_order_relaxed);
    }
    return (oriel_isa)isa;
}

bool
oriel_processor_has_amx_bf16(void)
{
    return oriel_processor_isa() >= ORIEL_ISA_AVX512 && leaf7(0, 3, 22) &&
           kernel_keeps_tiles();
}
#else
oriel_isa
oriel_processor_isa(void)
{
    return ORIEL_ISA_BASELINE;
}

bool
oriel_processor_has_amx_bf16(void)
{
    return false;
}
#endif

const char *
oriel_isa_name(oriel_isa isa)
{
    static const char *const names[] = {"baseline", "avx2", "avx512",
                                        "avx512_bf16"};

    return names[isa];
}

int32_t
oriel_processor_cores(void)
{
    /* The mask of a large machine outgrows cpu_set_t; ask with a bigger one. */
    for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        int count = 0;

        if (!set)
            break;
        if (sched_getaffinity(0, bytes, set) == 0)
            count = CPU_COUNT_S(bytes, set);
        CPU_FREE(set);
        if (count > 0)
            return count;
    }
    return 1;
}

uint64_t
oriel_processor_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);

    if (pages < 0 || page_bytes < 0)
        return 0;
    return (uint64_t)pages * (uint64_t)page_bytes;
}
