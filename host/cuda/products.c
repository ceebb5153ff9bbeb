/* SPDX-License-Identifier: Apache-2.0 */
/* products.c - own kernels or cuBLASLt, made ready and run */
#include "cuda/products.h"

#include "base/fail.h"
#include "base/memory.h"
#include "cuda/errors.h"
#include "cuda/known_answer.h"

#include <stdio.h>

/* ---- Create and destroy -------------------------------------------------- */

static const struct {
    oriel_layer layer;
    const char *op;
} all[ORIEL_PRODUCTS] = {
    [ORIEL_PRODUCT_QKV] = {ORIEL_LAYER_QKV, "qkv"},
    [ORIEL_PRODUCT_PROJ] = {ORIEL_LAYER_PROJ, "proj"},
    [ORIEL_PRODUCT_GATE_UP] = {ORIEL_LAYER_GATE_UP, "gate_up"},
    [ORIEL_PRODUCT_DOWN] = {ORIEL_LAYER_DOWN, "down"},
};

static oriel_layer
layer_of(oriel_cuda_product which)
{
    return all[which].layer;
}

static oriel_lt_product
shape_of(oriel_cuda_product which, const oriel_backend_weights *weights)
{
    oriel_tensor_shape shape =
        oriel_cuda_layer_shape(weights, all[which].layer);
    oriel_lt_product product = {.op = all[which].op,
                                .columns = (int32_t)shape.rows,
                                .depth = (int32_t)shape.columns,
                                .adds = oriel_layer_adds(all[which].layer)};

    return product;
}

static oriel_status
choose_all(oriel_cuda_products *p, const oriel_cuda_products_spec *spec,
           oriel_cuda_product_set wanted, oriel_error *err)
{
    for (int i = 0; i < ORIEL_PRODUCTS; i++) {
        oriel_status status;
        char line[320];

        if (!(wanted >> i & 1))
            continue;
        p->product[i] = shape_of((oriel_cuda_product)i, spec->weights);
        status = oriel_lt_choose(&p->lt, &p->product[i], err);
        if (!status)
            status = oriel_lt_warm(&p->lt, &p->product[i], err);
        if (status)
            return status;
        oriel_lt_describe(&p->lt, &p->product[i], line, sizeof(line));
        oriel_log(spec->config->call, ORIEL_LOG_INFO, line);
    }
    p->of_cublaslt = wanted;
    return ORIEL_OK;
}

static oriel_status
test(const oriel_cuda_products *p, const oriel_cuda_products_spec *spec,
     oriel_cuda_implementation which, bool *wrong, oriel_error *err)
{
    const oriel_cuda_tested tested = {
        .which = which,
        .device_index = spec->config->device_index,
        .head_dim = spec->weights->shapes.head_dim,
        .lt = &p->lt,
        .hopper = &p->hopper,
        .hooks = spec->hooks};

    return oriel_cuda_known_answer(&tested, wrong, err);
}

/* *unfit: it cannot be loaded, lacks an algorithm, or gives a wrong answer; then
   nothing is left. */
static oriel_status
use_library(oriel_cuda_products *p, const oriel_cuda_products_spec *spec,
            oriel_cuda_product_set wanted, bool *unfit, oriel_error *err)
{
    oriel_status status =
        oriel_lt_open(&p->lt, spec->hooks, spec->config->device_index, err);

    if (!status)
        status = choose_all(p, spec, wanted, err);
    *unfit = status == ORIEL_ERR_DEVICE || status == ORIEL_ERR_UNSUPPORTED;
    if (!status)
        status = test(p, spec, ORIEL_CUDA_CUBLASLT, unfit, err);
    if (status)
        oriel_cuda_products_destroy(p);
    return status;
}

static const char *
in_short(oriel_status library)
{
    switch (library) {
    case ORIEL_ERR_DEVICE:
        return "no cuBLASLt";
    case ORIEL_ERR_UNSUPPORTED:
        return "cuBLASLt has no algorithm";
    default:
        return "cuBLASLt failed its test";
    }
}

/* That another runs than the table says is said. */
static void
warn(const oriel_cuda_products_spec *spec, const char *change, const char *why)
{
    char line[640];

    snprintf(line, sizeof(line), "%s: %s", change, why);
    oriel_log(spec->config->call, ORIEL_LOG_WARNING, line);
}

static void
say_library(oriel_cuda_products *p, const char *why)
{
    snprintf(p->text, sizeof(p->text), "cuBLASLt %d.%d products (%s)",
             p->lt.version / 10000, p->lt.version % 10000 / 100, why);
}

static void
say_own(oriel_cuda_products *p, const char *why)
{
    snprintf(p->text, sizeof(p->text), "own products (%s)", why);
}

/* What was named is never replaced; 'why' is its status and message. */
static oriel_status
refuse(bool wrong, const oriel_error *why, oriel_error *err)
{
    if (!wrong) {
        if (err)
            *err = *why;
        return why->status;
    }
    return oriel_fail(err, ORIEL_ERR_UNSUPPORTED, "%s; expected other kernels",
                      why->message);
}

static oriel_status
fail_both(oriel_status status, const oriel_error *own,
          const oriel_error *library, oriel_error *err)
{
    return oriel_fail(err, status,
                      "no implementation of the matrix products is fit: "
                      "%.200s; %.200s",
                      own->message, library->message);
}

/* Our own are wrong, as 'own' says: all four are the library's, if it is not. */
static oriel_status
replace_own(oriel_cuda_products *p, const oriel_cuda_products_spec *spec,
            const oriel_error *own, oriel_error *err)
{
    oriel_error why;
    bool unfit;
    oriel_status status =
        use_library(p, spec, ORIEL_PRODUCTS_ALL, &unfit, &why);

    if (status)
        return fail_both(unfit ? ORIEL_ERR_FAULT : status, own, &why, err);
    warn(spec, "cuBLASLt's products instead of our own", own->message);
    say_library(p, "own ones failed their test");
    return ORIEL_OK;
}

/* Those that are not the library's; why that is unfit, or NULL. */
static oriel_status
use_own(oriel_cuda_products *p, const oriel_cuda_products_spec *spec,
        const oriel_error *library, oriel_error *err)
{
    const bool named = spec->config->kernels != ORIEL_KERNELS_AUTO;
    oriel_error own;
    bool wrong;
    oriel_status status = test(p, spec, ORIEL_CUDA_PRODUCTS, &wrong, &own);

    if (!status)
        return ORIEL_OK;
    oriel_cuda_products_destroy(p);
    if (!wrong || named)
        return refuse(wrong, &own, err);
    return library ? fail_both(ORIEL_ERR_FAULT, &own, library, err)
                   : replace_own(p, spec, &own, err);
}

/* Only where they were named: what is wrong or not of this device is refused. */
static oriel_status
use_hopper(oriel_cuda_products *p, const oriel_cuda_products_spec *spec,
           oriel_error *err)
{
    const int32_t head_dim = spec->weights->shapes.head_dim;
    oriel_error why;
    bool wrong = false;
    oriel_status status =
        oriel_cuda_hopper_create(&p->hopper, spec->weights, spec->hooks,
                                 spec->config->device_index, err);

    if (status)
        return status;
    status = test(p, spec, ORIEL_CUDA_HOPPER, &wrong, &why);
    if (!status)
        status = test(p, spec, ORIEL_CUDA_HOPPER_SMALL, &wrong, &why);
    if (!status && oriel_cuda_hopper_attends(head_dim))
        status = test(p, spec, ORIEL_CUDA_HOPPER_FRAMES, &wrong, &why);
    if (status) {
        oriel_cuda_hopper_destroy(&p->hopper);
        return refuse(wrong, &why, err);
    }
    snprintf(p->text, sizeof(p->text), "Hopper products (asked for)");
    return ORIEL_OK;
}

oriel_status
oriel_cuda_products_create(oriel_cuda_products *p,
                           const oriel_cuda_products_spec *spec,
                           oriel_error *err)
{
    const bool named = spec->config->kernels != ORIEL_KERNELS_AUTO;
    oriel_error why;
    bool unfit = false;
    oriel_status status = ORIEL_OK;

    *p = (oriel_cuda_products){0};
    if (spec->config->kernels == ORIEL_KERNELS_HOPPER)
        return use_hopper(p, spec, err);
    say_own(p, spec->reason);
    if (spec->wanted)
        status = use_library(p, spec, spec->wanted, &unfit, &why);
    if (status && (named || !unfit))
        return refuse(status == ORIEL_ERR_FAULT && unfit, &why, err);
    if (status) {
        warn(spec, "own products instead of cuBLASLt's", why.message);
        say_own(p, in_short(status));
    } else if (spec->wanted) {
        say_library(p, spec->reason);
    }
    if (p->of_cublaslt == ORIEL_PRODUCTS_ALL)
        return ORIEL_OK;
    return use_own(p, spec, status ? &why : NULL, err);
}

void
oriel_cuda_products_destroy(oriel_cuda_products *p)
{
    oriel_cuda_hopper_destroy(&p->hopper);
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
    if (oriel_cuda_hopper_is_on(&p->hopper))
        return which == ORIEL_PRODUCT_QKV ? "hopper_linear"
                                          : "hopper_linear_residual";
    return which == ORIEL_PRODUCT_QKV ? "linear" : "linear_residual";
}

oriel_status
oriel_cuda_run_product(const oriel_cuda_products *p, oriel_cuda_product which,
                       int32_t block, const oriel_linear_args *args,
                       cudaStream_t stream, oriel_error *err)
{
    cudaError_t error;

    if (oriel_cuda_hopper_is_on(&p->hopper))
        return oriel_cuda_hopper_run(&p->hopper, layer_of(which), block, args,
                                     stream, err);
    if (oriel_cuda_is_library(p, which))
        return oriel_lt_run(&p->lt, &p->product[which], args, stream, err);
    error = which == ORIEL_PRODUCT_QKV
                ? oriel_cuda_linear(args, stream)
                : oriel_cuda_linear_residual(args, stream);
    return oriel_cuda_check(error, oriel_cuda_product_kernel(p, which), err);
}
