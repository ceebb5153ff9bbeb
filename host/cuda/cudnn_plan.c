/* SPDX-License-Identifier: Apache-2.0 */
/* cudnn_plan.c - attention over frames as one node, and the engine that runs it */
#include "cuda/cudnn.h"

#include "base/fail.h"

#include <stdbool.h>

/* ---- Which engine ---------------------------------------------------------- */

/*
 * The engine and its kernel by capability and minor version of cuDNN 9, as the
 * library's own heuristic offers them first.  All plans of a device sum alike, as
 * they have one engine.  tests/cuda/test_cudnn_real.c builds each row's plans with
 * NVIDIA's library; a row is added with that test's output.
 */
static const struct {
    int32_t capability, minor;
    int32_t engine, kernel_config;
} engines[] = {
    {80, 19, 8, 3}, {86, 19, 8, 3},   {89, 19, 8, 3},
    {90, 19, 9, 7}, {100, 19, 10, 7}, {120, 19, 11, 3},
};
enum { ROWS = sizeof(engines) / sizeof(engines[0]) };

static oriel_status
find_engine(oriel_cudnn_plan *p, int32_t version, int32_t capability,
            oriel_error *err)
{
    const int32_t minor = version % 10000 / 100;

    for (int i = 0; i < ROWS; i++)
        if (engines[i].capability == capability && engines[i].minor == minor) {
            p->engine = engines[i].engine;
            p->kernel_config = engines[i].kernel_config;
            return ORIEL_OK;
        }
    return oriel_fail(
        err, ORIEL_ERR_UNSUPPORTED,
        "cuDNN 9.%d on a device of capability %d.%d: no engine is "
        "known to sum alike in any batch; expected attention own, or "
        "cuDNN " ORIEL_CUDNN_KNOWN,
        minor, capability / 10, capability % 10);
}

/* ---- Descriptors ----------------------------------------------------------- */

/* A plan that is being made: after the first failure nothing more is done. */
typedef struct maker {
    oriel_cudnn_plan *p;
    oriel_cudnn_status failed;
    const char *what; /* that failed */
} maker;

static void
note(maker *m, oriel_cudnn_status status, const char *what)
{
    if (!m->failed && status) {
        m->failed = status;
        m->what = what;
    }
}

static oriel_cudnn_descriptor
create(maker *m, int32_t type, const char *what)
{
    oriel_cudnn_descriptor made = NULL;

    if (m->failed)
        return NULL;
    note(m, m->p->library->BackendCreateDescriptor(type, &made), what);
    if (!m->failed)
        m->p->part[m->p->n_parts++] = made;
    return made;
}

static void
set(maker *m, oriel_cudnn_descriptor d, int32_t attribute, int32_t type,
    int64_t n, const void *values, const char *what)
{
    if (!m->failed)
        note(m,
             m->p->library->BackendSetAttribute(d, attribute, type, n, values),
             what);
}

static void
set_descriptor(maker *m, oriel_cudnn_descriptor d, int32_t attribute,
               oriel_cudnn_descriptor value, const char *what)
{
    set(m, d, attribute, ORIEL_CUDNN_IS_DESCRIPTOR, 1, &value, what);
}

static void
finalize(maker *m, oriel_cudnn_descriptor d, const char *what)
{
    if (!m->failed)
        note(m, m->p->library->BackendFinalize(d), what);
}

typedef struct tensor {
    const char *what;
    int64_t id;
    int32_t type; /* ORIEL_CUDNN_DATA_* */
    int64_t dims[4], strides[4];
    oriel_cudnn_descriptor offsets; /* or NULL */
} tensor;

static oriel_cudnn_descriptor
make_tensor(maker *m, const tensor *t)
{
    enum { ALIGNMENT = 16 };
    const int64_t alignment = ALIGNMENT;
    const bool by_value = t->id == ORIEL_CUDNN_ID_SCALE;
    oriel_cudnn_descriptor d = create(m, ORIEL_CUDNN_TENSOR, t->what);

    set(m, d, ORIEL_CUDNN_TENSOR_ID, ORIEL_CUDNN_IS_INT64, 1, &t->id, t->what);
    set(m, d, ORIEL_CUDNN_TENSOR_DATA_TYPE, ORIEL_CUDNN_IS_DATA_TYPE, 1,
        &t->type, t->what);
    set(m, d, ORIEL_CUDNN_TENSOR_DIMENSIONS, ORIEL_CUDNN_IS_INT64, 4, t->dims,
        t->what);
    set(m, d, ORIEL_CUDNN_TENSOR_STRIDES, ORIEL_CUDNN_IS_INT64, 4, t->strides,
        t->what);
    set(m, d, ORIEL_CUDNN_TENSOR_ALIGNMENT, ORIEL_CUDNN_IS_INT64, 1, &alignment,
        t->what);
    if (by_value)
        set(m, d, ORIEL_CUDNN_TENSOR_BY_VALUE, ORIEL_CUDNN_IS_BOOLEAN, 1,
            &by_value, t->what);
    if (t->offsets)
        set_descriptor(m, d, ORIEL_CUDNN_TENSOR_OFFSETS, t->offsets, t->what);
    finalize(m, d, t->what);
    return d;
}

/* A number a sequence, or one more. */
static oriel_cudnn_descriptor
make_column(maker *m, const char *what, int64_t id, int32_t type, int64_t n)
{
    const tensor t = {.what = what,
                      .id = id,
                      .type = type,
                      .dims = {n, 1, 1, 1},
                      .strides = {1, 1, 1, 1}};

    return make_tensor(m, &t);
}

/* [sequences, heads, rows, head_dim] in rows of 'width' values. */
static oriel_cudnn_descriptor
make_rows(maker *m, const char *what, int64_t id, const oriel_cudnn_shape *s,
          int64_t width, oriel_cudnn_descriptor offsets)
{
    const tensor t = {.what = what,
                      .id = id,
                      .type = ORIEL_CUDNN_DATA_BFLOAT16,
                      .dims = {s->sequences, s->heads, s->rows, s->head_dim},
                      .strides = {s->rows * width, s->head_dim, width, 1},
                      .offsets = offsets};

    return make_tensor(m, &t);
}

/* ---- The node, its graph, its engine --------------------------------------- */

static oriel_cudnn_descriptor
make_node(maker *m, const oriel_cudnn_shape *s)
{
    const int64_t hidden = (int64_t)s->heads * s->head_dim, n = s->sequences;
    oriel_cudnn_descriptor of_qkv =
        make_column(m, "offsets of qkv", ORIEL_CUDNN_ID_OFFSETS_QKV,
                    ORIEL_CUDNN_DATA_INT64, n + 1);
    oriel_cudnn_descriptor of_out =
        make_column(m, "offsets of out", ORIEL_CUDNN_ID_OFFSETS_OUT,
                    ORIEL_CUDNN_DATA_INT64, n + 1);
    const struct {
        int32_t attribute;
        oriel_cudnn_descriptor tensor;
    } operands[] = {
        {ORIEL_CUDNN_ATTENTION_Q,
         make_rows(m, "q", ORIEL_CUDNN_ID_Q, s, 3 * hidden, of_qkv)},
        {ORIEL_CUDNN_ATTENTION_K,
         make_rows(m, "k", ORIEL_CUDNN_ID_K, s, 3 * hidden, of_qkv)},
        {ORIEL_CUDNN_ATTENTION_V,
         make_rows(m, "v", ORIEL_CUDNN_ID_V, s, 3 * hidden, of_qkv)},
        {ORIEL_CUDNN_ATTENTION_O,
         make_rows(m, "out", ORIEL_CUDNN_ID_OUT, s, hidden, of_out)},
        {ORIEL_CUDNN_ATTENTION_SCALE,
         make_column(m, "scale", ORIEL_CUDNN_ID_SCALE, ORIEL_CUDNN_DATA_FLOAT,
                     1)},
        {ORIEL_CUDNN_ATTENTION_LENGTHS_Q,
         make_column(m, "lengths of q", ORIEL_CUDNN_ID_LENGTHS_Q,
                     ORIEL_CUDNN_DATA_INT32, n)},
        {ORIEL_CUDNN_ATTENTION_LENGTHS_KV,
         make_column(m, "lengths of k and v", ORIEL_CUDNN_ID_LENGTHS_KV,
                     ORIEL_CUDNN_DATA_INT32, n)},
    };
    oriel_cudnn_descriptor node = create(m, ORIEL_CUDNN_ATTENTION, "attention");

    for (size_t i = 0; i < sizeof(operands) / sizeof(operands[0]); i++)
        set_descriptor(m, node, operands[i].attribute, operands[i].tensor,
                       "attention");
    finalize(m, node, "attention");
    return node;
}

static oriel_cudnn_descriptor
make_graph(maker *m, const oriel_cudnn_target *target,
           oriel_cudnn_descriptor node)
{
    oriel_cudnn_descriptor d = create(m, ORIEL_CUDNN_GRAPH, "the graph");

    set_descriptor(m, d, ORIEL_CUDNN_GRAPH_OPERATIONS, node, "the graph");
    if (target->handle)
        set(m, d, ORIEL_CUDNN_GRAPH_HANDLE, ORIEL_CUDNN_IS_HANDLE, 1,
            &target->handle, "the graph");
    finalize(m, d, "the graph");
    return d;
}

static oriel_cudnn_descriptor
make_engine(maker *m, const oriel_cudnn_target *target,
            oriel_cudnn_descriptor graph)
{
    const int64_t index = m->p->engine;
    oriel_cudnn_descriptor d = create(m, ORIEL_CUDNN_ENGINE, "the engine");

    set_descriptor(m, d, ORIEL_CUDNN_ENGINE_GRAPH, graph, "the engine");
    set(m, d, ORIEL_CUDNN_ENGINE_INDEX, ORIEL_CUDNN_IS_INT64, 1, &index,
        "the engine");
    if (target->properties)
        set_descriptor(m, d, ORIEL_CUDNN_ENGINE_DEVICE, target->properties,
                       "the engine");
    finalize(m, d, "the engine");
    return d;
}

static oriel_cudnn_descriptor
make_config(maker *m, oriel_cudnn_descriptor engine)
{
    const int32_t type = ORIEL_CUDNN_KNOB_KERNEL_CONFIG;
    const int64_t value = m->p->kernel_config;
    oriel_cudnn_descriptor knob =
        create(m, ORIEL_CUDNN_KNOB_CHOICE, "the kernel's choice");
    oriel_cudnn_descriptor d;

    set(m, knob, ORIEL_CUDNN_KNOB_TYPE, ORIEL_CUDNN_IS_KNOB_TYPE, 1, &type,
        "the kernel's choice");
    set(m, knob, ORIEL_CUDNN_KNOB_VALUE, ORIEL_CUDNN_IS_INT64, 1, &value,
        "the kernel's choice");
    finalize(m, knob, "the kernel's choice");
    d = create(m, ORIEL_CUDNN_ENGINE_CONFIG, "the engine's configuration");
    set_descriptor(m, d, ORIEL_CUDNN_CONFIG_ENGINE, engine,
                   "the engine's configuration");
    set_descriptor(m, d, ORIEL_CUDNN_CONFIG_KNOBS, knob,
                   "the engine's configuration");
    finalize(m, d, "the engine's configuration");
    return d;
}

static void
make_plan(maker *m, const oriel_cudnn_target *target,
          oriel_cudnn_descriptor config)
{
    oriel_cudnn_descriptor d = create(m, ORIEL_CUDNN_PLAN, "the plan");
    int64_t n;

    set_descriptor(m, d, ORIEL_CUDNN_PLAN_CONFIG, config, "the plan");
    if (target->handle)
        set(m, d, ORIEL_CUDNN_PLAN_HANDLE, ORIEL_CUDNN_IS_HANDLE, 1,
            &target->handle, "the plan");
    else
        set_descriptor(m, d, ORIEL_CUDNN_PLAN_DEVICE, target->properties,
                       "the plan");
    finalize(m, d, "the plan");
    if (!m->failed)
        note(m,
             m->p->library->BackendGetAttribute(d, ORIEL_CUDNN_PLAN_WORKSPACE,
                                                ORIEL_CUDNN_IS_INT64, 1, &n,
                                                &m->p->workspace_bytes),
             "the plan's workspace");
    m->p->plan = d;
}

oriel_status
oriel_cudnn_plan_make(oriel_cudnn_plan *plan,
                      const oriel_cudnn_library *library, int32_t version,
                      const oriel_cudnn_target *target,
                      const oriel_cudnn_shape *shape, oriel_error *err)
{
    maker m = {.p = plan};
    oriel_cudnn_descriptor graph, engine, config;
    oriel_status status;

    *plan = (oriel_cudnn_plan){.shape = *shape};
    plan->library = library;
    status = find_engine(plan, version, target->capability, err);
    if (status)
        return status;
    graph = make_graph(&m, target, make_node(&m, shape));
    engine = make_engine(&m, target, graph);
    config = make_config(&m, engine);
    make_plan(&m, target, config);
    status = oriel_cudnn_check(library, m.failed, m.what, err);
    if (status)
        oriel_cudnn_plan_destroy(plan);
    return status;
}

void
oriel_cudnn_plan_destroy(oriel_cudnn_plan *plan)
{
    while (plan->n_parts > 0)
        (void)plan->library->BackendDestroyDescriptor(
            plan->part[--plan->n_parts]);
    plan->plan = NULL;
}
