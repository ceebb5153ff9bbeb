/* SPDX-License-Identifier: Apache-2.0 */
/* tap.c - the residual stream as it stands, out in image order */
#include "cpu/context.h"

enum { TOKENS_A_TASK = 64, PATCHES = 4 };

static void
tap_task(void *context, int64_t task, int32_t thread)
{
    const oriel_backend_context *c = context;
    const oriel_plan_info *info = &c->job->plan->info;
    int64_t n = (int64_t)c->weights->shapes.hidden * PATCHES;
    size_t row = (size_t)n * oriel_cpu_dtype_bytes(c->tap->dtype);
    int64_t first = task * TOKENS_A_TASK;

    (void)thread;
    for (int64_t t = first; t < first + TOKENS_A_TASK && t < info->tokens; t++)
        oriel_cpu_convert_row((char *)c->tap->data +
                                  (size_t)info->window_index[t] * row,
                              c->space.residual + t * n, n, c->tap->dtype);
}

oriel_status
oriel_cpu_tap(oriel_backend_context *c, const oriel_tap *tap, oriel_error *err)
{
    int64_t tokens = c->job->plan->info.tokens;

    c->tap = tap;
    return oriel_cpu_run(c, tap_task,
                         (tokens + TOKENS_A_TASK - 1) / TOKENS_A_TASK, err);
}
