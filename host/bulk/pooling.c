/* SPDX-License-Identifier: Apache-2.0 */
/* pooling.c - from the rows of an item to the rows that are stored */
#include "bulk/pooling.h"

#include "base/fail.h"
#include "base/half.h"

#include <stdlib.h>
#include <string.h>

/* A cell's lines or columns: [begin, end). */
typedef struct span {
    int64_t begin, end;
} span;

static span
cell(int64_t i, int64_t n, int64_t cells)
{
    return (span){i * n / cells, ((i + 1) * n + cells - 1) / cells};
}

static void
add_row(double *sum, const float *row, int64_t width)
{
    for (int64_t c = 0; c < width; c++)
        sum[c] += (double)row[c];
}

static void
store(void *out, int64_t first, const double *sum, double n, int64_t width,
      int32_t dtype)
{
    for (int64_t c = 0; c < width; c++) {
        const float value = (float)(sum[c] / n);

        if (dtype == ORIEL_DTYPE_F32)
            ((float *)out)[first + c] = value;
        else
            ((uint16_t *)out)[first + c] = dtype == ORIEL_DTYPE_F16
                                               ? oriel_f32_to_f16(value)
                                               : oriel_f32_to_bf16(value);
    }
}

oriel_status
bulk_pool_rows(const bulk_pooling *pooling, const float *rows,
               const int64_t token_grid[3], int64_t per_token, int64_t width,
               int32_t dtype, void *out, oriel_error *err)
{
    const int64_t t = token_grid[0], h = token_grid[1], w = token_grid[2];
    const int64_t cells = (int64_t)pooling->rows * pooling->columns;
    double *sum = calloc((size_t)width, sizeof(*sum));

    if (!sum)
        return oriel_fail_memory(err, (size_t)width * sizeof(*sum), "a sum");
    for (int64_t i = 0; i < cells; i++) {
        const span y = cell(i / pooling->columns, h, pooling->rows);
        const span x = cell(i % pooling->columns, w, pooling->columns);
        const int64_t n = t * (y.end - y.begin) * (x.end - x.begin) * per_token;

        memset(sum, 0, (size_t)width * sizeof(*sum));
        for (int64_t f = 0; f < t; f++)
            for (int64_t r = y.begin; r < y.end; r++)
                for (int64_t at = ((f * h + r) * w + x.begin) * per_token;
                     at < ((f * h + r) * w + x.end) * per_token; at++)
                    add_row(sum, rows + at * width, width);
        store(out, i * width, sum, (double)n, width, dtype);
    }
    free(sum);
    return oriel_ok(err);
}
