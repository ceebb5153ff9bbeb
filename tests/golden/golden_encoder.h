/* SPDX-License-Identifier: Apache-2.0 */
/* golden_encoder.h - what is measured: a device in a precision, or the oracle */
#ifndef TESTS_GOLDEN_GOLDEN_ENCODER_H
#define TESTS_GOLDEN_GOLDEN_ENCODER_H

#include "golden/golden.h"
#include "weights/synth.h"

#include <stdbool.h>

typedef struct golden_encoder_kind {
    const char *name; /* "cpu fp32" */
    int32_t device;   /* ORIEL_DEVICE_*; AUTO: the oracle in doubles */
    int32_t precision;
    int32_t residual; /* ORIEL_RESIDUAL_*, on CUDA */
    int32_t kernels;  /* ORIEL_KERNELS_*, on CUDA */
    /* ORIEL_ATTENTION_*, on CUDA; CUDNN is measured where it is asked for */
    int32_t attention;
} golden_encoder_kind;

/* Every kind there is; a device that is absent is told from one that fails. */
extern const golden_encoder_kind golden_encoder_kinds[];
extern const int32_t n_golden_encoder_kinds;
bool golden_encoder_is_present(const golden_encoder_kind *kind);

/* What one case gave: every state in fp32, [rows, width] in image order. */
typedef struct golden_encoder_result {
    float *states[GOLDEN_MAX_STATES];
} golden_encoder_result;
void golden_encoder_free_result(golden_encoder_result *result);

typedef struct golden_encoder golden_encoder;

/*
 * An encoder of the checkpoint, with room for every case of the file; the
 * oracle makes its weights from 'config' itself, so that nothing is read.  The
 * test ends on failure.
 */
golden_encoder *golden_encoder_create(const golden_encoder_kind *kind,
                                      const golden_file *file,
                                      const oriel_synth_config *config,
                                      const char *checkpoint);
const char *golden_encoder_description(const golden_encoder *s);
golden_encoder_result golden_encoder_run(golden_encoder *s,
                                         const golden_case *c);
void golden_encoder_destroy(golden_encoder *s);

#endif /* TESTS_GOLDEN_GOLDEN_ENCODER_H */
