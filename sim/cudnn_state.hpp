/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cudnn_state.hpp - what the files of the stand-in cuDNN share
 *
 * cudnn_module.cpp is found by dlopen, cudnn_descriptors.cpp keeps what callers
 * describe, cudnn_graph.cpp refuses what does not fit together, and
 * cudnn_attention.cpp runs plans.
 */
#pragma once

extern "C" {
#include "cudnn.h"
}

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

struct CUstream_st;

/* The library's own names: what dlsym finds. */
extern "C" {
#define SIM_CUDNN_DECLARE(name, result, parameters) \
    result cudnn##name parameters;
ORIEL_CUDNN_FUNCTIONS(SIM_CUDNN_DECLARE)
#undef SIM_CUDNN_DECLARE
}

namespace sim
{

struct CudnnHandle {
    int device;
    CUstream_st *stream = nullptr;
};

struct CudnnValue {
    int32_t type;
    int64_t n;
    std::vector<unsigned char> bytes;
};

struct CudnnDescriptor {
    int32_t type;
    bool finalized = false;
    std::map<int32_t, CudnnValue> values = {};
    /* Of a plan. */
    int64_t workspace = 0;
    bool loaded = false;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

/* ---- cudnn_descriptors.cpp ------------------------------------------------- */

/* NULL where it is none, which is reported. */
CudnnHandle *cudnn_handle(const void *handle);
CudnnDescriptor *cudnn_descriptor(const void *descriptor);

/* An attribute's values, which are known to be there. */
template <class T>
std::vector<T>
cudnn_values(const CudnnDescriptor &d, int32_t attribute)
{
    const CudnnValue &v = d.values.at(attribute);
    const T *first = reinterpret_cast<const T *>(v.bytes.data());

    return std::vector<T>(first, first + v.n);
}
template <class T>
T
cudnn_value(const CudnnDescriptor &d, int32_t attribute)
{
    return cudnn_values<T>(d, attribute)[0];
}
/* The descriptor that an attribute names: live, finalized, of this type; else
   nullptr. */
CudnnDescriptor *cudnn_part(const CudnnDescriptor &d, int32_t attribute,
                            int32_t type);

/* The status, with a text that GetLastErrorString tells. */
oriel_cudnn_status cudnn_refuse(oriel_cudnn_status status, const char *format,
                                ...) __attribute__((format(printf, 2, 3)));

/* ---- cudnn_graph.cpp -------------------------------------------------------- */

struct CudnnTensor {
    int64_t id;
    int32_t data_type;
    std::array<int64_t, 4> dims, strides;
    int64_t alignment;
    bool by_value;
    const CudnnDescriptor *offsets; /* or nullptr */
};

enum { CUDNN_Q, CUDNN_K, CUDNN_V, CUDNN_O, CUDNN_ROWS_TENSORS };
/* Attention as its descriptors say it. */
struct CudnnProblem {
    std::array<CudnnTensor, CUDNN_ROWS_TENSORS> rows;    /* q, k, v, out */
    std::array<CudnnTensor, CUDNN_ROWS_TENSORS> offsets; /* of each */
    CudnnTensor scale, lengths_q, lengths_kv;
    int64_t engine, tile; /* keys that are taken at once */
    int64_t workspace;
};

/* Whether a descriptor says something whole, when it is finalized. */
oriel_cudnn_status cudnn_check(CudnnDescriptor *d);
/* What a finalized plan runs; false where a part of it is gone, which is
   reported. */
bool cudnn_describe(CudnnProblem *out, const CudnnDescriptor &plan);

/* ---- cudnn_module.cpp ------------------------------------------------------- */

bool cudnn_lacks_engine(int64_t engine);
int64_t cudnn_more_workspace();

/* Every call begins with one, as calls of the runtime do: SUCCESS, or the failure
   that was asked for. */
class CudnnEntrance
{
    std::lock_guard<std::recursive_mutex> alone;

  public:
    const oriel_cudnn_status status;
    CudnnEntrance();
};

} // namespace sim

#define CUDNN_ENTER() \
    const sim::CudnnEntrance entered; \
    if (entered.status != ORIEL_CUDNN_SUCCESS) \
    return entered.status
