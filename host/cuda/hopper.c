/* SPDX-License-Identifier: Apache-2.0 */
/* hopper.c - maps of operands, and launches by them */
#include "cuda/hopper.h"

#include "base/fail.h"
#include "base/memory.h"
#include "cuda/device.h"
#include "cuda/driver.h"
#include "cuda/errors.h"
#include "cuda/images.h"

#include <string.h>

enum { ALIGNMENT = _Alignof(CUtensorMap) };

static oriel_hopper_op
op_of(oriel_layer layer)
{
    switch (layer) {
    case ORIEL_LAYER_PROJ:
    case ORIEL_LAYER_DOWN:
        return ORIEL_HOPPER_RESIDUAL;
    case ORIEL_LAYER_GATE_UP:
        return ORIEL_HOPPER_SWIGLU;
    case ORIEL_LAYER_FC1:
        return ORIEL_HOPPER_GELU;
    case ORIEL_LAYER_FC2:
        return ORIEL_HOPPER_ROWS;
    default:
        return ORIEL_HOPPER_LINEAR;
    }
}

/* Of a layer's weight, in large tiles and in small ones. */
static CUtensorMap *
maps_of(const oriel_cuda_hopper *h, oriel_layer layer, int32_t block)
{
    return h->maps[oriel_layer_in_block(layer) ? 1 + block : 0][layer];
}

/* ---- Maps of a call's operands ------------------------------------------------- */

typedef enum what {
    NOTHING,
    X_LARGE,
    X_SMALL,
    RESIDUAL_LARGE,
    RESIDUAL_SMALL,
    QKV_BOX,
    QKV_REST
} what;

/* What a map says, which is all that it depends on. */
typedef struct matrix {
    what what;
    int32_t width; /* columns, or heads */
    const uint16_t *at;
    int64_t rows;
} matrix;

struct oriel_cuda_hopper_maps {
    CUtensorMap map[ORIEL_HOPPER_MAPS_KEPT];
    matrix of[ORIEL_HOPPER_MAPS_KEPT];
    uint32_t next; /* the oldest */
};

static bool
is_same(const matrix *a, const matrix *b)
{
    return a->at == b->at && a->rows == b->rows && a->width == b->width &&
           a->what == b->what;
}

static bool
find(CUtensorMap *map, const oriel_cuda_hopper *h, const matrix *m)
{
    for (int i = 0; h->kept && i < ORIEL_HOPPER_MAPS_KEPT; i++)
        if (is_same(&h->kept->of[i], m)) {
            *map = h->kept->map[i];
            return true;
        }
    return false;
}

static void
keep(const oriel_cuda_hopper *h, const matrix *m, const CUtensorMap *map)
{
    if (!h->kept)
        return;
    const uint32_t i = h->kept->next++ % ORIEL_HOPPER_MAPS_KEPT;
    h->kept->map[i] = *map;
    h->kept->of[i] = *m;
}

static oriel_status
map_of_x(CUtensorMap *map, const oriel_cuda_hopper *h, const uint16_t *x,
         int64_t rows, int32_t depth, int32_t small, oriel_error *err)
{
    const matrix m = {small ? X_SMALL : X_LARGE, depth, x, rows};
    oriel_status status;

    if (find(map, h, &m))
        return ORIEL_OK;
    status = oriel_cuda_check(
        oriel_cuda_hopper_map_x(map, h->encode, x, rows, depth, small),
        "cuTensorMapEncodeTiled", err);
    if (!status)
        keep(h, &m, map);
    return status;
}

static oriel_status
map_of_plane(CUtensorMap *map, const oriel_cuda_hopper *h,
             const uint16_t *plane, const oriel_linear_args *args,
             int32_t small, oriel_error *err)
{
    const matrix m = {small ? RESIDUAL_SMALL : RESIDUAL_LARGE, args->columns,
                      plane, args->rows};
    oriel_status status;

    if (find(map, h, &m))
        return ORIEL_OK;
    status = oriel_cuda_check(
        oriel_cuda_hopper_map_residual(map, h->encode, plane, args->rows,
                                       args->columns, small),
        "cuTensorMapEncodeTiled", err);
    if (!status)
        keep(h, &m, map);
    return status;
}

static oriel_status
maps_of_qkv(CUtensorMap *box, CUtensorMap *rest, const oriel_cuda_hopper *h,
            const oriel_full_attention_args *args, int64_t rows,
            oriel_error *err)
{
    const matrix of_box = {QKV_BOX, args->heads, args->qkv, rows};
    const matrix of_rest = {QKV_REST, args->heads, args->qkv, rows};
    oriel_status status;

    if (find(box, h, &of_box) && find(rest, h, &of_rest))
        return ORIEL_OK;
    status = oriel_cuda_check(oriel_cuda_hopper_map_qkv(box, rest, h->encode,
                                                        args->qkv, rows,
                                                        args->heads),
                              "cuTensorMapEncodeTiled", err);
    if (!status) {
        keep(h, &of_box, box);
        keep(h, &of_rest, rest);
    }
    return status;
}

/* ---- Create and destroy ------------------------------------------------------ */

static oriel_status
encode_layer(oriel_cuda_hopper *h, oriel_layer layer, int32_t block,
             oriel_error *err)
{
    const oriel_tensor_shape shape = oriel_cuda_layer_shape(h->weights, layer);
    oriel_status status = ORIEL_OK;

    for (int32_t small = 0; small < 2 && !status; small++)
        status = oriel_cuda_check(
            oriel_cuda_hopper_map_weight(
                &maps_of(h, layer, block)[small], h->encode, op_of(layer),
                oriel_cuda_get_layer(h->weights, layer, block)->weight,
                (int32_t)shape.rows, (int32_t)shape.columns, small),
            "cuTensorMapEncodeTiled", err);
    return status;
}

static oriel_status
encode_all(oriel_cuda_hopper *h, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (int i = ORIEL_LAYER_QKV; i < ORIEL_N_LINEAR_LAYERS && !status; i++) {
        const oriel_layer layer = (oriel_layer)i;
        const int32_t n =
            oriel_layer_in_block(layer) ? h->weights->network.depth : 1;

        for (int32_t block = 0; block < n && !status; block++)
            status = encode_layer(h, layer, block, err);
    }
    return status;
}

static oriel_status
make_maps(oriel_cuda_hopper *h, oriel_error *err)
{
    const size_t of_weights =
        (1 + (size_t)h->weights->network.depth) * sizeof(*h->maps);
    const size_t bytes = of_weights + sizeof(*h->kept);
    char *at;

    h->memory = oriel_alloc(h->hooks, bytes + ALIGNMENT);
    if (!h->memory)
        return oriel_fail_memory(err, bytes + ALIGNMENT, "tensor maps");
    at = (char *)h->memory + ALIGNMENT - 1;
    at -= (uintptr_t)at % ALIGNMENT;
    h->maps = (void *)at;
    h->kept = (void *)(at + of_weights);
    memset(h->kept, 0, sizeof(*h->kept));
    return encode_all(h, err);
}

oriel_status
oriel_cuda_hopper_load(oriel_cuda_loaded *loaded, oriel_error *err)
{
    static const struct {
        const char *op;
        cudaError_t (*prepare)(oriel_cuda_loaded *loaded);
    } kernels[] = {
#define X(name) {#name, oriel_cuda_##name##_prepare},
        ORIEL_HOPPER_KERNELS(X)
#undef X
    };
    cudaError_t error = cudaSuccess;

    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]) && !error;
         i++) {
        loaded->op = kernels[i].op;
        error = kernels[i].prepare(loaded);
    }
    return oriel_cuda_check(error, "loading the kernels of sm_90a", err);
}

oriel_status
oriel_cuda_hopper_open(oriel_cuda_hopper *h, int32_t device_index,
                       oriel_error *err)
{
    const oriel_cuda_driver *driver;
    oriel_cuda_loaded loaded = {0};
    int32_t capability = 0;
    int blocks = 0;
    oriel_status status = oriel_cuda_capability(device_index, &capability, err);

    *h = (oriel_cuda_hopper){0};
    if (status)
        return status;
    if (capability != ORIEL_HOPPER_CAPABILITY)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "kernels hopper: CUDA device %d has compute "
                          "capability %d.%d, expected 9.0",
                          (int)device_index, (int)capability / 10,
                          (int)capability % 10);
    status = oriel_cuda_hopper_load(&loaded, err);
    if (!status)
        status = oriel_cuda_find_driver(&driver, err);
    if (!status)
        status = oriel_cuda_check(
            cudaDeviceGetAttribute(&blocks, cudaDevAttrMultiProcessorCount,
                                   device_index),
            "cudaDeviceGetAttribute", err);
    if (status)
        return status;
    h->blocks = blocks;
    h->overlaps =
        oriel_cuda_image_of(capability).architecture >= ORIEL_HOPPER_CAPABILITY;
    h->encode = driver->encode_tensor_map;
    return ORIEL_OK;
}

oriel_status
oriel_cuda_hopper_create(oriel_cuda_hopper *h,
                         const oriel_backend_weights *weights,
                         const oriel_hooks *hooks, int32_t device_index,
                         oriel_error *err)
{
    oriel_status status = oriel_cuda_hopper_open(h, device_index, err);

    if (status)
        return status;
    h->hooks = hooks;
    h->weights = weights;
    status = make_maps(h, err);
    if (status)
        oriel_cuda_hopper_destroy(h);
    return status;
}

void
oriel_cuda_hopper_destroy(oriel_cuda_hopper *h)
{
    if (h->memory)
        oriel_free(h->hooks, h->memory);
    *h = (oriel_cuda_hopper){0};
}

/* ---- Running ------------------------------------------------------------------- */

/* What a launch reads. */
typedef struct operands {
    CUtensorMap x, hi, lo;
    oriel_hopper_product by;
} operands;

static oriel_status
map_x(operands *o, const oriel_cuda_hopper *h, oriel_layer layer, int32_t block,
      const uint16_t *x, int64_t rows, int32_t depth, oriel_error *err)
{
    const oriel_tensor_shape weight = oriel_cuda_layer_shape(h->weights, layer);
    const int32_t small = oriel_cuda_hopper_small(
        op_of(layer), rows, (int32_t)weight.rows, h->blocks);

    o->by = (oriel_hopper_product){.x = &o->x,
                                   .weight = &maps_of(h, layer, block)[small],
                                   .hi = &o->hi,
                                   .lo = &o->lo,
                                   .small = small,
                                   .blocks = h->blocks};
    return map_of_x(&o->x, h, x, rows, depth, small, err);
}

static oriel_status
map_residual(operands *o, const oriel_cuda_hopper *h,
             const oriel_linear_args *args, oriel_error *err)
{
    const oriel_status status =
        map_of_plane(&o->hi, h, args->out, args, o->by.small, err);

    return status || !args->lo
               ? status
               : map_of_plane(&o->lo, h, args->lo, args, o->by.small, err);
}

oriel_status
oriel_cuda_hopper_run(const oriel_cuda_hopper *h, oriel_layer layer,
                      int32_t block, const oriel_linear_args *args,
                      cudaStream_t stream, oriel_error *err)
{
    operands o;
    oriel_status status =
        map_x(&o, h, layer, block, args->x, args->rows, args->depth, err);

    if (!status && oriel_layer_adds(layer))
        status = map_residual(&o, h, args, err);
    if (status)
        return status;
    if (oriel_layer_adds(layer))
        return oriel_cuda_check(
            oriel_cuda_hopper_linear_residual(args, &o.by, stream),
            "hopper_linear_residual", err);
    return layer == ORIEL_LAYER_FC1
               ? oriel_cuda_check(
                     oriel_cuda_hopper_linear_gelu(args, &o.by, stream),
                     "hopper_linear_gelu", err)
               : oriel_cuda_check(oriel_cuda_hopper_linear(args, &o.by, stream),
                                  "hopper_linear", err);
}

oriel_status
oriel_cuda_hopper_run_swiglu(const oriel_cuda_hopper *h, int32_t block,
                             const oriel_linear_swiglu_args *args,
                             cudaStream_t stream, oriel_error *err)
{
    operands o;
    oriel_status status = map_x(&o, h, ORIEL_LAYER_GATE_UP, block, args->x,
                                args->rows, args->depth, err);

    return status ? status
                  : oriel_cuda_check(
                        oriel_cuda_hopper_linear_swiglu(args, &o.by, stream),
                        "hopper_linear_swiglu", err);
}

oriel_status
oriel_cuda_hopper_run_rows(const oriel_cuda_hopper *h,
                           const oriel_linear_rows_args *args,
                           cudaStream_t stream, oriel_error *err)
{
    operands o;
    oriel_status status =
        map_x(&o, h, ORIEL_LAYER_FC2, 0, args->x, args->rows, args->depth, err);

    return status ? status
                  : oriel_cuda_check(
                        oriel_cuda_hopper_linear_rows(args, &o.by, stream),
                        "hopper_linear_rows", err);
}

oriel_status
oriel_cuda_hopper_attend(const oriel_cuda_hopper *h,
                         const oriel_full_attention_args *args, int64_t rows,
                         cudaStream_t stream, oriel_error *err)
{
    CUtensorMap box, rest;
    const oriel_hopper_attention by = {&box, &rest, h->blocks};
    const oriel_status status = maps_of_qkv(&box, &rest, h, args, rows, err);

    return status ? status
                  : oriel_cuda_check(
                        oriel_cuda_hopper_full_attention(args, &by, stream),
                        "hopper_full_attention", err);
}
