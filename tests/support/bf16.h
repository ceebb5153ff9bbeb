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
/* What is added to 'hi' to get a random fp32 within 'part' of it, as a bf16: where
   that is 2^-9, as the lo of a wide residual is.  hi + rest is exact in fp32.  0 where
   hi is not finite. */
uint16_t random_rest(random_stream *random, uint16_t hi, double part);
double bf16_value(uint16_t value);
double *bf16_values(const uint16_t *values, size_t n); /* caller frees */

#endif /* TESTS_SUPPORT_BF16_H */
