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
static oriel_tap bad_tap;

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
SPOIL(pixel_memory, s->input.memory = 2)
SPOIL(pixel_alignment,
      s->input.pixel_values = (const char *)s->pixel_values + 8)
SPOIL(no_output, s->output.embeddings = NULL)
SPOIL(few_bytes, s->output.embeddings_bytes--)
SPOIL(narrow_rows, s->output.row_bytes = TINY_OUT * 4 - 16)
SPOIL(odd_rows, s->output.row_bytes = TINY_OUT * 4 + 1;
      s->output.embeddings_bytes *= 2)
SPOIL(huge_rows, s->output.row_bytes = SIZE_MAX - 15)
SPOIL(output_dtype, s->output.dtype = -1)
SPOIL(output_memory, s->output.memory = -1)
SPOIL(taps_missing, s->output.n_taps = 1; s->output.taps = NULL)
SPOIL(taps_negative, s->output.n_taps = -1)
SPOIL(tap_behind_the_end, bad_tap = s->taps[0];
      bad_tap.hidden_state = TINY_DEPTH + 1; s->output.taps = &bad_tap;
      s->output.n_taps = 1)
SPOIL(tap_before_the_start, bad_tap = s->taps[0]; bad_tap.hidden_state = -1;
      s->output.taps = &bad_tap; s->output.n_taps = 1)
SPOIL(tap_too_small, bad_tap = s->taps[0]; bad_tap.bytes--;
      s->output.taps = &bad_tap; s->output.n_taps = 1)
SPOIL(tap_nowhere, bad_tap = s->taps[0]; bad_tap.data = NULL;
      s->output.taps = &bad_tap; s->output.n_taps = 1)
SPOIL(tap_dtype, bad_tap = s->taps[0]; bad_tap.dtype = 4;
      s->output.taps = &bad_tap; s->output.n_taps = 1)
SPOIL(small_workspace, s->output.workspace = s->states[0];
      s->output.workspace_bytes = encode_fixture_workspace - FIXTURE_SLACK - 1)
SPOIL(tiny_workspace, s->output.workspace = (char *)s->states[0] + 64;
      s->output.workspace_bytes = 1)
SPOIL(no_plan, oriel_plan_destroy(s->plan); s->plan = NULL)
SPOIL(foreign_plan, oriel_plan_destroy(s->plan);
      ck_assert_int_eq(oriel_plan_create_from_grids(&s->plan, NULL,
                                                    encode_fixture_grids,
                                                    FIXTURE_ITEMS, NULL, NULL),
                       ORIEL_OK))

static const struct refusal refusals[] = {
    {no_input, ORIEL_ERR_ARGUMENT, "oriel_input"},
    {both_inputs, ORIEL_ERR_ARGUMENT, "both"},
    {neither_input, ORIEL_ERR_ARGUMENT, "neither"},
    {frames_of_grids, ORIEL_ERR_ARGUMENT, "grids"},
    {few_pixel_bytes, ORIEL_ERR_ARGUMENT, "pixel_values_bytes"},
    {many_pixel_bytes, ORIEL_ERR_ARGUMENT, "272 patches of 96"},
    {pixel_dtype, ORIEL_ERR_ARGUMENT, "input.dtype is 9"},
    {pixel_memory, ORIEL_ERR_ARGUMENT, "input.memory is 2"},
    {pixel_alignment, ORIEL_ERR_ARGUMENT, "multiples of 16"},
    {no_output, ORIEL_ERR_ARGUMENT, "neither embeddings nor taps"},
    {few_bytes, ORIEL_ERR_ARGUMENT, "68 tokens of 24"},
    {narrow_rows, ORIEL_ERR_ARGUMENT, "row_bytes"},
    {odd_rows, ORIEL_ERR_ARGUMENT, "row_bytes"},
    {huge_rows, ORIEL_ERR_ARGUMENT, "embeddings_bytes"},
    {output_dtype, ORIEL_ERR_ARGUMENT, "output.dtype is -1"},
    {output_memory, ORIEL_ERR_ARGUMENT, "output.memory is -1"},
    {taps_missing, ORIEL_ERR_ARGUMENT, "n_taps is 1"},
    {taps_negative, ORIEL_ERR_ARGUMENT, "n_taps is -1"},
    {tap_behind_the_end, ORIEL_ERR_ARGUMENT, "hidden_state is 5"},
    {tap_before_the_start, ORIEL_ERR_ARGUMENT, "hidden_state is -1"},
    {tap_too_small, ORIEL_ERR_ARGUMENT, "taps[0]"},
    {tap_nowhere, ORIEL_ERR_ARGUMENT, "taps[0]"},
    {tap_dtype, ORIEL_ERR_ARGUMENT, "tap.dtype is 4"},
    {small_workspace, ORIEL_ERR_CAPACITY, "oriel_plan_workspace"},
    {tiny_workspace, ORIEL_ERR_CAPACITY, "oriel_plan_workspace"},
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
    s.input.memory = ORIEL_MEMORY_DEVICE;
    ck_assert_int_eq(encode_fixture_encode(&s, NULL, &err), ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "runs on the CPU"));
    s.input.memory = ORIEL_MEMORY_HOST;
    s.output.memory = ORIEL_MEMORY_DEVICE;
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

int
main(void)
{
    Suite *suite = suite_create("encoder refusals");
    TCase *refused = tcase_create("refused");

    tcase_add_loop_test(refused, refuses, 0, COUNT(refusals));
    tcase_add_test(refused, host_encoders_take_host_memory);
    tcase_add_test(refused, frames_are_looked_at);
    suite_add_tcase(suite, refused);
    return run_suite(suite);
}
