/* SPDX-License-Identifier: Apache-2.0 */
/* bf16.h - arrays of bf16: random ones, and as doubles */
#ifndef TESTS_SUPPORT_BF16_H
#define TESTS_SUPPORT_BF16_H

#include "support/random.h"

#include <stddef.h>
#include <stdint.h>

/* n values, uniform in [-scale, scale) + offset; caller frees. */
uint16_t *random_bf16(random_stream *random, size_t n, double scale,
                      double offset);
double bf16_value(uint16_t value);
double *bf16_values(const uint16_t *values, size_t n); /* caller frees */

#endif /* TESTS_SUPPORT_BF16_H */
