/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/instructions_check.h"

#include "base/half.h"
#include "support/device_case.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static float
float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t
bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

int
instruction_words(const instruction *which)
{
    return which->blocks * INSTRUCTION_THREADS * INSTRUCTION_OUT;
}

/* ---- Inputs -------------------------------------------------------------- */

/* Every kind of float: by bits, of everyday size, and the special ones. */
static uint32_t
any_float(random_stream *random)
{
    static const uint32_t special[] = {
        0,          0x80000000, 0x7f800000, 0xff800000, 0x7fc00000,
        0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0xff7fffff,
        0x3f800000, 0x3f808000, 0x3f818000, 0x477fe000, 0x477ff000,
        0x33000000, 0x33000001, 0xc2fc0000, 0xc3160000, 0x43000000};
    const uint64_t kind = random_u64(random) % 8;

    if (kind == 0)
        return special[random_u64(random) %
                       (sizeof(special) / sizeof(special[0]))];
    if (kind < 4)
        return (uint32_t)random_u64(random);
    return bits_of((float)(random_unit(random) * 40));
}

static uint32_t
bf16_pair(random_stream *random, instruction_kind kind)
{
    uint32_t pair = 0;

    for (int half = 0; half < 2; half++) {
        const double value =
            kind == INSTRUCTION_INTEGER
                ? (double)random_between(random, -16, 16)
                : random_unit(random) *
                      exp2((double)random_between(random, -12, 12));

        pair |= (uint32_t)oriel_f32_to_bf16((float)value) << (16 * half);
    }
    return pair;
}

static uint32_t
input_word(random_stream *random, instruction_kind kind, int i)
{
    switch (kind) {
    case INSTRUCTION_INTEGER:
    case INSTRUCTION_PRODUCT:
        if (i < 6)
            return bf16_pair(random, kind);
        return bits_of(kind == INSTRUCTION_INTEGER
                           ? (float)random_between(random, -999, 999)
                           : (float)(random_unit(random) * 64));
    case INSTRUCTION_FLOATS:
    case INSTRUCTION_APPROX:
        return any_float(random);
    default:
        return (uint32_t)random_u64(random);
    }
}

void
instruction_input(const instruction_list *list, int place, int number,
                  uint32_t *in)
{
    random_stream random = {(uint64_t)place * 1000 + (uint64_t)number + 1};

    for (int i = 0; i < INSTRUCTION_IN_WORDS; i++)
        in[i] = input_word(&random, list->of[place].kind, i % INSTRUCTION_IN);
}

/* ---- Running ------------------------------------------------------------- */

const char *
instruction_run(const instruction *which, const uint32_t *in, uint32_t *out)
{
    const size_t in_bytes = sizeof(uint32_t) * INSTRUCTION_IN_WORDS;
    const size_t out_bytes = sizeof(uint32_t) * INSTRUCTION_OUT_WORDS;
    void *d_in = NULL, *d_out = NULL;
    const char *trouble;
    cudaError_t error = cudaMalloc(&d_in, in_bytes);

    if (!error)
        error = cudaMalloc(&d_out, out_bytes);
    if (!error)
        error = cudaMemcpy(d_in, in, in_bytes, cudaMemcpyHostToDevice);
    if (!error)
        error = cudaMemsetAsync(d_out, 0xff, out_bytes, NULL);
    if (!error)
        error = which->run(d_in, d_out);
    trouble = device_finish();
    if (!error && !trouble[0])
        error = cudaMemcpy(out, d_out, out_bytes, cudaMemcpyDeviceToHost);
    cudaFree(d_in);
    cudaFree(d_out);
    if (trouble[0])
        return trouble;
    return error ? cudaGetErrorString(error) : "";
}

/* ---- Comparing ----------------------------------------------------------- */

/* Of the fragment that word i of lane 'lane' is in: sum |a b| + |d|, by the
   layout at mma_m16n8k16_bf16. */
static double
product_size(const uint32_t *warp, int lane, int i)
{
    const int row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
    double sum = fabs((double)float_of(warp[lane * INSTRUCTION_IN + 6 + i]));

    for (int k = 0; k < 16; k++) {
        const int a_lane = row % 8 * 4 + k % 8 / 2,
                  a_word = row / 8 + k / 8 * 2;
        const int b_lane = column * 4 + k % 8 / 2, b_word = 4 + k / 8;
        const uint32_t a = warp[a_lane * INSTRUCTION_IN + a_word];
        const uint32_t b = warp[b_lane * INSTRUCTION_IN + b_word];
        const int shift = 16 * (k % 2);

        sum += fabs((double)oriel_bf16_to_f32((uint16_t)(a >> shift)) *
                    (double)oriel_bf16_to_f32((uint16_t)(b >> shift)));
    }
    return sum;
}

/* How far 'got' is from 'expected', in units of what the bound bounds; below 0:
   they do not compare at all. */
static double
distance(const instruction *which, const uint32_t *in, const uint32_t *recorded,
         int word, uint32_t got)
{
    const float g = float_of(got), e = float_of(recorded[word]);
    const int thread = word / INSTRUCTION_OUT;

    if (which->kind == INSTRUCTION_BITS || which->kind == INSTRUCTION_FLOATS)
        return got == recorded[word] ? 0 : -1;
    if (isnan(g) || isnan(e))
        return isnan(g) && isnan(e) ? 0 : -1;
    if (got == recorded[word])
        return 0;
    if (which->kind == INSTRUCTION_PRODUCT)
        return fabs((double)g - (double)e) /
               product_size(in + thread / 32 * 32 * INSTRUCTION_IN, thread % 32,
                            word % INSTRUCTION_OUT);
    if (which->kind == INSTRUCTION_APPROX && isfinite(g) && isfinite(e)) {
        /* About the least normal number one may flush and the other not. */
        if (fabsf(g) <= 0x1.00001p-126f && fabsf(e) <= 0x1.00001p-126f)
            return signbit(g) == signbit(e) ? 0 : -1;
        return e == 0 ? -1 : fabs((double)g / (double)e - 1);
    }
    return -1;
}

void
instruction_compare(const instruction *which, const uint32_t *in,
                    const uint32_t *recorded, const uint32_t *out,
                    instruction_verdict *v)
{
    for (int i = 0; i < instruction_words(which); i++) {
        const double off = distance(which, in, recorded, i, out[i]);

        v->words++;
        v->worst = fmax(v->worst, off);
        if (off >= 0 && off <= which->bound)
            continue;
        if (v->wrong++ == 0)
            snprintf(v->first, sizeof(v->first),
                     "thread %d word %d: 0x%08x, the simulator gives 0x%08x",
                     i / INSTRUCTION_OUT, i % INSTRUCTION_OUT, (unsigned)out[i],
                     (unsigned)recorded[i]);
    }
}
