/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notes.h - what was passed over in a checkpoint, or decided for the caller
 *
 * Each note is one line; it goes to the log hook as ORIEL_LOG_WARNING, and is
 * kept for `oriel inspect`.
 */
#ifndef ORIEL_MODEL_NOTES_H
#define ORIEL_MODEL_NOTES_H

#include "base/memory.h"
#include "oriel.h"

enum { ORIEL_MAX_NOTES = 16 };

/* Zeroed to begin with. */
typedef struct oriel_notes {
    char *lines[ORIEL_MAX_NOTES]; /* ours to free */
    int32_t n_lines;
} oriel_notes;

/* A note beyond ORIEL_MAX_NOTES is only logged.  ORIEL_ERR_MEMORY */
__attribute__((format(printf, 4, 5))) oriel_status oriel_note(
    oriel_notes *notes, const oriel_hooks *hooks, oriel_error *err,
    const char *format, ...);

void oriel_notes_free(oriel_notes *notes, const oriel_hooks *hooks);

#endif /* ORIEL_MODEL_NOTES_H */
