/* SPDX-License-Identifier: Apache-2.0 */
/* principal.c - the first three principal components of rows */
#include "cli/principal.h"

#include "base/fail.h"
#include "cli/signals.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * A block of vectors is multiplied by the covariance again and again, and made
 * orthonormal.  The five beyond the three that are wanted make it converge by
 * the ratio of the ninth variance to the third, instead of the fourth to it.
 */
enum { WIDTH = 8, MOST_ROUNDS = 500, MOST_SWEEPS = 60 };

/* How much of the covariance's action may lie outside of the block. */
#define TOLERANCE 1e-11

typedef struct block {
    const float *rows;
    size_t n, d;
    double *mean;         /* [d] */
    double (*v)[WIDTH];   /* [d, 8], orthonormal */
    double (*w)[WIDTH];   /* [d, 8], covariance x v */
    double values[WIDTH]; /* variances, descending, times n */
} block;

/* 'row' less the mean, times v. */
static void
project(const block *b, const float *row, double out[WIDTH])
{
    double sum[WIDTH] = {0};

    for (size_t i = 0; i < b->d; i++) {
        const double x = (double)row[i] - b->mean[i];

        for (int j = 0; j < WIDTH; j++)
            sum[j] += x * b->v[i][j];
    }
    memcpy(out, sum, sizeof(sum));
}

static void
multiply(const block *b)
{
    memset(b->w, 0, b->d * sizeof(*b->w));
    for (size_t r = 0; r < b->n; r++) {
        const float *row = b->rows + r * b->d;
        double part[WIDTH];

        project(b, row, part);
        for (size_t i = 0; i < b->d; i++) {
            const double x = (double)row[i] - b->mean[i];

            for (int j = 0; j < WIDTH; j++)
                b->w[i][j] += x * part[j];
        }
    }
}

static double
dot(double (*a)[WIDTH], int j, double (*b)[WIDTH], int k, size_t d)
{
    double sum = 0.0;

    for (size_t i = 0; i < d; i++)
        sum += a[i][j] * b[i][k];
    return sum;
}

/* Gram and Schmidt, twice, as once is not enough; what depends on the vectors
   before it becomes 0. */
static void
orthonormalise(double (*v)[WIDTH], size_t d)
{
    for (int j = 0; j < WIDTH; j++) {
        const double before = sqrt(dot(v, j, v, j, d));
        double length;

        for (int k = 0; k < 2 * j; k++) {
            const double part = dot(v, j, v, k % j, d);

            for (size_t i = 0; i < d; i++)
                v[i][j] -= part * v[i][k % j];
        }
        length = sqrt(dot(v, j, v, j, d));
        for (size_t i = 0; i < d; i++)
            v[i][j] = length > 1e-13 * before ? v[i][j] / length : 0.0;
    }
}

/* Jacobi's rotation of columns and rows p and q, which makes a[p][q] 0. */
static void
rotate(double a[WIDTH][WIDTH], double u[WIDTH][WIDTH], int p, int q)
{
    double theta, t, c, s;

    if (a[p][q] == 0.0)
        return;
    theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    t = copysign(1.0, theta) / (fabs(theta) + sqrt(theta * theta + 1.0));
    c = 1.0 / sqrt(t * t + 1.0);
    s = t * c;
    for (int k = 0; k < WIDTH; k++) {
        const double x = a[k][p];
        const double y = a[k][q];

        a[k][p] = c * x - s * y;
        a[k][q] = s * x + c * y;
    }
    for (int k = 0; k < WIDTH; k++) {
        const double x = a[p][k];
        const double y = a[q][k];

        a[p][k] = c * x - s * y;
        a[q][k] = s * x + c * y;
    }
    for (int k = 0; k < WIDTH; k++) {
        const double x = u[k][p];
        const double y = u[k][q];

        u[k][p] = c * x - s * y;
        u[k][q] = s * x + c * y;
    }
}

/* The eigenvectors of a symmetric matrix, into the columns of 'u' by falling
   eigenvalue. */
static void
diagonalise(double a[WIDTH][WIDTH], double u[WIDTH][WIDTH],
            double values[WIDTH])
{
    double vectors[WIDTH][WIDTH] = {{0}};
    bool taken[WIDTH] = {false};

    for (int k = 0; k < WIDTH; k++)
        vectors[k][k] = 1.0;
    for (int sweep = 0; sweep < MOST_SWEEPS; sweep++)
        for (int p = 0; p < WIDTH; p++)
            for (int q = p + 1; q < WIDTH; q++)
                rotate(a, vectors, p, q);
    for (int j = 0; j < WIDTH; j++) {
        int best = -1;

        for (int k = 0; k < WIDTH; k++)
            if (!taken[k] && (best < 0 || a[k][k] > a[best][best]))
                best = k;
        taken[best] = true;
        values[j] = a[best][best];
        for (int k = 0; k < WIDTH; k++)
            u[k][j] = vectors[k][best];
    }
}

/* x u, in place. */
static void
turn(double (*x)[WIDTH], double u[WIDTH][WIDTH], size_t d)
{
    for (size_t i = 0; i < d; i++) {
        double row[WIDTH] = {0};

        for (int k = 0; k < WIDTH; k++)
            for (int j = 0; j < WIDTH; j++)
                row[j] += x[i][k] * u[k][j];
        memcpy(x[i], row, sizeof(row));
    }
}

/* Turn the block so that the covariance is diagonal within it, and say whether
   the three components are found. */
static bool
settle(block *b)
{
    double a[WIDTH][WIDTH], u[WIDTH][WIDTH];
    double most = 0.0;

    for (int j = 0; j < WIDTH; j++)
        for (int k = 0; k <= j; k++)
            a[j][k] = a[k][j] = dot(b->v, j, b->w, k, b->d);
    diagonalise(a, u, b->values);
    turn(b->v, u, b->d);
    turn(b->w, u, b->d);
    for (int j = 0; j < CLI_COMPONENTS; j++) {
        double outside = 0.0;

        for (size_t i = 0; i < b->d; i++) {
            const double x = b->w[i][j] - b->values[j] * b->v[i][j];

            outside += x * x;
        }
        most = fmax(most, sqrt(outside));
    }
    return most <= TOLERANCE * b->values[0];
}

/* Numbers of no pattern, always the same ones. */
static void
start(const block *b)
{
    uint64_t state = 1;

    for (size_t i = 0; i < b->d; i++)
        for (int j = 0; j < WIDTH; j++) {
            state = state * UINT64_C(6364136223846793005) +
                    UINT64_C(1442695040888963407);
            b->v[i][j] = (double)(int32_t)(state >> 32) / 0x1p31;
        }
    orthonormalise(b->v, b->d);
}

static oriel_status
iterate(block *b, oriel_error *err)
{
    start(b);
    for (int round = 0;; round++) {
        if (cli_signal_caught())
            return oriel_fail(err, ORIEL_ERR_CANCELLED, "heatmap: cancelled");
        multiply(b);
        if (settle(b) || round == MOST_ROUNDS)
            return ORIEL_OK;
        memcpy(b->v, b->w, b->d * sizeof(*b->v));
        orthonormalise(b->v, b->d);
    }
}

/* The entry of largest magnitude becomes positive. */
static void
fix_signs(const block *b)
{
    for (int j = 0; j < CLI_COMPONENTS; j++) {
        double largest = 0.0;

        for (size_t i = 0; i < b->d; i++)
            if (fabs(b->v[i][j]) > fabs(largest))
                largest = b->v[i][j];
        for (size_t i = 0; i < b->d && largest < 0.0; i++)
            b->v[i][j] = -b->v[i][j];
    }
}

/* Add the mean of the rows, less what 'mean' is, to it.  The sums lie in w. */
static void
add_mean(const block *b)
{
    memset(b->w, 0, b->d * sizeof(*b->w));
    for (size_t r = 0; r < b->n; r++)
        for (size_t i = 0; i < b->d; i++)
            b->w[i][0] += (double)b->rows[r * b->d + i] - b->mean[i];
    for (size_t i = 0; i < b->d; i++)
        b->mean[i] += b->w[i][0] / (double)b->n;
}

/* The mean of the rows; returns their variance, times n.  Rows that are alike
   have none, whatever rounding leaves of it. */
static double
centre(const block *b)
{
    double total = 0.0;
    double power = 0.0;

    memset(b->mean, 0, b->d * sizeof(*b->mean));
    add_mean(b);
    add_mean(b); /* of what the first one rounded */
    for (size_t r = 0; r < b->n; r++)
        for (size_t i = 0; i < b->d; i++) {
            const double value = (double)b->rows[r * b->d + i];
            const double x = value - b->mean[i];

            total += x * x;
            power += value * value;
        }
    return total > 1e-28 * power ? total : 0.0;
}

/* How much of each component a row has; 0 of one that is rounding alone. */
static void
score(const block *b, double *scores, double total)
{
    for (size_t r = 0; r < b->n; r++) {
        double part[WIDTH];

        project(b, b->rows + r * b->d, part);
        for (int j = 0; j < CLI_COMPONENTS; j++)
            scores[r * CLI_COMPONENTS + (size_t)j] =
                b->values[j] > 1e-18 * total ? part[j] : 0.0;
    }
}

static oriel_status
find(block *b, double *scores, double *share, oriel_error *err)
{
    const double total = centre(b);
    oriel_status status;

    *share = 0.0;
    memset(scores, 0, b->n * CLI_COMPONENTS * sizeof(*scores));
    if (!(total > 0.0))
        return ORIEL_OK;
    status = iterate(b, err);
    if (status)
        return status;
    fix_signs(b);
    score(b, scores, total);
    *share = (b->values[0] + b->values[1] + b->values[2]) / total;
    return ORIEL_OK;
}

oriel_status
cli_principal(double *scores, double *share, const float *rows, size_t n,
              size_t d, oriel_error *err)
{
    block b = {.rows = rows, .n = n, .d = d};
    oriel_status status;

    b.mean = malloc(d * sizeof(*b.mean));
    b.v = malloc(d * sizeof(*b.v));
    b.w = malloc(d * sizeof(*b.w));
    if (b.mean && b.v && b.w)
        status = find(&b, scores, share, err);
    else
        status = oriel_fail_memory(err, d * (2 * WIDTH + 1) * sizeof(double),
                                   "principal components");
    free(b.mean);
    free(b.v);
    free(b.w);
    return status;
}
