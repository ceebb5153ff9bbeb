/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.c - how long planning takes: microseconds a plan, nanoseconds a token
 *
 * A plan is made, checked once against the token count it must have, and
 * destroyed, memory included; the median of many is printed.
 */
#include "measure.h"
#include "oriel.h"

#include <stdio.h>
#include <stdlib.h>

#define REPEATS 301
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_ITEMS 256

typedef struct bench_case {
    const char *name;
    size_t n_items;
    oriel_item item; /* every item of the batch */
    int64_t tokens;  /* of the batch */
} bench_case;

static const bench_case cases[] = {
    {"1 x 448x448", 1, {448, 448, 1, 0, 0, 0}, 256},
    {"1 x 1920x1080", 1, {1920, 1080, 1, 0, 0, 0}, 2691},
    {"1 x 3584x3584", 1, {3584, 3584, 1, 0, 0, 0}, 16384},
    {"1 x 2044x1372, 64 frames", 1, {2048, 1365, 64, 0, 0, 0}, 32 * 3577},
    {"64 x 1280x960", 64, {1280, 960, 1, 0, 0, 0}, 64 * 1564},
    {"256 x 224x224", 256, {224, 224, 1, 0, 0, 0}, 256 * 64},
};

static int
run(const bench_case *c)
{
    static oriel_item items[MAX_ITEMS];
    static double seconds[REPEATS];
    bench_times times;

    for (size_t i = 0; i < c->n_items; i++)
        items[i] = c->item;
    for (int i = 0; i < REPEATS; i++) {
        oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
        const double start = bench_now();
        oriel_plan *plan;
        oriel_error err;

        if (oriel_plan_create(&plan, oriel_model_preset("qwen2.5-vl-7b"), items,
                              c->n_items, NULL, &err) ||
            oriel_plan_get_info(plan, &info, &err)) {
            fprintf(stderr, "%s: %s\n", c->name, err.message);
            return EXIT_FAILURE;
        }
        if (info.tokens != c->tokens) {
            fprintf(stderr, "%s: %lld tokens, expected %lld\n", c->name,
                    (long long)info.tokens, (long long)c->tokens);
            return EXIT_FAILURE;
        }
        oriel_plan_destroy(plan);
        seconds[i] = bench_now() - start;
    }
    times = bench_summarise(seconds, REPEATS);
    printf("%-26s %8lld %10.1f %10.1f %10.1f %10.2f\n", c->name,
           (long long)c->tokens, times.median * 1e6, times.p10 * 1e6,
           times.p90 * 1e6, times.median * 1e9 / (double)c->tokens);
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    if (bench_help(argc, argv,
                   "usage: oriel_bench_plan\nMicroseconds a plan and "
                   "nanoseconds a token, for batches of all kinds.\n"))
        return EXIT_SUCCESS;
    printf("%-26s %8s %10s %10s %10s %10s\n", "batch", "tokens", "us/plan",
           "p10", "p90", "ns/token");
    for (size_t i = 0; i < COUNT(cases); i++)
        if (run(&cases[i]))
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
