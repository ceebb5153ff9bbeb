/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - work that is done, told to hooks.progress now and then */
#ifndef ORIEL_BASE_PROGRESS_H
#define ORIEL_BASE_PROGRESS_H

#include "oriel.h"

/* From one call of the hook to the next: 19 a second, and the end. */
enum { ORIEL_PROGRESS_PAUSE_MS = 53 };

typedef struct oriel_progress {
    const oriel_hooks *hooks; /* NULL, or without the hook: no hook is called */
    int32_t what;             /* ORIEL_PROGRESS_* */
    int64_t done, of, told;
    double told_at; /* milliseconds */
} oriel_progress;

/* All of these on the thread of the call.  'hooks' must outlive it. */
void oriel_progress_begin(oriel_progress *progress, const oriel_hooks *hooks,
                          int32_t what, int64_t of);
/* So much more is done, or so much in all; what is more than 'of' is 'of'. */
void oriel_progress_add(oriel_progress *progress, int64_t work);
void oriel_progress_set(oriel_progress *progress, int64_t done);
/* All of it, with success. */
void oriel_progress_end(oriel_progress *progress);

/* Of a clock that only rises. */
double oriel_milliseconds(void);

#endif /* ORIEL_BASE_PROGRESS_H */
