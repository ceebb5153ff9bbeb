/* SPDX-License-Identifier: Apache-2.0 */
/* encode_fixture.h - an encoder on the fake device, and all that one call of it takes */
#ifndef TESTS_ENCODE_ENCODE_FIXTURE_H
#define TESTS_ENCODE_ENCODE_FIXTURE_H

#include "encode/encoder.h"
#include "support/tiny_model.h"

enum {
    FIXTURE_ITEMS = 3,
    FIXTURE_PATCHES = 272,
    FIXTURE_TOKENS = 68,
    FIXTURE_SLACK = 256 /* of the workspace, beyond what is needed */
};

extern const int64_t encode_fixture_grids[3 * FIXTURE_ITEMS];
extern const size_t encode_fixture_workspace;

struct encode_fixture {
    tiny_model tiny;
    oriel_encoder *encoder;
    oriel_plan *plan;
    float *pixel_values;
    float *embeddings;
    float *states[TINY_DEPTH + 1];
    oriel_input input;
    oriel_output output;
    /* The embeddings, of which the output asks; then every hidden state. */
    oriel_result results[TINY_DEPTH + 2];
};

oriel_status encode_fixture_create(oriel_encoder **out,
                                   const oriel_model *model,
                                   const oriel_backend *backend,
                                   const oriel_hooks *hooks, size_t bytes,
                                   oriel_error *err);
void encode_fixture_setup(struct encode_fixture *s,
                          const oriel_backend *backend);
void encode_fixture_teardown(
    struct encode_fixture *s); /* and nothing of it is left */
oriel_status encode_fixture_encode(struct encode_fixture *s,
                                   struct CUstream_st *stream,
                                   oriel_error *err);

#endif /* TESTS_ENCODE_ENCODE_FIXTURE_H */
