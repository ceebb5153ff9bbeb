/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yardstick.h - how fast oneDNN itself is on the tower's matrix products
 *
 * The linear layers of one forward pass, in the tower's order and on its
 * shapes, through plain oneDNN matmul primitives with its own threading, bias
 * included, weights in the layout it likes best.  Nothing else is computed: no
 * attention, no norms.  The rate is what an encoder can be held against.
 */
#ifndef BENCH_YARDSTICK_H
#define BENCH_YARDSTICK_H

#include "oriel.h"

#include <stddef.h>
#include <stdint.h>

typedef struct yardstick yardstick;

/*
 * For 'patches' rows.  NULL: 'why' says what is missing, such as bf16 on a
 * processor where oneDNN has none.
 */
yardstick *yardstick_create(const oriel_model_info *model, int64_t patches,
                            int32_t precision, int32_t threads, char *why,
                            size_t why_bytes);

/* One pass; its seconds, or a negative number when oneDNN failed. */
double yardstick_run(yardstick *y);

/* Of one pass: two a multiplication with its addition. */
double yardstick_flops(const yardstick *y);

/* "2.6.3" */
void yardstick_version(char *out, size_t out_bytes);

void yardstick_destroy(yardstick *y); /* NULL is fine */

#endif /* BENCH_YARDSTICK_H */
