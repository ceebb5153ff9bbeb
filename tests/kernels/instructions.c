/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instructions.c - the simulated GPU's instructions against the hardware's
 *
 *     instructions record FILE             run each, write what went in and out
 *     instructions compare FILE [JSON]     run each on FILE's inputs, compare
 *     instructions self FILE               compare must see a changed word
 *
 * Linked twice: with the simulated GPU, which records, and with CUDA.  The file
 * is in this machine's byte order and belongs to this build.
 */
#include "kernels/instructions.h"
#include "base/half.h"
#include "support/device_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES = 32, NAME_BYTES = 64, MAX_BLOCKS = 3 };
enum {
    IN_WORDS = INSTRUCTION_THREADS * INSTRUCTION_IN,
    OUT_WORDS = INSTRUCTION_THREADS * INSTRUCTION_OUT * MAX_BLOCKS
};

typedef struct recorded_case {
    uint32_t in[IN_WORDS];
    uint32_t out[OUT_WORDS];
} recorded_case;

typedef struct recorded {
    char name[NAME_BYTES];
    recorded_case cases[CASES];
} recorded;

/* How the outputs of one instruction compare. */
typedef struct verdict {
    int64_t words, wrong;
    double worst; /* of what the bound bounds; 0 where bits must be equal */
    char first[160];
} verdict;

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

static void
make_inputs(recorded *r, int which)
{
    random_stream random = {(uint64_t)which + 1};

    snprintf(r->name, sizeof(r->name), "%s", instructions[which].name);
    for (int c = 0; c < CASES; c++)
        for (int i = 0; i < IN_WORDS; i++)
            r->cases[c].in[i] = input_word(&random, instructions[which].kind,
                                           i % INSTRUCTION_IN);
}

/* ---- Running ------------------------------------------------------------- */

static int
complain(const char *what, const char *why)
{
    fprintf(stderr, "instructions: %s: %s\n", what, why);
    return -1;
}

/* The output of one case; words that the instruction leaves stay 0xFFFFFFFF. */
static int
run_case(const instruction *which, const uint32_t *in, uint32_t *out)
{
    void *d_in = NULL, *d_out = NULL;
    const char *trouble = "";
    cudaError_t error = cudaMalloc(&d_in, sizeof(uint32_t) * IN_WORDS);

    if (!error)
        error = cudaMalloc(&d_out, sizeof(uint32_t) * OUT_WORDS);
    if (!error)
        error = cudaMemcpy(d_in, in, sizeof(uint32_t) * IN_WORDS,
                           cudaMemcpyHostToDevice);
    if (!error)
        error =
            cudaMemsetAsync(d_out, 0xff, sizeof(uint32_t) * OUT_WORDS, NULL);
    if (!error)
        error = which->run(d_in, d_out);
    trouble = device_finish();
    if (!error && !trouble[0])
        error = cudaMemcpy(out, d_out, sizeof(uint32_t) * OUT_WORDS,
                           cudaMemcpyDeviceToHost);
    cudaFree(d_in);
    cudaFree(d_out);
    if (trouble[0])
        return complain(which->name, trouble);
    return error ? complain(which->name, cudaGetErrorString(error)) : 0;
}

static int
record(const char *path)
{
    FILE *file = fopen(path, "wb");
    recorded *r = malloc(sizeof(*r));
    int result = file && r ? 0 : complain(path, "cannot be written");

    for (int i = 0; i < n_instructions && !result; i++) {
        make_inputs(r, i);
        for (int c = 0; c < CASES && !result; c++)
            result =
                run_case(&instructions[i], r->cases[c].in, r->cases[c].out);
        if (!result && fwrite(r, sizeof(*r), 1, file) != 1)
            result = complain(path, "cannot be written");
    }
    if (file && fclose(file) && !result)
        result = complain(path, "cannot be written");
    free(r);
    return result;
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
distance(const instruction *which, const recorded_case *c, int word,
         uint32_t got)
{
    const float g = float_of(got), e = float_of(c->out[word]);
    const int thread = word / INSTRUCTION_OUT;

    if (which->kind == INSTRUCTION_BITS || which->kind == INSTRUCTION_FLOATS)
        return got == c->out[word] ? 0 : -1;
    if (isnan(g) || isnan(e))
        return isnan(g) && isnan(e) ? 0 : -1;
    if (got == c->out[word])
        return 0;
    if (which->kind == INSTRUCTION_PRODUCT)
        return fabs((double)g - (double)e) /
               product_size(c->in + thread / 32 * 32 * INSTRUCTION_IN,
                            thread % 32, word % INSTRUCTION_OUT);
    if (which->kind == INSTRUCTION_APPROX && isfinite(g) && isfinite(e)) {
        /* About the least normal number one may flush and the other not. */
        if (fabsf(g) <= 0x1.00001p-126f && fabsf(e) <= 0x1.00001p-126f)
            return signbit(g) == signbit(e) ? 0 : -1;
        return e == 0 ? -1 : fabs((double)g / (double)e - 1);
    }
    return -1;
}

static verdict
compare_case(const instruction *which, const recorded_case *c,
             const uint32_t *out, verdict v)
{
    const int words = which->blocks * INSTRUCTION_THREADS * INSTRUCTION_OUT;

    for (int i = 0; i < words; i++) {
        const double off = distance(which, c, i, out[i]);

        v.words++;
        v.worst = fmax(v.worst, off);
        if (off >= 0 && off <= which->bound)
            continue;
        if (v.wrong++ == 0)
            snprintf(v.first, sizeof(v.first),
                     "thread %d word %d: 0x%08x, the simulator gives 0x%08x",
                     i / INSTRUCTION_OUT, i % INSTRUCTION_OUT, (unsigned)out[i],
                     (unsigned)c->out[i]);
    }
    return v;
}

static void
show(FILE *json, const instruction *which, const verdict *v, int i)
{
    printf("%-42s %7lld words, %lld wrong", which->name, (long long)v->words,
           (long long)v->wrong);
    if (which->bound > 0)
        printf(", worst 2^%.2f of 2^%.2f", log2(v->worst), log2(which->bound));
    printf("%s%s\n", v->wrong ? ": " : "", v->first);
    if (!json)
        return;
    fprintf(json,
            "%s\n {\"instruction\": \"%s\", \"words\": %lld, \"wrong\": %lld, "
            "\"worst\": %.4g, \"bound\": %.4g, \"first\": \"%s\"}",
            i ? "," : "", which->name, (long long)v->words, (long long)v->wrong,
            v->worst, which->bound, v->first);
}

/* The number of instructions that differ, or -1. */
static int
compare(const char *path, FILE *json)
{
    FILE *file = fopen(path, "rb");
    recorded *r = malloc(sizeof(*r));
    uint32_t *out = malloc(sizeof(uint32_t) * OUT_WORDS);
    int result = file && r && out ? 0 : complain(path, "cannot be read");
    int differ = 0;

    for (int i = 0; i < n_instructions && !result; i++) {
        verdict v = {0, 0, 0, ""};

        if (fread(r, sizeof(*r), 1, file) != 1 ||
            strcmp(r->name, instructions[i].name) != 0)
            result = complain(path, "was recorded by another build");
        for (int c = 0; c < CASES && !result; c++) {
            result = run_case(&instructions[i], r->cases[c].in, out);
            if (!result)
                v = compare_case(&instructions[i], &r->cases[c], out, v);
        }
        if (!result) {
            show(json, &instructions[i], &v, i);
            differ += v.wrong > 0;
        }
    }
    if (file)
        fclose(file);
    free(r);
    free(out);
    return result ? result : differ;
}

/* A word whose second-highest mantissa bit tells, in any kind of output. */
static int
telling_word(const instruction *which, const uint32_t *out)
{
    const int words = which->blocks * INSTRUCTION_THREADS * INSTRUCTION_OUT;

    for (int i = 0; i < words; i++) {
        const float value = float_of(out[i]);

        if (isnormal(value) && fabsf(value) > 1e-30f && fabsf(value) < 1e30f)
            return i;
    }
    return 0;
}

/* With one bit of a recorded output turned, every instruction differs. */
static int
self_check(const instruction *which, const recorded_case *c)
{
    verdict none = {0, 0, 0, ""};
    uint32_t out[OUT_WORDS];

    memcpy(out, c->out, sizeof(out));
    if (compare_case(which, c, out, none).wrong)
        return complain(which->name, "differs from itself");
    out[telling_word(which, out)] ^= 0x00200000;
    if (!compare_case(which, c, out, none).wrong)
        return complain(which->name, "a turned bit was not seen");
    return 0;
}

static int
self(const char *path)
{
    recorded *r = malloc(sizeof(*r));
    FILE *file = fopen(path, "rb");
    int result = file && r ? 0 : complain(path, "cannot be read");

    for (int i = 0; i < n_instructions && !result; i++) {
        if (fread(r, sizeof(*r), 1, file) != 1)
            result = complain(path, "is too short");
        for (int c = 0; c < CASES && !result; c++)
            result = self_check(&instructions[i], &r->cases[c]);
    }
    if (file)
        fclose(file);
    free(r);
    return result;
}

/* Under every schedule the simulator's instructions give what it recorded. */
static int
compare_schedules(const char *path, const char *json_path)
{
    int differ = 0;

    for (int s = 0; s < device_schedules() && differ == 0; s++) {
        FILE *json = s == 0 && json_path ? fopen(json_path, "w") : NULL;

        if (s == 0 && json_path && !json)
            return complain(json_path, "cannot be written");
        device_set_schedule(s);
        printf("%s\n", device_schedule_name(s));
        if (json)
            fprintf(json, "[");
        differ = compare(path, json);
        if (json && (fprintf(json, "\n]\n") < 0 || fclose(json)))
            return complain(json_path, "cannot be written");
    }
    return differ;
}

int
main(int argc, char **argv)
{
    int result;

    if (argc == 3 && strcmp(argv[1], "record") == 0)
        result = record(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "self") == 0)
        result = self(argv[2]);
    else if ((argc == 3 || argc == 4) && strcmp(argv[1], "compare") == 0)
        result = compare_schedules(argv[2], argc == 4 ? argv[3] : NULL);
    else {
        fprintf(stderr, "usage: instructions record|self FILE\n"
                        "       instructions compare FILE [JSON]\n");
        return 2;
    }
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
