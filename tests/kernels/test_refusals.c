/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a launcher refuses instead of letting a kernel fault: pointers that are
 * not aligned as its loads are, and numbers outside of its limits.  Everything
 * else about the arguments is right, and there is no work in them, so that
 * nothing runs when one is taken.
 */
#include "support/device_case.h"
#include "support/suite.h"

#include "ops.h"

#include <string.h>

/* The arguments of any operation. */
typedef union arguments {
    oriel_rms_norm_args rms_norm;
    oriel_resample_args resample;
    oriel_patch_embed_args patch_embed;
    oriel_linear_args linear;
    oriel_linear_swiglu_args swiglu;
    oriel_linear_rows_args rows;
    oriel_expand_plan_args expand_plan;
    oriel_swiglu_args gated;
    oriel_rope_args rope;
    oriel_window_attention_args windows;
    oriel_full_attention_args frames;
    oriel_store_rows_args store_rows;
    oriel_store_bytes_args store_bytes;
} arguments;

static _Alignas(16) char memory[64];
#define MEMORY ((void *)memory)

/* A launcher as a function of any arguments. */
#define LAUNCHER(name, launcher, member) \
    static cudaError_t name(const arguments *args) \
    { \
        return launcher(&args->member, NULL); \
    }
LAUNCHER(run_rms_norm, oriel_cuda_rms_norm, rms_norm)
LAUNCHER(run_resample, oriel_cuda_resample, resample)
LAUNCHER(run_patch_embed, oriel_cuda_patch_embed, patch_embed)
LAUNCHER(run_linear, oriel_cuda_linear, linear)
LAUNCHER(run_residual, oriel_cuda_linear_residual, linear)
LAUNCHER(run_gelu, oriel_cuda_linear_gelu, linear)
LAUNCHER(run_swiglu, oriel_cuda_linear_swiglu, swiglu)
LAUNCHER(run_rows, oriel_cuda_linear_rows, rows)
LAUNCHER(run_gated, oriel_cuda_swiglu, gated)
LAUNCHER(run_rope, oriel_cuda_rope, rope)
LAUNCHER(run_windows, oriel_cuda_window_attention, windows)
LAUNCHER(run_frames, oriel_cuda_full_attention, frames)
LAUNCHER(run_expand_plan, oriel_cuda_expand_plan, expand_plan)
LAUNCHER(run_store_rows, oriel_cuda_store_rows, store_rows)
LAUNCHER(run_store_bytes, oriel_cuda_store_bytes, store_bytes)

enum { MOST_POINTERS = 8, MOST_SIZES = 11 };

/* Each pointer: where it is, and the alignment it needs. */
typedef struct pointer {
    size_t at, alignment;
} pointer;

#define AT(member, alignment) \
    { \
        offsetof(arguments, member), alignment \
    }
#define PRODUCT(member) \
    AT(member.x, 16), AT(member.weight, 16), AT(member.bias, 4), \
        AT(member.out, 16)

/* Each number that is refused: where it is, and how many bytes it has. */
typedef struct size {
    size_t at, bytes;
    int64_t value;
} size;

#define SIZE(member, value) \
    { \
        offsetof(arguments, member), sizeof(((arguments *)NULL)->member), \
            (value) \
    }
#define PRODUCT_SIZES(member) \
    SIZE(member.rows, -1), SIZE(member.columns, 0), SIZE(member.columns, -8), \
        SIZE(member.columns, 4), SIZE(member.columns, 12), \
        SIZE(member.depth, 0), SIZE(member.depth, -8), SIZE(member.depth, 12)
#define PATCH_SIZES \
    SIZE(patch_embed.rows, -1), SIZE(patch_embed.hidden, 0), \
        SIZE(patch_embed.hidden, 12), SIZE(patch_embed.patch_size, 0), \
        SIZE(patch_embed.patch_size, 33), SIZE(patch_embed.slices, 0), \
        SIZE(patch_embed.slices, 3)
/* What kernels with a count take, and what others refuse. */
#define COUNTED \
    { \
        MEMORY, 1, 0 \
    }
#define NO_MULTIPROCESSORS(member) SIZE(member.counted.multiprocessors, 0)
#define A_COUNT(member) SIZE(member.counted.count, 16)
#define AN_OVERLAP(member) SIZE(member.counted.overlaps, 1)
#define DTYPES(member) SIZE(member, 0), SIZE(member, ORIEL_CUDA_F16 + 1)

static const struct {
    const char *name;
    cudaError_t (*run)(const arguments *args);
    arguments good;
    pointer pointers[MOST_POINTERS];
    size sizes[MOST_SIZES];
} cases[] = {
    {"expand_plan",
     run_expand_plan,
     {.expand_plan = {.records = MEMORY,
                      .n_records = 1,
                      .side = 4,
                      .window_index = MEMORY,
                      .positions = MEMORY,
                      .cu_window = MEMORY,
                      .packs = MEMORY,
                      .frame_tiles = MEMORY,
                      .is_still = MEMORY,
                      .counts_out = MEMORY}},
     {AT(expand_plan.positions, 8), AT(expand_plan.packs, 16),
      AT(expand_plan.is_still, 4), AT(expand_plan.counts_out, 4)},
     {SIZE(expand_plan.tokens, -1), SIZE(expand_plan.tokens, (1 << 22) + 1),
      SIZE(expand_plan.side, 0), SIZE(expand_plan.side, 5)}},
    {"expand_plan that lists frames",
     run_expand_plan,
     {.expand_plan = {.n_records = 1,
                      .side = 4,
                      .lengths = MEMORY,
                      .qkv_offsets = MEMORY,
                      .out_offsets = MEMORY,
                      .hidden = 8}},
     {{0}},
     {SIZE(expand_plan.hidden, 0), SIZE(expand_plan.hidden, -8)}},
    {"expand_plan of no records",
     run_expand_plan,
     {.expand_plan = {.side = 4}},
     {{0}},
     {SIZE(expand_plan.tokens, 1)}},
    {"rms_norm",
     run_rms_norm,
     {.rms_norm = {MEMORY, MEMORY, MEMORY, 0, 8, MEMORY, COUNTED}},
     {AT(rms_norm.x, 16), AT(rms_norm.weight, 16), AT(rms_norm.out, 16),
      AT(rms_norm.lo, 16), AT(rms_norm.counted.count, 4)},
     {SIZE(rms_norm.rows, -1), SIZE(rms_norm.columns, 0),
      SIZE(rms_norm.columns, -8), SIZE(rms_norm.columns, 12),
      SIZE(rms_norm.columns, 8200), NO_MULTIPROCESSORS(rms_norm)}},
    {"resample",
     run_resample,
     {.resample = {.jobs = MEMORY,
                   .places = MEMORY,
                   .pixels = MEMORY,
                   .patch_size = 14,
                   .slices = 2,
                   .merge = 2}},
     {AT(resample.jobs, 8), AT(resample.places, 4), AT(resample.pixels, 16)},
     {SIZE(resample.resample, -1), SIZE(resample.resample, 3),
      SIZE(resample.patch_size, 0), SIZE(resample.patch_size, 33),
      SIZE(resample.slices, 0), SIZE(resample.slices, 3),
      SIZE(resample.merge, 0), SIZE(resample.merge, 33)}},
    {"patch_embed of pixels",
     run_patch_embed,
     {.patch_embed = {.weight = MEMORY,
                      .out = MEMORY,
                      .lo = MEMORY,
                      .hidden = 16,
                      .patch_size = 14,
                      .slices = 2,
                      .pixels = MEMORY,
                      .is_still = MEMORY,
                      .table = MEMORY}},
     {AT(patch_embed.weight, 16), AT(patch_embed.out, 16),
      AT(patch_embed.lo, 16), AT(patch_embed.pixels, 8),
      AT(patch_embed.table, 2)},
     {PATCH_SIZES, SIZE(patch_embed.pixels, 0)}},
    {"patch_embed of fp32",
     run_patch_embed,
     {.patch_embed = {.weight = MEMORY,
                      .out = MEMORY,
                      .hidden = 16,
                      .patch_size = 14,
                      .slices = 2,
                      .pixel_values = MEMORY,
                      .tokens = MEMORY,
                      .merge2 = 4,
                      .dtype = ORIEL_CUDA_F32}},
     {AT(patch_embed.weight, 16), AT(patch_embed.out, 16),
      AT(patch_embed.pixel_values, 4), AT(patch_embed.tokens, 4)},
     {PATCH_SIZES, SIZE(patch_embed.merge2, 0), SIZE(patch_embed.dtype, 0)}},
    {"patch_embed of fp16",
     run_patch_embed,
     {.patch_embed = {.weight = MEMORY,
                      .out = MEMORY,
                      .hidden = 16,
                      .patch_size = 14,
                      .slices = 2,
                      .pixel_values = MEMORY,
                      .tokens = MEMORY,
                      .merge2 = 4,
                      .dtype = ORIEL_CUDA_F16}},
     {AT(patch_embed.pixel_values, 2)},
     /* The first beyond fp16 are bytes, which need a table. */
     {DTYPES(patch_embed.dtype), SIZE(patch_embed.dtype, ORIEL_CUDA_U8 + 1)}},
    {"linear",
     run_linear,
     {.linear = {MEMORY, MEMORY, MEMORY, MEMORY, 0, 16, 8, MEMORY, {0}}},
     {PRODUCT(linear)},
     {PRODUCT_SIZES(linear), A_COUNT(linear), AN_OVERLAP(linear)}},
    {"linear_residual",
     run_residual,
     {.linear = {MEMORY, MEMORY, MEMORY, MEMORY, 0, 16, 8, MEMORY, {0}}},
     {PRODUCT(linear), AT(linear.lo, 16)},
     {PRODUCT_SIZES(linear), A_COUNT(linear), AN_OVERLAP(linear)}},
    {"linear_gelu",
     run_gelu,
     {.linear = {MEMORY, MEMORY, MEMORY, MEMORY, 0, 16, 8, MEMORY, {0}}},
     {PRODUCT(linear)},
     {PRODUCT_SIZES(linear), A_COUNT(linear), AN_OVERLAP(linear)}},
    {"linear_swiglu",
     run_swiglu,
     {.swiglu = {MEMORY, MEMORY, MEMORY, MEMORY, 0, 8, 8, {0}}},
     {PRODUCT(swiglu)},
     {PRODUCT_SIZES(swiglu), A_COUNT(swiglu), AN_OVERLAP(swiglu)}},
    {"linear_rows",
     run_rows,
     {.rows = {MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, 64, 0, 0, 16, 8,
               ORIEL_CUDA_F32}},
     {PRODUCT(rows), AT(rows.places, 4), AT(rows.row_index, 4)},
     {PRODUCT_SIZES(rows), SIZE(rows.out_rows, -1)}},
    {"swiglu",
     run_gated,
     {.gated = {MEMORY, MEMORY, 0, 8}},
     {AT(gated.gate_up, 16), AT(gated.out, 16)},
     {SIZE(gated.rows, -1), SIZE(gated.columns, 0), SIZE(gated.columns, -8),
      SIZE(gated.columns, 12)}},
    {"rope",
     run_rope,
     {.rope = {MEMORY, MEMORY, MEMORY, 0, 1, 8, COUNTED}},
     {AT(rope.qkv, 16), AT(rope.rope, 16), AT(rope.positions, 4),
      AT(rope.counted.count, 4)},
     {SIZE(rope.rows, -1), SIZE(rope.heads, 0), NO_MULTIPROCESSORS(rope)}},
    {"window_attention",
     run_windows,
     {.windows = {MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, 0, 1, 80, 1,
                  COUNTED}},
     {AT(windows.qkv, 16), AT(windows.out, 16), AT(windows.rope, 16),
      AT(windows.cu_window, 4), AT(windows.packs, 4), AT(windows.positions, 4),
      AT(windows.counted.count, 4)},
     {SIZE(windows.n_packs, -1), SIZE(windows.heads, 0),
      NO_MULTIPROCESSORS(windows)}},
    {"full_attention",
     run_frames,
     {.frames = {MEMORY, MEMORY, MEMORY, 0, 1, 80, 1, COUNTED}},
     {AT(frames.qkv, 16), AT(frames.out, 16), AT(frames.tiles, 4),
      AT(frames.counted.count, 4)},
     {SIZE(frames.n_tiles, -1), SIZE(frames.heads, 0)}},
    {"store_rows",
     run_store_rows,
     {.store_rows = {MEMORY, MEMORY, MEMORY, 16, 0, 8, 4, ORIEL_CUDA_BF16,
                     MEMORY}},
     {AT(store_rows.x, 16), AT(store_rows.out, 16), AT(store_rows.tokens, 4),
      AT(store_rows.lo, 16)},
     {SIZE(store_rows.rows, -4), SIZE(store_rows.rows, 3),
      SIZE(store_rows.columns, 0), SIZE(store_rows.columns, 12),
      SIZE(store_rows.merge2, 0), SIZE(store_rows.row_bytes, 8),
      SIZE(store_rows.row_bytes, 24), DTYPES(store_rows.dtype)}},
    {"store_bytes",
     run_store_bytes,
     {.store_bytes = {MEMORY, MEMORY, 0}},
     {AT(store_bytes.out, 16)},
     {SIZE(store_bytes.n, 8),
      SIZE(store_bytes.n, ORIEL_CUDA_STORE_BYTES + 16)}},
};

/* A launch of nothing is fine; with any one pointer half of what it needs from
   where it should be, it is refused. */
START_TEST(unaligned_pointers)
{
    ck_assert_int_eq(cases[_i].run(&cases[_i].good), cudaSuccess);
    for (int p = 0; p < MOST_POINTERS && cases[_i].pointers[p].alignment; p++) {
        const pointer *where = &cases[_i].pointers[p];
        arguments bad = cases[_i].good;
        char *value;

        memcpy(&value, (char *)&bad + where->at, sizeof(value));
        ck_assert_ptr_eq(value, memory);
        value += where->alignment / 2;
        memcpy((char *)&bad + where->at, &value, sizeof(value));
        ck_assert_msg(cases[_i].run(&bad) == cudaErrorInvalidValue,
                      "%s takes pointer %d %zu bytes off", cases[_i].name, p,
                      where->alignment / 2);
    }
}
END_TEST

/* With any one number outside of the kernel's limits it is refused. */
START_TEST(sizes_beyond_limits)
{
    for (int i = 0; i < MOST_SIZES && cases[_i].sizes[i].bytes; i++) {
        const size *where = &cases[_i].sizes[i];
        arguments bad = cases[_i].good;

        memcpy((char *)&bad + where->at, &where->value, where->bytes);
        ck_assert_msg(cases[_i].run(&bad) == cudaErrorInvalidValue,
                      "%s takes number %d, %d", cases[_i].name, i,
                      (int)where->value);
    }
}
END_TEST

/* Sizes of heads that no instance holds. */
START_TEST(heads_of_other_sizes)
{
    static const int32_t sizes[] = {-8, 0, 4, 12, 132, 136};
    oriel_window_attention_args windows = {
        MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, MEMORY, 0, 1, 80, 1, {0}};
    oriel_full_attention_args frames = {MEMORY, MEMORY, MEMORY, 0,
                                        1,      80,     1,      {0}};
    oriel_rope_args rope = {MEMORY, MEMORY, MEMORY, 0, 1, 80, {0}};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        windows.head_dim = frames.head_dim = rope.head_dim = sizes[i];
        ck_assert_int_eq(oriel_cuda_window_attention(&windows, NULL),
                         cudaErrorInvalidValue);
        ck_assert_int_eq(oriel_cuda_full_attention(&frames, NULL),
                         cudaErrorInvalidValue);
        if (sizes[i] != 136) /* the pass has no largest */
            ck_assert_int_eq(oriel_cuda_rope(&rope, NULL),
                             cudaErrorInvalidValue);
    }
}
END_TEST

/* Rows of the output narrower than what goes there, or no multiple of 16. */
START_TEST(rows_that_do_not_fit)
{
    oriel_linear_rows_args args = {.x = MEMORY,
                                   .weight = MEMORY,
                                   .bias = MEMORY,
                                   .places = MEMORY,
                                   .out = MEMORY,
                                   .row_bytes = 64,
                                   .columns = 16,
                                   .depth = 8};
    static const struct {
        int32_t dtype;
        int64_t row_bytes;
    } bad[] = {{ORIEL_CUDA_F32, 48},
               {ORIEL_CUDA_BF16, 16},
               {ORIEL_CUDA_F16, 40},
               {0, 64},
               {ORIEL_CUDA_F16 + 1, 64}};

    for (size_t i = 0; i < COUNT(bad); i++) {
        args.dtype = bad[i].dtype;
        args.row_bytes = bad[i].row_bytes;
        ck_assert_int_eq(oriel_cuda_linear_rows(&args, NULL),
                         cudaErrorInvalidValue);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("refusals");
    TCase *tcase = tcase_create("refusals");

    tcase_add_loop_test(tcase, unaligned_pointers, 0, COUNT(cases));
    tcase_add_loop_test(tcase, sizes_beyond_limits, 0, COUNT(cases));
    tcase_add_test(tcase, heads_of_other_sizes);
    tcase_add_test(tcase, rows_that_do_not_fit);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
