/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.h - what depends on the network alone: angles of rope, levels
 *
 * Made once, with the weights.  Sides above ORIEL_CPU_ROPE_POSITIONS patches,
 * which no published model sees by default, bring their own angles in the
 * workspace.
 */
#ifndef ORIEL_CPU_TABLES_H
#define ORIEL_CPU_TABLES_H

#include "base/network.h"
#include "oriel.h"

enum { ORIEL_CPU_ROPE_POSITIONS = 2048 };

typedef struct oriel_cpu_tables {
    float *cosine, *sine;    /* [ORIEL_CPU_ROPE_POSITIONS][head_dim / 4] */
    float (*levels)[3][256]; /* [ORIEL_FLAVOURS]: what a level of each channel
                                becomes */
    size_t bytes;
} oriel_cpu_tables;

/* ORIEL_ERR_MEMORY */
oriel_status oriel_cpu_tables_make(oriel_cpu_tables *tables,
                                   const oriel_network *network,
                                   const oriel_hooks *hooks, oriel_error *err);
void oriel_cpu_tables_free(oriel_cpu_tables *tables, const oriel_hooks *hooks);

/* cosine and sine are [positions][head_dim / 4]. */
void oriel_cpu_make_angles(float *cosine, float *sine,
                           const oriel_network *network, int32_t positions);

#endif /* ORIEL_CPU_TABLES_H */
