/* SPDX-License-Identifier: Apache-2.0 */
/* gemm.c - the primitives of one shape, and running them */
#include "cpu/gemm.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

/* What a thread hands to a primitive; only the pointers inside change. */
typedef struct slot {
    dnnl_memory_t src, dst, scratch;
} slot;

typedef struct height {
    dnnl_primitive_t primitive;
    slot *slots; /* [threads] */
} height;

struct oriel_gemm {
    oriel_hooks hooks;
    const oriel_gemm_packing *packing;
    int32_t threads;
    size_t scratch_bytes; /* of the neediest height */
    height heights[ORIEL_ROW_HEIGHTS];
    dnnl_stream_t *streams; /* [threads] */
    slot *slots;            /* [heights][threads] */
};

static oriel_status
dnnl_failed(oriel_error *err, dnnl_status_t status, const char *what)
{
    if (status == dnnl_out_of_memory)
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "out of memory: oneDNN, while %s", what);
    return oriel_fail(err, ORIEL_ERR_INTERNAL,
                      "oneDNN failed with status %d while %s", (int)status,
                      what);
}

static dnnl_data_type_t
operand_type(oriel_storage storage)
{
    return storage == ORIEL_STORAGE_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* The four descriptors of a product of 'rows' rows. */
typedef struct descriptors {
    dnnl_memory_desc_t src, bias, dst;
    dnnl_matmul_desc_t product;
} descriptors;

static dnnl_status_t
describe_product(descriptors *d, const oriel_gemm_shape *shape,
                 oriel_storage storage, const dnnl_memory_desc_t *weights,
                 int32_t rows)
{
    const dnnl_dims_t src = {rows, shape->k}, dst = {rows, shape->n};
    const dnnl_dims_t bias = {1, shape->n};
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(
        &d->src, 2, src, operand_type(storage), dnnl_ab);

    if (status == dnnl_success)
        status =
            dnnl_memory_desc_init_by_tag(&d->dst, 2, dst, dnnl_f32, dnnl_ab);
    if (status == dnnl_success)
        status =
            dnnl_memory_desc_init_by_tag(&d->bias, 2, bias, dnnl_f32, dnnl_ab);
    if (status == dnnl_success)
        status =
            dnnl_matmul_desc_init(&d->product, &d->src, weights,
                                  shape->has_bias ? &d->bias : NULL, &d->dst);
    return status;
}

static dnnl_status_t
make_attributes(dnnl_primitive_attr_t *out, int32_t accumulate)
{
    dnnl_post_ops_t sum = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(out);

    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(*out,
                                                     dnnl_scratchpad_mode_user);
    if (status == dnnl_success && accumulate) {
        status = dnnl_post_ops_create(&sum);
        if (status == dnnl_success)
            status = dnnl_post_ops_append_sum(sum, 1.0f);
        if (status == dnnl_success)
            status = dnnl_primitive_attr_set_post_ops(*out, sum);
        dnnl_post_ops_destroy(sum);
    }
    if (status != dnnl_success) {
        dnnl_primitive_attr_destroy(*out);
        *out = NULL;
    }
    return status;
}

static dnnl_status_t
make_product(dnnl_primitive_desc_t *out, descriptors *d,
             const oriel_gemm_packing *packing,
             const dnnl_memory_desc_t *weights, int32_t rows)
{
    dnnl_primitive_attr_t attributes;
    dnnl_status_t status =
        describe_product(d, &packing->shape, packing->storage, weights, rows);

    if (status != dnnl_success)
        return status;
    status = make_attributes(&attributes, packing->shape.accumulate);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_desc_create(out, &d->product, attributes,
                                        packing->engine, NULL);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static const char *
implementation_of(dnnl_primitive_desc_t product)
{
    const char *name = NULL;

    if (dnnl_primitive_desc_query(product, dnnl_query_impl_info_str, 0,
                                  &name) != dnnl_success)
        return "";
    return name;
}

oriel_status
oriel_gemm_packing_init(oriel_gemm_packing *packing, dnnl_engine_t engine,
                        const oriel_gemm_shape *shape, oriel_storage storage,
                        oriel_error *err)
{
    const dnnl_dims_t dims = {shape->k, shape->n};
    dnnl_memory_desc_t any;
    dnnl_primitive_desc_t product;
    descriptors d;
    dnnl_status_t status;

    memset(packing, 0, sizeof(*packing));
    packing->shape = *shape;
    packing->storage = storage;
    packing->engine = engine;
    status = dnnl_memory_desc_init_by_tag(&any, 2, dims, operand_type(storage),
                                          dnnl_format_tag_any);
    if (status == dnnl_success)
        status = make_product(&product, &d, packing, &any, ORIEL_ROW_TILE);
    if (status != dnnl_success)
        return dnnl_failed(err, status, "planning a matrix product");
    packing->weights =
        *dnnl_primitive_desc_query_md(product, dnnl_query_weights_md, 0);
    packing->weights_bytes = dnnl_memory_desc_get_size(&packing->weights);
    snprintf(packing->implementation, sizeof(packing->implementation), "%s",
             implementation_of(product));
    dnnl_primitive_desc_destroy(product);
    return ORIEL_OK;
}

/*
 * A height must be computed exactly as the others are, or a row's bits would
 * depend on its neighbours: the same implementation on the same weights.
 */
static oriel_status
check_alike(dnnl_primitive_desc_t product, const oriel_gemm_packing *packing,
            int32_t rows, oriel_error *err)
{
    const dnnl_memory_desc_t *weights =
        dnnl_primitive_desc_query_md(product, dnnl_query_weights_md, 0);
    const char *name = implementation_of(product);

    if (strcmp(name, packing->implementation) == 0 &&
        dnnl_memory_desc_equal(weights, &packing->weights))
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_INTERNAL,
                      "oneDNN multiplies %d rows by %dx%d as %s, expected %s "
                      "as for %d rows",
                      (int)rows, (int)packing->shape.k, (int)packing->shape.n,
                      name, packing->implementation, (int)ORIEL_ROW_TILE);
}

static dnnl_status_t
make_slots(oriel_gemm *gemm, height *h, const descriptors *d,
           const dnnl_memory_desc_t *scratch, dnnl_engine_t engine)
{
    for (int32_t t = 0; t < gemm->threads; t++) {
        slot *s = &h->slots[t];
        dnnl_status_t status =
            dnnl_memory_create(&s->src, &d->src, engine, DNNL_MEMORY_NONE);

        if (status == dnnl_success)
            status =
                dnnl_memory_create(&s->dst, &d->dst, engine, DNNL_MEMORY_NONE);
        if (status == dnnl_success)
            status = dnnl_memory_create(&s->scratch, scratch, engine,
                                        DNNL_MEMORY_NONE);
        if (status != dnnl_success)
            return status;
    }
    return dnnl_success;
}

static oriel_status
make_height(oriel_gemm *gemm, int32_t index, oriel_error *err)
{
    const oriel_gemm_packing *packing = gemm->packing;
    height *h = &gemm->heights[index];
    int32_t rows = (index + 1) * ORIEL_ROW_STEP;
    const dnnl_memory_desc_t *scratch;
    dnnl_primitive_desc_t product;
    descriptors d;
    oriel_status status;
    size_t bytes;
    dnnl_status_t code =
        make_product(&product, &d, packing, &packing->weights, rows);

    if (code != dnnl_success)
        return dnnl_failed(err, code, "planning a matrix product");
    status = check_alike(product, packing, rows, err);
    if (status)
        goto unwind;
    scratch =
        dnnl_primitive_desc_query_md(product, dnnl_query_scratchpad_md, 0);
    bytes = dnnl_memory_desc_get_size(scratch);
    if (bytes > gemm->scratch_bytes)
        gemm->scratch_bytes = bytes;
    code = oriel_gemm_primitive_create(&h->primitive, product);
    if (code == dnnl_success)
        code = make_slots(gemm, h, &d, scratch, packing->engine);
    if (code != dnnl_success)
        status = dnnl_failed(err, code, "compiling a matrix product");
unwind:
    dnnl_primitive_desc_destroy(product);
    return status;
}

oriel_status
oriel_gemm_create(oriel_gemm **out, const oriel_gemm_packing *packing,
                  int32_t threads, const oriel_hooks *hooks, oriel_error *err)
{
    oriel_gemm *gemm = oriel_calloc(hooks, 1, sizeof(*gemm));
    size_t n = (size_t)threads;

    *out = NULL;
    if (!gemm)
        return oriel_fail_memory(err, sizeof(*gemm), "matrix products");
    if (hooks)
        gemm->hooks = *hooks;
    gemm->packing = packing;
    gemm->threads = threads;
    gemm->streams = oriel_calloc(hooks, n, sizeof(dnnl_stream_t));
    gemm->slots =
        oriel_calloc(hooks, n * ORIEL_ROW_HEIGHTS, sizeof(gemm->slots[0]));
    if (!gemm->streams || !gemm->slots) {
        oriel_gemm_destroy(gemm);
        return oriel_fail_memory(err, n * ORIEL_ROW_HEIGHTS * sizeof(slot),
                                 "matrix products");
    }
    for (int32_t i = 0; i < ORIEL_ROW_HEIGHTS; i++)
        gemm->heights[i].slots = gemm->slots + (size_t)i * n;
    *out = gemm;
    return ORIEL_OK;
}

oriel_status
oriel_gemm_compile(oriel_gemm *gemm, oriel_error *err)
{
    for (int32_t t = 0; t < gemm->threads; t++) {
        dnnl_status_t code =
            dnnl_stream_create(&gemm->streams[t], gemm->packing->engine,
                               dnnl_stream_default_flags);

        if (code != dnnl_success)
            return dnnl_failed(err, code, "making a stream");
    }
    for (int32_t i = 0; i < ORIEL_ROW_HEIGHTS; i++) {
        oriel_status status = make_height(gemm, i, err);

        if (status)
            return status;
    }
    return ORIEL_OK;
}

size_t
oriel_gemm_scratch_bytes(const oriel_gemm *gemm)
{
    return gemm->scratch_bytes;
}

bool
oriel_gemm_run(const oriel_gemm *gemm, int32_t thread, const void *src,
               const oriel_gemm_matrix *matrix, float *dst, int32_t rows,
               void *scratch)
{
    const height *h = &gemm->heights[rows / ORIEL_ROW_STEP - 1];
    const slot *s = &h->slots[thread];
    dnnl_exec_arg_t arguments[5] = {
        {DNNL_ARG_SRC, s->src},        {DNNL_ARG_WEIGHTS, matrix->weights},
        {DNNL_ARG_DST, s->dst},        {DNNL_ARG_SCRATCHPAD, s->scratch},
        {DNNL_ARG_BIAS, matrix->bias},
    };
    union {
        const void *given;
        void *taken;
    } source = {src}; /* oneDNN only reads it */

    return dnnl_memory_set_data_handle(s->src, source.taken) == dnnl_success &&
           dnnl_memory_set_data_handle(s->dst, dst) == dnnl_success &&
           dnnl_memory_set_data_handle(s->scratch, scratch) == dnnl_success &&
           dnnl_primitive_execute(h->primitive, gemm->streams[thread],
                                  gemm->packing->shape.has_bias ? 5 : 4,
                                  arguments) == dnnl_success;
}

void
oriel_gemm_destroy(oriel_gemm *gemm)
{
    if (!gemm)
        return;
    for (int32_t i = 0; i < ORIEL_ROW_HEIGHTS; i++)
        dnnl_primitive_destroy(gemm->heights[i].primitive);
    for (int32_t i = 0; gemm->slots && i < gemm->threads * ORIEL_ROW_HEIGHTS;
         i++) {
        dnnl_memory_destroy(gemm->slots[i].src);
        dnnl_memory_destroy(gemm->slots[i].dst);
        dnnl_memory_destroy(gemm->slots[i].scratch);
    }
    for (int32_t t = 0; gemm->streams && t < gemm->threads; t++)
        dnnl_stream_destroy(gemm->streams[t]);

    oriel_hooks hooks = gemm->hooks;
    oriel_free(&hooks, gemm->slots);
    oriel_free(&hooks, gemm->streams);
    oriel_free(&hooks, gemm);
}
