/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cublaslt_state.hpp - what the files of the stand-in cuBLASLt share
 *
 * cublaslt_module.cpp is found by dlopen, cublaslt_descriptors.cpp keeps what
 * callers describe, cublaslt_algorithms.cpp offers and checks, and
 * cublaslt_matmul.cpp refuses or computes.
 */
#pragma once

extern "C" {
#include "cublaslt.h"
}

#include <cstddef>
#include <cstdint>
#include <mutex>

/* The library's own names: what dlsym finds. */
extern "C" {
#define SIM_LT_DECLARE(result, name, parameters) \
    result cublasLt##name parameters;
ORIEL_LT_FUNCTIONS(SIM_LT_DECLARE)
#undef SIM_LT_DECLARE
}

struct oriel_lt_context {
    int device;
};
struct oriel_lt_layout_opaque {
    uint32_t type;
    int32_t order;
    uint64_t rows, columns;
    int64_t ld;
    int32_t batch;
};
struct oriel_lt_desc_opaque {
    int32_t compute, scale, pointer_mode, transposed[3];
    uint32_t epilogue;
    const void *bias;
    int32_t bias_type; /* -1: as D */
};
struct oriel_lt_preference_opaque {
    uint64_t workspace;
    uint32_t reductions;
    uint32_t alignment[4]; /* of A, B, C, D */
};

namespace sim
{

/* What an algorithm's 64 bytes hold. */
struct LtAlgorithm {
    uint32_t magic;
    int32_t id;
    uint32_t tile;
    int32_t splits; /* of the sum, added up at the end */
    uint32_t reduction, swizzle, custom, stages;
    uint16_t inner, cluster;
    int32_t group; /* products are added in groups of this */
    uint32_t workspace, alignment;
    uint32_t least; /* columns of D */
};
/* False: no algorithm of ours. */
bool lt_read(LtAlgorithm *out, const oriel_lt_algo *algo);

/* D [m, n] = op(A) [m, k] op(B) [k, n] */
struct LtProblem {
    oriel_lt_layout_opaque a, b, c, d;
    oriel_lt_desc_opaque desc;
    uint64_t m, n, k;
};
/* From live descriptors that fit together, or why they do not. */
oriel_lt_status lt_describe(LtProblem *out, oriel_lt_desc desc,
                            oriel_lt_layout a, oriel_lt_layout b,
                            oriel_lt_layout c, oriel_lt_layout d);
/* Whether the algorithm runs the problem. */
oriel_lt_status lt_check(const LtProblem &problem,
                         const LtAlgorithm &algorithm);

bool lt_is_handle(oriel_lt_handle handle);
bool lt_is_preference(oriel_lt_preference preference);

/* Every call begins with one, as calls of the runtime do: SUCCESS, or the failure
   that was asked for. */
class LtEntrance
{
    std::lock_guard<std::recursive_mutex> alone;

  public:
    const oriel_lt_status status;
    LtEntrance();
};

} // namespace sim

#define LT_ENTER() \
    const sim::LtEntrance entered; \
    if (entered.status != ORIEL_LT_SUCCESS) \
    return entered.status
