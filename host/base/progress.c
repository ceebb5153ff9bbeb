/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - when the progress hook is called, and with what */
#include "base/progress.h"

#include <stdbool.h>
#include <time.h>

double
oriel_milliseconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static bool
is_told(const oriel_progress *p)
{
    return p->hooks && p->hooks->progress;
}

static void
tell(oriel_progress *p, double now)
{
    p->told = p->done;
    p->told_at = now;
    p->hooks->progress(p->hooks->user, p->what, p->done, p->of);
}

void
oriel_progress_begin(oriel_progress *p, const oriel_hooks *hooks, int32_t what,
                     int64_t of)
{
    *p = (oriel_progress){.hooks = hooks, .what = what, .of = of};
    if (is_told(p))
        p->told_at = oriel_milliseconds();
}

void
oriel_progress_set(oriel_progress *p, int64_t done)
{
    double now;

    p->done = done < p->of ? done : p->of;
    if (!is_told(p) || p->done <= p->told || p->done == p->of)
        return; /* the end has a call of its own */
    now = oriel_milliseconds();
    if (now - p->told_at >= ORIEL_PROGRESS_PAUSE_MS)
        tell(p, now);
}

void
oriel_progress_add(oriel_progress *p, int64_t work)
{
    oriel_progress_set(p, work < p->of - p->done ? p->done + work : p->of);
}

void
oriel_progress_end(oriel_progress *p)
{
    p->done = p->of;
    if (is_told(p))
        tell(p, oriel_milliseconds());
}
