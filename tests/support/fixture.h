/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixture.h - models of any shape in memory, and encoders on the cpu backend
 *
 * Weights are fp32 from a seed, scaled so that activations stay near one, with
 * a few outlier channels.  The oracle gets the very same numbers.
 */
#ifndef TESTS_SUPPORT_FIXTURE_H
#define TESTS_SUPPORT_FIXTURE_H

#include "encode/backend.h"
#include "oracle/oracle.h"
#include "support/networks.h"

typedef struct fixture_model {
    oriel_model *model;
    oracle_weights *oracle;
    network_files files;
} fixture_model;

/* Fails the test when the model does not open. */
fixture_model fixture_model_make(const oriel_network *network, uint64_t seed);
void fixture_model_free(fixture_model *model);

/* ORIEL_KERNELS_*, ORIEL_RESIDUAL_* and ORIEL_ATTENTION_* of what is made from now on;
   OWN, BF16 and OWN at first. */
extern int32_t fixture_kernels, fixture_residual, fixture_attention;

size_t fixture_workspace(const oriel_plan *plan, int32_t precision,
                         int32_t threads);
/* With cuDNN's attention: what an encode of this plan must find. */
void fixture_prepare(oriel_encoder *encoder, const oriel_plan *plan);
/* An encoder with its own workspace for 'plan', prepared for it. */
oriel_encoder *fixture_encoder(const fixture_model *model,
                               const oriel_plan *plan, int32_t precision,
                               int32_t threads);

/* What one encode gives: hidden states 0 .. depth, then the embeddings. */
typedef struct fixture_result {
    int32_t n_hidden;
    int64_t patches, tokens, hidden, out_hidden;
    float **states; /* [n_hidden][patches, hidden] */
    float *embeddings;
} fixture_result;

/* fp32 pixel_values of a plan from grids, -2 .. 2 from a seed. */
float *fixture_pixels(const oriel_plan *plan, uint64_t seed);
fixture_result fixture_encode(const fixture_model *model,
                              oriel_encoder *encoder, const oriel_plan *plan,
                              const oriel_input *input);
void fixture_result_free(fixture_result *result);
/* Item 'item' of a batch: its rows still equal the rows in 'all'. */
fixture_result fixture_part(const fixture_result *all,
                            const int64_t (*grids)[3], int item);
void fixture_part_free(fixture_result *part);

oriel_input fixture_input(const oriel_plan *plan, const float *pixels);
/* Fails the test when any byte differs. */
void fixture_same(const fixture_result *a, const fixture_result *b);

/* The oracle on the same pixels. */
oracle_result *fixture_oracle(const fixture_model *model,
                              const oriel_plan *plan, const float *pixels);

oriel_plan *fixture_plan(const fixture_model *model, const int64_t (*grids)[3],
                         size_t n);

/* The cpu backend's table. */
const oriel_backend *fixture_backend(void);

#endif /* TESTS_SUPPORT_FIXTURE_H */
