/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tensor_core.hpp - how a tensor core may sum sixteen products
 *
 * Hardware does not say in which order, nor how precisely, it adds the products
 * of one instruction.  PLAIN adds them in ascending order in fp32.  ADVERSARIAL
 * adds two groups of eight, each aligned to its largest exponent and truncated,
 * so that a kernel whose result depends on how rows or columns are grouped into
 * instructions is found out.
 */
#pragma once

namespace sim
{

enum class TensorCore { PLAIN, ADVERSARIAL };
void set_tensor_core(TensorCore kind);

/* c += a b */
void tensor_core(const float (&a)[16][16], const float (&b)[16][8],
                 float (&c)[16][8]);

} // namespace sim
