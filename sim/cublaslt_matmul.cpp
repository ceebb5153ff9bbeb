/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in cuBLASLt's product: refused at the call, or computed when its
   stream gets there. */
#include "cublaslt_state.hpp"

#include "library.hpp"
#include "memory.hpp"
#include "plants.hpp"
#include "report.hpp"
#include "runtime_state.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace
{

using sim::LtAlgorithm;
using sim::LtProblem;

struct Call {
    LtProblem problem;
    LtAlgorithm algorithm;
    float alpha, beta;
    const char *a, *b, *c;
    char *d;
    char *workspace;
};

constexpr size_t ALIGNMENT = 16; /* of the workspace */

size_t
value_bytes(const oriel_lt_layout_opaque &l)
{
    return l.type == ORIEL_LT_R_32F ? 4 : 2;
}

size_t
matrix_bytes(const oriel_lt_layout_opaque &l)
{
    const bool by_column = l.order == ORIEL_LT_ORDER_COL;
    const size_t lines = by_column ? l.columns : l.rows;
    const size_t line = by_column ? l.rows : l.columns;

    return ((lines - 1) * static_cast<size_t>(l.ld) + line) * value_bytes(l);
}

size_t
place(const oriel_lt_layout_opaque &l, uint64_t row, uint64_t column)
{
    return l.order == ORIEL_LT_ORDER_COL
               ? column * static_cast<size_t>(l.ld) + row
               : row * static_cast<size_t>(l.ld) + column;
}

float
load(const char *matrix, const oriel_lt_layout_opaque &l, size_t at)
{
    if (l.type == ORIEL_LT_R_32F)
        return reinterpret_cast<const float *>(matrix)[at];
    return sim::from_bf16(reinterpret_cast<const uint16_t *>(matrix)[at]);
}

void
store(char *matrix, const oriel_lt_layout_opaque &l, size_t at, float value)
{
    if (l.type == ORIEL_LT_R_32F)
        reinterpret_cast<float *>(matrix)[at] = value;
    else
        reinterpret_cast<uint16_t *>(matrix)[at] = sim::to_bf16(value);
}

/* Vectors [count, depth] of an operand, along the sum. */
std::vector<float>
gather(const char *matrix, const oriel_lt_layout_opaque &l, bool along_rows,
       uint64_t count, uint64_t depth)
{
    std::vector<float> out(count * depth);

    for (uint64_t i = 0; i < count; i++)
        for (uint64_t k = 0; k < depth; k++)
            out[i * depth + k] =
                load(matrix, l, along_rows ? place(l, k, i) : place(l, i, k));
    return out;
}

/* Sixteen bits of an accumulator, so that the order of a sum shows even where
   the result is bf16: eight more than that has. */
float
cut(float sum)
{
    uint32_t bits;

    if (!std::isfinite(sum))
        return sum;
    memcpy(&bits, &sum, sizeof(bits));
    bits &= ~0xffu;
    memcpy(&sum, &bits, sizeof(bits));
    return sum;
}

/* In the algorithm's order. */
float
dot(const float *x, const float *y, uint64_t depth, const LtAlgorithm &a)
{
    const uint64_t splits = static_cast<uint64_t>(a.splits);
    const uint64_t group = static_cast<uint64_t>(a.group);
    const uint64_t part = (depth + splits - 1) / splits;
    float sum = 0;

    for (uint64_t first = 0; first < depth; first += part) {
        const uint64_t last = std::min(first + part, depth);
        float of_part = 0;

        for (uint64_t k = first; k < last; k += group) {
            float of_group = 0;

            for (uint64_t i = k; i < std::min(k + group, last); i++)
                of_group += x[i] * y[i];
            of_part = cut(of_part + of_group);
        }
        sum += of_part;
    }
    return sum;
}

void
compute(const Call &call)
{
    const LtProblem &p = call.problem;
    const std::vector<float> rows =
        gather(call.a, p.a, p.desc.transposed[0] == ORIEL_LT_OP_T, p.m, p.k);
    const std::vector<float> columns =
        gather(call.b, p.b, p.desc.transposed[1] != ORIEL_LT_OP_T, p.n, p.k);

    for (uint64_t j = 0; j < p.n; j++)
        for (uint64_t i = 0; i < p.m; i++) {
            const bool swapped = sim::planted == sim::Plant::LT_OPERANDS;
            const uint64_t row = swapped ? j % p.m : i;
            const uint64_t column = swapped ? i % p.n : j;
            float value =
                call.alpha * dot(&rows[row * p.k], &columns[column * p.k], p.k,
                                 call.algorithm);

            if (call.beta != 0 && sim::planted != sim::Plant::LT_RESIDUAL)
                value += call.beta * load(call.c, p.c, place(p.c, i, j));
            if (p.desc.epilogue == ORIEL_LT_EPILOGUE_BIAS &&
                sim::planted != sim::Plant::LT_BIAS)
                value += load(static_cast<const char *>(p.desc.bias), p.d, i);
            store(call.d, p.d, place(p.d, i, j), value);
        }
}

/* ---- Two moments of the stream ------------------------------------------- */

void
fault(const char *why)
{
    sim::host_violation("cuBLASLt's product: %s", why);
    sim::runtime().sticky = cudaErrorLaunchFailure;
}

bool
in_memory(const Call &call)
{
    const LtProblem &p = call.problem;
    const bool bias = p.desc.epilogue == ORIEL_LT_EPILOGUE_BIAS;

    return sim::is_device_range(call.a, matrix_bytes(p.a)) &&
           sim::is_device_range(call.b, matrix_bytes(p.b)) &&
           (call.beta == 0 ||
            sim::is_device_range(call.c, matrix_bytes(p.c))) &&
           sim::is_device_range(call.d, matrix_bytes(p.d)) &&
           (!bias ||
            sim::is_device_range(p.desc.bias, p.m * value_bytes(p.d))) &&
           sim::is_device_range(call.workspace, call.algorithm.workspace);
}

void
begin(const Call &call, uint64_t *stamp)
{
    if (!in_memory(call))
        return fault("a matrix, the bias or the workspace is not wholly in "
                     "device memory");
    sim::DeviceMemoryAccess access;
    *stamp = sim::scribble(call.workspace, call.algorithm.workspace);
}

void
end(const Call &call, uint64_t stamp)
{
    if (!in_memory(call))
        return fault("memory was freed while it ran");
    sim::DeviceMemoryAccess access;
    if (!sim::is_as_scribbled(call.workspace, call.algorithm.workspace,
                              stamp)) {
        sim::host_violation("cuBLASLt's product: its workspace was written by "
                            "others while it ran");
        return;
    }
    compute(call);
    memset(call.workspace, sim::poison_byte(), call.algorithm.workspace);
}

/* ---- At the call --------------------------------------------------------- */

bool
overlap(const char *x, size_t x_bytes, const char *y, size_t y_bytes)
{
    return x < y + y_bytes && y < x + x_bytes;
}

/* D may lie where C does, in the same layout, but over no operand. */
bool
places_fit(const Call &call)
{
    const LtProblem &p = call.problem;
    const size_t bytes = matrix_bytes(p.d);

    if (overlap(call.d, bytes, call.a, matrix_bytes(p.a)) ||
        overlap(call.d, bytes, call.b, matrix_bytes(p.b)))
        return false;
    return call.c == call.d
               ? p.c.ld == p.d.ld && p.c.order == p.d.order
               : !call.c || !overlap(call.d, bytes, call.c, matrix_bytes(p.c));
}

bool
is_aligned(const Call &call)
{
    const oriel_lt_desc_opaque &d = call.problem.desc;
    uintptr_t all = reinterpret_cast<uintptr_t>(call.a) |
                    reinterpret_cast<uintptr_t>(call.b) |
                    reinterpret_cast<uintptr_t>(call.c) |
                    reinterpret_cast<uintptr_t>(call.d);

    if (d.epilogue == ORIEL_LT_EPILOGUE_BIAS)
        all |= reinterpret_cast<uintptr_t>(d.bias);
    return all % call.algorithm.alignment == 0 &&
           reinterpret_cast<uintptr_t>(call.workspace) % ALIGNMENT == 0;
}

oriel_lt_status
check_call(const Call &call, size_t workspace_bytes)
{
    const LtProblem &p = call.problem;

    if (!call.a || !call.b || !call.d || (call.beta != 0 && !call.c) ||
        (p.desc.epilogue == ORIEL_LT_EPILOGUE_BIAS && !p.desc.bias))
        return ORIEL_LT_INVALID_VALUE;
    if (workspace_bytes < call.algorithm.workspace || !call.workspace ||
        !is_aligned(call) || !places_fit(call))
        return ORIEL_LT_INVALID_VALUE;
    return sim::lt_check(p, call.algorithm);
}

/* What has run on a device is loaded there, as it is configured. */
std::set<std::pair<int, std::string>> loaded;

/* The library may load lazily: in a capture it must have before. */
bool
is_loaded(const LtAlgorithm &a, cudaStream_t stream)
{
    const CUstream_st *s = sim::resolve(stream);
    const std::pair<int, std::string> key = {
        sim::current_device(),
        std::string(reinterpret_cast<const char *>(&a), sizeof(a))};

    if (s && s->capture)
        return loaded.count(key) > 0;
    loaded.insert(key);
    return true;
}

oriel_lt_status
enqueue(const Call &call, cudaStream_t stream)
{
    if (!is_loaded(call.algorithm, stream)) {
        sim::host_violation("cuBLASLt's product: an algorithm is first used in "
                            "a capture");
        (void)sim::spoil(*sim::resolve(stream)->capture,
                         cudaErrorStreamCaptureUnsupported);
        return ORIEL_LT_EXECUTION_FAILED;
    }
    auto stamp = std::make_shared<uint64_t>(0);
    cudaError_t error =
        sim::enqueue(stream, {nullptr, [=] { begin(call, stamp.get()); }});

    if (error == cudaSuccess)
        error = sim::enqueue(stream, {nullptr, [=] { end(call, *stamp); }});
    return error == cudaSuccess ? ORIEL_LT_SUCCESS : ORIEL_LT_EXECUTION_FAILED;
}

} // namespace

extern "C" void
sim_lt_unload(void)
{
    loaded.clear();
}

extern "C" oriel_lt_status
cublasLtMatmul(oriel_lt_handle handle, oriel_lt_desc desc, const void *alpha,
               const void *a, oriel_lt_layout a_layout, const void *b,
               oriel_lt_layout b_layout, const void *beta, const void *c,
               oriel_lt_layout c_layout, void *d, oriel_lt_layout d_layout,
               const oriel_lt_algo *algo, void *workspace,
               size_t workspace_bytes, cudaStream_t stream)
{
    Call call = {};

    LT_ENTER();
    if (!sim::lt_is_handle(handle))
        return ORIEL_LT_NOT_INITIALIZED;
    if (handle->device != sim::current_device())
        sim::host_violation("cuBLASLt's handle is of another device");
    oriel_lt_status status = sim::lt_describe(&call.problem, desc, a_layout,
                                              b_layout, c_layout, d_layout);
    if (status)
        return status;
    /* The library would choose by the size at hand, which Oriel must not allow. */
    if (!alpha || !beta || !algo || !sim::lt_read(&call.algorithm, algo))
        return ORIEL_LT_INVALID_VALUE;
    call.alpha = *static_cast<const float *>(alpha);
    call.beta = *static_cast<const float *>(beta);
    call.a = static_cast<const char *>(a);
    call.b = static_cast<const char *>(b);
    call.c = static_cast<const char *>(c);
    call.d = static_cast<char *>(d);
    call.workspace = static_cast<char *>(workspace);
    status = check_call(call, workspace_bytes);
    return status ? status : enqueue(call, stream);
}
