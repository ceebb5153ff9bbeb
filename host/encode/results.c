/* SPDX-License-Identifier: Apache-2.0 */
/* results.c - the list of results of one encode, checked */
#include "encode/results.h"

#include "base/checked.h"
#include "base/dtype.h"
#include "base/fail.h"
#include "base/options.h"
#include "encode/job.h"

#include <stdbool.h>
#include <stdio.h>

/* Where one result writes: rows of 'width' bytes, 'pitch' bytes apart. */
typedef struct extent {
    uintptr_t data;
    size_t rows, width, pitch;
} extent;

/* "results[3].bytes" */
typedef struct field_name {
    char text[40];
} field_name;

static field_name
field_of(int32_t i, const char *field)
{
    field_name name;

    snprintf(name.text, sizeof(name.text), "results[%d].%s", i, field);
    return name;
}

static int64_t
columns_of(const oriel_result *result, const oriel_network *network)
{
    return result->kind == ORIEL_RESULT_EMBEDDINGS ? network->out_hidden_size
                                                   : network->hidden_size;
}

int32_t
oriel_result_due(const oriel_result *result, const oriel_network *network)
{
    return result->kind == ORIEL_RESULT_EMBEDDINGS ? network->depth
                                                   : result->index;
}

oriel_result
oriel_result_resolve(const oriel_result *result, const oriel_network *network)
{
    oriel_result out = *result;

    if (out.dtype == 0)
        out.dtype = ORIEL_DTYPE_F32;
    if (out.row_bytes == 0)
        out.row_bytes =
            (size_t)columns_of(result, network) * oriel_dtype_bytes(out.dtype);
    return out;
}

/* ---- One result ----------------------------------------------------------- */

static oriel_status
check_kind(const oriel_result *result, int32_t i, const oriel_network *network,
           oriel_error *err)
{
    int32_t last =
        result->kind == ORIEL_RESULT_HIDDEN_STATE ? network->depth : 0;

    if (result->kind == ORIEL_RESULT_DEEPSTACK)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "results[%d].kind is ORIEL_RESULT_DEEPSTACK, which "
                          "this model does not have",
                          i);
    if (result->kind != ORIEL_RESULT_EMBEDDINGS &&
        result->kind != ORIEL_RESULT_HIDDEN_STATE)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "results[%d].kind is %d, expected ORIEL_RESULT_*", i,
                          result->kind);
    if (result->index < 0 || result->index > last)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "results[%d].index is %d, expected 0 to %d", i,
                          result->index, last);
    if (result->dtype != 0 && result->dtype != ORIEL_DTYPE_F32 &&
        result->dtype != ORIEL_DTYPE_BF16 && result->dtype != ORIEL_DTYPE_F16)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "results[%d].dtype is %d, expected ORIEL_DTYPE_F32, "
                          "_BF16 or _F16",
                          i, result->dtype);
    return oriel_reserved_check(result->reserved, field_of(i, "reserved").text,
                                err);
}

static oriel_status
check_room(extent *out, const oriel_result *result, int32_t i, int64_t rows,
           int64_t columns, oriel_error *err)
{
    size_t value = oriel_dtype_bytes(result->dtype);
    size_t needed;

    out->data = (uintptr_t)result->data;
    out->width = (size_t)columns * value;
    out->pitch = result->row_bytes;
    if (value == 0 || out->pitch < out->width || out->pitch % value)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "results[%d].row_bytes is %zu, expected at least %zu "
                          "and whole values",
                          i, out->pitch, out->width);
    if (!oriel_mul_size(&needed, (size_t)rows - 1, out->pitch) ||
        !oriel_add_size(&needed, needed, out->width))
        needed = SIZE_MAX;
    if (!result->data || result->bytes < needed ||
        result->bytes > SIZE_MAX - out->pitch)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "results[%d] has %zu bytes, expected %zu: %lld rows "
                          "of %lld values, %zu bytes from row to row",
                          i, result->data ? result->bytes : 0, needed,
                          (long long)rows, (long long)columns, out->pitch);
    out->rows = (size_t)rows;
    return ORIEL_OK;
}

/*
 * With row_index any row of the matrix may be written and none need be, so one
 * row is all that must fit.
 */
static oriel_status
check_result(extent *out, const oriel_output *output, int32_t i,
             const oriel_network *network, const oriel_plan *plan,
             oriel_error *err)
{
    const oriel_result *asked = &output->results[i];
    bool embeddings = asked->kind == ORIEL_RESULT_EMBEDDINGS;
    bool indexed = embeddings && output->row_index;
    oriel_status status = check_kind(asked, i, network, err);
    oriel_result result;

    *out = (extent){0};
    if (status)
        return status;
    result = oriel_result_resolve(asked, network);
    status = check_room(out, &result, i,
                        indexed      ? 1
                        : embeddings ? plan->info.tokens
                                     : plan->info.patches,
                        columns_of(asked, network), err);
    if (!status && indexed)
        out->rows = oriel_result_rows(&result, out->width);
    return status ? status
                  : oriel_alignment_check(output->results_memory, result.data,
                                          result.row_bytes,
                                          field_of(i, "data").text, err);
}

/* ---- Overlap --------------------------------------------------------------- */

static uintptr_t
end_of(const extent *e)
{
    return e->data + (e->rows - 1) * e->pitch + e->width;
}

/* Whether the bytes [from, to) meet a row of 'e'. */
static bool
meets_row(const extent *e, uintptr_t from, uintptr_t to)
{
    size_t row;

    if (to <= e->data || from >= end_of(e))
        return false;
    if (from <= e->data)
        return true;
    row = (from - e->data) / e->pitch;
    if (from < e->data + row * e->pitch + e->width)
        return true;
    return row + 1 < e->rows && to > e->data + (row + 1) * e->pitch;
}

/* Equal pitches, as of interleaved results, are told by one row. */
static bool
overlap(const extent *a, const extent *b)
{
    const extent *few = a->rows < b->rows ? a : b;
    const extent *many = few == a ? b : a;

    if (end_of(a) <= b->data || end_of(b) <= a->data)
        return false;
    if (a->pitch == b->pitch) {
        size_t ahead = b->data >= a->data ? (b->data - a->data) % a->pitch
                                          : (a->data - b->data) % a->pitch;
        size_t before = b->data >= a->data ? a->width : b->width;
        size_t after = b->data >= a->data ? b->width : a->width;

        if (ahead >= before && ahead + after <= a->pitch)
            return false;
    }
    for (size_t r = 0; r < few->rows; r++) {
        uintptr_t row = few->data + r * few->pitch;

        if (meets_row(many, row, row + few->width))
            return true;
    }
    return false;
}

/* ---- The list --------------------------------------------------------------- */

static oriel_status
check_list(const oriel_output *output, const oriel_network *network,
           const oriel_plan *plan, oriel_error *err)
{
    extent extents[ORIEL_MAX_RESULTS];

    for (int32_t i = 0; i < output->n_results; i++) {
        oriel_status status =
            check_result(&extents[i], output, i, network, plan, err);

        if (status)
            return status;
        for (int32_t j = 0; j < i; j++)
            if (overlap(&extents[j], &extents[i]))
                return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                                  "results[%d] and results[%d] overlap: a row "
                                  "of one lies in a row of the other",
                                  j, i);
    }
    return ORIEL_OK;
}

/* The most that an index may be, in every result with a row a token. */
static size_t
least_rows(const oriel_output *output, const oriel_network *network)
{
    size_t least = INT32_MAX;

    for (int32_t i = 0; i < output->n_results; i++) {
        oriel_result result =
            oriel_result_resolve(&output->results[i], network);
        size_t rows =
            oriel_result_rows(&result, (size_t)columns_of(&result, network) *
                                           oriel_dtype_bytes(result.dtype));

        if (result.kind == ORIEL_RESULT_EMBEDDINGS && rows < least)
            least = rows;
    }
    return least;
}

static oriel_status
check_row_index(const oriel_output *output, const oriel_network *network,
                const oriel_plan *plan, int32_t memory, oriel_error *err)
{
    int64_t rows = (int64_t)least_rows(output, network);
    oriel_status status = oriel_memory_check(output->row_index_memory, memory,
                                             "output.row_index_memory", err);

    if (status || !output->row_index)
        return status;
    if ((uintptr_t)output->row_index % sizeof(int32_t))
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "output.row_index is not aligned to 4 bytes");
    if (output->row_index_memory == ORIEL_MEMORY_DEVICE &&
        output->results_memory == ORIEL_MEMORY_HOST)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "output.row_index is in device memory, but the "
                          "results are on the host: expected both on the "
                          "device");
    if (output->row_index_memory == ORIEL_MEMORY_DEVICE)
        return ORIEL_OK;
    for (int64_t t = 0; t < plan->info.tokens; t++)
        if (output->row_index[t] < -1 || output->row_index[t] >= rows)
            return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                              "output.row_index[%lld] is %d, expected -1 to "
                              "%lld, the last row that fits every result",
                              (long long)t, output->row_index[t],
                              (long long)rows - 1);
    return ORIEL_OK;
}

oriel_status
oriel_output_check(oriel_output *out, const oriel_network *network,
                   const oriel_plan *plan, int32_t memory,
                   const oriel_output *output, oriel_error *err)
{
    oriel_status status;

    if (!output)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "output is NULL");
    status = oriel_options_load(out, sizeof(*out), sizeof(oriel_output), output,
                                "oriel_output", err);
    if (!status)
        status = oriel_memory_check(out->results_memory, memory,
                                    "output.results_memory", err);
    if (status)
        return status;
    if (out->n_results < 1 || out->n_results > ORIEL_MAX_RESULTS ||
        !out->results)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "output.n_results is %d and results is %s, expected "
                          "1 to %d results",
                          out->n_results, out->results ? "set" : "NULL",
                          ORIEL_MAX_RESULTS);
    status = check_list(out, network, plan, err);
    return status ? status : check_row_index(out, network, plan, memory, err);
}
