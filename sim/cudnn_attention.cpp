/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in cuDNN's plans: refused at the call, or run when their stream gets
   there. */
#include "cudnn_state.hpp"

#include "library.hpp"
#include "memory.hpp"
#include "plants.hpp"
#include "report.hpp"
#include "runtime_state.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace
{

using sim::CudnnDescriptor;
using sim::CudnnProblem;
using sim::CudnnTensor;

uint64_t runs;

/* A run: pointers to q, k, v and out, and to where each finds its offsets. */
struct Call {
    CudnnProblem problem;
    std::shared_ptr<bool> alive; /* the plan */
    std::array<uint16_t *, sim::CUDNN_ROWS_TENSORS> rows;
    std::array<const int64_t *, sim::CUDNN_ROWS_TENSORS> offsets;
    const int32_t *lengths_q, *lengths_kv;
    float scale;
    void *workspace;

    int64_t sequences() const
    {
        return problem.rows[0].dims[0];
    }
    int64_t heads() const
    {
        return problem.rows[0].dims[1];
    }
    int64_t most() const
    {
        return problem.rows[0].dims[2];
    }
    int64_t width() const
    {
        return problem.rows[0].dims[3];
    }
};

/* ---- When the stream gets there -------------------------------------------- */

void
fault(const char *why)
{
    sim::host_violation("cuDNN's attention: %s", why);
    sim::runtime().sticky = cudaErrorLaunchFailure;
}

/* Why a sequence cannot be read or written; nullptr: it can. */
const char *
complain(const Call &call, int64_t sequence)
{
    enum { VECTOR = 8 };

    for (int i = 0; i < sim::CUDNN_ROWS_TENSORS; i++) {
        const bool of_keys = i == sim::CUDNN_K || i == sim::CUDNN_V;
        const int32_t length =
            (of_keys ? call.lengths_kv : call.lengths_q)[sequence];
        const int64_t *offset = call.offsets[i] + sequence;
        const int64_t row = call.problem.rows[i].strides[2];

        if (length < 0 || length > call.most())
            return "a sequence is longer than the plan's";
        if (offset[0] < 0 || offset[0] % VECTOR)
            return "an offset is not aligned";
        if (offset[1] - offset[0] < length * row)
            return "a sequence ends after the next one begins";
        if (length > 0 && !sim::is_device_range(
                              call.rows[i] + offset[0],
                              static_cast<size_t>((length - 1) * row +
                                                  call.heads() * call.width()) *
                                  sizeof(uint16_t)))
            return "a sequence is not wholly in device memory";
    }
    return nullptr;
}

/* What is known before lengths and offsets may be read. */
bool
is_in_memory(const Call &call)
{
    const size_t n = static_cast<size_t>(call.sequences());
    bool all =
        *call.alive &&
        sim::is_device_range(call.lengths_q, n * sizeof(int32_t)) &&
        sim::is_device_range(call.lengths_kv, n * sizeof(int32_t)) &&
        (call.problem.workspace == 0 ||
         sim::is_device_range(call.workspace,
                              static_cast<size_t>(call.problem.workspace)));

    for (const int64_t *offsets : call.offsets)
        all = all && sim::is_device_range(offsets, (n + 1) * sizeof(int64_t));
    return all;
}

void
begin(const Call &call, uint64_t *run)
{
    if (!is_in_memory(call))
        return fault("the plan is gone; or lengths, offsets or the workspace "
                     "are not in device memory");
    sim::DeviceMemoryAccess access;
    *run = sim::scribble(call.workspace,
                         static_cast<size_t>(call.problem.workspace));
}

/* One row of one head: 'keys' and 'values' are [n][width]. */
void
attend(const Call &call, const float *query, const std::vector<float> &keys,
       const std::vector<float> &values, uint16_t *out)
{
    const int64_t width = call.width();
    const int64_t n = static_cast<int64_t>(keys.size()) / width;
    const double scale =
        sim::planted == sim::Plant::CUDNN_SCALE ? 1 : double{call.scale};
    std::vector<double> sum(static_cast<size_t>(width), 0.0);
    std::vector<double> scores(static_cast<size_t>(call.problem.tile));
    double most = -HUGE_VAL, weights = 0;

    for (int64_t first = 0; first < n; first += call.problem.tile) {
        const int64_t last = std::min(first + call.problem.tile, n);
        double greatest = most;

        for (int64_t j = first; j < last; j++) {
            double dot = 0;

            for (int64_t i = 0; i < width; i++)
                dot += double{query[i]} *
                       double{keys[static_cast<size_t>(j * width + i)]};
            scores[static_cast<size_t>(j - first)] = dot * scale;
            greatest = std::max(greatest, dot * scale);
        }
        const double shrunk = std::exp(most - greatest);

        most = greatest;
        weights *= shrunk;
        for (double &s : sum)
            s *= shrunk;
        for (int64_t j = first; j < last; j++) {
            const double weight =
                std::exp(scores[static_cast<size_t>(j - first)] - most);
            const double rounded = double{
                sim::from_bf16(sim::to_bf16(static_cast<float>(weight)))};

            weights += weight;
            for (int64_t i = 0; i < width; i++)
                sum[static_cast<size_t>(i)] +=
                    rounded *
                    double{values[static_cast<size_t>(j * width + i)]};
        }
    }
    for (int64_t i = 0; i < width; i++)
        out[i] = sim::to_bf16(
            static_cast<float>(sum[static_cast<size_t>(i)] / weights));
}

/* Rows [n][width] of a head of k or v, from an offset on. */
std::vector<float>
gather(const Call &call, int which, int64_t offset, int64_t head, int64_t n)
{
    const int64_t width = call.width();
    const uint16_t *from = call.rows[which] + offset + head * width;
    std::vector<float> to(static_cast<size_t>(n * width));

    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < width; i++)
            to[static_cast<size_t>(j * width + i)] = sim::from_bf16(
                from[j * call.problem.rows[which].strides[2] + i]);
    return to;
}

void
run_sequence(const Call &call, int64_t sequence)
{
    const int64_t width = call.width(), rows = call.lengths_q[sequence];
    const int64_t last =
        sim::planted == sim::Plant::CUDNN_OFFSETS ? 0 : sequence;
    const auto offset = [&](int which) {
        return call.offsets[which][which == sim::CUDNN_V ? last : sequence];
    };
    int64_t n = call.lengths_kv[sequence];

    if (sim::planted == sim::Plant::CUDNN_LENGTHS)
        n = (call.offsets[sim::CUDNN_K][call.sequences()] -
             offset(sim::CUDNN_K)) /
            call.problem.rows[sim::CUDNN_K].strides[2];
    for (int64_t head = 0; head < call.heads() && rows > 0; head++) {
        const auto queries =
            gather(call, sim::CUDNN_Q, offset(sim::CUDNN_Q), head, rows);
        const auto keys =
            gather(call, sim::CUDNN_K, offset(sim::CUDNN_K), head, n);
        const auto values =
            gather(call, sim::CUDNN_V, offset(sim::CUDNN_V), head, n);

        for (int64_t row = 0; row < rows; row++)
            attend(call, &queries[static_cast<size_t>(row * width)], keys,
                   values,
                   call.rows[sim::CUDNN_O] + offset(sim::CUDNN_O) +
                       row * call.problem.rows[sim::CUDNN_O].strides[2] +
                       head * width);
    }
}

void
end(const Call &call, uint64_t run)
{
    const size_t bytes = static_cast<size_t>(call.problem.workspace);

    if (!is_in_memory(call))
        return fault("memory was freed while it ran");
    sim::DeviceMemoryAccess access;
    if (!sim::is_as_scribbled(call.workspace, bytes, run)) {
        sim::host_violation("cuDNN's attention: its workspace was written by "
                            "others while it ran");
        return;
    }
    for (int64_t i = 0; i < call.sequences(); i++)
        if (const char *why = complain(call, i))
            return fault(why);
    for (int64_t i = 0; i < call.sequences(); i++)
        run_sequence(call, i);
    memset(call.workspace, sim::poison_byte(), bytes);
}

/* ---- At the call ------------------------------------------------------------ */

/* The pointers of a pack, by number. */
using Pointers = std::map<int64_t, void *>;

/* Where it is on the device; nullptr: not there, or not aligned as was said. */
template <class T>
T *
take(Pointers *pointers, const CudnnTensor &tensor)
{
    const auto found = pointers->find(tensor.id);

    if (found == pointers->end() ||
        reinterpret_cast<uintptr_t>(found->second) %
            static_cast<uintptr_t>(tensor.alignment))
        return nullptr;
    return static_cast<T *>(found->second);
}

/* Each tensor once, and nothing more. */
bool
read_pack(Call *call, const CudnnDescriptor &pack)
{
    enum { TENSORS = 9, WORKSPACE_ALIGNMENT = 256 };
    const auto ids = sim::cudnn_values<int64_t>(pack, ORIEL_CUDNN_PACK_IDS);
    const auto all = sim::cudnn_values<void *>(pack, ORIEL_CUDNN_PACK_POINTERS);
    const CudnnProblem &p = call->problem;
    Pointers pointers;
    bool found = true;

    for (size_t i = 0; i < ids.size(); i++)
        pointers[ids[i]] = all[i];
    for (int i = 0; i < sim::CUDNN_ROWS_TENSORS; i++) {
        call->rows[i] = take<uint16_t>(&pointers, p.rows[i]);
        call->offsets[i] = take<const int64_t>(&pointers, p.offsets[i]);
        found = found && call->rows[i] && call->offsets[i];
    }
    call->lengths_q = take<const int32_t>(&pointers, p.lengths_q);
    call->lengths_kv = take<const int32_t>(&pointers, p.lengths_kv);
    call->workspace =
        sim::cudnn_value<void *>(pack, ORIEL_CUDNN_PACK_WORKSPACE);
    const void *scale =
        pointers.count(p.scale.id) ? pointers[p.scale.id] : nullptr;

    if (!found || !call->lengths_q || !call->lengths_kv || !scale ||
        sim::is_device_range(scale, 1) || ids.size() != TENSORS ||
        pointers.size() != TENSORS || (p.workspace && !call->workspace) ||
        reinterpret_cast<uintptr_t>(call->workspace) % WORKSPACE_ALIGNMENT)
        return false;
    memcpy(&call->scale, scale, sizeof(call->scale));
    return true;
}

/* The library may load lazily: in a capture it must have before. */
bool
is_loaded(CudnnDescriptor *plan, const CUstream_st *stream)
{
    if (stream->capture)
        return plan->loaded;
    return plan->loaded = true;
}

oriel_cudnn_status
enqueue(const Call &call, CudnnDescriptor *plan, cudaStream_t stream)
{
    CUstream_st *s = sim::resolve(stream);

    if (!s)
        return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM, "the stream is gone");
    if (!is_loaded(plan, s)) {
        sim::host_violation(
            "cuDNN's attention: a plan first runs in a capture");
        (void)sim::spoil(*s->capture, cudaErrorStreamCaptureUnsupported);
        return ORIEL_CUDNN_EXECUTION_FAILED;
    }
    auto run = std::make_shared<uint64_t>(0);
    cudaError_t error =
        sim::enqueue(stream, {nullptr, [=] { begin(call, run.get()); }});

    if (error == cudaSuccess)
        error = sim::enqueue(stream, {nullptr, [=] { end(call, *run); }});
    runs++;
    return error == cudaSuccess ? ORIEL_CUDNN_SUCCESS
                                : ORIEL_CUDNN_EXECUTION_FAILED;
}

} // namespace

extern "C" uint64_t
sim_cudnn_runs(void)
{
    return runs;
}

extern "C" oriel_cudnn_status
cudnnBackendExecute(oriel_cudnn_handle handle, oriel_cudnn_descriptor plan,
                    oriel_cudnn_descriptor pack)
{
    CUDNN_ENTER();
    const sim::CudnnHandle *h = sim::cudnn_handle(handle);
    CudnnDescriptor *p = sim::cudnn_descriptor(plan);
    const CudnnDescriptor *operands = sim::cudnn_descriptor(pack);
    Call call = {};

    if (!h)
        return sim::cudnn_refuse(ORIEL_CUDNN_NOT_INITIALIZED, "no handle");
    if (h->device != sim::current_device())
        sim::host_violation("cuDNN's handle is of another device");
    if (!p || !p->finalized || p->type != ORIEL_CUDNN_PLAN || !operands ||
        !operands->finalized || operands->type != ORIEL_CUDNN_PACK)
        return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM,
                                 "no plan, or no operands");
    if (sim::cudnn_value<const void *>(*p, ORIEL_CUDNN_PLAN_HANDLE) != handle)
        return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM,
                                 "a plan of another handle");
    if (!sim::cudnn_describe(&call.problem, *p))
        return ORIEL_CUDNN_BAD_PARAM;
    call.alive = p->alive;
    if (!read_pack(&call, *operands))
        return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM,
                                 "operands are missing, too many, not aligned, "
                                 "or on the wrong side");
    return enqueue(call, p, h->stream);
}
