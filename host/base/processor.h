/* SPDX-License-Identifier: Apache-2.0 */
/* processor.h - what the processor we run on can do */
#ifndef ORIEL_BASE_PROCESSOR_H
#define ORIEL_BASE_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

/* Variants of our own vectorised code, each including the ones before. */
typedef enum oriel_isa {
    ORIEL_ISA_BASELINE = 0, /* what the compiler's default target has */
    ORIEL_ISA_AVX2 = 1,     /* AVX2, FMA, F16C */
    ORIEL_ISA_AVX512 = 2,   /* AVX-512 F, BW, DQ, VL */
    ORIEL_ISA_AVX512_BF16 = 3
} oriel_isa;

/* The best one here.  Constant for the life of the process.  Threads: any. */
oriel_isa oriel_processor_isa(void);
const char *oriel_isa_name(oriel_isa isa); /* "baseline", "avx2", ... */
bool oriel_processor_has_amx_bf16(void);

/* Cores this process may run on (affinity mask), at least 1. */
int32_t oriel_processor_cores(void);
uint64_t oriel_processor_memory_bytes(void);

#endif /* ORIEL_BASE_PROCESSOR_H */
