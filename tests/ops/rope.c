/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/op.h"

#include "oracle/oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POSITIONS = 1430 }; /* the farthest that a picture reaches */
#define THETA 10000.0

/* ---- Positions, which attention has too ------------------------------------- */

/* The reference's angles: fp32 products of position and fp32 frequency. */
static void
fill_table(float *table, int32_t n, int32_t quarter)
{
    for (int32_t p = 0; p < n; p++)
        for (int32_t j = 0; j < quarter; j++) {
            const float frequency = (float)pow(THETA, -(double)j / quarter);
            const double angle = (double)((float)p * frequency);

            table[(p * quarter + j) * 2] = (float)cos(angle);
            table[(p * quarter + j) * 2 + 1] = (float)sin(angle);
        }
}

int
op_make_positions(op_case *c, random_stream *random)
{
    const int32_t quarter = c->shape.head_dim / 4;
    const size_t n = 2 * (size_t)c->rows;
    int32_t most = c->shape.positions ? 0 : POSITIONS - 1, *positions;

    if (op_array_make(&c->index[OP_POSITIONS], n * sizeof(*positions)))
        return -1;
    positions = c->index[OP_POSITIONS].host;
    for (size_t i = 0; i < n; i++) {
        positions[i] = c->shape.positions
                           ? c->shape.positions[i]
                           : (int32_t)random_between(random, 0, POSITIONS - 1);
        most = positions[i] > most ? positions[i] : most;
    }
    if (op_array_make(&c->index[OP_ROPE],
                      (size_t)((most + 1) * quarter * 2) * sizeof(float)))
        return -1;
    fill_table(c->index[OP_ROPE].host, most + 1, quarter);
    return op_array_send(&c->index[OP_POSITIONS]) ||
           op_array_send(&c->index[OP_ROPE]);
}

/* ---- The op ----------------------------------------------------------------- */

static double
scale_of(const op_case *c)
{
    return c->shape.scale > 0 ? c->shape.scale : 8;
}

static int
make(op_case *c, random_stream *random)
{
    c->columns = 3 * c->shape.heads * c->shape.head_dim;
    return op_array_random(&c->initial, random, (size_t)(c->rows * c->columns),
                           scale_of(c), 0) ||
           op_make_positions(c, random);
}

static cudaError_t
prepare(const op_case *c)
{
    (void)c;
    return oriel_cuda_rope_prepare(NULL);
}

static cudaError_t
run(const op_case *c, int64_t first, int64_t rows, void *out)
{
    const oriel_rope_args args = {
        out,
        c->index[OP_ROPE].device.data,
        (const int32_t *)c->index[OP_POSITIONS].device.data + 2 * first,
        op_told(c, rows),
        c->shape.heads,
        c->shape.head_dim,
        op_counted(c)};

    return oriel_cuda_rope(&args, NULL);
}

/* One rounding of a value within the pair's length, sqrt 2 scale, and a table
   good to 2^-23 of each factor; v stays as it is. */
static void
exact(const op_case *c, int64_t first, int64_t rows, double *exact,
      double *bound)
{
    const uint16_t *qkv =
        (const uint16_t *)c->initial.host + first * c->columns;
    const int32_t *position =
        (const int32_t *)c->index[OP_POSITIONS].host + 2 * first;

    for (int64_t r = 0; r < rows; r++, position += 2) {
        double *row = exact + r * c->columns, *far = bound + r * c->columns;

        for (int32_t i = 0; i < c->columns; i++)
            row[i] = bf16_value(qkv[r * c->columns + i]);
        oracle_rope(row, 2 * c->shape.heads, c->shape.head_dim, THETA,
                    position[0], position[1], 0);
        for (int32_t i = 0; i < c->columns; i++)
            far[i] = i < c->columns / 3 * 2
                         ? fabs(row[i]) * 0x1p-8 + 1.5 * scale_of(c) * 0x1p-21
                         : 0;
    }
}

/* q and k there and back. */
static double
bytes(const op_case *c)
{
    return 2.0 * 2.0 * 2.0 / 3.0 * c->columns * (double)c->rows;
}

const op op_rope = {"rope", true,  make,  prepare,
                    run,    exact, bytes, op_no_flops};
