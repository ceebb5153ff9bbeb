/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onednn.cpp - every call of oneDNN
 *
 * C++ for one reason: only it can catch what oneDNN throws.  Nothing leaves this
 * file but statuses.
 */
#include "cpu/onednn_library.h"

extern "C" {
#include "base/fail.h"
#include "cpu/spare.h"
}

#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <sys/mman.h>

namespace
{

/* ---- Statuses ----------------------------------------------------------- */

oriel_status
failed(oriel_error *err, dnnl_status_t status, const char *what)
{
    if (status == dnnl_out_of_memory)
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "out of memory: oneDNN, while %s", what);
    if (status == dnnl_runtime_error) {
        oriel_status refused = oriel_cpu_onednn_check_execution(err);

        if (refused)
            return refused;
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "out of memory: oneDNN could not map or protect its "
                          "code, while %s",
                          what);
    }
    return oriel_fail(err, ORIEL_ERR_INTERNAL,
                      "oneDNN failed with status %d while %s",
                      static_cast<int>(status), what);
}

/* The status of 'body', a function that calls oneDNN; nothing comes out of it. */
template <typename Body>
oriel_status
guarded(oriel_error *err, const char *what, Body body) noexcept
{
    if (!oriel_cpu_spare_fill())
        return failed(err, dnnl_out_of_memory, what);
    try {
        dnnl_status_t status = body();

        return status == dnnl_success ? ORIEL_OK : failed(err, status, what);
    } catch (const std::bad_alloc &) {
        return failed(err, dnnl_out_of_memory, what);
    } catch (const std::exception &cause) {
        return oriel_fail(err, ORIEL_ERR_INTERNAL, "oneDNN threw %s while %s",
                          ORIEL_QUOTE(cause.what()), what);
    } catch (...) {
        return oriel_fail(err, ORIEL_ERR_INTERNAL,
                          "oneDNN threw what is no exception while %s", what);
    }
}

/* A destructor of oneDNN's, which has nothing to report. */
template <typename Body>
void
released(Body body) noexcept
{
    try {
        body();
    } catch (...) {
    }
}

/* ---- Descriptors -------------------------------------------------------- */

/* Owners of what oneDNN makes. */
struct destroy {
    void operator()(dnnl_primitive_attr *p) const
    {
        released([&] { oriel_cpu_onednn.dnnl_primitive_attr_destroy(p); });
    }
    void operator()(dnnl_post_ops *p) const
    {
        released([&] { oriel_cpu_onednn.dnnl_post_ops_destroy(p); });
    }
    void operator()(dnnl_primitive_desc *p) const
    {
        released([&] { oriel_cpu_onednn.dnnl_primitive_desc_destroy(p); });
    }
    void operator()(dnnl_primitive *p) const
    {
        released([&] { oriel_cpu_onednn.dnnl_primitive_destroy(p); });
    }
    void operator()(dnnl_memory *p) const
    {
        released([&] { oriel_cpu_onednn.dnnl_memory_destroy(p); });
    }
    void operator()(dnnl_stream *p) const
    {
        released([&] { oriel_cpu_onednn.dnnl_stream_destroy(p); });
    }
};
template <typename T> using owner = std::unique_ptr<T, destroy>;

/* A call that makes something, into its owner. */
template <typename T, typename Make>
dnnl_status_t
make(owner<T> *out, Make call)
{
    T *made = nullptr;
    dnnl_status_t status = call(&made);

    if (status == dnnl_success)
        out->reset(made);
    return status;
}

#define TRY(call) \
    do { \
        dnnl_status_t try_status = (call); \
        if (try_status != dnnl_success) \
            return try_status; \
    } while (0)

dnnl_data_type_t
operand_type(oriel_cpu_storage storage)
{
    return storage == ORIEL_STORAGE_BF16 ? dnnl_bf16 : dnnl_f32;
}

dnnl_status_t
describe_matrix(dnnl_memory_desc_t *out, int32_t rows, int32_t columns,
                dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    const dnnl_dims_t dims = {rows, columns};

    return oriel_cpu_onednn.dnnl_memory_desc_init_by_tag(out, 2, dims, type,
                                                         tag);
}

dnnl_status_t
make_attributes(owner<dnnl_primitive_attr> *out, bool accumulate)
{
    TRY(make(out, oriel_cpu_onednn.dnnl_primitive_attr_create));
    /* Strict: DNNL_DEFAULT_FPMATH_MODE would let fp32 be bf16. */
    TRY(oriel_cpu_onednn.dnnl_primitive_attr_set_fpmath_mode(
        out->get(), dnnl_fpmath_mode_strict));
    TRY(oriel_cpu_onednn.dnnl_primitive_attr_set_scratchpad_mode(
        out->get(), dnnl_scratchpad_mode_user));
    if (!accumulate)
        return dnnl_success;

    owner<dnnl_post_ops> sum;
    TRY(make(&sum, oriel_cpu_onednn.dnnl_post_ops_create));
    TRY(oriel_cpu_onednn.dnnl_post_ops_append_sum(sum.get(), 1.0f));
    return oriel_cpu_onednn.dnnl_primitive_attr_set_post_ops(out->get(),
                                                             sum.get());
}

/* A product of 'rows' rows, with weights laid out as 'weights' says. */
struct product {
    dnnl_memory_desc_t src, bias, dst;
    owner<dnnl_primitive_desc> desc;
};

dnnl_status_t
describe_product(product *p, dnnl_engine *engine,
                 const oriel_cpu_gemm_shape &shape, oriel_cpu_storage storage,
                 const dnnl_memory_desc_t &weights, int32_t rows)
{
    owner<dnnl_primitive_attr> attributes;
    dnnl_matmul_desc_t desc;

    TRY(describe_matrix(&p->src, rows, shape.k, operand_type(storage),
                        dnnl_ab));
    TRY(describe_matrix(&p->dst, rows, shape.n, dnnl_f32, dnnl_ab));
    TRY(describe_matrix(&p->bias, 1, shape.n, dnnl_f32, dnnl_ab));
    TRY(oriel_cpu_onednn.dnnl_matmul_desc_init(
        &desc, &p->src, &weights, shape.has_bias ? &p->bias : nullptr,
        &p->dst));
    TRY(make_attributes(&attributes, shape.accumulate != 0));
    return make(&p->desc, [&](dnnl_primitive_desc **out) {
        return oriel_cpu_onednn.dnnl_primitive_desc_create(
            out, &desc, attributes.get(), engine, nullptr);
    });
}

const dnnl_memory_desc_t *
weights_of(const product &p)
{
    return oriel_cpu_onednn.dnnl_primitive_desc_query_md(
        p.desc.get(), dnnl_query_weights_md, 0);
}

const char *
code_of(const product &p)
{
    const char *name = nullptr;

    if (oriel_cpu_onednn.dnnl_primitive_desc_query(
            p.desc.get(), dnnl_query_impl_info_str, 0, &name) != dnnl_success)
        return "";
    return name;
}

/* Some fifty times the code of one product: other threads take memory between
   the question and the use. */
constexpr size_t ROOM_BYTES = size_t(24) << 20;

/* oneDNN writes its code through a NULL pointer when there are no addresses left
   to map it at (2.6.3): refused while few are left. */
dnnl_status_t
compile(owner<dnnl_primitive> *out, const dnnl_primitive_desc *desc)
{
    void *room = mmap(nullptr, ROOM_BYTES, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED)
        return dnnl_out_of_memory;
    munmap(room, ROOM_BYTES);
    return make(out, [&](dnnl_primitive **made) {
        return oriel_cpu_onednn.dnnl_primitive_create(made, desc);
    });
}

dnnl_status_t
make_memory(oriel_cpu_onednn_memory **out, const dnnl_memory_desc_t &desc,
            dnnl_engine *engine, void *data)
{
    return oriel_cpu_onednn.dnnl_memory_create(out, &desc, engine, data);
}

} // namespace

oriel_status
oriel_cpu_onednn_engine_create(oriel_cpu_onednn_engine **out, oriel_error *err)
{
    *out = nullptr;
    return guarded(err, "making an engine", [&] {
        return oriel_cpu_onednn.dnnl_engine_create(out, dnnl_cpu, 0);
    });
}

void
oriel_cpu_onednn_engine_destroy(oriel_cpu_onednn_engine *engine)
{
    if (engine)
        released([&] { oriel_cpu_onednn.dnnl_engine_destroy(engine); });
}

oriel_status
oriel_cpu_onednn_stream_create(oriel_cpu_onednn_stream **out,
                               oriel_cpu_onednn_engine *engine,
                               oriel_error *err)
{
    *out = nullptr;
    return guarded(err, "making a stream", [&] {
        return oriel_cpu_onednn.dnnl_stream_create(out, engine,
                                                   dnnl_stream_default_flags);
    });
}

void
oriel_cpu_onednn_stream_destroy(oriel_cpu_onednn_stream *stream)
{
    if (stream)
        destroy()(stream);
}

/* ---- Weights ------------------------------------------------------------ */

struct oriel_cpu_onednn_packing {
    oriel_cpu_gemm_shape shape;
    oriel_cpu_storage storage;
    dnnl_engine *engine;
    dnnl_memory_desc_t weights;
    char code[64];
};

oriel_status
oriel_cpu_onednn_packing_create(oriel_cpu_onednn_packing **out,
                                oriel_cpu_onednn_engine *engine,
                                const oriel_cpu_gemm_shape *shape,
                                oriel_cpu_storage storage, int32_t rows,
                                oriel_error *err)
{
    *out = nullptr;
    return guarded(err, "planning a matrix product", [&] {
        dnnl_memory_desc_t any;
        product p;

        TRY(describe_matrix(&any, shape->k, shape->n, operand_type(storage),
                            dnnl_format_tag_any));
        TRY(describe_product(&p, engine, *shape, storage, any, rows));
        *out = new oriel_cpu_onednn_packing{
            *shape, storage, engine, *weights_of(p), {}};
        std::snprintf((*out)->code, sizeof((*out)->code), "%s", code_of(p));
        return dnnl_success;
    });
}

size_t
oriel_cpu_onednn_packing_bytes(const oriel_cpu_onednn_packing *packing)
{
    return oriel_cpu_onednn.dnnl_memory_desc_get_size(&packing->weights);
}

const char *
oriel_cpu_onednn_packing_code(const oriel_cpu_onednn_packing *packing)
{
    return packing->code;
}

void
oriel_cpu_onednn_packing_destroy(oriel_cpu_onednn_packing *packing)
{
    delete packing;
}

oriel_status
oriel_cpu_onednn_matrix_init(oriel_cpu_onednn_matrix *matrix,
                             const oriel_cpu_onednn_packing *packing,
                             void *weights, float *bias, oriel_error *err)
{
    *matrix = {nullptr, nullptr};
    return guarded(err, "packing weights", [&] {
        dnnl_memory_desc_t desc;

        TRY(make_memory(&matrix->weights, packing->weights, packing->engine,
                        weights));
        if (!packing->shape.has_bias)
            return dnnl_success;
        TRY(describe_matrix(&desc, 1, packing->shape.n, dnnl_f32, dnnl_ab));
        return make_memory(&matrix->bias, desc, packing->engine, bias);
    });
}

oriel_status
oriel_cpu_onednn_matrix_pack(const oriel_cpu_onednn_matrix *matrix,
                             const oriel_cpu_onednn_packing *packing,
                             void *rows, oriel_error *err)
{
    return guarded(err, "packing weights", [&] {
        dnnl_engine *engine = packing->engine;
        dnnl_memory_desc_t desc;
        owner<dnnl_memory> from;
        owner<dnnl_primitive_desc> reorder;
        owner<dnnl_primitive> primitive;
        owner<dnnl_stream> stream;

        /* [n, k] row-major is [k, n] transposed. */
        TRY(describe_matrix(&desc, packing->shape.k, packing->shape.n,
                            operand_type(packing->storage), dnnl_ba));
        TRY(make(&from, [&](dnnl_memory **out) {
            return make_memory(out, desc, engine, rows);
        }));
        TRY(make(&reorder, [&](dnnl_primitive_desc **out) {
            return oriel_cpu_onednn.dnnl_reorder_primitive_desc_create(
                out, &desc, engine, &packing->weights, engine, nullptr);
        }));
        TRY(compile(&primitive, reorder.get()));
        TRY(make(&stream, [&](dnnl_stream **out) {
            return oriel_cpu_onednn.dnnl_stream_create(
                out, engine, dnnl_stream_default_flags);
        }));

        const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from.get()},
                                             {DNNL_ARG_TO, matrix->weights}};
        TRY(oriel_cpu_onednn.dnnl_primitive_execute(
            primitive.get(), stream.get(), 2, arguments));
        return oriel_cpu_onednn.dnnl_stream_wait(stream.get());
    });
}

void
oriel_cpu_onednn_matrix_clear(oriel_cpu_onednn_matrix *matrix)
{
    if (matrix->weights)
        destroy()(matrix->weights);
    if (matrix->bias)
        destroy()(matrix->bias);
    *matrix = {nullptr, nullptr};
}

/* ---- Products ----------------------------------------------------------- */

/* A height must be computed exactly as the others are, or a row's bits would
   depend on its neighbours: the same code on the same weights. */
static bool
is_alike(const product &p, const oriel_cpu_onednn_packing *packing)
{
    return std::strcmp(code_of(p), packing->code) == 0 &&
           oriel_cpu_onednn.dnnl_memory_desc_equal(weights_of(p),
                                                   &packing->weights);
}

static dnnl_status_t
fill_slots(oriel_cpu_onednn_slot *slots, int32_t threads, const product &p,
           const dnnl_memory_desc_t &scratch, dnnl_engine *engine)
{
    for (int32_t t = 0; t < threads; t++) {
        TRY(make_memory(&slots[t].src, p.src, engine, DNNL_MEMORY_NONE));
        TRY(make_memory(&slots[t].dst, p.dst, engine, DNNL_MEMORY_NONE));
        TRY(make_memory(&slots[t].scratch, scratch, engine, DNNL_MEMORY_NONE));
    }
    return dnnl_success;
}

oriel_status
oriel_cpu_onednn_product_create(oriel_cpu_onednn_primitive **out,
                                oriel_cpu_onednn_slot *slots, int32_t threads,
                                size_t *scratch_bytes,
                                const oriel_cpu_onednn_packing *packing,
                                int32_t rows, oriel_error *err)
{
    *out = nullptr;
    *scratch_bytes = 0;
    return guarded(err, "compiling a matrix product", [&] {
        product p;
        owner<dnnl_primitive> primitive;

        TRY(describe_product(&p, packing->engine, packing->shape,
                             packing->storage, packing->weights, rows));
        if (!is_alike(p, packing))
            return dnnl_success;

        const dnnl_memory_desc_t *scratch =
            oriel_cpu_onednn.dnnl_primitive_desc_query_md(
                p.desc.get(), dnnl_query_scratchpad_md, 0);
        *scratch_bytes = oriel_cpu_onednn.dnnl_memory_desc_get_size(scratch);
        TRY(compile(&primitive, p.desc.get()));
        TRY(fill_slots(slots, threads, p, *scratch, packing->engine));
        *out = primitive.release();
        return dnnl_success;
    });
}

oriel_status
oriel_cpu_onednn_product_run(const oriel_cpu_onednn_primitive *product,
                             const oriel_cpu_onednn_slot *slot,
                             oriel_cpu_onednn_stream *stream,
                             const oriel_cpu_onednn_matrix *matrix,
                             const void *src, float *dst, void *scratch)
{
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, slot->src},     {DNNL_ARG_WEIGHTS, matrix->weights},
        {DNNL_ARG_DST, slot->dst},     {DNNL_ARG_SCRATCHPAD, slot->scratch},
        {DNNL_ARG_BIAS, matrix->bias},
    };
    oriel_status status = guarded(nullptr, "multiplying", [&] {
        /* oneDNN only reads it. */
        TRY(oriel_cpu_onednn.dnnl_memory_set_data_handle(
            slot->src, const_cast<void *>(src)));
        TRY(oriel_cpu_onednn.dnnl_memory_set_data_handle(slot->dst, dst));
        TRY(oriel_cpu_onednn.dnnl_memory_set_data_handle(slot->scratch,
                                                         scratch));
        return oriel_cpu_onednn.dnnl_primitive_execute(
            product, stream, matrix->bias ? 5 : 4, arguments);
    });

    return status && status != ORIEL_ERR_MEMORY ? ORIEL_ERR_FAULT : status;
}

void
oriel_cpu_onednn_product_destroy(oriel_cpu_onednn_primitive *product)
{
    if (product)
        destroy()(product);
}

void
oriel_cpu_onednn_slot_clear(oriel_cpu_onednn_slot *slot)
{
    owner<dnnl_memory> src(slot->src), dst(slot->dst), scratch(slot->scratch);

    *slot = {nullptr, nullptr, nullptr};
}
