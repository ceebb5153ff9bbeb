/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_table.h - names of what each compilation of the kernels defines
 *
 * A kernel file is compiled with ORIEL_VARIANT set to baseline, avx2, avx512 or
 * avx512_bf16 and the compiler flags to match (CMakeLists.txt); its functions
 * are then oriel_cpu_NAME_VARIANT.
 */
#ifndef ORIEL_CPU_KERNEL_TABLE_H
#define ORIEL_CPU_KERNEL_TABLE_H

#include "cpu/kernels.h"

#define ORIEL_KERNELS_OF(variant) \
    void oriel_cpu_rms_norm_##variant( \
        void *y, const float *x, const float *weight, int64_t rows, \
        int64_t width, float eps, oriel_cpu_storage storage); \
    void oriel_cpu_store_##variant(void *y, const float *x, int64_t n, \
                                   oriel_cpu_storage storage); \
    void oriel_cpu_rope_##variant( \
        void *y, const float *x, int32_t heads, int32_t head_dim, \
        const float *cosine, const float *sine, oriel_cpu_storage storage); \
    void oriel_cpu_swiglu_##variant(void *y, const float *gate, \
                                    const float *up, int64_t n, \
                                    oriel_cpu_storage storage); \
    void oriel_cpu_gelu_##variant(void *y, const float *x, int64_t n, \
                                  oriel_cpu_storage storage); \
    void oriel_cpu_attention_##variant(const oriel_cpu_attention *args); \
    size_t oriel_cpu_attention_scratch_##variant(int32_t head_dim);

ORIEL_KERNELS_OF(baseline)
#if defined(__x86_64__)
ORIEL_KERNELS_OF(avx2)
ORIEL_KERNELS_OF(avx512)
/* Only attention: its operands are bf16. */
void oriel_cpu_attention_avx512_bf16(const oriel_cpu_attention *args);
size_t oriel_cpu_attention_scratch_avx512_bf16(int32_t head_dim);
#endif

#define ORIEL_JOIN_(a, b) a##b
#define ORIEL_JOIN(a, b) ORIEL_JOIN_(a, b)
#define ORIEL_KERNEL(name) ORIEL_JOIN(oriel_cpu_##name##_, ORIEL_VARIANT)

#endif /* ORIEL_CPU_KERNEL_TABLE_H */
