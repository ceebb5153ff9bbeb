/* SPDX-License-Identifier: Apache-2.0 */
/* start.c - a job begins: its memory laid out, its tables made; and ends */
#include "cpu/context.h"

#include <math.h>
#include <string.h>

/*
 * The reference multiplies an fp32 position by an fp32 frequency; the product's
 * cosine is then as good as fp32 can hold.
 */
static void
make_rope_table(oriel_cpu_workspace *s, const oriel_network *net)
{
    for (int32_t j = 0; j < s->quarter; j++) {
        float frequency =
            (float)(1.0 / pow(net->rope_theta, 4.0 * j / net->head_dim));

        for (int32_t p = 0; p < s->positions; p++) {
            double angle = (double)((float)p * frequency);
            size_t at = (size_t)p * (size_t)s->quarter + (size_t)j;

            s->cosine[at] = (float)cos(angle);
            s->sine[at] = (float)sin(angle);
        }
    }
}

oriel_status
oriel_cpu_start(oriel_backend_context *c, const oriel_backend_job *job,
                oriel_error *err)
{
    oriel_status status =
        oriel_cpu_lay_out(&c->space, job->workspace, job->plan,
                          c->weights->storage, c->n_threads, err);

    if (status)
        return status;
    c->job = job;
    c->rows = oriel_cpu_rows(job->plan);
    c->tile_rows = oriel_cpu_tile_rows(c, c->rows);
    c->n_tiles = (c->rows + c->tile_rows - 1) / c->tile_rows;
    c->block = 0;
    atomic_store_explicit(&c->failed, 0, memory_order_relaxed);
    make_rope_table(&c->space, &c->weights->network);
    return ORIEL_OK;
}

oriel_status
oriel_cpu_finish(oriel_backend_context *c, oriel_error *err)
{
    (void)err;
    c->job = NULL;
    return ORIEL_OK;
}
