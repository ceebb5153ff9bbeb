/* SPDX-License-Identifier: Apache-2.0 */
/* hidden_state.c - the residual stream as it stands, out in image order */
#include "cpu/context.h"

enum { TOKENS_A_TASK = 64, PATCHES = 4 };

static void
store_task(void *context, int64_t task, int32_t thread)
{
    const oriel_backend_context *c = context;
    const oriel_plan_info *info = &c->job->plan->info;
    const oriel_result *to = c->result;
    int64_t n = c->weights->shapes.hidden;
    int64_t first = task * TOKENS_A_TASK;

    (void)thread;
    for (int64_t t = first; t < first + TOKENS_A_TASK && t < info->tokens; t++)
        for (int64_t i = 0; i < PATCHES; i++) {
            size_t place = (size_t)info->window_index[t] * PATCHES + (size_t)i;

            oriel_cpu_convert_row((char *)to->data + place * to->row_bytes,
                                  c->space.residual + (t * PATCHES + i) * n, n,
                                  to->dtype);
        }
}

oriel_status
oriel_cpu_hidden_state(oriel_backend_context *c, const oriel_result *result,
                       oriel_error *err)
{
    int64_t tokens = c->job->plan->info.tokens;

    c->result = result;
    return oriel_cpu_run(c, store_task,
                         (tokens + TOKENS_A_TASK - 1) / TOKENS_A_TASK, err);
}
