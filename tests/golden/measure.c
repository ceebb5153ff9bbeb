/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - how far values are from the golden ones */
#include "golden/golden.h"
#include "weights/counter.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* [n_vectors, width] of +1, 0 and -1, for the caller to free. */
static float *
make_vectors(const golden_file *file, const golden_state *s, bool is_out)
{
    float *vectors =
        malloc((size_t)s->n_vectors * (size_t)s->width * sizeof(*vectors));

    ck_assert_ptr_nonnull(vectors);
    for (int32_t j = 0; j < s->n_vectors; j++) {
        float *v = vectors + j * s->width;
        char name[32];
        uint64_t key;

        snprintf(name, sizeof(name), "golden.%s.%d", is_out ? "out" : "vector",
                 j);
        key = oriel_counter_key(GOLDEN_SEED, name);
        for (int64_t i = 0; i < s->width; i++)
            v[i] = oriel_counter_unit(key, (uint64_t)i) < 0 ? -1.0f : 1.0f;
        /* All vectors of a state but the last leave the outliers out. */
        for (int32_t k = 0;
             !is_out && j < s->n_vectors - 1 && k < file->n_outliers; k++)
            v[file->outliers[k]] = 0;
    }
    return vectors;
}

static double
dot(const float *x, const float *v, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * v[i];
    return sum;
}

/* The worst relative error of the whole rows, and their least cosine. */
static void
compare_whole(const golden_state *s, const float *values, double *worst,
              double *cosine)
{
    *worst = 0;
    *cosine = 1;
    for (int32_t r = 0; r < s->n_whole; r++) {
        const float *x = values + s->at[r] * s->width;
        const float *g = s->whole + r * s->width;
        double error = 0, xx = 0, gg = 0, xg = 0, relative;

        for (int64_t i = 0; i < s->width; i++) {
            double d = (double)x[i] - g[i];

            error += d * d;
            xx += (double)x[i] * x[i];
            gg += (double)g[i] * g[i];
            xg += (double)x[i] * g[i];
        }
        relative = sqrt(error / gg);
        /* The negations let a NaN through. */
        if (!(relative <= *worst))
            *worst = relative;
        if (!(xg / sqrt(xx * gg) >= *cosine))
            *cosine = xg / sqrt(xx * gg);
    }
}

golden_error
golden_measure(const golden_file *file, const golden_case *c, int32_t state,
               const float *values)
{
    const golden_state *s = &c->states[state];
    float *vectors = make_vectors(file, s, state == c->n_states - 1);
    const int32_t last = s->n_vectors - 1;
    double calm = 0, every = 0, cosine;
    golden_error result;

    for (int64_t r = 0; r < s->rows; r++)
        for (int32_t j = 0; j <= last; j++) {
            double d =
                dot(values + r * s->width, vectors + j * s->width, s->width) -
                s->dots[r * s->n_vectors + j];

            *(j < last ? &calm : &every) += d * d;
        }
    free(vectors);
    result.calm = sqrt(calm / last / s->norms[0]);
    result.every = sqrt(every / s->norms[1]);
    compare_whole(s, values, &result.row, &cosine);
    return result;
}

/*
 * With |error|^2 of a token estimated by the mean of its squared dots, its
 * cosine is about 1 - |error|^2 / (2 |token|^2).
 */
double
golden_least_cosine(const golden_file *file, const golden_case *c,
                    const float *embeddings)
{
    const golden_state *s = &c->states[c->n_states - 1];
    float *vectors = make_vectors(file, s, true);
    double worst, least;

    compare_whole(s, embeddings, &worst, &least);
    for (int64_t r = 0; r < s->rows; r++) {
        double error = 0, cosine;

        for (int32_t j = 0; j < s->n_vectors; j++) {
            double d = dot(embeddings + r * s->width, vectors + j * s->width,
                           s->width) -
                       s->dots[r * s->n_vectors + j];

            error += d * d / s->n_vectors;
        }
        cosine = 1 - error / (2 * (double)c->token_norms[r]);
        if (!(cosine >= least))
            least = cosine;
    }
    free(vectors);
    return least;
}
