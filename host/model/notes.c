/* SPDX-License-Identifier: Apache-2.0 */
/* notes.c - notes about a checkpoint, logged and kept */
#include "model/notes.h"

#include "base/fail.h"

#include <stdarg.h>
#include <stdio.h>

oriel_status
oriel_note(oriel_notes *notes, const oriel_hooks *hooks, oriel_error *err,
           const char *format, ...)
{
    char line[480];
    char *kept;
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (notes->n_lines < ORIEL_MAX_NOTES) {
        kept = oriel_strdup(hooks, line);
        if (!kept)
            return oriel_fail_memory(err, sizeof(line), "a note");
        notes->lines[notes->n_lines++] = kept;
    }
    oriel_log(hooks, ORIEL_LOG_WARNING, line);
    return ORIEL_OK;
}

void
oriel_notes_free(oriel_notes *notes, const oriel_hooks *hooks)
{
    for (int32_t i = 0; i < notes->n_lines; i++)
        oriel_free(hooks, notes->lines[i]);
    notes->n_lines = 0;
}
