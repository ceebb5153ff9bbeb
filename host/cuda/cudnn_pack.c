/* SPDX-License-Identifier: Apache-2.0 */
/* cudnn_pack.c - the operands of one run, by number */
#include "cuda/cudnn.h"

#include <string.h>

/* The library takes no pointers to what is constant. */
static void *
operand(const void *pointer)
{
    void *as_the_library_takes_it;

    memcpy(&as_the_library_takes_it, &pointer, sizeof(pointer));
    return as_the_library_takes_it;
}

static oriel_cudnn_status
fill_pack(oriel_cudnn_descriptor pack, const oriel_cudnn_plan *plan,
          const oriel_cudnn_args *args)
{
    const oriel_cudnn_library *l = plan->library;
    const int64_t hidden = (int64_t)plan->shape.heads * plan->shape.head_dim;
    const int64_t ids[ORIEL_CUDNN_IDS] = {
        ORIEL_CUDNN_ID_Q,          ORIEL_CUDNN_ID_K,
        ORIEL_CUDNN_ID_V,          ORIEL_CUDNN_ID_OUT,
        ORIEL_CUDNN_ID_SCALE,      ORIEL_CUDNN_ID_LENGTHS_Q,
        ORIEL_CUDNN_ID_LENGTHS_KV, ORIEL_CUDNN_ID_OFFSETS_QKV,
        ORIEL_CUDNN_ID_OFFSETS_OUT};
    void *const pointers[ORIEL_CUDNN_IDS] = {operand(args->qkv),
                                             operand(args->qkv + hidden),
                                             operand(args->qkv + 2 * hidden),
                                             args->out,
                                             operand(&args->scale),
                                             operand(args->lengths),
                                             operand(args->lengths),
                                             operand(args->qkv_offsets),
                                             operand(args->out_offsets)};
    oriel_cudnn_status status = l->BackendSetAttribute(
        pack, ORIEL_CUDNN_PACK_IDS, ORIEL_CUDNN_IS_INT64, ORIEL_CUDNN_IDS, ids);

    if (!status)
        status = l->BackendSetAttribute(pack, ORIEL_CUDNN_PACK_POINTERS,
                                        ORIEL_CUDNN_IS_POINTER, ORIEL_CUDNN_IDS,
                                        pointers);
    if (!status)
        status =
            l->BackendSetAttribute(pack, ORIEL_CUDNN_PACK_WORKSPACE,
                                   ORIEL_CUDNN_IS_POINTER, 1, &args->workspace);
    return status ? status : l->BackendFinalize(pack);
}

oriel_status
oriel_cudnn_pack_make(oriel_cudnn_descriptor *pack,
                      const oriel_cudnn_plan *plan,
                      const oriel_cudnn_args *args, oriel_error *err)
{
    const oriel_cudnn_library *l = plan->library;
    oriel_cudnn_descriptor made = NULL;
    oriel_status status = oriel_cudnn_check(
        l, l->BackendCreateDescriptor(ORIEL_CUDNN_PACK, &made), "the operands",
        err);

    *pack = NULL;
    if (status)
        return status;
    status =
        oriel_cudnn_check(l, fill_pack(made, plan, args), "the operands", err);
    if (status)
        (void)l->BackendDestroyDescriptor(made);
    else
        *pack = made;
    return status;
}
