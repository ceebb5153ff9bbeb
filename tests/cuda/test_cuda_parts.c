/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_parts.c - parts that are needed at once never share a place
 *
 * Over random plans of every published size: where oriel_cuda_lay_out puts each
 * part, against the lifetimes in the table, step by step.
 */
#include "cuda/workspace.h"
#include "support/random.h"
#include "support/suite.h"

#include <check.h>
#include <string.h>

enum { ALIGNMENT = 256, PLANS = 200 };

static const char *const presets[] = {"qwen2.5-vl-3b", "qwen2.5-vl-7b",
                                      "qwen2.5-vl-32b", "qwen2.5-vl-72b"};

static oriel_plan *
random_plan(random_stream *random, int32_t preset)
{
    const oriel_model *model = oriel_model_preset(presets[preset]);
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    int64_t grids[4][3];
    oriel_item items[4] = {0};
    int32_t n = (int32_t)random_between(random, 1, 4);
    bool frames = random_between(random, 0, 3) > 0;
    oriel_plan *plan;
    oriel_error err;
    oriel_status status;

    for (int32_t i = 0; i < n; i++) {
        grids[i][0] = random_between(random, 1, 3);
        grids[i][1] = 2 * random_between(random, 1, 40);
        grids[i][2] = 2 * random_between(random, 1, i ? 40 : 1200);
        items[i].frames = (int32_t)random_between(random, 1, 5);
        items[i].width = (int32_t)random_between(random, 28, 1500);
        items[i].height = (int32_t)random_between(random, 28, 1500);
    }
    options.resample = (int32_t)random_between(random, 0, 3);
    status = frames ? oriel_plan_create(&plan, model, items, (size_t)n,
                                        &options, &err)
                    : oriel_plan_create_from_grids(&plan, model, grids[0],
                                                   (size_t)n, NULL, &err);
    ck_assert_msg(status == ORIEL_OK, "%s", err.message);
    return plan;
}

/* A part, and where it was put. */
typedef struct placed {
    oriel_cuda_part part;
    size_t start;
} placed;

static size_t
lay_out(placed out[ORIEL_CUDA_PARTS], const oriel_plan *plan,
        oriel_cuda_choices choices)
{
    static _Alignas(ALIGNMENT) char base[ALIGNMENT]; /* nothing is touched */
    oriel_cuda_workspace space = {0};
    oriel_cuda_part parts[ORIEL_CUDA_PARTS];
    oriel_cuda_shapes shapes;
    oriel_error err;

    oriel_cuda_shapes_init(&shapes, &plan->network);
    ck_assert_int_eq(
        oriel_cuda_lay_out(&space, base, plan, &shapes, &choices, &err),
        ORIEL_OK);
    ck_assert_int_eq(oriel_cuda_list_parts(parts, &space.metadata, plan,
                                           &shapes, &choices, &err),
                     ORIEL_OK);
    for (int i = 0; i < ORIEL_CUDA_PARTS; i++) {
        void *pointer;

        memcpy(&pointer, (char *)&space + parts[i].pointer, sizeof(pointer));
        ck_assert_int_eq(pointer != NULL, parts[i].bytes != 0);
        out[i] = (placed){
            parts[i],
            pointer ? (size_t)((uintptr_t)pointer - (uintptr_t)base) : 0};
    }
    return space.bytes;
}

static bool
overlap(const placed *a, const placed *b)
{
    return a->start < b->start + b->part.bytes &&
           b->start < a->start + a->part.bytes;
}

/* In one step, of one kind of input. */
static void
expect_apart(const placed parts[ORIEL_CUDA_PARTS], oriel_step step, uint32_t of)
{
    for (int a = 0; a < ORIEL_CUDA_PARTS; a++)
        for (int b = a + 1; b < ORIEL_CUDA_PARTS; b++) {
            const placed *p = &parts[a], *q = &parts[b];

            if (p->part.of & q->part.of & of && p->part.steps >> step & 1 &&
                q->part.steps >> step & 1)
                ck_assert_msg(!overlap(p, q), "%s and %s overlap in step %d",
                              p->part.name, q->part.name, (int)step);
        }
}

/* What is needed in one step, rounded up: no arrangement has less. */
static size_t
needed(const placed parts[ORIEL_CUDA_PARTS], oriel_step step, uint32_t of)
{
    size_t bytes = 0;

    for (int i = 0; i < ORIEL_CUDA_PARTS; i++)
        if (parts[i].part.of & of && parts[i].part.steps >> step & 1)
            bytes +=
                (parts[i].part.bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return bytes;
}

static size_t
metadata_bytes(const placed parts[ORIEL_CUDA_PARTS])
{
    size_t bytes = 0;

    for (int i = 0; i < ORIEL_CUDA_PARTS; i++)
        if (strncmp(parts[i].part.name, "metadata.", 9) == 0)
            bytes += parts[i].part.bytes + ALIGNMENT;
    return bytes;
}

START_TEST(what_is_needed_at_once_lies_apart)
{
    random_stream random = {(uint64_t)_i + 1};

    for (int32_t turn = 0; turn < PLANS; turn++) {
        oriel_plan *plan = random_plan(&random, turn % 4);
        placed parts[ORIEL_CUDA_PARTS];
        /* Longer frames are too long for cuDNN. */
        const bool cudnn = plan->info.longest_frame <= 24576 && turn / 32 % 2;
        const oriel_cuda_choices choices = {.kernels = turn / 4 % 4,
                                            .residual = turn / 16 % 2,
                                            .attention = cudnn};
        size_t bytes = lay_out(parts, plan, choices), least = 0;

        for (int i = 0; i < ORIEL_CUDA_PARTS; i++) {
            ck_assert_uint_eq(parts[i].start % ALIGNMENT, 0);
            ck_assert_uint_le(parts[i].start + parts[i].part.bytes, bytes);
        }
        for (int step = 0; step < ORIEL_STEPS; step++)
            for (uint32_t of = ORIEL_OF_FRAMES; of <= ORIEL_OF_VALUES; of++) {
                size_t here = needed(parts, (oriel_step)step, of);

                expect_apart(parts, (oriel_step)step, of);
                least = here > least ? here : least;
            }
        /* No holes, but for metadata of blocks that MERGE has no use for. */
        ck_assert_uint_ge(bytes, least);
        ck_assert_uint_le(bytes, least + metadata_bytes(parts));
        oriel_plan_destroy(plan);
    }
}
END_TEST

/* ---- Size classes ------------------------------------------------------------ */

static const oriel_cuda_choices by_hopper = {
    ORIEL_KERNELS_HOPPER, ORIEL_RESIDUAL_WIDE, ORIEL_ATTENTION_OWN};

static oriel_cuda_metadata
metadata_of(const oriel_plan *plan, oriel_cuda_choices choices)
{
    oriel_cuda_metadata metadata = {0};
    oriel_cuda_part parts[ORIEL_CUDA_PARTS];
    oriel_cuda_shapes shapes;
    oriel_error err;

    oriel_cuda_shapes_init(&shapes, &plan->network);
    ck_assert_int_eq(
        oriel_cuda_list_parts(parts, &metadata, plan, &shapes, &choices, &err),
        ORIEL_OK);
    return metadata;
}

static oriel_plan *
plan_of_grids(const int64_t (*grids)[3], size_t n)
{
    oriel_plan *plan;
    oriel_error err;

    ck_assert_msg(
        oriel_plan_create_from_grids(&plan, oriel_model_preset(presets[1]),
                                     grids[0], n, NULL, &err) == ORIEL_OK,
        "%s", err.message);
    return plan;
}

/* What launches are made for holds what there is, and is not much more. */
START_TEST(a_class_holds_its_plans)
{
    random_stream random = {77};

    for (int32_t turn = 0; turn < PLANS; turn++) {
        oriel_plan *plan = random_plan(&random, turn % 4);
        const oriel_cuda_metadata m = metadata_of(plan, by_hopper);
        const int64_t rows = plan->info.patches;

        ck_assert_int_ge(m.rows, rows);
        ck_assert_int_ge(m.n_windows, plan->info.n_windows);
        ck_assert_int_ge(m.n_packs, m.counts.n_packs);
        ck_assert_int_ge(m.n_frame_tiles, m.counts.n_frame_tiles);
        ck_assert_int_eq(m.n_window_tiles, 0);
        if (m.n_positions) { /* its angles lie in the workspace */
            ck_assert_int_eq(m.rows, rows);
        } else {
            ck_assert_int_eq(m.rows & (m.rows - 1), 0);
            ck_assert_int_ge(m.rows, 1024);
            ck_assert(m.rows == 1024 || m.rows < 2 * rows);
        }
        oriel_plan_destroy(plan);
    }
}
END_TEST

/* The most windows, packs and tiles that so many patches can be: of frames of one
   token, and of windows of five and of nine. */
START_TEST(a_full_class_holds_the_smallest_windows)
{
    static const int64_t sides[][2] = {
        {2, 2}, {2, 10}, {6, 6}, {2, 4}, {2, 18}};
    const int64_t patches = sides[_i][0] * sides[_i][1];
    const int64_t grid[1][3] = {{1024 / patches, sides[_i][0], sides[_i][1]}};
    oriel_plan *plan = plan_of_grids(grid, 1);
    const oriel_cuda_metadata m = metadata_of(plan, by_hopper);

    ck_assert_int_eq(m.rows, 1024);
    ck_assert_int_ge(m.n_windows, plan->info.n_windows);
    ck_assert_int_ge(m.n_packs, m.counts.n_packs);
    ck_assert_int_ge(m.n_frame_tiles, m.counts.n_frame_tiles);
    if (_i == 0) {
        ck_assert_int_eq(m.n_windows, plan->info.n_windows);
        ck_assert_int_eq(m.n_packs, m.counts.n_packs);
        ck_assert_int_eq(m.n_frame_tiles, m.counts.n_frame_tiles);
    }
    oriel_plan_destroy(plan);
}
END_TEST

/* Where blocks find everything, for a graph: the same in all plans of a class. */
START_TEST(a_class_has_one_layout)
{
    static const int64_t few[1][3] = {{1, 2, 2}};
    static const int64_t many[2][3] = {{1, 16, 32}, {2, 16, 16}};
    oriel_plan *one = plan_of_grids(few, 1), *other = plan_of_grids(many, 2);
    placed at[2][ORIEL_CUDA_PARTS];
    uint32_t of_blocks = 0;

    for (int step = ORIEL_STEP_ATTN_IN; step <= ORIEL_STEP_MLP_OUT; step++)
        of_blocks |= UINT32_C(1) << step;
    lay_out(at[0], one, by_hopper);
    lay_out(at[1], other, by_hopper);
    for (int i = 0; i < ORIEL_CUDA_PARTS; i++)
        if (at[0][i].part.steps & of_blocks) {
            ck_assert_uint_eq(at[0][i].start, at[1][i].start);
            ck_assert_uint_eq(at[0][i].part.bytes, at[1][i].part.bytes);
        }
    oriel_plan_destroy(one);
    oriel_plan_destroy(other);
}
END_TEST

/* By other kernels, and with cuDNN, launches are made for one plan. */
START_TEST(others_have_no_classes)
{
    static const int64_t grid[1][3] = {{1, 10, 12}};
    oriel_plan *plan = plan_of_grids(grid, 1);
    oriel_cuda_choices choices = by_hopper;

    choices.attention = ORIEL_ATTENTION_CUDNN;
    ck_assert_int_eq(metadata_of(plan, choices).rows, 120);
    for (int32_t kernels = 0; kernels < ORIEL_KERNELS_HOPPER; kernels++) {
        choices = by_hopper;
        choices.kernels = kernels;
        ck_assert_int_eq(metadata_of(plan, choices).rows, 120);
    }
    oriel_plan_destroy(plan);
}
END_TEST

/* The names are the table's own, so none is there twice, and each pointer is
   somebody's. */
START_TEST(each_part_has_its_pointer)
{
    random_stream random = {9};
    oriel_plan *plan = random_plan(&random, 1);
    placed parts[ORIEL_CUDA_PARTS];

    lay_out(parts, plan,
            (oriel_cuda_choices){ORIEL_KERNELS_CUBLASLT, ORIEL_RESIDUAL_WIDE,
                                 ORIEL_ATTENTION_CUDNN});
    for (int a = 0; a < ORIEL_CUDA_PARTS; a++) {
        ck_assert_uint_ne(parts[a].part.steps, 0);
        ck_assert_uint_lt(parts[a].part.steps, UINT32_C(1) << ORIEL_STEPS);
        for (int b = a + 1; b < ORIEL_CUDA_PARTS; b++) {
            ck_assert_str_ne(parts[a].part.name, parts[b].part.name);
            ck_assert_uint_ne(parts[a].part.pointer, parts[b].part.pointer);
        }
    }
    oriel_plan_destroy(plan);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_parts");
    TCase *tc = tcase_create("lifetimes");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, what_is_needed_at_once_lies_apart, 0, 3);
    tcase_add_test(tc, each_part_has_its_pointer);
    suite_add_tcase(suite, tc);
    tc = tcase_create("classes");
    tcase_add_test(tc, a_class_holds_its_plans);
    tcase_add_loop_test(tc, a_full_class_holds_the_smallest_windows, 0, 5);
    tcase_add_test(tc, a_class_has_one_layout);
    tcase_add_test(tc, others_have_no_classes);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
