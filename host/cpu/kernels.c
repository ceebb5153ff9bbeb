/* SPDX-License-Identifier: Apache-2.0 */
/* kernels.c - the tables, one for each kind of processor */
#include "cpu/kernels.h"

#include "cpu/kernel_table.h"

#define TABLE(variant, bf16, scratch) \
    { \
        oriel_cpu_rms_norm_##variant, oriel_cpu_store_##variant, \
            oriel_cpu_rope_##variant, oriel_cpu_swiglu_##variant, \
            oriel_cpu_gelu_##variant, oriel_cpu_attention_##variant, bf16, \
            scratch \
    }

static const oriel_cpu_kernels baseline =
    TABLE(baseline, NULL, oriel_cpu_attention_scratch_baseline);

#if defined(__x86_64__)
static size_t
scratch_of_both(int32_t head_dim)
{
    size_t a = oriel_cpu_attention_scratch_avx512(head_dim);
    size_t b = oriel_cpu_attention_scratch_avx512_bf16(head_dim);

    return a > b ? a : b;
}

static const oriel_cpu_kernels avx2 =
    TABLE(avx2, NULL, oriel_cpu_attention_scratch_avx2);
static const oriel_cpu_kernels avx512 =
    TABLE(avx512, NULL, oriel_cpu_attention_scratch_avx512);
static const oriel_cpu_kernels avx512_bf16 =
    TABLE(avx512, oriel_cpu_attention_avx512_bf16, scratch_of_both);
#endif

const oriel_cpu_kernels *
oriel_cpu_kernels_get(oriel_isa isa)
{
#if defined(__x86_64__)
    if (isa >= ORIEL_ISA_AVX512_BF16)
        return &avx512_bf16;
    if (isa >= ORIEL_ISA_AVX512)
        return &avx512;
    if (isa >= ORIEL_ISA_AVX2)
        return &avx2;
#endif
    (void)isa;
    return &baseline;
}
