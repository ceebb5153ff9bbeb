/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_core.hpp - how a tensor core may sum sixteen products
 *
 * Hardware does not say in which order, nor how precisely, it adds the products
 * of one instruction.  PLAIN adds them in ascending order in fp32.  ADVERSARIAL
 * adds two groups of eight, each aligned to its largest exponent and truncated,
 * so that a kernel whose result depends on how rows or columns are grouped into
 * instructions is found out.  Those of a warpgroup it adds as one group of sixteen:
 * who takes one instruction for the other gets other bytes.
 */
#pragma once

namespace sim
{

enum class TensorCore { PLAIN, ADVERSARIAL };
void set_tensor_core(TensorCore kind);

/* c += a b */
void tensor_core(const float (&a)[16][16], const float (&b)[16][8],
                 float (&c)[16][8]);

/* The same by a warpgroup's instruction, of the 16 rows of one of its warps: a [16,
   16], b [16, columns], c [16, columns], columns a multiple of 8. */
void warpgroup_core(const float *a, const float *b, int columns, float *c);

} // namespace sim
