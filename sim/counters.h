/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.h - what a kernel's accesses would cost a GPU's memories
 *
 * Shared memory has 32 banks of 4 bytes.  It serves a request in groups of
 * lanes: all 32 of a warp where each takes at most 4 bytes, 16 for 8 bytes, 8 for
 * 16.  A group costs one phase when its words fall into different banks, or are
 * the same; each further word in the same bank costs a phase more.  Global memory
 * moves sectors of 32 bytes.
 *
 * A request is one instruction of one warp.  Loads, stores and asynchronous
 * copies do not meet, so their lanes are brought together by block, place in the
 * program and how often the lane has been there.  What g++ makes of a source is
 * what is counted; vectors (uint4 and the like) are moved whole on both sides.
 */
#ifndef SIM_COUNTERS_H
#define SIM_COUNTERS_H

#include <stdint.h>

typedef struct sim_banks {
    uint64_t requests;
    uint64_t phases;
    uint64_t least; /* were there no conflicts: one for each group of lanes */
} sim_banks;

typedef struct sim_sectors {
    uint64_t requests;
    uint64_t sectors;
    uint64_t needed; /* were the request's bytes next to each other */
} sim_sectors;

typedef struct sim_counters {
    sim_banks matrices; /* 8 x 8 matrices that ldmatrix reads, one each */
    sim_banks stored_matrices; /* and that store_matrix_x4 writes */
    sim_banks operands;        /* and that wgmma reads: 128 bytes each */
    sim_banks arrivals;        /* what cp.async writes */
    sim_banks shared_loads, shared_stores;
    sim_sectors copies; /* what cp.async reads */
    sim_sectors boxes;  /* what tensor copies read, a request each */
    sim_sectors loads, stores;
} sim_counters;

#ifdef __cplusplus
extern "C" {
#endif

/* From zero, from now on; it takes time, so nothing is counted before. */
void sim_start_counters(void);
/* What all launches that ended since then cost; counting stops. */
sim_counters sim_take_counters(void);

#ifdef __cplusplus
}

#include <cstddef>
#include <utility>
#include <vector>

namespace sim
{

/* Which memory, and which way. */
enum class Traffic {
    ARRIVALS,
    SHARED_LOADS,
    SHARED_STORES,
    COPIES,
    LOADS,
    STORES
};

/* Ask before the calls below. */
extern bool counting;

/* Of 8 x 8 matrices: by whom they are read, or that they are stored. */
enum class Matrices { LOADED, STORED, OPERANDS };

/* One matrix: where in shared memory its eight rows lie. */
void count_matrix(const size_t (&offsets)[8], Matrices which);
/* One tensor copy: address and bytes of each row that the tensor has. */
void count_box(const std::vector<std::pair<uintptr_t, size_t>> &rows);
/* One lane's access; 'at' is an address or an offset in shared memory. */
void count_access(Traffic traffic, uint32_t block, uint32_t thread,
                  const void *where, uintptr_t at, size_t bytes);
/* A launch ends: no request outlives it. */
void close_requests();

} // namespace sim
#endif

#endif /* SIM_COUNTERS_H */
