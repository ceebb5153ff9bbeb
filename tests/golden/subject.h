/* SPDX-License-Identifier: Apache-2.0 */
/* subject.h - what is measured: a device in a precision, or the oracle */
#ifndef TESTS_GOLDEN_SUBJECT_H
#define TESTS_GOLDEN_SUBJECT_H

#include "golden/golden.h"
#include "weights/synth.h"

#include <stdbool.h>

typedef struct subject_kind {
    const char *name; /* "cpu fp32" */
    int32_t device;   /* ORIEL_DEVICE_*; AUTO: the oracle in doubles */
    int32_t precision;
} subject_kind;

/* Every kind there is; a device that is absent is told from one that fails. */
extern const subject_kind subject_kinds[];
extern const int32_t n_subject_kinds;
bool subject_is_present(const subject_kind *kind);

/* What one case gave: every state in fp32, [rows, width] in image order. */
typedef struct subject_result {
    float *states[GOLDEN_MAX_STATES];
} subject_result;
void subject_free_result(subject_result *result);

typedef struct subject subject;

/*
 * An encoder of the checkpoint, with room for every case of the file; the
 * oracle makes its weights from 'config' itself, so that nothing is read.  The
 * test ends on failure.
 */
subject *subject_create(const subject_kind *kind, const golden_file *file,
                        const oriel_synth_config *config,
                        const char *checkpoint);
const char *subject_description(const subject *s);
subject_result subject_run(subject *s, const golden_case *c);
void subject_destroy(subject *s);

#endif /* TESTS_GOLDEN_SUBJECT_H */
