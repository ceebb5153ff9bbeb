/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ptx_hopper_sim.hpp - the instructions of kernels/ptx_hopper.cuh, emulated
 *
 * As ptx_sim.hpp: the same names with the same parameters, and at the end the
 * place of the call.  On a device that is not of 9.0 each is a violation.
 */
#pragma once

#include "ptx_sim.hpp"

#include <cuda.h>

namespace ptx
{

/* ---- Shared memory ----------------------------------------------------- */

char *dynamic_shared_1024();
void fence_async_shared();

/* ---- Barriers ---------------------------------------------------------- */

void named_arrive(uint32_t barrier, uint32_t threads, ORIEL_SIM_HERE);
void mbarrier_init(uint32_t barrier, uint32_t arrivals, ORIEL_SIM_HERE);
void mbarrier_fence();
void mbarrier_arrive(uint32_t barrier, ORIEL_SIM_HERE);
void mbarrier_expect(uint32_t barrier, uint32_t bytes, ORIEL_SIM_HERE);
void mbarrier_wait(uint32_t barrier, uint32_t parity, ORIEL_SIM_HERE);

/* ---- Tensor copies ----------------------------------------------------- */

void tensor_load_2d(uint32_t shared, const CUtensorMap *map, int32_t column,
                    int32_t row, uint32_t barrier, ORIEL_SIM_HERE);

} // namespace ptx
