/* SPDX-License-Identifier: Apache-2.0 */
/* batch_results.c - where results go, and pixel_values that are bytes */
#include "support/batch.h"

#include "plan/plan.h"
#include "support/random_frames.h"
#include "support/results.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

/* ---- pixel_values of bytes ------------------------------------------------ */

/* One patch: [3][slices][patch][patch] of frames that need no resampling. */
static void
cut_patch(unsigned char *out, const oriel_network *net,
          const random_frames *frames, int64_t first, int64_t last,
          int64_t slice, int64_t row, int64_t column)
{
    for (int32_t c = 0; c < 3; c++)
        for (int32_t t = 0; t < net->temporal_patch_size; t++) {
            int64_t k = first + slice * net->temporal_patch_size + t;

            k = k < last ? k : last - 1;
            for (int32_t y = 0; y < net->patch_size; y++)
                for (int32_t x = 0; x < net->patch_size; x++)
                    *out++ = ((const unsigned char *)frames->frames[k])
                        [(size_t)(row * net->patch_size + y) *
                             frames->pitches[k] +
                         (size_t)(column * net->patch_size + x) * 3 +
                         (size_t)c];
        }
}

/* Patches of all items in image order: the patches of a token are adjacent. */
static unsigned char *
cut_frames(const oriel_plan *plan, const random_frames *frames, size_t *bytes)
{
    const oriel_network *net = &plan->network;
    const int32_t merge = net->spatial_merge_size;
    size_t columns = (size_t)plan->info.patch_columns;
    unsigned char *all, *out;

    *bytes = (size_t)plan->info.patches * columns;
    all = out = oracle_alloc(1, *bytes);
    for (int64_t i = 0; i < plan->info.n_items; i++) {
        const int64_t *grid = &plan->info.grid_thw[3 * i];

        for (int64_t p = 0; p < grid[0] * grid[1] * grid[2]; p++) {
            int64_t within = p % (grid[1] * grid[2]);
            int64_t token = within / (merge * merge),
                    part = within % (merge * merge);
            int64_t across = grid[2] / merge;

            cut_patch(out, net, frames, plan->first_frame[i],
                      plan->first_frame[i + 1], p / (grid[1] * grid[2]),
                      token / across * merge + part / merge,
                      token % across * merge + part % merge);
            out += columns;
        }
    }
    return all;
}

void
batch_check_bytes(const batch *b, const oriel_plan *plan, uint64_t seed)
{
    random_frames f = random_frames_make(plan, seed);
    size_t bytes;
    unsigned char *cut = cut_frames(plan, &f, &bytes);
    oriel_input input = ORIEL_INPUT_INIT;
    fixture_result from_frames = batch_encode(b, plan, &f.input, 2);
    fixture_result from_bytes;

    input.pixel_values = cut;
    input.pixel_values_bytes = bytes;
    input.dtype = ORIEL_DTYPE_U8;
    from_bytes = batch_encode(b, plan, &input, 3);
    fixture_same(&from_frames, &from_bytes);
    fixture_result_free(&from_bytes);
    fixture_result_free(&from_frames);
    free(cut);
    random_frames_free(&f);
}

/* ---- row_index ------------------------------------------------------------- */

enum { MORE_ROWS = 5, PAD = 64, UNTOUCHED = 0x5a };

/* Backwards from the end of a larger matrix, in runs of three of which the last
   is skipped. */
static int32_t *
make_row_index(int64_t tokens)
{
    int32_t *index = oracle_alloc((size_t)tokens, sizeof(*index));

    for (int64_t t = 0; t < tokens; t++)
        index[t] = t % 3 == 2
                       ? -1
                       : (int32_t)(tokens + MORE_ROWS - 2 - t / 3 * 3 + t % 3);
    return index;
}

static void
check_rows(const batch *b, const unsigned char *matrix, size_t pitch,
           const int32_t *index)
{
    const fixture_result *r = &b->result;
    size_t width = (size_t)r->out_hidden * sizeof(float);

    for (int64_t row = 0; row < r->tokens + MORE_ROWS; row++) {
        const unsigned char *at = matrix + (size_t)row * pitch;
        size_t stored = 0;

        for (int64_t t = 0; t < r->tokens; t++)
            if (index[t] == row) {
                ck_assert_mem_eq(at, r->embeddings + t * r->out_hidden, width);
                stored = width;
            }
        for (size_t i = stored; i < pitch; i++)
            ck_assert_int_eq(at[i], UNTOUCHED);
    }
}

/* Embeddings by index; hidden states do not look at it. */
void
batch_check_row_index(const batch *b)
{
    const fixture_result *r = &b->result;
    size_t pitch = (size_t)r->out_hidden * sizeof(float) + PAD;
    size_t bytes = (size_t)(r->tokens + MORE_ROWS) * pitch;
    size_t state_bytes = (size_t)(r->patches * r->hidden) * sizeof(float);
    unsigned char *matrix = oracle_alloc(1, bytes);
    float *state = oracle_alloc(1, state_bytes);
    int32_t *index = make_row_index(r->tokens);
    oriel_encoder *encoder = fixture_encoder(&b->m, b->plan, b->precision, 2);
    oriel_input input = fixture_input(b->plan, b->pixels);
    oriel_result results[] = {embeddings_result(matrix, bytes),
                              hidden_state_result(1, state, state_bytes)};
    oriel_output output = output_of(results, 2, ORIEL_MEMORY_HOST);
    oriel_error err;

    memset(matrix, UNTOUCHED, bytes);
    results[0].row_bytes = pitch;
    output.row_index = index;
    ck_assert_msg(oriel_encode(encoder, b->plan, &input, &output, NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    check_rows(b, matrix, pitch, index);
    ck_assert_mem_eq(state, r->states[1], state_bytes);
    index[0] = (int32_t)(r->tokens + MORE_ROWS);
    ck_assert_int_eq(
        oriel_encode(encoder, b->plan, &input, &output, NULL, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "row_index[0]"));
    oriel_encoder_destroy(encoder);
    free(matrix);
    free(state);
    free(index);
}

/* ---- Interleaved results ---------------------------------------------------- */

/* Two copies of the embeddings and a hidden state side by side, from the state's
   rows: patches are as many as all rows, tokens fill the first of them. */
void
batch_check_interleaved(const batch *b)
{
    const fixture_result *r = &b->result;
    size_t out = (size_t)r->out_hidden * sizeof(float);
    size_t hidden = (size_t)r->hidden * sizeof(float);
    size_t pitch = (2 * out + hidden + PAD + 15) / 16 * 16;
    size_t bytes = (size_t)r->patches * pitch;
    unsigned char *matrix = oracle_alloc(1, bytes);
    oriel_encoder *encoder = fixture_encoder(&b->m, b->plan, b->precision, 2);
    oriel_input input = fixture_input(b->plan, b->pixels);
    oriel_result results[] = {
        embeddings_result(matrix, bytes),
        embeddings_result(matrix + out, bytes - out),
        hidden_state_result(0, matrix + 2 * out, bytes - 2 * out)};
    oriel_output output = output_of(results, 3, ORIEL_MEMORY_HOST);
    oriel_error err;

    memset(matrix, UNTOUCHED, bytes);
    for (int i = 0; i < 3; i++)
        results[i].row_bytes = pitch;
    ck_assert_msg(oriel_encode(encoder, b->plan, &input, &output, NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    for (int64_t p = 0; p < r->patches; p++) {
        const unsigned char *row = matrix + (size_t)p * pitch;

        for (int copy = 0; copy < 2 && p < r->tokens; copy++)
            ck_assert_mem_eq(row + (size_t)copy * out,
                             r->embeddings + p * r->out_hidden, out);
        for (size_t i = 0; i < 2 * out && p >= r->tokens; i++)
            ck_assert_int_eq(row[i], UNTOUCHED);
        ck_assert_mem_eq(row + 2 * out, r->states[0] + p * r->hidden, hidden);
        for (size_t i = 2 * out + hidden; i < pitch; i++)
            ck_assert_int_eq(row[i], UNTOUCHED);
    }
    oriel_encoder_destroy(encoder);
    free(matrix);
}
