/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_case.h - buffers with guards, and values as kernels store them */
#ifndef TESTS_CPU_KERNEL_CASE_H
#define TESTS_CPU_KERNEL_CASE_H

#include "cpu/kernels.h"

enum { N_ISA = 4, GUARD = 64 };

/* NULL where the processor lacks it. */
const oriel_cpu_kernels *kernels_of(int isa);

#define FOR_KERNELS(k) \
    for (int isa_ = 0; isa_ < N_ISA; isa_++) \
        for (const oriel_cpu_kernels *k = kernels_of(isa_); k; k = NULL)

enum { N_STORAGES = 3 };
extern const oriel_cpu_storage storages[N_STORAGES];

typedef struct buffer {
    unsigned char *memory; /* aligned to 64 */
    size_t bytes;
} buffer;

buffer make_buffer(size_t bytes);
/* Fails the test when a guard after the buffer was touched. */
void free_buffer(buffer *b);
float value_at(const buffer *b, int64_t i, oriel_cpu_storage storage);

/*
 * 'got' is the stored form of something within 'relative' and 'absolute' of
 * the truth: that in fp32, within half a bf16 unit more when rounded.
 */
void check_value(float got, double truth, double relative, double absolute,
                 oriel_cpu_storage storage, const char *what);

/* Uniform in -scale .. scale. */
void fill(float *x, int64_t n, double scale, uint64_t seed);
double *widen(const float *x, int64_t n);

#endif /* TESTS_CPU_KERNEL_CASE_H */
