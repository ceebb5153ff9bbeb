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

int64_t oriel_flops_item(const oriel_network *network,
                         const oriel_token_grid *grid);

/* a + b, both >= 0, at most INT64_MAX. */
int64_t oriel_flops_add(int64_t a, int64_t b);

#endif /* ORIEL_PLAN_FLOPS_H */
