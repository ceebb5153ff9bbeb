/* SPDX-License-Identifier: Apache-2.0 */
/* gemm_pack.c - weights into the form that oneDNN multiplies fastest */
#include "cpu/gemm.h"

#include "base/fail.h"

#include <stdio.h>
#include <sys/mman.h>

#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
/* OpenMP's, declared here because not every compiler brings omp.h. */
void omp_set_num_threads(int threads);
#elif DNNL_CPU_RUNTIME != DNNL_RUNTIME_SEQ
#error "oneDNN must be built for OpenMP or sequential: we bring our own threads"
#endif

void
oriel_gemm_thread_start(int32_t thread)
{
    (void)thread;
#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
    omp_set_num_threads(1); /* of this thread alone */
#endif
}

/* Some fifty times the code of one product: other threads take memory between
   the question and the use. */
#define ROOM_BYTES ((size_t)24 << 20)

dnnl_status_t
oriel_gemm_primitive_create(dnnl_primitive_t *out, dnnl_primitive_desc_t desc)
{
    void *room = mmap(NULL, ROOM_BYTES, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    *out = NULL;
    if (room == MAP_FAILED)
        return dnnl_out_of_memory;
    munmap(room, ROOM_BYTES);
    return dnnl_primitive_create(out, desc);
}

void
oriel_gemm_library(char *text, size_t bytes)
{
    const dnnl_version_t *version = dnnl_version();

    snprintf(text, bytes, "oneDNN %d.%d.%d", version->major, version->minor,
             version->patch);
}

static oriel_status
failed(oriel_error *err, dnnl_status_t status)
{
    return oriel_fail(
        err,
        status == dnnl_out_of_memory ? ORIEL_ERR_MEMORY : ORIEL_ERR_INTERNAL,
        "oneDNN failed with status %d while packing weights", (int)status);
}

oriel_status
oriel_gemm_engine_create(dnnl_engine_t *engine, oriel_error *err)
{
    dnnl_status_t status = dnnl_engine_create(engine, dnnl_cpu, 0);

    return status == dnnl_success ? ORIEL_OK : failed(err, status);
}

oriel_status
oriel_gemm_matrix_init(oriel_gemm_matrix *matrix,
                       const oriel_gemm_packing *packing, void *weights,
                       float *bias, oriel_error *err)
{
    const dnnl_dims_t dims = {1, packing->shape.n};
    dnnl_memory_desc_t desc;
    dnnl_status_t status = dnnl_memory_create(
        &matrix->weights, &packing->weights, packing->engine, weights);

    matrix->bias = NULL;
    if (status == dnnl_success && packing->shape.has_bias) {
        status =
            dnnl_memory_desc_init_by_tag(&desc, 2, dims, dnnl_f32, dnnl_ab);
        if (status == dnnl_success)
            status =
                dnnl_memory_create(&matrix->bias, &desc, packing->engine, bias);
    }
    return status == dnnl_success ? ORIEL_OK : failed(err, status);
}

void
oriel_gemm_matrix_clear(oriel_gemm_matrix *matrix)
{
    dnnl_memory_destroy(matrix->weights);
    dnnl_memory_destroy(matrix->bias);
    matrix->weights = matrix->bias = NULL;
}

static dnnl_status_t
reorder(dnnl_memory_t from, const dnnl_memory_desc_t *from_desc,
        const oriel_gemm_matrix *matrix, const oriel_gemm_packing *packing)
{
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_exec_arg_t arguments[2] = {{DNNL_ARG_FROM, from},
                                    {DNNL_ARG_TO, matrix->weights}};
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(
        &desc, from_desc, packing->engine, &packing->weights, packing->engine,
        NULL);

    if (status != dnnl_success)
        return status;
    status = oriel_gemm_primitive_create(&primitive, desc);
    dnnl_primitive_desc_destroy(desc);
    if (status == dnnl_success)
        status = dnnl_stream_create(&stream, packing->engine,
                                    dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(primitive, stream, 2, arguments);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    dnnl_stream_destroy(stream);
    dnnl_primitive_destroy(primitive);
    return status;
}

oriel_status
oriel_gemm_matrix_pack(const oriel_gemm_matrix *matrix,
                       const oriel_gemm_packing *packing, void *rows,
                       oriel_error *err)
{
    const oriel_gemm_shape *shape = &packing->shape;
    const dnnl_dims_t dims = {shape->k, shape->n};
    dnnl_memory_desc_t desc;
    dnnl_memory_t from = NULL;
    /* [n, k] row-major is [k, n] transposed. */
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(
        &desc, 2, dims,
        packing->storage == ORIEL_STORAGE_BF16 ? dnnl_bf16 : dnnl_f32, dnnl_ba);

    if (status == dnnl_success)
        status = dnnl_memory_create(&from, &desc, packing->engine, rows);
    if (status == dnnl_success)
        status = reorder(from, &desc, matrix, packing);
    dnnl_memory_destroy(from);
    return status == dnnl_success ? ORIEL_OK : failed(err, status);
}
