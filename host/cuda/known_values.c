/* SPDX-License-Identifier: Apache-2.0 */
/* known_values.c - the known-answer test in integers and double precision */
#include "cuda/known_values.h"

#include "base/half.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    ROWS = ORIEL_KNOWN_ROWS,
    COLUMNS = ORIEL_KNOWN_COLUMNS,
    DEPTH = ORIEL_KNOWN_DEPTH,
    HEADS = ORIEL_KNOWN_HEADS,
    HEAD_DIM_MOST = 128,
    GROUP = 8, /* columns of gate, then the same of up */
    ALIGNMENT = 256
};

/* The windows take 1, 2 and 3 times 16 rows, the last a block of its own. */
static const int32_t cu_window[ORIEL_KNOWN_N_WINDOWS + 1] = {0, 7, 27, ROWS};
static const int32_t packs[ORIEL_KNOWN_N_PACKS][4] = {{0, 1, 1, -1},
                                                      {2, 2, 2, -1}};
static const int32_t frame[3] = {0, ROWS, 0};
/* Where sequences begin; the last two are empty. */
static const int32_t cu_sequence[ORIEL_KNOWN_SEQUENCES + 1] = {0, 23, ROWS,
                                                               ROWS, ROWS};
/* Turns after which a multiple of 1/8 is one of 1/16: still exact in bf16. */
static const float turns[ORIEL_KNOWN_TURNS][2] = {
    {1, 0}, {0, 1}, {-1, 0}, {0.5f, 0.5f}, {0.5f, -0.5f}};

/* ---- Places ---------------------------------------------------------------- */

void
oriel_known_lay_out(oriel_known_values *v, int32_t head_dim)
{
    const int32_t shape[][3] = {
#define ARRAY(name, rows, columns, bytes) {rows, columns, bytes},
        ORIEL_KNOWN_ARRAYS(ARRAY, head_dim)
#undef ARRAY
    };

    *v = (oriel_known_values){.head_dim = head_dim};
    for (int i = 0; i < ORIEL_KNOWN_N_ARRAYS; i++) {
        const size_t bytes =
            (size_t)shape[i][0] * (size_t)shape[i][1] * (size_t)shape[i][2];

        v->array[i].rows = shape[i][0];
        v->array[i].columns = shape[i][1];
        v->array[i].value_bytes = shape[i][2];
        v->array[i].at = v->bytes;
        v->bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}

static void *
memory_of(const oriel_known_values *v, oriel_known_array array)
{
    return v->memory + v->array[array].at;
}

double
oriel_known_value(const oriel_known_values *v, oriel_known_array array,
                  int32_t row, int32_t column)
{
    const size_t i =
        (size_t)row * (size_t)v->array[array].columns + (size_t)column;

    if (v->array[array].value_bytes == sizeof(float))
        return (double)((const float *)memory_of(v, array))[i];
    return (double)oriel_bf16_to_f32(
        ((const uint16_t *)memory_of(v, array))[i]);
}

/* ---- Operands -------------------------------------------------------------- */

/* Of value i of an array: a whole number in [-most, most]. */
static int32_t
whole(oriel_known_array array, int32_t i, int32_t most)
{
    uint32_t h = (uint32_t)i * 0x9E3779B1u + (uint32_t)array * 0x85EBCA77u;

    h = (h ^ (h >> 15)) * 0x2C1B3C6Du;
    h = (h ^ (h >> 12)) * 0x297A2D39u;
    h ^= h >> 15;
    return (int32_t)(h % (uint32_t)(2 * most + 1)) - most;
}

/* Multiples of 1/8 up to most / 8. */
static double
eighths(oriel_known_array array, int32_t i, int32_t most)
{
    return whole(array, i, most) / 8.0;
}

static void
fill_eighths(const oriel_known_values *v, oriel_known_array array, int32_t most)
{
    const int32_t n = v->array[array].rows * v->array[array].columns;
    uint16_t *values = memory_of(v, array);

    for (int32_t i = 0; i < n; i++)
        values[i] = oriel_f32_to_bf16((float)eighths(array, i, most));
}

/* What the lower plane of a residual holds beforehand: so fine that what hi leaves
   is rounded once more, and fp32 still has the sum of all three exactly. */
static double
rest_of(int32_t i)
{
    return whole(ORIEL_KNOWN_LO, i, 255) / 65536.0;
}

static void
fill_lo(const oriel_known_values *v)
{
    uint16_t *lo = memory_of(v, ORIEL_KNOWN_LO);

    for (int32_t i = 0; i < ROWS * COLUMNS; i++)
        lo[i] = oriel_f32_to_bf16((float)rest_of(i));
}

/* x weight^T + bias, in integers: multiples of 1/64 below 2^8. */
static void
fill_sums(const oriel_known_values *v)
{
    float *sums = memory_of(v, ORIEL_KNOWN_SUMS);
    int32_t x[ROWS * DEPTH], w[DEPTH];

    for (int32_t i = 0; i < ROWS * DEPTH; i++)
        x[i] = whole(ORIEL_KNOWN_INPUT, i, 8);
    for (int32_t j = 0; j < COLUMNS; j++) {
        for (int32_t k = 0; k < DEPTH; k++)
            w[k] = whole(ORIEL_KNOWN_WEIGHT, j * DEPTH + k, 8);
        for (int32_t r = 0; r < ROWS; r++) {
            int32_t sum = 8 * whole(ORIEL_KNOWN_BIAS, j, 8);

            for (int32_t k = 0; k < DEPTH; k++)
                sum += x[r * DEPTH + k] * w[k];
            sums[r * COLUMNS + j] = (float)sum / 64;
        }
    }
}

/* Rows in another order, each once: 5 and ROWS have no common factor. */
static int32_t
place_of(int32_t row)
{
    return (5 * row + 1) % ROWS;
}

/* Which turn a row makes for its row, 0, and for its column, 1. */
static int32_t
position_of(int32_t row, int32_t which)
{
    const int32_t half = ORIEL_KNOWN_TURNS / 2;

    return whole(ORIEL_KNOWN_POSITIONS, 2 * row + which, half) + half;
}

/* Pair j of a position. */
static const float *
turn_of(int32_t position, int32_t j)
{
    return turns[(position + j) % ORIEL_KNOWN_TURNS];
}

/* Values of a mean of 1/2, so that a wrong denominator shows. */
static void
fill_qkv(const oriel_known_values *v)
{
    const int32_t hidden = HEADS * v->head_dim;
    uint16_t *qkv = memory_of(v, ORIEL_KNOWN_QKV);

    fill_eighths(v, ORIEL_KNOWN_QKV, 8);
    for (int32_t i = 0; i < ROWS * 3 * hidden; i++)
        if (i % (3 * hidden) >= 2 * hidden)
            qkv[i] = oriel_f32_to_bf16(oriel_bf16_to_f32(qkv[i]) + 0.5f);
}

static void
fill_sequences(const oriel_known_values *v)
{
    const int64_t hidden = (int64_t)HEADS * v->head_dim;
    int32_t *lengths = memory_of(v, ORIEL_KNOWN_LENGTHS);
    int64_t *qkv = memory_of(v, ORIEL_KNOWN_QKV_OFFSETS);
    int64_t *out = memory_of(v, ORIEL_KNOWN_OUT_OFFSETS);

    for (int32_t i = 0; i <= ORIEL_KNOWN_SEQUENCES; i++) {
        out[i] = cu_sequence[i] * hidden;
        qkv[i] = 3 * out[i];
        if (i < ORIEL_KNOWN_SEQUENCES)
            lengths[i] = cu_sequence[i + 1] - cu_sequence[i];
    }
}

static void
fill_attention(const oriel_known_values *v)
{
    const int32_t quarter = v->head_dim / 4;
    float *angles = memory_of(v, ORIEL_KNOWN_ANGLES);
    int32_t *positions = memory_of(v, ORIEL_KNOWN_POSITIONS);

    for (int32_t p = 0; p < ORIEL_KNOWN_TURNS; p++)
        for (int32_t j = 0; j < quarter; j++)
            memcpy(angles + (ptrdiff_t)2 * (p * quarter + j), turn_of(p, j),
                   sizeof(turns[0]));
    for (int32_t r = 0; r < ROWS; r++)
        for (int32_t i = 0; i < 2; i++)
            positions[2 * r + i] = position_of(r, i);
    memcpy(memory_of(v, ORIEL_KNOWN_CU_WINDOW), cu_window, sizeof(cu_window));
    memcpy(memory_of(v, ORIEL_KNOWN_PACKS), packs, sizeof(packs));
    memcpy(memory_of(v, ORIEL_KNOWN_TILES), frame, sizeof(frame));
    fill_sequences(v);
    fill_qkv(v);
    memcpy(memory_of(v, ORIEL_KNOWN_TURNED), memory_of(v, ORIEL_KNOWN_QKV),
           v->array[ORIEL_KNOWN_OF_WINDOWS].at -
               v->array[ORIEL_KNOWN_TURNED].at);
}

void
oriel_known_fill(oriel_known_values *v)
{
    int32_t *places;

    memset(v->memory, 0xff, v->bytes); /* NaN, where a result is not stored */
    fill_eighths(v, ORIEL_KNOWN_INPUT, 8);
    fill_eighths(v, ORIEL_KNOWN_WEIGHT, 8);
    fill_eighths(v, ORIEL_KNOWN_BIAS, 8);
    fill_eighths(v, ORIEL_KNOWN_RESIDUAL, 24);
    fill_eighths(v, ORIEL_KNOWN_HI, 24);
    fill_lo(v);
    places = memory_of(v, ORIEL_KNOWN_PLACES);
    for (int32_t r = 0; r < ROWS; r++)
        places[r] = place_of(r);
    fill_sums(v);
    fill_attention(v);
}

/* ---- Products -------------------------------------------------------------- */

/* As a kernel stores it: rounded once. */
static double
rounded(double value)
{
    return (double)oriel_bf16_to_f32(oriel_f32_to_bf16((float)value));
}

static double
sum_of(const oriel_known_values *v, int32_t row, int32_t column)
{
    return oriel_known_value(v, ORIEL_KNOWN_SUMS, row, column);
}

void
oriel_known_linear(const oriel_known_values *v, int32_t row, double *exact,
                   double *bound)
{
    for (int32_t j = 0; j < COLUMNS; j++) {
        exact[j] = rounded(sum_of(v, row, j));
        bound[j] = 0;
    }
}

void
oriel_known_residual(const oriel_known_values *v, int32_t row, double *exact,
                     double *bound)
{
    for (int32_t j = 0; j < COLUMNS; j++) {
        exact[j] = rounded(sum_of(v, row, j) + eighths(ORIEL_KNOWN_RESIDUAL,
                                                       row * COLUMNS + j, 24));
        bound[j] = 0;
    }
}

static double
wide_sum(const oriel_known_values *v, int32_t row, int32_t column)
{
    const int32_t i = row * COLUMNS + column;

    return sum_of(v, row, column) + eighths(ORIEL_KNOWN_HI, i, 24) + rest_of(i);
}

void
oriel_known_hi(const oriel_known_values *v, int32_t row, double *exact,
               double *bound)
{
    for (int32_t j = 0; j < COLUMNS; j++) {
        exact[j] = rounded(wide_sum(v, row, j));
        bound[j] = 0;
    }
}

/* What hi leaves. */
void
oriel_known_lo(const oriel_known_values *v, int32_t row, double *exact,
               double *bound)
{
    oriel_known_hi(v, row, exact, bound);
    for (int32_t j = 0; j < COLUMNS; j++)
        exact[j] = rounded(wide_sum(v, row, j) - exact[j]);
}

/* The bounds at the heads of linear_swiglu.cu and linear_gelu.cu, whose sums are
   exact here. */
static void
multiply_gate(double gate, double up, double *exact, double *bound)
{
    *exact = gate / (1 + exp(-gate)) * up;
    *bound = fabs(*exact) * (0x1p-8 + 0x1p-21) + 0x1p-126;
}

/* Columns of gate alternate with as many of up. */
static int32_t
gate_of(int32_t column)
{
    return column / GROUP * 2 * GROUP + column % GROUP;
}

void
oriel_known_swiglu(const oriel_known_values *v, int32_t row, double *exact,
                   double *bound)
{
    for (int32_t j = 0; j < COLUMNS / 2; j++)
        multiply_gate(sum_of(v, row, gate_of(j)),
                      sum_of(v, row, gate_of(j) + GROUP), &exact[j], &bound[j]);
}

/* Of a product that was rounded and stored. */
void
oriel_known_apart(const oriel_known_values *v, int32_t row, double *exact,
                  double *bound)
{
    for (int32_t j = 0; j < COLUMNS / 2; j++)
        multiply_gate(rounded(sum_of(v, row, gate_of(j))),
                      rounded(sum_of(v, row, gate_of(j) + GROUP)), &exact[j],
                      &bound[j]);
}

void
oriel_known_gelu(const oriel_known_values *v, int32_t row, double *exact,
                 double *bound)
{
    for (int32_t j = 0; j < COLUMNS; j++) {
        const double x = sum_of(v, row, j);

        exact[j] = 0.5 * x * erfc(-x * sqrt(0.5));
        bound[j] = fabs(exact[j]) * 0x1p-8 + fabs(x) * 0x1p-21 + 0x1p-126;
    }
}

/* In fp32, which holds the sums, each row in its place. */
void
oriel_known_stored(const oriel_known_values *v, int32_t row, double *exact,
                   double *bound)
{
    int32_t from = 0;

    while (place_of(from) != row)
        from++;
    for (int32_t j = 0; j < COLUMNS; j++) {
        exact[j] = sum_of(v, from, j);
        bound[j] = 0;
    }
}

/* Of a row of x, by the bound at the head of rms_norm.cu; the scales are the first
   row of the weight. */
static void
normalise(const oriel_known_values *v, double *exact, double *bound)
{
    double square = 0, scale;

    for (int32_t k = 0; k < DEPTH; k++)
        square += exact[k] * exact[k];
    scale = 1 / sqrt(square / DEPTH + 1e-6);
    for (int32_t k = 0; k < DEPTH; k++) {
        exact[k] *= scale * oriel_known_value(v, ORIEL_KNOWN_WEIGHT, 0, k);
        bound[k] = fabs(exact[k]) * (0x1p-8 + 0x1p-18) + 0x1p-133;
    }
}

void
oriel_known_norm(const oriel_known_values *v, int32_t row, double *exact,
                 double *bound)
{
    for (int32_t k = 0; k < DEPTH; k++)
        exact[k] = oriel_known_value(v, ORIEL_KNOWN_INPUT, row, k);
    normalise(v, exact, bound);
}

/* Of a residual whose lo is the weight. */
void
oriel_known_wide_norm(const oriel_known_values *v, int32_t row, double *exact,
                      double *bound)
{
    for (int32_t k = 0; k < DEPTH; k++)
        exact[k] = oriel_known_value(v, ORIEL_KNOWN_INPUT, row, k) +
                   oriel_known_value(v, ORIEL_KNOWN_WEIGHT, row, k);
    normalise(v, exact, bound);
}

/* ---- Attention ------------------------------------------------------------- */

/* Head h of q (0), k (1) or v (2) of a row. */
static void
read_head(const oriel_known_values *v, int32_t row, int32_t which, int32_t h,
          double *head)
{
    const int32_t d = v->head_dim;

    for (int32_t i = 0; i < d; i++)
        head[i] = oriel_known_value(v, ORIEL_KNOWN_QKV, row,
                                    (which * HEADS + h) * d + i);
}

static void
turn_head(const oriel_known_values *v, int32_t row, double *head)
{
    const int32_t half = v->head_dim / 2, quarter = half / 2;

    for (int32_t i = 0; i < half; i++) {
        const float *cs = turn_of(position_of(row, i >= quarter), i % quarter);
        const double a = head[i], b = head[i + half];

        head[i] = a * cs[0] - b * cs[1];
        head[i + half] = b * cs[0] + a * cs[1];
    }
}

void
oriel_known_turned(const oriel_known_values *v, int32_t row, double *exact,
                   double *bound)
{
    for (int32_t i = 0; i < 3 * HEADS; i++) {
        double *head = exact + (ptrdiff_t)i * v->head_dim;

        read_head(v, row, i / HEADS, i % HEADS, head);
        if (i < 2 * HEADS)
            turn_head(v, row, head);
    }
    memset(bound, 0, (size_t)v->head_dim * 3 * HEADS * sizeof(*bound));
}

/* Keys begin .. end - 1 of one head: the weights of a row, which sum to 1. */
static void
weigh(const oriel_known_values *v, int32_t row, int32_t h, int32_t begin,
      int32_t end, bool turned, double *weights)
{
    const int32_t d = v->head_dim;
    double q[HEAD_DIM_MOST], k[HEAD_DIM_MOST], most = -HUGE_VAL, sum = 0;

    read_head(v, row, 0, h, q);
    if (turned)
        turn_head(v, row, q);
    for (int32_t j = begin; j < end; j++) {
        double dot = 0;

        read_head(v, j, 1, h, k);
        if (turned)
            turn_head(v, j, k);
        for (int32_t i = 0; i < d; i++)
            dot += q[i] * k[i];
        weights[j] = dot / sqrt(d);
        most = fmax(most, weights[j]);
    }
    for (int32_t j = begin; j < end; j++)
        sum += weights[j] = exp(weights[j] - most);
    for (int32_t j = begin; j < end; j++)
        weights[j] /= sum;
}

/*
 * By attention.cuh: a kernel rounds each weight and its result by 2^-8 at most, so
 * it is off by 2^-8 (sum p |v - e| + |e|).  Of scores as small as these and two
 * tiles of keys, what fp32 loses is a sixteenth of that at most, and 2^-16.
 */
static void
attend(const oriel_known_values *v, int32_t row, int32_t begin, int32_t end,
       bool turned, double *exact, double *bound)
{
    const int32_t d = v->head_dim, hidden = HEADS * d;
    double weights[ROWS];

    for (int32_t i = 0; i < hidden; i++) {
        double spread = 0;

        if (i % d == 0)
            weigh(v, row, i / d, begin, end, turned, weights);
        exact[i] = 0;
        for (int32_t j = begin; j < end; j++)
            exact[i] += weights[j] * oriel_known_value(v, ORIEL_KNOWN_QKV, j,
                                                       2 * hidden + i);
        for (int32_t j = begin; j < end; j++)
            spread += weights[j] * fabs(oriel_known_value(v, ORIEL_KNOWN_QKV, j,
                                                          2 * hidden + i) -
                                        exact[i]);
        bound[i] = (1 + 0x1p-4) * 0x1p-8 * (fabs(exact[i]) + spread) + 0x1p-16;
    }
}

void
oriel_known_windows(const oriel_known_values *v, int32_t row, double *exact,
                    double *bound)
{
    int32_t window = 0;

    while (window + 1 < ORIEL_KNOWN_N_WINDOWS && cu_window[window + 1] <= row)
        window++;
    attend(v, row, cu_window[window], cu_window[window + 1], true, exact,
           bound);
}

void
oriel_known_sequences(const oriel_known_values *v, int32_t row, double *exact,
                      double *bound)
{
    int32_t i = 0;

    while (cu_sequence[i + 1] <= row)
        i++;
    attend(v, row, cu_sequence[i], cu_sequence[i + 1], false, exact, bound);
}

void
oriel_known_frame(const oriel_known_values *v, int32_t row, double *exact,
                  double *bound)
{
    attend(v, row, frame[0], frame[0] + frame[1], false, exact, bound);
}
