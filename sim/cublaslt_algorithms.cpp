/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in cuBLASLt's algorithms: offered by size, configured, checked. */
#include "cublaslt_state.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace
{

constexpr uint32_t MAGIC = 0x4f4c5441; /* "ATLO" */
constexpr uint32_t WORKSPACE = 1024;   /* of each; a split needs more */
constexpr uint64_t MANY = 1024;        /* columns of D */
constexpr uint64_t VALUES = INT32_MAX; /* of one matrix */

bool nothing_runs;
uint64_t asked;

using sim::LtAlgorithm;
using sim::LtProblem;

/* One of the products of an instruction, of a pipeline stage, of a tile. */
LtAlgorithm
one_sequence(int32_t id, int32_t group, uint16_t cluster, uint32_t least)
{
    return {MAGIC, id,        20,  1,    ORIEL_LT_REDUCTION_NONE,
            0,     0,         15,  0,    cluster,
            group, WORKSPACE, 256, least};
}

LtAlgorithm
split(const LtProblem &p)
{
    LtAlgorithm a = one_sequence(64, 16, ORIEL_LT_CLUSTER_1X1X1, 1);

    a.splits = 4;
    a.reduction = ORIEL_LT_REDUCTION_COMPUTE_TYPE;
    a.workspace = static_cast<uint32_t>(
        std::min<uint64_t>(4 * p.m * p.n * sizeof(float), UINT32_MAX));
    return a;
}

constexpr int32_t BROKEN = 68;

/* Best first, for this size. */
std::vector<LtAlgorithm>
candidates(const LtProblem &p)
{
    const LtAlgorithm large = one_sequence(67, 64, ORIEL_LT_CLUSTER_2X1X1, 16);
    const LtAlgorithm broken = one_sequence(BROKEN, 64, 0, 1);
    const LtAlgorithm medium = one_sequence(66, 32, ORIEL_LT_CLUSTER_AUTO, 1);
    const LtAlgorithm small = one_sequence(65, 8, ORIEL_LT_CLUSTER_1X1X1, 1);

    if (p.n >= MANY)
        return {large, broken, medium, small, split(p)};
    return {split(p), small, broken, medium, large};
}

oriel_lt_algo
pack(const LtAlgorithm &a)
{
    oriel_lt_algo algo = {};

    static_assert(sizeof(a) <= sizeof(algo), "an algorithm is 64 bytes");
    memcpy(&algo, &a, sizeof(a));
    return algo;
}

struct Setting {
    int32_t number;
    size_t offset, bytes;
};
#define AT(number, member) \
    { \
        ORIEL_LT_##number, offsetof(LtAlgorithm, member), \
            sizeof(LtAlgorithm::member) \
    }
const Setting settings[] = {
    AT(CONFIG_ID, id),           AT(CONFIG_TILE, tile),
    AT(CONFIG_SPLITK, splits),   AT(CONFIG_REDUCTION, reduction),
    AT(CONFIG_SWIZZLE, swizzle), AT(CONFIG_CUSTOM, custom),
    AT(CONFIG_STAGES, stages),   AT(CONFIG_INNER, inner),
    AT(CONFIG_CLUSTER, cluster),
};
#undef AT

const Setting *
find(int32_t number)
{
    for (const Setting &s : settings)
        if (s.number == number)
            return &s;
    return nullptr;
}

} // namespace

namespace sim
{

bool
lt_read(LtAlgorithm *out, const oriel_lt_algo *algo)
{
    memcpy(out, algo, sizeof(*out));
    return out->magic == MAGIC;
}

oriel_lt_status
lt_check(const LtProblem &p, const LtAlgorithm &a)
{
    if (nothing_runs || a.id == BROKEN || a.cluster > ORIEL_LT_CLUSTER_2X1X1 ||
        p.m * p.k > VALUES || p.n * p.k > VALUES || p.m * p.n > VALUES)
        return ORIEL_LT_NOT_SUPPORTED;
    if (p.n < a.least || a.splits < 1 ||
        (a.splits > 1) != (a.reduction != ORIEL_LT_REDUCTION_NONE))
        return ORIEL_LT_INVALID_VALUE;
    return ORIEL_LT_SUCCESS;
}

} // namespace sim

extern "C" {

void
sim_lt_no_algorithm(int on)
{
    nothing_runs = on != 0;
}

uint64_t
sim_lt_heuristics(void)
{
    return asked;
}

oriel_lt_status
cublasLtMatmulAlgoGetHeuristic(oriel_lt_handle handle, oriel_lt_desc desc,
                               oriel_lt_layout a, oriel_lt_layout b,
                               oriel_lt_layout c, oriel_lt_layout d,
                               oriel_lt_preference preference, int most,
                               oriel_lt_heuristic found[], int *n_found)
{
    sim::LtProblem p;

    *n_found = 0;
    asked++;
    LT_ENTER();
    if (!sim::lt_is_handle(handle))
        return ORIEL_LT_NOT_INITIALIZED;
    if (!sim::lt_is_preference(preference) || most <= 0)
        return ORIEL_LT_INVALID_VALUE;
    oriel_lt_status status = sim::lt_describe(&p, desc, a, b, c, d);
    if (status)
        return status;
    for (LtAlgorithm &algorithm : candidates(p)) {
        if (*n_found == most)
            break;
        if (algorithm.workspace > preference->workspace ||
            (algorithm.reduction & ~preference->reductions))
            continue;
        for (uint32_t alignment : preference->alignment)
            algorithm.alignment = std::min(algorithm.alignment, alignment);
        oriel_lt_heuristic &h = found[(*n_found)++];
        h = {};
        h.algo = pack(algorithm);
        h.workspace_bytes = algorithm.workspace;
        h.state =
            algorithm.id == BROKEN ? ORIEL_LT_NOT_SUPPORTED : ORIEL_LT_SUCCESS;
        h.waves = 1;
    }
    return *n_found ? ORIEL_LT_SUCCESS : ORIEL_LT_NOT_SUPPORTED;
}

oriel_lt_status
cublasLtMatmulAlgoCheck(oriel_lt_handle handle, oriel_lt_desc desc,
                        oriel_lt_layout a, oriel_lt_layout b, oriel_lt_layout c,
                        oriel_lt_layout d, const oriel_lt_algo *algo,
                        oriel_lt_heuristic *result)
{
    sim::LtProblem p;
    LtAlgorithm algorithm;

    LT_ENTER();
    if (!sim::lt_is_handle(handle))
        return ORIEL_LT_NOT_INITIALIZED;
    oriel_lt_status status = sim::lt_describe(&p, desc, a, b, c, d);
    if (!status && !sim::lt_read(&algorithm, algo))
        status = ORIEL_LT_INVALID_VALUE;
    if (!status)
        status = sim::lt_check(p, algorithm);
    if (status)
        return status;
    result->workspace_bytes = algorithm.workspace;
    result->state = ORIEL_LT_SUCCESS;
    result->waves = 1;
    return ORIEL_LT_SUCCESS;
}

oriel_lt_status
cublasLtMatmulAlgoConfigGetAttribute(const oriel_lt_algo *algo,
                                     oriel_lt_config_attribute attribute,
                                     void *value, size_t bytes, size_t *written)
{
    const Setting *setting = find(attribute);

    LT_ENTER();
    if (!setting || !value || bytes != setting->bytes)
        return ORIEL_LT_INVALID_VALUE;
    memcpy(value, reinterpret_cast<const char *>(algo) + setting->offset,
           bytes);
    if (written)
        *written = bytes;
    return ORIEL_LT_SUCCESS;
}

oriel_lt_status
cublasLtMatmulAlgoConfigSetAttribute(oriel_lt_algo *algo,
                                     oriel_lt_config_attribute attribute,
                                     const void *value, size_t bytes)
{
    const Setting *setting = find(attribute);

    LT_ENTER();
    if (!setting || !value || bytes != setting->bytes ||
        attribute == ORIEL_LT_CONFIG_ID)
        return ORIEL_LT_INVALID_VALUE;
    memcpy(reinterpret_cast<char *>(algo) + setting->offset, value, bytes);
    return ORIEL_LT_SUCCESS;
}
}
