/* SPDX-License-Identifier: Apache-2.0 */
/* attention_case.h - encoders that attend over frames by cuDNN, not yet prepared */
#ifndef TESTS_CUDA_ATTENTION_CASE_H
#define TESTS_CUDA_ATTENTION_CASE_H

#include "support/fixture.h"

/* The line of the log that tells the engine; a warning fails the test. */
extern char attention_logged[640];

/* With room for 'plan' (NULL: none); 'graphs' is ORIEL_GRAPHS_*. */
oriel_status attention_create(oriel_encoder **encoder, const fixture_model *m,
                              const oriel_plan *plan, int32_t graphs,
                              oriel_error *err);
/* Fails the test unless it succeeds. */
oriel_encoder *attention_encoder(const fixture_model *m, const oriel_plan *plan,
                                 int32_t graphs);

/* A fixture of each test, which runs in a process of its own: what the fixtures make,
   and the scratch that they count, is cuDNN's. */
void attention_use_cudnn(void);

#endif /* TESTS_CUDA_ATTENTION_CASE_H */
