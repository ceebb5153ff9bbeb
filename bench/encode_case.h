/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode_case.h - one picture of one size, ready to be encoded again and again
 *
 * Through the public API only.  The picture is noise, never zeros.
 */
#ifndef BENCH_ENCODE_CASE_H
#define BENCH_ENCODE_CASE_H

#include "oriel.h"

#include <stdbool.h>

/* Seed and scale of made-up pixel_values; the transformers side of a
   comparison makes the same numbers. */
#define ENCODE_CASE_SEED 1000
#define ENCODE_CASE_SCALE 2.0

typedef struct encode_case {
    int32_t width, height;
    oriel_plan *plan;
    oriel_plan_info info;
    uint8_t *pixels;     /* [height, width, 3]; or */
    float *pixel_values; /* [patches, patch_columns] */
    const void *frame;   /* pixels */
    float *embeddings;   /* [tokens, out_hidden_size] */
    size_t embeddings_bytes;
} encode_case;

/* "448x448": width x height.  false: malformed. */
bool encode_case_parse(const char *text, int32_t *width, int32_t *height);

/* From RGB8, resized where the size is no multiple of a token; or, with
   'from_pixel_values', from patch rows as a processor makes them. */
oriel_status encode_case_open(encode_case *c, const oriel_model *model,
                              int32_t width, int32_t height,
                              bool from_pixel_values, oriel_error *err);

/* 'embeddings' is fp32, tight, c->embeddings_bytes long. */
oriel_status encode_case_run(const encode_case *c, oriel_encoder *encoder,
                             float *embeddings, oriel_error *err);

void encode_case_close(encode_case *c);

/* How far 'got' is from 'reference', both [rows, columns]. */
typedef struct encode_error {
    double relative_l2; /* over everything */
    double cosine_min;  /* of a row */
    bool finite;
} encode_error;
encode_error encode_compare(const float *got, const float *reference,
                            int64_t rows, int32_t columns);

#endif /* BENCH_ENCODE_CASE_H */
