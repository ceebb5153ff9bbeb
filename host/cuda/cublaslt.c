/* SPDX-License-Identifier: Apache-2.0 */
/* cublaslt.c - handle, workspace, and the products' launches */
#include "cuda/cublaslt.h"

#include "base/fail.h"
#include "cuda/device.h"
#include "cuda/errors.h"

static oriel_status
status_of(oriel_lt_status status)
{
    switch (status) {
    case ORIEL_LT_SUCCESS:
        return ORIEL_OK;
    case ORIEL_LT_ALLOC_FAILED:
        return ORIEL_ERR_MEMORY;
    case ORIEL_LT_NOT_INITIALIZED:
        return ORIEL_ERR_DEVICE;
    case ORIEL_LT_ARCH_MISMATCH:
    case ORIEL_LT_NOT_SUPPORTED:
        return ORIEL_ERR_UNSUPPORTED;
    case ORIEL_LT_INVALID_VALUE:
        return ORIEL_ERR_INTERNAL;
    default:
        return ORIEL_ERR_FAULT;
    }
}

oriel_status
oriel_lt_check(const oriel_lt_library *library, oriel_lt_status status,
               const char *call, oriel_error *err)
{
    if (status == ORIEL_LT_SUCCESS)
        return ORIEL_OK;
    (void)cudaGetLastError(); /* not left for whoever asks next */
    return oriel_fail_cause(err, status_of(status), status, "%s: %s", call,
                            ORIEL_QUOTE(library->GetStatusString(status)));
}

oriel_status
oriel_lt_open(oriel_lt *lt, const oriel_hooks *hooks, int32_t device_index,
              oriel_error *err)
{
    oriel_status status;

    *lt = (oriel_lt){.hooks = hooks, .device_index = device_index};
    status = oriel_lt_load(&lt->calls, &lt->version, err);
    if (!status)
        status = oriel_cuda_capability(device_index, &lt->capability, err);
    if (!status)
        status = oriel_lt_check(&lt->calls, lt->calls.Create(&lt->handle),
                                "cublasLtCreate", err);
    if (!status)
        status =
            oriel_cuda_alloc(&lt->workspace, ORIEL_LT_WORKSPACE_BYTES, hooks,
                             device_index, "cuBLASLt's workspace", err);
    if (status)
        oriel_lt_close(lt);
    return status;
}

void
oriel_lt_close(oriel_lt *lt)
{
    if (lt->handle)
        (void)lt->calls.Destroy(lt->handle);
    if (lt->workspace)
        oriel_cuda_free(lt->workspace, lt->hooks, lt->device_index);
    lt->handle = NULL;
    lt->workspace = NULL;
}

oriel_lt_status
oriel_lt_set_rows(const oriel_lt *lt, const oriel_lt_product *product,
                  int64_t rows)
{
    const oriel_lt_library *l = &lt->calls;
    uint64_t columns = (uint64_t)rows; /* of the transposed matrices */
    oriel_lt_status status = l->MatrixLayoutSetAttribute(
        product->x, ORIEL_LT_LAYOUT_COLS, &columns, sizeof(columns));

    return status
               ? status
               : l->MatrixLayoutSetAttribute(product->out, ORIEL_LT_LAYOUT_COLS,
                                             &columns, sizeof(columns));
}

static oriel_lt_status
run_piece(const oriel_lt *lt, const oriel_lt_product *p,
          const oriel_linear_args *args, int64_t first, int64_t rows,
          cudaStream_t stream)
{
    const float alpha = 1, beta = p->adds ? 1 : 0;
    const uint16_t *x = args->x + first * p->depth;
    uint16_t *out = args->out + first * p->columns;
    oriel_lt_status status = oriel_lt_set_rows(lt, p, rows);

    return status ? status
                  : lt->calls.Matmul(lt->handle, p->desc, &alpha, args->weight,
                                     p->weight, x, p->x, &beta, out, p->out,
                                     out, p->out, &p->algo, lt->workspace,
                                     ORIEL_LT_WORKSPACE_BYTES, stream);
}

oriel_status
oriel_lt_run(const oriel_lt *lt, const oriel_lt_product *p,
             const oriel_linear_args *args, cudaStream_t stream,
             oriel_error *err)
{
    const oriel_lt_library *l = &lt->calls;
    oriel_lt_status status = l->MatmulDescSetAttribute(
        p->desc, ORIEL_LT_DESC_BIAS_POINTER, &args->bias, sizeof(args->bias));

    for (int64_t first = 0; first < args->rows && !status;
         first += p->most_rows) {
        int64_t left = args->rows - first;

        status = run_piece(lt, p, args, first,
                           left < p->most_rows ? left : p->most_rows, stream);
    }
    return oriel_lt_check(l, status, "cublasLtMatmul", err);
}
