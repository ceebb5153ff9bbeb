/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter.h - what the steps of one job cost: operations done, milliseconds spent
 *
 * Where a step has run when it returns, encoder.c and oriel_run_blocks count and
 * time it.  A backend that enqueues steps is not asked for progress, and times
 * them itself, into 'ms', before 'finish' returns.
 */
#ifndef ORIEL_ENCODE_METER_H
#define ORIEL_ENCODE_METER_H

#include "base/progress.h"
#include "base/steps.h"
#include "plan/flops.h"

#include <stdbool.h>

typedef struct oriel_meter {
    oriel_progress progress; /* in FLOPs */
    oriel_step_flops flops;  /* of each step, in a block or outside */
    bool timed;              /* here, by the clock */
    double call_began, began;
    double ms[ORIEL_STEPS]; /* with config.profile */
} oriel_meter;

static inline void
oriel_meter_begin(oriel_meter *meter)
{
    if (meter->timed)
        meter->began = oriel_milliseconds();
}

static inline void
oriel_meter_end(oriel_meter *meter, oriel_step step, int64_t flops)
{
    if (meter->timed)
        meter->ms[step] += oriel_milliseconds() - meter->began;
    oriel_progress_add(&meter->progress, flops);
}

#endif /* ORIEL_ENCODE_METER_H */
