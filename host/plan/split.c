/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split.c - a queue of items cut into runs that each fit a budget
 *
 * Costs only add up, so the longest run that fits is found item by item: a run
 * ends where the next item would be too much.
 */
#include "base/fail.h"
#include "base/options.h"
#include "plan/flops.h"
#include "plan/shape.h"

#include <stdbool.h>

typedef struct cost {
    int64_t patches, tokens, flops; /* flops saturate at INT64_MAX */
} cost;

static cost
cost_of(const oriel_network *network, const oriel_plan_shape *s)
{
    return (cost){s->t * s->h * s->w, s->t * s->tokens.rows * s->tokens.columns,
                  oriel_flops_item(network, &s->tokens)};
}

/* No overflow: each is at most ORIEL_MAX_PATCHES, but the FLOPs, which
   saturate. */
static cost
sum_of(const cost *a, const cost *b)
{
    return (cost){a->patches + b->patches, a->tokens + b->tokens,
                  oriel_flops_add(a->flops, b->flops)};
}

static bool
fits(const cost *c, const oriel_budget *budget)
{
    return c->patches <= ORIEL_MAX_PATCHES &&
           (!budget->max_patches || c->patches <= budget->max_patches) &&
           (!budget->max_tokens || c->tokens <= budget->max_tokens) &&
           (!budget->max_flops || c->flops <= budget->max_flops);
}

static oriel_status
load_budget(oriel_budget *budget, const oriel_budget *from, oriel_error *err)
{
    oriel_status st = oriel_options_load(
        budget, sizeof(*budget), sizeof(*budget), from, "oriel_budget", err);

    if (!st)
        st = oriel_reserved_check(budget->reserved, "oriel_budget.reserved",
                                  err);
    if (!st && (budget->max_patches < 0 || budget->max_tokens < 0 ||
                budget->max_flops < 0))
        st = oriel_fail(err, ORIEL_ERR_ARGUMENT,
                        "oriel_budget: max_patches %lld, max_tokens %lld, "
                        "max_flops %lld: wanted 0 (no limit) or more",
                        (long long)budget->max_patches,
                        (long long)budget->max_tokens,
                        (long long)budget->max_flops);
    return st;
}

static oriel_status
split(const oriel_plan_request *r, const oriel_budget *budget, size_t *ends,
      size_t *n_ends, oriel_error *err)
{
    cost run = {0};
    size_t i, n = 0, first = 0;
    oriel_status st = ORIEL_OK;

    for (i = 0; i < r->n_items; i++) {
        oriel_plan_shape s;
        cost one, longer;

        st = oriel_plan_shape_get(&s, r, i, err);
        if (st)
            break;
        one = cost_of(r->network, &s);
        longer = sum_of(&run, &one);
        if (i > first && !fits(&longer, budget)) {
            ends[n++] = first = i;
            run = one;
        } else {
            run = longer;
        }
    }
    if (st && st != ORIEL_ERR_INPUT)
        return st;
    if (i > first)
        ends[n++] = i;
    *n_ends = n;
    return st ? st : oriel_ok(err);
}

oriel_status
oriel_plan_split(const oriel_model *model, const oriel_item *items,
                 size_t n_items, const oriel_plan_options *options,
                 const oriel_budget *budget, size_t *ends, size_t *n_ends,
                 oriel_error *err)
{
    oriel_plan_request r = {.items = items, .n_items = n_items};
    oriel_budget most;
    oriel_status st;

    if (n_ends)
        *n_ends = 0;
    if (!ends || !n_ends)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_plan_split: %s is NULL",
                          ends ? "n_ends" : "ends");
    st = oriel_plan_request_load(&r, model, options, "oriel_plan_split", err);
    if (!st)
        st = load_budget(&most, budget, err);
    return st ? st : split(&r, &most, ends, n_ends, err);
}
