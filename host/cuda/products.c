/* SPDX-License-Identifier: Apache-2.0 */
/* products.c - own kernels or cuBLASLt, made ready and run */
#include "cuda/products.h"

#include "base/fail.h"
#include "base/memory.h"
#include "cuda/errors.h"

#include <stdio.h>

/* ---- Create and destroy -------------------------------------------------- */

static oriel_lt_product
shape_of(oriel_cuda_product which, const oriel_backend_weights *weights)
{
    static const struct {
        oriel_layer layer;
        const char *op;
    } all[ORIEL_PRODUCTS] = {
        [ORIEL_PRODUCT_QKV] = {ORIEL_LAYER_QKV, "qkv"},
        [ORIEL_PRODUCT_PROJ] = {ORIEL_LAYER_PROJ, "proj"},
        [ORIEL_PRODUCT_GATE_UP] = {ORIEL_LAYER_GATE_UP, "gate_up"},
        [ORIEL_PRODUCT_DOWN] = {ORIEL_LAYER_DOWN, "down"},
    };
    oriel_tensor_shape shape =
        oriel_cuda_layer_shape(weights, all[which].layer);
    oriel_lt_product product = {.op = all[which].op,
                                .columns = (int32_t)shape.rows,
                                .depth = (int32_t)shape.columns,
                                .adds = oriel_layer_adds(all[which].layer)};

    return product;
}

static oriel_status
choose_all(oriel_cuda_products *p, const oriel_backend_weights *weights,
           oriel_cuda_product_set wanted, const oriel_hooks *call,
           oriel_error *err)
{
    for (int i = 0; i < ORIEL_PRODUCTS; i++) {
        oriel_status status;
        char line[320];

        if (!(wanted >> i & 1))
            continue;
        p->product[i] = shape_of((oriel_cuda_product)i, weights);
        status = oriel_lt_choose(&p->lt, &p->product[i], err);
        if (!status)
            status = oriel_lt_warm(&p->lt, &p->product[i], err);
        if (status)
            return status;
        oriel_lt_describe(&p->lt, &p->product[i], line, sizeof(line));
        oriel_log(call, ORIEL_LOG_INFO, line);
    }
    p->of_cublaslt = wanted;
    snprintf(p->text, sizeof(p->text), "cuBLASLt %d.%d products",
             p->lt.version / 10000, p->lt.version % 10000 / 100);
    return ORIEL_OK;
}

/* Our own are right everywhere; that they run instead is said. */
static oriel_status
do_without(oriel_cuda_products *p, const oriel_hooks *call, const char *why)
{
    char line[640];

    snprintf(line, sizeof(line), "own products instead of cuBLASLt's: %s", why);
    oriel_log(call, ORIEL_LOG_WARNING, line);
    snprintf(p->text, sizeof(p->text), "own products (no cuBLASLt)");
    return ORIEL_OK;
}

oriel_status
oriel_cuda_products_create(oriel_cuda_products *p,
                           const oriel_backend_weights *weights,
                           const oriel_backend_config *config,
                           oriel_cuda_product_set wanted,
                           const oriel_hooks *hooks, oriel_error *err)
{
    oriel_error why;
    oriel_status status;

    *p = (oriel_cuda_products){0};
    snprintf(p->text, sizeof(p->text), "own products");
    if (!wanted)
        return ORIEL_OK;
    status = oriel_lt_open(&p->lt, hooks, config->device_index, &why);
    if (status == ORIEL_ERR_DEVICE && config->kernels == ORIEL_KERNELS_AUTO)
        return do_without(p, config->call, why.message);
    if (status) {
        if (err)
            *err = why;
        return status;
    }
    status = choose_all(p, weights, wanted, config->call, err);
    if (status)
        oriel_cuda_products_destroy(p);
    return status;
}

void
oriel_cuda_products_destroy(oriel_cuda_products *p)
{
    if (!p->lt.handle)
        return;
    for (int i = 0; i < ORIEL_PRODUCTS; i++)
        oriel_lt_forget(&p->lt, &p->product[i]);
    oriel_lt_close(&p->lt);
    p->of_cublaslt = 0;
}

/* ---- One product --------------------------------------------------------- */

const char *
oriel_cuda_product_kernel(const oriel_cuda_products *p,
                          oriel_cuda_product which)
{
    if (oriel_cuda_is_library(p, which))
        return "cublasLtMatmul";
    return which == ORIEL_PRODUCT_QKV ? "linear" : "linear_residual";
}

oriel_status
oriel_cuda_run_product(const oriel_cuda_products *p, oriel_cuda_product which,
                       const oriel_linear_args *args, cudaStream_t stream,
                       oriel_error *err)
{
    cudaError_t error;

    if (oriel_cuda_is_library(p, which))
        return oriel_lt_run(&p->lt, &p->product[which], args, stream, err);
    error = which == ORIEL_PRODUCT_QKV
                ? oriel_cuda_linear(args, stream)
                : oriel_cuda_linear_residual(args, stream);
    return oriel_cuda_check(error, oriel_cuda_product_kernel(p, which), err);
}
