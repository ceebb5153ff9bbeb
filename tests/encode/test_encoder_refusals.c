/* SPDX-License-Identifier: Apache-2.0 */
/* What the encoder refuses, with nothing enqueued. */
#include "encode/encode_fixture.h"
#include "encode/encoder.h"
#include "encode/fake_backend.h"
#include "support/suite.h"

#include <string.h>

struct refusal {
    void (*spoil)(struct encode_fixture *);
    oriel_status status;
    const char *says;
};

static const void *const no_frames[4] = {NULL};

#define SPOIL(name, ...) \
    static void name(struct encode_fixture *s) \
    { \
        __VA_ARGS__; \
    }
SPOIL(no_input, s->input.struct_size = 0)
SPOIL(neither_wait_nor_not, s->input.no_wait = 2)
SPOIL(both_inputs, s->input.frames = no_frames)
SPOIL(neither_input, s->input.pixel_values = NULL)
SPOIL(frames_of_grids, s->input.frames = no_frames;
      s->input.pixel_values = NULL)
SPOIL(few_pixel_bytes, s->input.pixel_values_bytes -= 4)
SPOIL(many_pixel_bytes, s->input.pixel_values_bytes += 4)
SPOIL(pixel_dtype, s->input.dtype = 9)
SPOIL(pixel_memory, s->input.pixels_memory = 2)
SPOIL(pixel_alignment,
      s->input.pixel_values = (const char *)s->pixel_values + 8)
SPOIL(no_results, s->output.n_results = 0)
SPOIL(results_missing, s->output.results = NULL)
SPOIL(results_negative, s->output.n_results = -1)
SPOIL(results_too_many, s->output.n_results = ORIEL_MAX_RESULTS + 1)
SPOIL(few_bytes, s->results[0].bytes--)
SPOIL(no_data, s->results[0].data = NULL)
SPOIL(narrow_rows, s->results[0].row_bytes = TINY_OUT * 4 - 16)
SPOIL(odd_rows, s->results[0].row_bytes = TINY_OUT * 4 + 1;
      s->results[0].bytes *= 2)
SPOIL(huge_rows, s->results[0].row_bytes = SIZE_MAX - 15)
SPOIL(result_dtype, s->results[0].dtype = -1)
SPOIL(result_of_bytes, s->results[0].dtype = ORIEL_DTYPE_U8)
SPOIL(result_kind, s->results[0].kind = 0)
SPOIL(result_unknown, s->results[0].kind = 4)
SPOIL(result_deepstack, s->results[0].kind = ORIEL_RESULT_DEEPSTACK)
SPOIL(result_reserved, s->results[0].reserved = 1)
SPOIL(embeddings_index, s->results[0].index = 1)
SPOIL(results_memory, s->output.results_memory = -1)
SPOIL(result_alignment, s->results[0].data = (char *)s->embeddings + 4;
      s->results[0].bytes += 64)
SPOIL(state_above_the_last, s->results[1].index = TINY_DEPTH + 1;
      s->output.n_results = 2)
SPOIL(state_below_the_first, s->results[1].index = -1; s->output.n_results = 2)
SPOIL(state_too_small, s->results[1].bytes--; s->output.n_results = 2)
SPOIL(same_twice, s->results[1] = s->results[0]; s->output.n_results = 2)
SPOIL(rows_overlap, s->results[2].data = (char *)s->results[1].data + 16;
      s->results[1].row_bytes = s->results[2].row_bytes = TINY_HIDDEN * 8;
      s->results[1].bytes = s->results[2].bytes = FIXTURE_PATCHES *
                                                  TINY_HIDDEN * 8;
      s->output.n_results = 3)
SPOIL(rows_of_two_pitches_overlap,
      s->results[2].data = (char *)s->results[1].data + TINY_HIDDEN * 4;
      s->results[1].row_bytes = TINY_HIDDEN * 8;
      s->results[2].row_bytes = TINY_HIDDEN * 12;
      s->results[1].bytes = s->results[2].bytes = FIXTURE_PATCHES *
                                                  TINY_HIDDEN * 12;
      s->output.n_results = 3)
static int32_t row_index[FIXTURE_TOKENS + 1];
SPOIL(index_too_high, row_index[5] = FIXTURE_TOKENS;
      s->output.row_index = row_index)
SPOIL(index_too_low, row_index[5] = -2; s->output.row_index = row_index)
SPOIL(index_memory, s->output.row_index_memory = 2)
SPOIL(index_alignment,
      s->output.row_index =
          (const int32_t *)(const void *)((const char *)row_index + 2))
SPOIL(index_on_the_device, s->output.row_index = row_index;
      s->output.row_index_memory = ORIEL_MEMORY_DEVICE;
      s->output.results_memory = ORIEL_MEMORY_HOST)
SPOIL(small_workspace, s->output.workspace = s->states[0];
      s->output.workspace_bytes = encode_fixture_workspace - FIXTURE_SLACK - 1)
SPOIL(tiny_workspace, s->output.workspace = (char *)s->states[0] + 64;
      s->output.workspace_bytes = 1)
SPOIL(no_plan, oriel_plan_destroy(s->plan); s->plan = NULL)
SPOIL(foreign_plan, oriel_plan_destroy(s->plan);
      ck_assert_int_eq(oriel_plan_create_from_grids(
                           &s->plan, oriel_model_preset("qwen2.5-vl-7b"),
                           encode_fixture_grids, FIXTURE_ITEMS, NULL, NULL),
                       ORIEL_OK))

static const struct refusal refusals[] = {
    {no_input, ORIEL_ERR_ARGUMENT, "oriel_input"},
    {both_inputs, ORIEL_ERR_ARGUMENT, "both"},
    {neither_input, ORIEL_ERR_ARGUMENT, "neither"},
    {frames_of_grids, ORIEL_ERR_ARGUMENT, "grids"},
    {few_pixel_bytes, ORIEL_ERR_ARGUMENT, "pixel_values_bytes"},
    {many_pixel_bytes, ORIEL_ERR_ARGUMENT, "272 patches of 96"},
    {pixel_dtype, ORIEL_ERR_ARGUMENT, "input.dtype is 9"},
    {pixel_memory, ORIEL_ERR_ARGUMENT, "input.pixels_memory is 2"},
    {pixel_alignment, ORIEL_ERR_ARGUMENT, "multiples of 16"},
    {no_results, ORIEL_ERR_ARGUMENT, "n_results is 0"},
    {results_missing, ORIEL_ERR_ARGUMENT, "results is NULL"},
    {results_negative, ORIEL_ERR_ARGUMENT, "n_results is -1"},
    {results_too_many, ORIEL_ERR_ARGUMENT, "expected 1 to 1024"},
    {few_bytes, ORIEL_ERR_ARGUMENT, "68 rows of 24 values"},
    {no_data, ORIEL_ERR_ARGUMENT, "has 0 bytes"},
    {narrow_rows, ORIEL_ERR_ARGUMENT, "results[0].row_bytes"},
    {odd_rows, ORIEL_ERR_ARGUMENT, "results[0].row_bytes"},
    {huge_rows, ORIEL_ERR_ARGUMENT, "results[0] has"},
    {result_dtype, ORIEL_ERR_ARGUMENT, "results[0].dtype is -1"},
    {result_of_bytes, ORIEL_ERR_ARGUMENT, "results[0].dtype is 4"},
    {result_kind, ORIEL_ERR_ARGUMENT, "results[0].kind is 0"},
    {result_unknown, ORIEL_ERR_ARGUMENT, "results[0].kind is 4"},
    {result_deepstack, ORIEL_ERR_UNSUPPORTED, "DEEPSTACK"},
    {result_reserved, ORIEL_ERR_UNSUPPORTED, "results[0].reserved"},
    {embeddings_index, ORIEL_ERR_ARGUMENT, "results[0].index is 1"},
    {results_memory, ORIEL_ERR_ARGUMENT, "output.results_memory is -1"},
    {result_alignment, ORIEL_ERR_ARGUMENT, "multiples of 16"},
    {state_above_the_last, ORIEL_ERR_ARGUMENT, "results[1].index is 5"},
    {state_below_the_first, ORIEL_ERR_ARGUMENT, "results[1].index is -1"},
    {state_too_small, ORIEL_ERR_ARGUMENT, "results[1] has"},
    {same_twice, ORIEL_ERR_ARGUMENT, "results[0] and results[1] overlap"},
    {rows_overlap, ORIEL_ERR_ARGUMENT, "results[1] and results[2] overlap"},
    {rows_of_two_pitches_overlap, ORIEL_ERR_ARGUMENT,
     "results[1] and results[2] overlap"},
    {index_too_high, ORIEL_ERR_ARGUMENT,
     "row_index[5] is 68, expected -1 to 67"},
    {index_too_low, ORIEL_ERR_ARGUMENT, "row_index[5] is -2"},
    {index_memory, ORIEL_ERR_ARGUMENT, "row_index_memory is 2"},
    {index_alignment, ORIEL_ERR_ARGUMENT, "aligned to 4 bytes"},
    {index_on_the_device, ORIEL_ERR_ARGUMENT, "expected both on the device"},
    {small_workspace, ORIEL_ERR_CAPACITY, "oriel_plan_workspace_bytes"},
    {tiny_workspace, ORIEL_ERR_CAPACITY, "oriel_plan_workspace_bytes"},
    {no_plan, ORIEL_ERR_ARGUMENT, "plan is NULL"},
    {foreign_plan, ORIEL_ERR_ARGUMENT, "depth differs"},
    {neither_wait_nor_not, ORIEL_ERR_ARGUMENT, "input.no_wait is 2"},
};

START_TEST(refuses)
{
    const struct refusal *r = &refusals[_i];
    struct encode_fixture s;
    oriel_error err;

    encode_fixture_setup(&s, fake_backend());
    r->spoil(&s);
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), r->status);
    ck_assert_int_eq(err.status, r->status);
    ck_assert_msg(strstr(err.message, r->says), "'%s' lacks '%s'", err.message,
                  r->says);
    ck_assert_int_eq(fake.calls, 0);
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, NULL), r->status);
    encode_fixture_teardown(&s);
}
END_TEST

START_TEST(host_encoders_take_host_memory)
{
    struct encode_fixture s;
    oriel_error err;

    encode_fixture_setup(&s, fake_host_backend());
    s.input.pixels_memory = ORIEL_MEMORY_DEVICE;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "runs on the CPU"));
    s.input.pixels_memory = ORIEL_MEMORY_HOST;
    s.output.results_memory = ORIEL_MEMORY_DEVICE;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_ERR_ARGUMENT);
    encode_fixture_teardown(&s);
}
END_TEST

START_TEST(frames_are_looked_at)
{
    struct encode_fixture s;
    oriel_item items[] = {{32, 32, 1, 0, 0, 0}, {32, 32, 3, 0, 0, 0}};
    static unsigned char pixels[32 * 32 * 3];
    const void *frames[] = {pixels, pixels, pixels, pixels};
    size_t pitches[] = {96, 96, 96, 96};
    oriel_error err;

    encode_fixture_setup(&s, fake_backend());
    oriel_plan_destroy(s.plan);
    ck_assert_int_eq(
        oriel_plan_create(&s.plan, s.tiny.model, items, 2, NULL, &err),
        ORIEL_OK);
    s.input.pixel_values = NULL;
    s.input.frames = frames;
    s.input.pitches = pitches;
    frames[2] = NULL;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(err.item, 1);
    ck_assert_ptr_nonnull(strstr(err.message, "frames[2]"));
    frames[2] = pixels;
    pitches[3] = 95;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "pitches[3] is 95"));
    encode_fixture_teardown(&s);
}
END_TEST

/* Questions without a subject, or with nowhere to answer to. */
START_TEST(questions_want_their_arguments)
{
    struct encode_fixture s;
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_device_info device = ORIEL_DEVICE_INFO_INIT;
    size_t bytes = 1;
    uint64_t device_bytes = 1;
    oriel_error err;

    encode_fixture_setup(&s, fake_backend());
    ck_assert_int_eq(oriel_plan_workspace_bytes(NULL, NULL, &bytes, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "plan is NULL");
    ck_assert_int_eq(oriel_plan_workspace_bytes(s.plan, NULL, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "bytes is NULL");
    options.threads = -1;
    ck_assert_int_eq(oriel_plan_workspace_bytes(s.plan, &options, &bytes, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "threads is -1, expected 0 to "));
    ck_assert_uint_eq(bytes, 0);
    ck_assert_int_eq(oriel_model_device_bytes(NULL, NULL, &device_bytes, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "model is NULL");
    ck_assert_int_eq(oriel_model_device_bytes(s.tiny.model, NULL, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_str_eq(err.message, "bytes is NULL");
    ck_assert_int_eq(oriel_device_get_info(7, 0, &device, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "device is 7, expected"));
    ck_assert_int_eq(oriel_device_get_info(ORIEL_DEVICE_CPU, -1, &device, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "device_index is -1, expected"));
    encode_fixture_teardown(&s);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("encoder refusals");
    TCase *refused = tcase_create("refused");

    tcase_add_loop_test(refused, refuses, 0, COUNT(refusals));
    tcase_add_test(refused, host_encoders_take_host_memory);
    tcase_add_test(refused, frames_are_looked_at);
    tcase_add_test(refused, questions_want_their_arguments);
    suite_add_tcase(suite, refused);
    return run_suite(suite);
}
