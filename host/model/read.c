/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read.c - reading weights: parts, dtypes and layouts disappear here
 *
 * Works on any thread: it allocates nothing and calls no hook.  What needs no
 * conversion goes straight from the file to where it is used.
 */
#include "model/read.h"

#include "base/fail.h"
#include "model/convert.h"

#include <inttypes.h>
#include <string.h>

/* Values a conversion holds at a time: 32 KiB of F32, well within any stack. */
enum { CHUNK = 8192 };

static int32_t
dtype_of(const oriel_stored_tensor *stored)
{
    return stored->dtype == ORIEL_STORED_F32   ? ORIEL_DTYPE_F32
           : stored->dtype == ORIEL_STORED_F16 ? ORIEL_DTYPE_F16
                                               : ORIEL_DTYPE_BF16;
}

/* Narrower values that lie in the second half of 'out' to F32 from its beginning:
   what is written never gets to what is still to be read. */
static void
widen(uint8_t *out, int32_t from, uint64_t n)
{
    const uint8_t *narrow = out + n * sizeof(uint16_t);
    uint16_t some[CHUNK];

    for (uint64_t done = 0; done < n; done += CHUNK) {
        const size_t count = n - done < CHUNK ? (size_t)(n - done) : CHUNK;

        memcpy(some, narrow + done * sizeof(*some), count * sizeof(*some));
        oriel_convert(out + done * sizeof(float), ORIEL_DTYPE_F32, some, from,
                      count);
    }
}

/* Values first .. first + n - 1, in stored order. */
static oriel_status
read_values(const oriel_stored_tensor *stored, uint64_t first, uint64_t n,
            int32_t dtype, uint8_t *out, oriel_error *err)
{
    const int32_t from = dtype_of(stored);
    const size_t width = oriel_dtype_bytes(from);
    uint32_t raw[CHUNK];

    if (from == dtype)
        return oriel_stored_read(stored, first * width, out, n * width, err);
    if (dtype == ORIEL_DTYPE_F32 && width == sizeof(uint16_t)) {
        oriel_status status = oriel_stored_read(
            stored, first * width, out + n * width, n * width, err);

        if (!status)
            widen(out, from, n);
        return status;
    }
    for (uint64_t done = 0; done < n; done += CHUNK) {
        const size_t some = n - done < CHUNK ? (size_t)(n - done) : CHUNK;
        oriel_status status = oriel_stored_read(stored, (first + done) * width,
                                                raw, some * width, err);

        if (status)
            return status;
        oriel_convert(out + done * oriel_dtype_bytes(dtype), dtype, raw, from,
                      some);
    }
    return ORIEL_OK;
}

/*
 * Rows of a convolution stored [H, T, P, P, C] as [H, C, T, P, P]: value e of a
 * stored row is place e / C of channel e mod C.
 */
static oriel_status
read_channels_last(const oriel_checkpoint *checkpoint,
                   const oriel_stored_tensor *stored, int64_t first_row,
                   int64_t rows, int32_t dtype, void *out, oriel_error *err)
{
    const uint64_t columns =
        (uint64_t)oriel_network_patch_columns(&checkpoint->network);
    const uint64_t channels = (uint64_t)checkpoint->network.in_channels;
    const uint64_t first = (uint64_t)first_row * columns;
    const uint64_t n = (uint64_t)rows * columns;
    uint32_t some[CHUNK];

    for (uint64_t done = 0; done < n; done += CHUNK) {
        const uint64_t left = n - done < CHUNK ? n - done : CHUNK;
        oriel_status status = read_values(stored, first + done, left, dtype,
                                          (uint8_t *)some, err);

        if (status)
            return status;
        for (uint64_t i = 0; i < left; i++) {
            const uint64_t row = (done + i) / columns;
            const uint64_t e = (done + i) % columns;
            const uint64_t to = row * columns +
                                e % channels * (columns / channels) +
                                e / channels;

            if (dtype == ORIEL_DTYPE_F32)
                ((uint32_t *)out)[to] = some[i];
            else
                ((uint16_t *)out)[to] = ((const uint16_t *)some)[i];
        }
    }
    return ORIEL_OK;
}

static oriel_status
check_request(const oriel_checkpoint *checkpoint, oriel_tensor tensor,
              int32_t block, int64_t first_row, int64_t rows, int32_t dtype,
              oriel_error *err)
{
    oriel_tensor_shape shape;

    if ((uint32_t)tensor >= ORIEL_N_TENSORS)
        return oriel_fail(err, ORIEL_ERR_INTERNAL,
                          "weights: no tensor %d in the manifest", (int)tensor);
    shape = oriel_tensor_get_shape(&checkpoint->network, tensor);
    if (oriel_tensor_in_block(tensor) &&
        (block < 0 || block >= checkpoint->network.depth))
        return oriel_fail(err, ORIEL_ERR_INTERNAL,
                          "weights: %s of block %d, expected below %d",
                          oriel_tensor_name(tensor), block,
                          checkpoint->network.depth);
    if (first_row < 0 || rows < 0 || first_row > shape.rows ||
        rows > shape.rows - first_row)
        return oriel_fail(err, ORIEL_ERR_INTERNAL,
                          "weights: %s: %" PRId64 " rows from %" PRId64
                          ", expected within %" PRId64,
                          oriel_tensor_name(tensor), rows, first_row,
                          shape.rows);
    if (dtype != ORIEL_DTYPE_F32 && dtype != ORIEL_DTYPE_BF16)
        return oriel_fail(err, ORIEL_ERR_INTERNAL,
                          "weights: dtype %d, expected F32 or BF16", dtype);
    return ORIEL_OK;
}

oriel_status
oriel_checkpoint_read(const oriel_checkpoint *checkpoint, oriel_tensor tensor,
                      int32_t block, int64_t first_row, int64_t rows,
                      int32_t dtype, void *out, oriel_error *err)
{
    oriel_status status =
        check_request(checkpoint, tensor, block, first_row, rows, dtype, err);

    if (status)
        return status;
    const oriel_binding *binding =
        oriel_checkpoint_find(checkpoint, tensor, block);
    const oriel_tensor_shape shape =
        oriel_tensor_get_shape(&checkpoint->network, tensor);
    const int64_t part_rows = shape.rows / binding->n_parts;
    uint8_t *to = out;

    if (binding->channels_last)
        return read_channels_last(checkpoint, binding->parts[0], first_row,
                                  rows, dtype, out, err);
    while (rows > 0 && !status) {
        const int64_t within = first_row % part_rows;
        const int64_t some =
            rows < part_rows - within ? rows : part_rows - within;
        const uint64_t values = (uint64_t)(some * shape.columns);

        status = read_values(binding->parts[first_row / part_rows],
                             (uint64_t)(within * shape.columns), values, dtype,
                             to, err);
        to += values * oriel_dtype_bytes(dtype);
        first_row += some;
        rows -= some;
    }
    return status;
}
