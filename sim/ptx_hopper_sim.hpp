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

/* ---- Clusters ------------------------------------------------------------ */

uint32_t cluster_rank();
void cluster_arrive(ORIEL_SIM_HERE);
void cluster_wait(ORIEL_SIM_HERE);
void mbarrier_arrive_remote(uint32_t barrier, uint32_t rank, ORIEL_SIM_HERE);
void tensor_load_2d_multicast(uint32_t shared, const CUtensorMap *map,
                              int32_t column, int32_t row, uint32_t barrier,
                              uint16_t ranks, ORIEL_SIM_HERE);

/* ---- Fragments and registers --------------------------------------------- */

void store_matrix_x4(uint32_t address, const uint32_t (&r)[4], ORIEL_SIM_HERE);
void registers_change(const char *kind, uint32_t registers, bool more,
                      const char *file, int line);
template <int REGISTERS>
inline void
registers_up(ORIEL_SIM_HERE)
{
    static_assert(REGISTERS % 8 == 0 && REGISTERS >= 24 && REGISTERS <= 256,
                  "a multiple of 8, of 24 to 256");
    registers_change("registers_up", REGISTERS, true, file, line);
}
template <int REGISTERS>
inline void
registers_down(ORIEL_SIM_HERE)
{
    static_assert(REGISTERS % 8 == 0 && REGISTERS >= 24 && REGISTERS <= 256,
                  "a multiple of 8, of 24 to 256");
    registers_change("registers_down", REGISTERS, false, file, line);
}

/* ---- Products of a warpgroup --------------------------------------------- */

void wgmma_fence(ORIEL_SIM_HERE);
void wgmma_commit(ORIEL_SIM_HERE);
void wgmma_wait_groups(uint32_t groups_left, const char *file, int line);
template <int GROUPS_LEFT>
inline void
wgmma_wait(ORIEL_SIM_HERE)
{
    wgmma_wait_groups(GROUPS_LEFT, file, line);
}

/* A use of registers like any other. */
void wgmma_touch(const void *registers, size_t bytes);
template <int REGISTERS>
inline void
wgmma_hold(float (&d)[REGISTERS])
{
    wgmma_touch(d, sizeof(d));
}
template <int REGISTERS>
inline void
wgmma_hold(uint32_t (&a)[REGISTERS])
{
    wgmma_touch(a, sizeof(a));
}

/* An instruction; its operand a is in shared memory, or from 'registers' on. */
struct Wgmma {
    int columns;
    bool a_mn_major, b_mn_major;
    uint64_t a, b;
    uint32_t *registers;
    bool add;
};
void wgmma_issue(const char *kind, const Wgmma &said, float *d,
                 const char *file, int line);

template <int COLUMNS, bool A_MN_MAJOR, bool B_MN_MAJOR>
inline void
wgmma_ss(float (&d)[COLUMNS / 2], uint64_t a, uint64_t b, bool add,
         ORIEL_SIM_HERE)
{
    wgmma_issue("wgmma_ss",
                {COLUMNS, A_MN_MAJOR, B_MN_MAJOR, a, b, nullptr, add}, d, file,
                line);
}

template <int COLUMNS, bool B_MN_MAJOR, int REGISTERS>
inline void
wgmma_rs(float (&d)[COLUMNS / 2], uint32_t (&a)[REGISTERS], int first,
         uint64_t b, bool add, ORIEL_SIM_HERE)
{
    wgmma_issue("wgmma_rs", {COLUMNS, false, B_MN_MAJOR, 0, b, a + first, add},
                d, file, line);
}

} // namespace ptx
