/* SPDX-License-Identifier: Apache-2.0 */
/* planned.h - a plan that must succeed, for tests that look at it */
#ifndef TESTS_PLAN_PLANNED_H
#define TESTS_PLAN_PLANNED_H

#include "oriel.h"

/* Both fail the test where the library refuses.  Planned with network_7b. */
oriel_plan *plan_items(const oriel_item *items, size_t n,
                       const oriel_plan_options *options);
oriel_plan_info info_of(const oriel_plan *plan);

#endif /* TESTS_PLAN_PLANNED_H */
