/* SPDX-License-Identifier: Apache-2.0 */
/* start.c - a job begins: its memory laid out, its tables made; and ends */
#include "cpu/context.h"

/* Angles for the longest side: the network's, or the job's own. */
static void
choose_angles(oriel_backend_context *c)
{
    c->cosine = c->weights->tables.cosine;
    c->sine = c->weights->tables.sine;
    if (!c->space.cosine)
        return;
    oriel_cpu_make_angles(c->space.cosine, c->space.sine, &c->weights->network,
                          c->space.positions);
    c->cosine = c->space.cosine;
    c->sine = c->space.sine;
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
    choose_angles(c);
    return ORIEL_OK;
}

oriel_status
oriel_cpu_finish(oriel_backend_context *c, oriel_error *err)
{
    (void)err;
    c->job = NULL;
    return ORIEL_OK;
}
