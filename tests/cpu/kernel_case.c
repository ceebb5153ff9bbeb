/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_case.c - buffers with guards, and values as kernels store them */
#include "cpu/kernel_case.h"

#include "base/half.h"
#include "oracle/oracle.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const oriel_cpu_storage storages[N_STORAGES] = {
    ORIEL_STORAGE_F32, ORIEL_STORAGE_ROUNDED, ORIEL_STORAGE_BF16};

const oriel_cpu_kernels *
kernels_of(int isa)
{
    return (oriel_isa)isa <= oriel_processor_isa()
               ? oriel_cpu_kernels_get((oriel_isa)isa)
               : NULL;
}

buffer
make_buffer(size_t bytes)
{
    buffer b = {NULL, bytes};
    int failed = posix_memalign((void **)&b.memory, 64, bytes + GUARD);

    ck_assert_int_eq(failed, 0);
    memset(b.memory, 0xa5, bytes + GUARD);
    return b;
}

void
free_buffer(buffer *b)
{
    for (size_t i = 0; i < GUARD; i++)
        ck_assert_int_eq(b->memory[b->bytes + i], 0xa5);
    free(b->memory);
}

float
value_at(const buffer *b, int64_t i, oriel_cpu_storage storage)
{
    uint16_t half;
    float value;

    if (storage == ORIEL_STORAGE_BF16) {
        memcpy(&half, b->memory + 2 * i, 2);
        return oriel_bf16_to_f32(half);
    }
    memcpy(&value, b->memory + 4 * i, 4);
    return value;
}

void
check_value(float got, double truth, double relative, double absolute,
            oriel_cpu_storage storage, const char *what)
{
    double bound = fabs(truth) * relative + absolute;

    if (storage != ORIEL_STORAGE_F32) {
        bound += fabs(truth) * 0x1.01p-8;
        ck_assert_msg(isnan(got) ||
                          got == oriel_bf16_to_f32(oriel_f32_to_bf16(got)),
                      "%s: %g is no bf16", what, (double)got);
    }
    ck_assert_msg(fabs((double)got - truth) <= bound,
                  "%s: %.9g, expected %.9g within %g", what, (double)got, truth,
                  bound);
}

void
fill(float *x, int64_t n, double scale, uint64_t seed)
{
    random_stream stream = {seed};

    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(random_unit(&stream) * scale);
}

double *
widen(const float *x, int64_t n)
{
    double *d = oracle_alloc((size_t)n, sizeof(*d));

    for (int64_t i = 0; i < n; i++)
        d[i] = (double)x[i];
    return d;
}
