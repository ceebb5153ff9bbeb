/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.h - what a kernel's accesses would cost a GPU's memories
 *
 * Shared memory has 32 banks of 4 bytes.  Of 16-byte accesses it serves eight
 * lanes at a time, one phase, when they fall into eight different groups of four
 * banks; each further row in the same group costs a phase more.  Global memory
 * moves sectors of 32 bytes.
 *
 * A request is one instruction of one warp.  Asynchronous copies do not meet, so
 * their lanes are brought together by block, place in the program and how often
 * the lane has been there.
 */
#ifndef TESTS_SIM_COUNTERS_H
#define TESTS_SIM_COUNTERS_H

#include <stdint.h>

typedef struct sim_counters {
    uint64_t matrices;      /* 8 x 8 matrices that ldmatrix read */
    uint64_t matrix_phases; /* at best one each */
    uint64_t copies;        /* requests of cp.async */
    uint64_t copy_phases;   /* of their writes: at best one for 8 lanes */
    uint64_t copy_least;    /* that best */
    uint64_t copy_sectors;  /* that they read */
    uint64_t copy_needed;   /* sectors, were all bytes next to each other */
} sim_counters;

#ifdef __cplusplus
extern "C" {
#endif

/* Of all launches that ended since the last call; starts again from zero. */
sim_counters sim_take_counters(void);

#ifdef __cplusplus
}

#include <cstddef>

namespace sim
{

/* One matrix: where in shared memory its eight rows lie. */
void count_matrix(const size_t (&offsets)[8]);
/* One lane's copy of 16 bytes; 'read' says that the source is read. */
void count_copy(uint32_t block, uint32_t thread, const void *where,
                size_t offset, const void *source, bool read);
/* A launch begins or ends: no request outlives it. */
void close_requests();

} // namespace sim
#endif

#endif /* TESTS_SIM_COUNTERS_H */
