/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_blame.c - with checks on: what goes wrong is seen, and where
 *
 * Faults of the device, lifetimes that end too early, and writes beyond a part are
 * planted; each is to be caught in the step that did it.
 */
#include "cuda/scene.h"
#include "cuda/step_hook.h"
#include "cuda/tables.h"
#include "sim/control.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Windows, frames, windows: both kinds come after a hidden state of the first block. */
static const oriel_network *
three_blocks(void)
{
    static const int32_t full[] = {1};
    static oriel_network network;

    network = fixture_tiny;
    network.depth = 3;
    network.n_full_attention_blocks = COUNT(full);
    network.full_attention_blocks = full;
    return &network;
}

static const oriel_network *
two_of_windows(const oriel_network *like)
{
    static oriel_network network;

    network = *like;
    network.depth = 2;
    network.n_full_attention_blocks = 0;
    return &network;
}

static const oriel_network *
tiny_windows(void)
{
    return two_of_windows(&fixture_tiny);
}

static const oriel_network *
broad_windows(void)
{
    return two_of_windows(&fixture_broad);
}

/* "ATTEND of block 1": where the encode was when it failed. */
static const char *
place_now(void)
{
    static const char *const names[] = {
        "START",  "PATCHIFY", "EMBED",  "STORE",   "ATTN_IN",
        "ATTEND", "ATTN_OUT", "MLP_IN", "MLP_OUT", "MERGE"};
    static char text[64];

    if (step_hook_step == ORIEL_STEP_STORE)
        snprintf(text, sizeof(text), "STORE of hidden state %d",
                 step_hook_block);
    else if (step_hook_step >= ORIEL_STEP_ATTN_IN &&
             step_hook_step < ORIEL_STEP_MERGE)
        snprintf(text, sizeof(text), "%s of block %d", names[step_hook_step],
                 step_hook_block);
    else
        snprintf(text, sizeof(text), "%s", names[step_hook_step]);
    return text;
}

/* ---- Faults of the device ------------------------------------------------ */

static oriel_step armed_step;
static int32_t armed_block;
static uint64_t armed_nth;

static void
arm(oriel_backend_context *c, oriel_step step, int32_t block)
{
    (void)c;
    if (step == armed_step && block == armed_block)
        sim_fault_operation(armed_nth, cudaErrorIllegalAddress);
}

/* What each step runs, in its order; filling and reading guards apart. */
static const struct {
    oriel_step step;
    int32_t block;
    const char *runs[4];
} blames[] = {
    {ORIEL_STEP_START, 0, {"cudaMemcpyAsync", "expand_plan"}},
    {ORIEL_STEP_PATCHIFY, 0, {"cudaMemcpyAsync", "resample"}},
    {ORIEL_STEP_EMBED, 0, {"patch_embed"}},
    {ORIEL_STEP_ATTN_IN, 0, {"rms_norm", "linear"}},
    {ORIEL_STEP_ATTEND, 0, {"window_attention"}},
    {ORIEL_STEP_ATTN_OUT, 0, {"linear_residual"}},
    {ORIEL_STEP_MLP_IN, 0, {"rms_norm", "linear_swiglu"}},
    {ORIEL_STEP_MLP_OUT, 0, {"linear_residual"}},
    {ORIEL_STEP_STORE, 1, {"store_rows"}},
    {ORIEL_STEP_ATTN_IN, 1, {"rms_norm", "linear", "rope"}},
    {ORIEL_STEP_ATTEND, 1, {"full_attention"}},
    {ORIEL_STEP_MERGE, 0, {"rms_norm", "linear_gelu", "linear_rows"}},
};

/* The name in "the device failed in NAME (PLACE): ..."; fails the test where the
   message has another form or another place. */
static void
read_blame(char name[64], const oriel_error *err)
{
    static const char begin[] = "the device failed in ";
    const char *at = err->message + strlen(begin), *end;
    const char *place = place_now();

    ck_assert_msg(strncmp(err->message, begin, strlen(begin)) == 0, "%s",
                  err->message);
    end = strstr(at, " (");
    ck_assert_msg(end && end - at < 64, "%s", err->message);
    snprintf(name, 64, "%.*s", (int)(end - at), at);
    ck_assert_msg(strncmp(end + 2, place, strlen(place)) == 0 &&
                      end[2 + strlen(place)] == ')',
                  "%s, but it was in %s", err->message, place);
}

/* One operation after the other of the step faults, to where guards are read. */
START_TEST(a_fault_is_blamed_on_its_kernel)
{
    scene *s = scene_make(three_blocks(), INPUT_HOST_FRAMES, NULL, false);
    char name[64] = "";
    int run = -1;

    armed_step = blames[_i].step;
    armed_block = blames[_i].block;
    step_hook_before = arm;
    for (armed_nth = 1; strcmp(name, "reading guards") != 0; armed_nth++) {
        oriel_error err;

        ck_assert_int_eq(scene_encode(s, &err), ORIEL_ERR_FAULT);
        ck_assert_int_eq(step_hook_step, armed_step);
        ck_assert_int_eq(step_hook_block, armed_block);
        read_blame(name, &err);
        if (strcmp(name, "cudaMemsetAsync") == 0 ||
            strcmp(name, "reading guards") == 0)
            continue;
        if (run < 0 || strcmp(name, blames[_i].runs[run]) != 0)
            run++;
        ck_assert_msg(run < 4 && blames[_i].runs[run] &&
                          strcmp(name, blames[_i].runs[run]) == 0,
                      "operation %d is of %s, not expected", (int)armed_nth,
                      name);
    }
    ck_assert_msg(run == 3 || !blames[_i].runs[run + 1], "%s was not blamed",
                  blames[_i].runs[run + 1]);
    step_hook_before = NULL;
    {
        oriel_error err;

        ck_assert_msg(scene_encode(s, &err) == ORIEL_OK, "%s", err.message);
        ck_assert(scene_is_good(s));
    }
    scene_free(s);
}
END_TEST

/* What failed before this call is not blamed on it. */
START_TEST(an_earlier_fault_is_not_ours)
{
    scene *s = scene_make(three_blocks(), INPUT_HOST_FRAMES, NULL, false);
    cudaStream_t stream = cuda_fixture_stream();
    oriel_encoder *encoder = checked_encoder(&s->random_frames.r, NULL);
    device_buffer other = device_output(64);
    oriel_error err;

    sim_fault_operation(1, cudaErrorIllegalAddress);
    ck_assert_int_eq(cudaMemsetAsync(other.data, 0, 64, stream), cudaSuccess);
    ck_assert_int_eq(oriel_encode(encoder, s->random_frames.r.plan, &s->input,
                                  &s->output, stream, &err),
                     ORIEL_ERR_FAULT);
    ck_assert_msg(strstr(err.message, "before this call"), "%s", err.message);
    sim_fault_operation(0, cudaSuccess);
    sim_recover();
    oriel_encoder_destroy(encoder);
    ck_assert_int_eq(cudaStreamDestroy(stream), cudaSuccess);
    device_release(other);
    scene_free(s);
}
END_TEST

/* ---- Lives --------------------------------------------------------------- */

static int short_part;
static uint32_t short_of; /* the step that is cut out of its lifetime */

static void
shorten(oriel_backend_context *c, oriel_step step, int32_t block)
{
    (void)block;
    if (step == ORIEL_STEP_PATCHIFY)
        c->checks.parts[short_part].steps &= ~(UINT32_C(1) << short_of);
}

static oriel_cuda_part listed[ORIEL_CUDA_PARTS];

static void
list(oriel_backend_context *c, oriel_step step, int32_t block)
{
    (void)block;
    if (step == ORIEL_STEP_PATCHIFY)
        memcpy(listed, c->checks.parts, sizeof(listed));
}

static void
expect_missed(scene *s, const oriel_cuda_part *part)
{
    oriel_error err;

    for (short_of = ORIEL_STEP_PATCHIFY; short_of < ORIEL_STEPS; short_of++)
        if (part->steps >> short_of & 1)
            ck_assert_msg(scene_encode(s, &err) != ORIEL_OK ||
                              !scene_is_good(s),
                          "%s is not missed in step %u", part->name, short_of);
}

/* What a call of frames of the tiny network has no use for. */
static const int64_t long_grid[][3] = {{1, 2, ORIEL_CUDA_ROPE_POSITIONS + 2}};
static const struct {
    const oriel_network *(*network)(void);
    const int64_t (*grid)[3];
    int32_t kernels;
    input_kind kind;
    const char *part;
    bool indexed;
    int32_t residual, attention;
} others[] = {
    {three_blocks, NULL, ORIEL_KERNELS_CUBLASLT, INPUT_HOST_VALUES, "gate_up",
     false, 0, 0},
    {three_blocks, NULL, ORIEL_KERNELS_OWN, INPUT_HOST_VALUES, "pixel_values",
     false, 0, 0},
    {broad_windows, NULL, ORIEL_KERNELS_OWN, INPUT_HOST_FRAMES,
     "metadata.window_tiles", false, 0, 0},
    {tiny_windows, long_grid, ORIEL_KERNELS_OWN, INPUT_HOST_VALUES,
     "metadata.own_rope", false, 0, 0},
    {three_blocks, NULL, ORIEL_KERNELS_OWN, INPUT_HOST_FRAMES,
     "metadata.row_index", true, 0, 0},
    {three_blocks, NULL, ORIEL_KERNELS_OWN, INPUT_HOST_VALUES, "lo", false,
     ORIEL_RESIDUAL_WIDE, 0},
    {three_blocks, NULL, ORIEL_KERNELS_HOPPER, INPUT_HOST_VALUES,
     "metadata.batch_counts", false, 0, 0},
#define OF_CUDNN(part) \
    { \
        three_blocks, NULL, ORIEL_KERNELS_OWN, INPUT_HOST_VALUES, part, false, \
            0, ORIEL_ATTENTION_CUDNN \
    }
    OF_CUDNN("metadata.lengths"),
    OF_CUDNN("metadata.qkv_offsets"),
    OF_CUDNN("metadata.out_offsets"),
    OF_CUDNN("attention"),
};

static int
other(const oriel_cuda_part *part)
{
    for (int i = 0; i < (int)COUNT(others); i++)
        if (strcmp(part->name, others[i].part) == 0)
            return i;
    return -1;
}

/* Whichever step is cut out of a lifetime, a check fails: so checks see what is read
   too late, and the table keeps nothing for longer than it is needed. */
START_TEST(no_step_of_a_lifetime_can_be_missed)
{
    int which = _i - 1; /* of the others */
    int seen = 0;
    scene *s;
    oriel_error err;

    fixture_kernels = which < 0 ? ORIEL_KERNELS_OWN : others[which].kernels;
    fixture_residual = which < 0 ? ORIEL_RESIDUAL_BF16 : others[which].residual;
    fixture_attention =
        which < 0 ? ORIEL_ATTENTION_OWN : others[which].attention;
    s = which < 0 ? scene_make(three_blocks(), INPUT_HOST_FRAMES, NULL, false)
                  : scene_make(others[which].network(), others[which].kind,
                               others[which].grid, others[which].indexed);
    step_hook_before = list;
    ck_assert_msg(scene_encode(s, &err) == ORIEL_OK, "%s", err.message);
    ck_assert(scene_is_good(s));
    step_hook_before = shorten;
    for (short_part = 0; short_part < ORIEL_CUDA_PARTS; short_part++)
        if (other(&listed[short_part]) == which) {
            ck_assert_uint_gt(listed[short_part].bytes, 0);
            expect_missed(s, &listed[short_part]);
            seen++;
        }
    ck_assert_int_eq(seen,
                     which < 0 ? ORIEL_CUDA_PARTS - (int)COUNT(others) : 1);
    scene_free(s);
}
END_TEST

/* ---- Beyond a part ------------------------------------------------------- */

static const struct {
    const char *part;
    int side;
    oriel_step step;
    int32_t block;
    const char *message;
} overruns[] = {
    {"residual", 1, ORIEL_STEP_MLP_IN, 1,
     "MLP_IN of block 1 wrote after the end of residual"},
    {"residual", 0, ORIEL_STEP_STORE, 1,
     "STORE of hidden state 1 wrote before the start of residual"},
    {"qkv", 1, ORIEL_STEP_ATTEND, 0,
     "ATTEND of block 0 wrote after the end of qkv"},
    {"pixels", 0, ORIEL_STEP_EMBED, 0,
     "EMBED wrote before the start of pixels"},
    {"metadata.tokens", 1, ORIEL_STEP_MERGE, 0,
     "MERGE wrote after the end of metadata.tokens"},
};
static int overrun;

/* One byte, the nearest there is, while the part is alive. */
static void
write_beyond(oriel_backend_context *c, oriel_step step, int32_t block)
{
    int part;
    char *memory;

    if (step != overruns[overrun].step || block != overruns[overrun].block)
        return;
    part = part_index(c, overruns[overrun].part);
    memory = c->checks.memory[part] + c->checks.guard_bytes;
    memory +=
        overruns[overrun].side ? (ptrdiff_t)c->checks.parts[part].bytes : -1;
    ck_assert_int_eq(cudaMemsetAsync(memory, 7, 1, c->stream), cudaSuccess);
}

START_TEST(a_damaged_guard_is_told)
{
    scene *s = scene_make(three_blocks(), INPUT_HOST_FRAMES, NULL, false);
    oriel_error err;

    overrun = _i;
    step_hook_before = write_beyond;
    ck_assert_int_eq(scene_encode(s, &err), ORIEL_ERR_FAULT);
    ck_assert_msg(strncmp(err.message, overruns[_i].message,
                          strlen(overruns[_i].message)) == 0,
                  "%s", err.message);
    ck_assert_msg(strstr(err.message, ": 1 of 256"), "%s", err.message);
    scene_free(s);
}
END_TEST

/* A kernel that is told of one row too many, with guards and without. */
static void
one_row_more(oriel_backend_context *c, oriel_step step, int32_t block)
{
    if (step == ORIEL_STEP_START)
        c->checks.guard_bytes = overrun ? ORIEL_CUDA_GUARD_BYTES : 0;
    if (step == ORIEL_STEP_ATTN_IN && block == 1)
        c->space.metadata.rows++;
}

START_TEST(a_kernel_that_goes_too_far_is_caught)
{
    static const char *const messages[] = {
        "the device failed in rms_norm (ATTN_IN of block 1)",
        "ATTN_IN of block 1 wrote after the end of normalised"};
    scene *s = scene_make(three_blocks(), INPUT_HOST_VALUES, NULL, false);
    oriel_error err;

    overrun = _i;
    step_hook_before = one_row_more;
    ck_assert_int_eq(scene_encode(s, &err), ORIEL_ERR_FAULT);
    ck_assert_msg(strncmp(err.message, messages[_i], strlen(messages[_i])) == 0,
                  "%s", err.message);
    scene_free(s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_blame");
    TCase *tc = tcase_create("blame");

    tcase_set_timeout(tc, 480);
    tcase_add_loop_test(tc, a_fault_is_blamed_on_its_kernel, 0, COUNT(blames));
    tcase_add_test(tc, an_earlier_fault_is_not_ours);
    tcase_add_loop_test(tc, no_step_of_a_lifetime_can_be_missed, 0,
                        1 + COUNT(others));
    tcase_add_loop_test(tc, a_damaged_guard_is_told, 0, COUNT(overruns));
    tcase_add_loop_test(tc, a_kernel_that_goes_too_far_is_caught, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
