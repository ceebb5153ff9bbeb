/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/planned.h"

#include "support/fake_model.h"

#include <check.h>

oriel_plan_info
info_of(const oriel_plan *plan)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;

    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    return info;
}

oriel_plan *
plan_items(const oriel_item *items, size_t n, const oriel_plan_options *options)
{
    oriel_plan *plan;
    oriel_error err;

    ck_assert_msg(!oriel_plan_create(&plan, model_of(&network_7b), items, n,
                                     options, &err),
                  "%s", err.message);
    return plan;
}
