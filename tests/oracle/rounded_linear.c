/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rounded_linear.c - y = x . w^T + b in double, four by four dot products at once
 *
 * Compiled for three processors, so that full width and depth take minutes.
 */
#include "oracle/rounded.h"

enum { LANES = 8, SIDE = 4 };

/* Eight doubles wherever they lie. */
typedef double lanes
    __attribute__((vector_size(LANES * sizeof(double)), aligned(8), may_alias));

static inline __attribute__((always_inline)) double
sum_of(const lanes *v)
{
    double sum = 0;

    for (int i = 0; i < LANES; i++)
        sum += (*v)[i];
    return sum;
}

/* sums[i][j] = x_i . w_j */
static inline __attribute__((always_inline)) void
dots(double sums[SIDE][SIDE], const double *const x[SIDE],
     const double *const w[SIDE], int64_t n)
{
    lanes total[SIDE][SIDE] = {{{0}}};
    int64_t k = 0;

    for (; k + LANES <= n; k += LANES)
        for (int i = 0; i < SIDE; i++)
            for (int j = 0; j < SIDE; j++)
                total[i][j] +=
                    *(const lanes *)(x[i] + k) * *(const lanes *)(w[j] + k);
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            sums[i][j] = sum_of(&total[i][j]);
            for (int64_t rest = k; rest < n; rest++)
                sums[i][j] += x[i][rest] * w[j][rest];
        }
}

/* Rows beyond the last repeat it, and their sums are dropped. */
static inline __attribute__((always_inline)) void
multiply(double *y, const double *x, const double *w, const double *b,
         int64_t rows, int64_t out, int64_t in)
{
    for (int64_t o = 0; o < out; o += SIDE)
        for (int64_t r = 0; r < rows; r += SIDE) {
            const double *left[SIDE], *right[SIDE];
            double sums[SIDE][SIDE];

            for (int i = 0; i < SIDE; i++) {
                left[i] = x + (r + i < rows ? r + i : rows - 1) * in;
                right[i] = w + (o + i < out ? o + i : out - 1) * in;
            }
            dots(sums, left, right, in);
            for (int i = 0; i < SIDE && r + i < rows; i++)
                for (int j = 0; j < SIDE && o + j < out; j++)
                    y[(r + i) * out + o + j] =
                        sums[i][j] + (b ? b[o + j] : 0.0);
        }
}

#ifdef __x86_64__
__attribute__((target("avx512f,avx512dq,fma"))) static void
multiply_avx512(double *y, const double *x, const double *w, const double *b,
                int64_t rows, int64_t out, int64_t in)
{
    multiply(y, x, w, b, rows, out, in);
}

__attribute__((target("avx2,fma"))) static void
multiply_avx2(double *y, const double *x, const double *w, const double *b,
              int64_t rows, int64_t out, int64_t in)
{
    multiply(y, x, w, b, rows, out, in);
}
#endif

void
rounded_linear(double *y, const double *x, const double *w, const double *b,
               int64_t rows, int64_t out, int64_t in)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512dq")) {
        multiply_avx512(y, x, w, b, rows, out, in);
        return;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        multiply_avx2(y, x, w, b, rows, out, in);
        return;
    }
#endif
    multiply(y, x, w, b, rows, out, in);
}
