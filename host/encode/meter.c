/* SPDX-License-Identifier: Apache-2.0 */
/* meter.c - what one call is to cost, and what it did: progress and profile */
#include "encode/handle.h"
#include "encode/results.h"

#include <stdio.h>

/* FLOPs of what the call runs: no block after the last result. */
static int64_t
work_of(const oriel_network *network, const oriel_backend_job *job)
{
    const oriel_step_flops *f = &job->plan->step_flops;
    int64_t work = f->embed;
    int32_t last = 0;

    for (int32_t i = 0; i < job->output->n_results; i++) {
        const oriel_result *result = &job->output->results[i];
        int32_t due = oriel_result_due(result, network);

        last = due > last ? due : last;
        if (result->kind == ORIEL_RESULT_EMBEDDINGS)
            work = oriel_flops_add(work, f->merge);
    }
    for (int32_t block = 0; block < last; block++)
        work = oriel_flops_add(
            work, oriel_flops_of_block(
                      f, oriel_network_is_full_attention(network, block)));
    return work;
}

void
oriel_encoder_start_meter(const oriel_encoder *encoder, oriel_meter *meter,
                          const oriel_backend_job *job)
{
    const oriel_network *network = oriel_model_network(encoder->model);
    /* On the host a step has run when it returns. */
    bool here = encoder->backend->memory == ORIEL_MEMORY_HOST;

    *meter = (oriel_meter){.flops = job->plan->step_flops,
                           .timed = here && encoder->config.profile,
                           .call_began = oriel_milliseconds()};
    oriel_progress_begin(&meter->progress, here ? &encoder->hooks : NULL,
                         ORIEL_PROGRESS_ENCODING, work_of(network, job));
}

static void
log_profile(const oriel_encoder *encoder, const oriel_meter *meter)
{
    char line[512];
    double all = 0;
    int n = snprintf(line, sizeof(line), "profile, in ms:");

    for (int i = 0; i < ORIEL_STEPS; i++) {
        all += meter->ms[i];
        n += snprintf(line + n, sizeof(line) - (size_t)n, " %s %.3f,",
                      oriel_step_name((oriel_step)i), meter->ms[i]);
    }
    snprintf(line + n, sizeof(line) - (size_t)n,
             " all steps %.3f, the call %.3f", all,
             oriel_milliseconds() - meter->call_began);
    oriel_log(&encoder->hooks, ORIEL_LOG_DEBUG, line);
}

void
oriel_encoder_stop_meter(const oriel_encoder *encoder, oriel_meter *meter)
{
    oriel_progress_end(&meter->progress);
    if (encoder->config.profile)
        log_profile(encoder, meter);
}
