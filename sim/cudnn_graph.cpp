/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in cuDNN's graph of one attention: which descriptors fit together, and
   which engines there are. */
#include "cudnn_state.hpp"

#include "grid.hpp"
#include "report.hpp"

#include <algorithm>
#include <set>

namespace
{

using sim::CudnnDescriptor;
using sim::CudnnProblem;
using sim::CudnnTensor;

uint64_t plans;

/* As the library's own on devices of these capabilities, tests/records/cudnn.md;
   0: on all. */
const struct Engine {
    int64_t index;
    int capability;
    int64_t kernel, tile;
    int64_t workspace, workspace_of_each; /* of a plan; of each sequence */
} engines[] = {
    {8, 0, 3, 64, 0, 0},
    {9, 90, 7, 128, 768, 256},
    {10, 100, 7, 128, 768, 256},
    {11, 120, 3, 64, 640, 256},
};

const Engine *
find_engine(int64_t index, int capability)
{
    for (const Engine &e : engines)
        if (e.index == index &&
            (e.capability == 0 || e.capability == capability))
            return &e;
    return nullptr;
}

#define REFUSE_UNLESS(condition, status, ...) \
    do { \
        if (!(condition)) \
            return sim::cudnn_refuse(ORIEL_CUDNN_##status, __VA_ARGS__); \
    } while (0)

bool
has(const CudnnDescriptor &d, std::initializer_list<int32_t> attributes)
{
    return std::all_of(attributes.begin(), attributes.end(),
                       [&](int32_t a) { return d.values.count(a) > 0; });
}

/* ---- Tensors --------------------------------------------------------------- */

CudnnTensor
read_tensor(const CudnnDescriptor &d)
{
    CudnnTensor t = {};
    const auto dims =
        sim::cudnn_values<int64_t>(d, ORIEL_CUDNN_TENSOR_DIMENSIONS);
    const auto strides =
        sim::cudnn_values<int64_t>(d, ORIEL_CUDNN_TENSOR_STRIDES);

    t.id = sim::cudnn_value<int64_t>(d, ORIEL_CUDNN_TENSOR_ID);
    t.data_type = sim::cudnn_value<int32_t>(d, ORIEL_CUDNN_TENSOR_DATA_TYPE);
    std::copy(dims.begin(), dims.end(), t.dims.begin());
    std::copy(strides.begin(), strides.end(), t.strides.begin());
    t.alignment = sim::cudnn_value<int64_t>(d, ORIEL_CUDNN_TENSOR_ALIGNMENT);
    t.by_value = d.values.count(ORIEL_CUDNN_TENSOR_BY_VALUE) &&
                 sim::cudnn_value<bool>(d, ORIEL_CUDNN_TENSOR_BY_VALUE);
    t.offsets =
        sim::cudnn_part(d, ORIEL_CUDNN_TENSOR_OFFSETS, ORIEL_CUDNN_TENSOR);
    return t;
}

int64_t
bytes_of(int32_t data_type)
{
    switch (data_type) {
    case ORIEL_CUDNN_DATA_FLOAT:
    case ORIEL_CUDNN_DATA_INT32:
        return 4;
    case ORIEL_CUDNN_DATA_BFLOAT16:
        return 2;
    case ORIEL_CUDNN_DATA_INT64:
        return 8;
    default:
        return 0;
    }
}

oriel_cudnn_status
check_tensor(const CudnnDescriptor &d)
{
    REFUSE_UNLESS(
        has(d, {ORIEL_CUDNN_TENSOR_ID, ORIEL_CUDNN_TENSOR_DATA_TYPE,
                ORIEL_CUDNN_TENSOR_DIMENSIONS, ORIEL_CUDNN_TENSOR_STRIDES,
                ORIEL_CUDNN_TENSOR_ALIGNMENT}),
        BAD_PARAM, "a tensor lacks an attribute");
    REFUSE_UNLESS(d.values.at(ORIEL_CUDNN_TENSOR_DIMENSIONS).n == 4 &&
                      d.values.at(ORIEL_CUDNN_TENSOR_STRIDES).n == 4,
                  NOT_SUPPORTED, "a tensor has other than 4 dimensions");
    const CudnnTensor t = read_tensor(d);
    const int64_t bytes = bytes_of(t.data_type);

    REFUSE_UNLESS(bytes, NOT_SUPPORTED, "data type %d", t.data_type);
    REFUSE_UNLESS(t.alignment >= bytes && t.alignment % bytes == 0, BAD_PARAM,
                  "tensor %d: alignment", static_cast<int>(t.id));
    for (int i = 0; i < 4; i++)
        REFUSE_UNLESS(t.dims[i] > 0 && t.strides[i] > 0, BAD_PARAM,
                      "tensor %d: dimension %d", static_cast<int>(t.id), i);
    REFUSE_UNLESS(!d.values.count(ORIEL_CUDNN_TENSOR_OFFSETS) || t.offsets,
                  BAD_PARAM, "tensor %d: offsets", static_cast<int>(t.id));
    return ORIEL_CUDNN_SUCCESS;
}

/* [n, 1, 1, 1] of a type. */
bool
is_column(const CudnnTensor &t, int32_t data_type, int64_t n)
{
    return t.data_type == data_type &&
           t.dims == std::array<int64_t, 4>{n, 1, 1, 1} &&
           t.strides == std::array<int64_t, 4>{1, 1, 1, 1} && !t.offsets;
}

/* ---- Attention --------------------------------------------------------------- */

const int32_t row_attributes[sim::CUDNN_ROWS_TENSORS] = {
    ORIEL_CUDNN_ATTENTION_Q, ORIEL_CUDNN_ATTENTION_K, ORIEL_CUDNN_ATTENTION_V,
    ORIEL_CUDNN_ATTENTION_O};

/* False: a part is missing, unfinished or gone. */
bool
read_node(CudnnProblem *p, const CudnnDescriptor &node)
{
    const struct {
        int32_t attribute;
        CudnnTensor *to;
    } columns[] = {{ORIEL_CUDNN_ATTENTION_SCALE, &p->scale},
                   {ORIEL_CUDNN_ATTENTION_LENGTHS_Q, &p->lengths_q},
                   {ORIEL_CUDNN_ATTENTION_LENGTHS_KV, &p->lengths_kv}};

    for (int i = 0; i < sim::CUDNN_ROWS_TENSORS; i++) {
        const CudnnDescriptor *d =
            sim::cudnn_part(node, row_attributes[i], ORIEL_CUDNN_TENSOR);
        if (!d)
            return false;
        p->rows[i] = read_tensor(*d);
        if (!p->rows[i].offsets)
            return false;
        p->offsets[i] = read_tensor(*p->rows[i].offsets);
    }
    for (const auto &c : columns) {
        const CudnnDescriptor *d =
            sim::cudnn_part(node, c.attribute, ORIEL_CUDNN_TENSOR);
        if (!d)
            return false;
        *c.to = read_tensor(*d);
    }
    return true;
}

/* Rows of heads side by side, sequence after sequence. */
oriel_cudnn_status
check_rows(const CudnnTensor &t, const CudnnTensor &offsets,
           const std::array<int64_t, 4> &dims)
{
    enum { VECTOR = 8, VECTOR_BYTES = 16, WIDEST = 128 };

    REFUSE_UNLESS(t.data_type == ORIEL_CUDNN_DATA_BFLOAT16 && !t.by_value,
                  NOT_SUPPORTED, "q, k, v and out are bf16 on the device");
    REFUSE_UNLESS(t.dims == dims, BAD_PARAM, "q, k, v and out differ in shape");
    REFUSE_UNLESS(dims[3] % VECTOR == 0 && dims[3] <= WIDEST, NOT_SUPPORTED,
                  "heads of %d", static_cast<int>(dims[3]));
    REFUSE_UNLESS(
        t.strides[3] == 1 && t.strides[1] == dims[3] &&
            t.strides[2] >= dims[1] * dims[3] && t.strides[2] % VECTOR == 0 &&
            t.strides[0] == dims[2] * t.strides[2],
        NOT_SUPPORTED, "strides of tensor %d", static_cast<int>(t.id));
    REFUSE_UNLESS(t.alignment % VECTOR_BYTES == 0, NOT_SUPPORTED,
                  "tensor %d is not aligned", static_cast<int>(t.id));
    REFUSE_UNLESS(is_column(offsets, ORIEL_CUDNN_DATA_INT64, dims[0] + 1) &&
                      !offsets.by_value,
                  BAD_PARAM, "offsets of tensor %d", static_cast<int>(t.id));
    return ORIEL_CUDNN_SUCCESS;
}

/* Tensors of one number are one tensor; the offsets of q, k and v are. */
bool
has_one_tensor_a_number(const CudnnProblem &p)
{
    const int64_t ids[] = {p.rows[0].id,    p.rows[1].id,    p.rows[2].id,
                           p.rows[3].id,    p.scale.id,      p.lengths_q.id,
                           p.lengths_kv.id, p.offsets[0].id, p.offsets[3].id};

    return std::set<int64_t>(std::begin(ids), std::end(ids)).size() ==
               sizeof(ids) / sizeof(ids[0]) &&
           p.rows[0].offsets == p.rows[1].offsets &&
           p.rows[0].offsets == p.rows[2].offsets;
}

oriel_cudnn_status
check_node(const CudnnDescriptor &node)
{
    CudnnProblem p;

    REFUSE_UNLESS(read_node(&p, node), BAD_PARAM,
                  "attention lacks a tensor or its offsets");
    const auto &dims = p.rows[sim::CUDNN_Q].dims;
    for (int i = 0; i < sim::CUDNN_ROWS_TENSORS; i++) {
        const oriel_cudnn_status status =
            check_rows(p.rows[i], p.offsets[i], dims);
        if (status)
            return status;
    }
    REFUSE_UNLESS(is_column(p.scale, ORIEL_CUDNN_DATA_FLOAT, 1) &&
                      p.scale.by_value,
                  NOT_SUPPORTED, "the scale is no fp32 by value");
    for (const CudnnTensor *t : {&p.lengths_q, &p.lengths_kv})
        REFUSE_UNLESS(is_column(*t, ORIEL_CUDNN_DATA_INT32, dims[0]) &&
                          !t->by_value,
                      BAD_PARAM, "lengths, tensor %d", static_cast<int>(t->id));
    REFUSE_UNLESS(has_one_tensor_a_number(p), BAD_PARAM,
                  "two tensors have one number");
    return ORIEL_CUDNN_SUCCESS;
}

/* ---- Graph, engine, plan ------------------------------------------------------ */

struct Chain {
    const CudnnDescriptor *config, *knob, *engine, *graph, *node;
};

/* From a plan down; false where a link is missing. */
bool
follow(Chain *c, const CudnnDescriptor *config)
{
    c->config = config;
    c->knob = config ? sim::cudnn_part(*config, ORIEL_CUDNN_CONFIG_KNOBS,
                                       ORIEL_CUDNN_KNOB_CHOICE)
                     : nullptr;
    c->engine = config ? sim::cudnn_part(*config, ORIEL_CUDNN_CONFIG_ENGINE,
                                         ORIEL_CUDNN_ENGINE)
                       : nullptr;
    c->graph = c->engine ? sim::cudnn_part(*c->engine, ORIEL_CUDNN_ENGINE_GRAPH,
                                           ORIEL_CUDNN_GRAPH)
                         : nullptr;
    c->node = c->graph
                  ? sim::cudnn_part(*c->graph, ORIEL_CUDNN_GRAPH_OPERATIONS,
                                    ORIEL_CUDNN_ATTENTION)
                  : nullptr;
    return c->knob && c->node;
}

/* The device of a graph's handle. */
int
capability_of(const CudnnDescriptor &graph)
{
    const sim::CudnnHandle *h = sim::cudnn_handle(
        sim::cudnn_value<const void *>(graph, ORIEL_CUDNN_GRAPH_HANDLE));

    return h ? sim::device_limits(h->device).architecture : 0;
}

const Engine *
engine_of(const CudnnDescriptor &engine, const CudnnDescriptor &graph)
{
    return find_engine(
        sim::cudnn_value<int64_t>(engine, ORIEL_CUDNN_ENGINE_INDEX),
        capability_of(graph));
}

oriel_cudnn_status
check_graph(const CudnnDescriptor &d)
{
    REFUSE_UNLESS(has(d, {ORIEL_CUDNN_GRAPH_HANDLE}) && capability_of(d),
                  BAD_PARAM, "a graph without a handle");
    REFUSE_UNLESS(
        sim::cudnn_part(d, ORIEL_CUDNN_GRAPH_OPERATIONS, ORIEL_CUDNN_ATTENTION),
        BAD_PARAM, "a graph without an operation");
    return ORIEL_CUDNN_SUCCESS;
}

oriel_cudnn_status
check_engine(const CudnnDescriptor &d)
{
    const CudnnDescriptor *graph =
        sim::cudnn_part(d, ORIEL_CUDNN_ENGINE_GRAPH, ORIEL_CUDNN_GRAPH);

    REFUSE_UNLESS(graph && has(d, {ORIEL_CUDNN_ENGINE_INDEX}), BAD_PARAM,
                  "an engine without a graph or an index");
    const int64_t index =
        sim::cudnn_value<int64_t>(d, ORIEL_CUDNN_ENGINE_INDEX);
    REFUSE_UNLESS(engine_of(d, *graph) && !sim::cudnn_lacks_engine(index),
                  NOT_SUPPORTED, "no engine %d", static_cast<int>(index));
    return ORIEL_CUDNN_SUCCESS;
}

oriel_cudnn_status
check_knob(const CudnnDescriptor &d)
{
    REFUSE_UNLESS(has(d, {ORIEL_CUDNN_KNOB_TYPE, ORIEL_CUDNN_KNOB_VALUE}),
                  BAD_PARAM, "a knob without a type or a value");
    return ORIEL_CUDNN_SUCCESS;
}

/* Left open the library would choose the kernel by the size at hand, which Oriel
   must not allow. */
oriel_cudnn_status
check_config(const CudnnDescriptor &d)
{
    Chain c;

    REFUSE_UNLESS(follow(&c, &d), BAD_PARAM,
                  "a configuration without an engine or a knob");
    REFUSE_UNLESS(
        sim::cudnn_value<int32_t>(*c.knob, ORIEL_CUDNN_KNOB_TYPE) ==
                ORIEL_CUDNN_KNOB_KERNEL_CONFIG &&
            sim::cudnn_value<int64_t>(*c.knob, ORIEL_CUDNN_KNOB_VALUE) ==
                engine_of(*c.engine, *c.graph)->kernel,
        NOT_SUPPORTED, "the engine has no such knob or kernel");
    return ORIEL_CUDNN_SUCCESS;
}

oriel_cudnn_status
check_plan(CudnnDescriptor *d)
{
    Chain c;

    REFUSE_UNLESS(has(*d, {ORIEL_CUDNN_PLAN_HANDLE}) &&
                      follow(&c, sim::cudnn_part(*d, ORIEL_CUDNN_PLAN_CONFIG,
                                                 ORIEL_CUDNN_ENGINE_CONFIG)),
                  BAD_PARAM, "a plan without a handle or a configuration");
    REFUSE_UNLESS(
        sim::cudnn_value<const void *>(*d, ORIEL_CUDNN_PLAN_HANDLE) ==
            sim::cudnn_value<const void *>(*c.graph, ORIEL_CUDNN_GRAPH_HANDLE),
        BAD_PARAM, "a plan of another handle than its graph");
    CudnnProblem p;

    if (!read_node(&p, *c.node))
        return ORIEL_CUDNN_BAD_PARAM;
    const Engine *e = engine_of(*c.engine, *c.graph);

    d->workspace = e->workspace + e->workspace_of_each * p.rows[0].dims[0] +
                   sim::cudnn_more_workspace();
    plans++;
    return ORIEL_CUDNN_SUCCESS;
}

oriel_cudnn_status
check_pack(const CudnnDescriptor &d)
{
    REFUSE_UNLESS(has(d, {ORIEL_CUDNN_PACK_IDS, ORIEL_CUDNN_PACK_POINTERS,
                          ORIEL_CUDNN_PACK_WORKSPACE}),
                  BAD_PARAM, "a pack lacks an attribute");
    REFUSE_UNLESS(d.values.at(ORIEL_CUDNN_PACK_IDS).n ==
                      d.values.at(ORIEL_CUDNN_PACK_POINTERS).n,
                  BAD_PARAM, "a pack has a pointer for each number");
    return ORIEL_CUDNN_SUCCESS;
}

} // namespace

namespace sim
{

oriel_cudnn_status
cudnn_check(CudnnDescriptor *d)
{
    switch (d->type) {
    case ORIEL_CUDNN_TENSOR:
        return check_tensor(*d);
    case ORIEL_CUDNN_ATTENTION:
        return check_node(*d);
    case ORIEL_CUDNN_GRAPH:
        return check_graph(*d);
    case ORIEL_CUDNN_ENGINE:
        return check_engine(*d);
    case ORIEL_CUDNN_KNOB_CHOICE:
        return check_knob(*d);
    case ORIEL_CUDNN_ENGINE_CONFIG:
        return check_config(*d);
    case ORIEL_CUDNN_PLAN:
        return check_plan(d);
    default:
        return check_pack(*d);
    }
}

bool
cudnn_describe(CudnnProblem *out, const CudnnDescriptor &plan)
{
    Chain c;

    if (!follow(&c, cudnn_part(plan, ORIEL_CUDNN_PLAN_CONFIG,
                               ORIEL_CUDNN_ENGINE_CONFIG)) ||
        !read_node(out, *c.node)) {
        host_violation("cuDNN's plan: a part of it was destroyed");
        return false;
    }
    out->engine = cudnn_value<int64_t>(*c.engine, ORIEL_CUDNN_ENGINE_INDEX);
    out->tile = engine_of(*c.engine, *c.graph)->tile;
    out->workspace = plan.workspace;
    return true;
}

} // namespace sim

extern "C" uint64_t
sim_cudnn_plans(void)
{
    return plans;
}
