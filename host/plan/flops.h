/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flops.h - what encoding one item costs
 *
 * Two operations a multiply-add; matrix products and attention only.  Sums
 * saturate at INT64_MAX, which no published configuration reaches.
 */
#ifndef ORIEL_PLAN_FLOPS_H
#define ORIEL_PLAN_FLOPS_H

#include "base/network.h"
#include "plan/windows.h"

#include <stdbool.h>

/* Of one time that each step runs. */
typedef struct oriel_step_flops {
    int64_t embed, merge;
    int64_t attn_in, attn_out, mlp_in, mlp_out; /* of a block */
    int64_t attend_windows, attend_frames; /* of a block, one or the other */
} oriel_step_flops;

oriel_step_flops oriel_flops_of_steps(const oriel_network *network,
                                      const oriel_token_grid *grid);
/* Of each step for two items together. */
oriel_step_flops oriel_flops_add_steps(const oriel_step_flops *a,
                                       const oriel_step_flops *b);
/* The five steps of a block. */
int64_t oriel_flops_of_block(const oriel_step_flops *steps,
                             bool full_attention);

int64_t oriel_flops_item(const oriel_network *network,
                         const oriel_token_grid *grid);

/* a + b, both >= 0, at most INT64_MAX. */
int64_t oriel_flops_add(int64_t a, int64_t b);

#endif /* ORIEL_PLAN_FLOPS_H */
