/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in cuDNN's handles and descriptors: made, set, read. */
#include "cudnn_state.hpp"

#include "report.hpp"
#include "runtime_state.hpp"

#include <cstring>
#include <new>
#include <set>

namespace
{

using sim::CudnnDescriptor;
using sim::CudnnHandle;

std::set<const void *> handles, descriptors;

size_t
bytes_of(int32_t type)
{
    switch (type) {
    case ORIEL_CUDNN_IS_BOOLEAN:
        return sizeof(bool);
    case ORIEL_CUDNN_IS_DATA_TYPE:
    case ORIEL_CUDNN_IS_KNOB_TYPE:
        return sizeof(int32_t);
    default:
        return sizeof(int64_t); /* and pointers */
    }
}

/* What may be set: of which descriptor, of which type, and at most how many
   values. */
const struct Rule {
    int32_t descriptor, attribute, type;
    int64_t most;
} rules[] = {
#define RULE(d, a, t, n) \
    { \
        ORIEL_CUDNN_##d, ORIEL_CUDNN_##a, ORIEL_CUDNN_IS_##t, n \
    }
    RULE(TENSOR, TENSOR_ID, INT64, 1),
    RULE(TENSOR, TENSOR_DATA_TYPE, DATA_TYPE, 1),
    RULE(TENSOR, TENSOR_DIMENSIONS, INT64, 4),
    RULE(TENSOR, TENSOR_STRIDES, INT64, 4),
    RULE(TENSOR, TENSOR_ALIGNMENT, INT64, 1),
    RULE(TENSOR, TENSOR_BY_VALUE, BOOLEAN, 1),
    RULE(TENSOR, TENSOR_OFFSETS, DESCRIPTOR, 1),
    RULE(ATTENTION, ATTENTION_Q, DESCRIPTOR, 1),
    RULE(ATTENTION, ATTENTION_K, DESCRIPTOR, 1),
    RULE(ATTENTION, ATTENTION_V, DESCRIPTOR, 1),
    RULE(ATTENTION, ATTENTION_O, DESCRIPTOR, 1),
    RULE(ATTENTION, ATTENTION_SCALE, DESCRIPTOR, 1),
    RULE(ATTENTION, ATTENTION_LENGTHS_Q, DESCRIPTOR, 1),
    RULE(ATTENTION, ATTENTION_LENGTHS_KV, DESCRIPTOR, 1),
    RULE(GRAPH, GRAPH_HANDLE, HANDLE, 1),
    RULE(GRAPH, GRAPH_OPERATIONS, DESCRIPTOR, 1),
    RULE(ENGINE, ENGINE_GRAPH, DESCRIPTOR, 1),
    RULE(ENGINE, ENGINE_INDEX, INT64, 1),
    RULE(KNOB_CHOICE, KNOB_TYPE, KNOB_TYPE, 1),
    RULE(KNOB_CHOICE, KNOB_VALUE, INT64, 1),
    RULE(ENGINE_CONFIG, CONFIG_ENGINE, DESCRIPTOR, 1),
    RULE(ENGINE_CONFIG, CONFIG_KNOBS, DESCRIPTOR, 1),
    RULE(PLAN, PLAN_HANDLE, HANDLE, 1),
    RULE(PLAN, PLAN_CONFIG, DESCRIPTOR, 1),
    RULE(PACK, PACK_IDS, INT64, 16),
    RULE(PACK, PACK_POINTERS, POINTER, 16),
    RULE(PACK, PACK_WORKSPACE, POINTER, 1),
#undef RULE
};

bool
is_known(int32_t descriptor)
{
    for (const Rule &r : rules)
        if (r.descriptor == descriptor)
            return true;
    return false;
}

bool
is_live(const std::set<const void *> &all, const void *object, const char *what)
{
    if (object && all.count(object))
        return true;
    if (object)
        sim::host_violation("cuDNN is given something that is not a %s", what);
    return false;
}

} // namespace

namespace sim
{

CudnnHandle *
cudnn_handle(const void *handle)
{
    return is_live(handles, handle, "handle")
               ? static_cast<CudnnHandle *>(const_cast<void *>(handle))
               : nullptr;
}

CudnnDescriptor *
cudnn_descriptor(const void *descriptor)
{
    return is_live(descriptors, descriptor, "descriptor")
               ? static_cast<CudnnDescriptor *>(const_cast<void *>(descriptor))
               : nullptr;
}

CudnnDescriptor *
cudnn_part(const CudnnDescriptor &d, int32_t attribute, int32_t type)
{
    if (!d.values.count(attribute))
        return nullptr;
    CudnnDescriptor *part =
        cudnn_descriptor(cudnn_value<const void *>(d, attribute));
    return part && part->finalized && part->type == type ? part : nullptr;
}

} // namespace sim

extern "C" {

size_t
sim_cudnn_alive(void)
{
    return handles.size() + descriptors.size();
}

void
sim_cudnn_unload(void)
{
    for (const void *d : descriptors)
        sim::cudnn_descriptor(d)->loaded = false;
}

oriel_cudnn_status
cudnnCreate(oriel_cudnn_handle *handle)
{
    CUDNN_ENTER();
    CudnnHandle *made = new (std::nothrow) CudnnHandle{sim::current_device()};

    if (!made)
        return ORIEL_CUDNN_HOST_ALLOCATION_FAILED;
    handles.insert(made);
    *handle = made;
    return ORIEL_CUDNN_SUCCESS;
}

oriel_cudnn_status
cudnnDestroy(oriel_cudnn_handle handle)
{
    CudnnHandle *h = sim::cudnn_handle(handle);

    if (!h)
        return ORIEL_CUDNN_BAD_PARAM;
    handles.erase(h);
    delete h;
    return ORIEL_CUDNN_SUCCESS;
}

oriel_cudnn_status
cudnnSetStream(oriel_cudnn_handle handle, struct CUstream_st *stream)
{
    CUDNN_ENTER();
    CudnnHandle *h = sim::cudnn_handle(handle);

    if (!h)
        return ORIEL_CUDNN_NOT_INITIALIZED;
    if (!sim::resolve(stream))
        return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM, "not a stream");
    if (!sim::is_default(stream) &&
        sim::context_of(stream)->device != h->device)
        return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM,
                                 "a stream of another device");
    h->stream = stream;
    return ORIEL_CUDNN_SUCCESS;
}

oriel_cudnn_status
cudnnBackendCreateDescriptor(int32_t type, oriel_cudnn_descriptor *descriptor)
{
    CUDNN_ENTER();
    if (!is_known(type))
        return sim::cudnn_refuse(ORIEL_CUDNN_NOT_SUPPORTED,
                                 "descriptor type %d", type);
    CudnnDescriptor *made = new (std::nothrow) CudnnDescriptor{type};

    if (!made)
        return ORIEL_CUDNN_HOST_ALLOCATION_FAILED;
    descriptors.insert(made);
    *descriptor = made;
    return ORIEL_CUDNN_SUCCESS;
}

oriel_cudnn_status
cudnnBackendDestroyDescriptor(oriel_cudnn_descriptor descriptor)
{
    CudnnDescriptor *d = sim::cudnn_descriptor(descriptor);

    if (!d)
        return ORIEL_CUDNN_BAD_PARAM;
    *d->alive = false;
    descriptors.erase(d);
    delete d;
    return ORIEL_CUDNN_SUCCESS;
}

oriel_cudnn_status
cudnnBackendSetAttribute(oriel_cudnn_descriptor descriptor, int32_t attribute,
                         int32_t type, int64_t n, const void *values)
{
    CUDNN_ENTER();
    CudnnDescriptor *d = sim::cudnn_descriptor(descriptor);

    if (!d || !values || n < 1)
        return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM, "nothing to set");
    if (d->finalized)
        return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM,
                                 "descriptor %d is final", d->type);
    for (const Rule &r : rules)
        if (r.descriptor == d->type && r.attribute == attribute) {
            if (r.type != type || n > r.most)
                return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM,
                                         "attribute %d: type %d of %d values",
                                         attribute, type, static_cast<int>(n));
            const unsigned char *first =
                static_cast<const unsigned char *>(values);
            d->values[attribute] = {
                type,
                n,
                {first, first + static_cast<size_t>(n) * bytes_of(type)}};
            return ORIEL_CUDNN_SUCCESS;
        }
    return sim::cudnn_refuse(ORIEL_CUDNN_NOT_SUPPORTED,
                             "descriptor %d has no attribute %d", d->type,
                             attribute);
}

oriel_cudnn_status
cudnnBackendGetAttribute(oriel_cudnn_descriptor descriptor, int32_t attribute,
                         int32_t type, int64_t room, int64_t *n, void *values)
{
    CUDNN_ENTER();
    CudnnDescriptor *d = sim::cudnn_descriptor(descriptor);

    if (!d || !d->finalized || room < 1 || !values)
        return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM, "nothing to get");
    if (d->type != ORIEL_CUDNN_PLAN ||
        attribute != ORIEL_CUDNN_PLAN_WORKSPACE || type != ORIEL_CUDNN_IS_INT64)
        return sim::cudnn_refuse(ORIEL_CUDNN_NOT_SUPPORTED,
                                 "descriptor %d does not tell attribute %d",
                                 d->type, attribute);
    memcpy(values, &d->workspace, sizeof(d->workspace));
    *n = 1;
    return ORIEL_CUDNN_SUCCESS;
}

oriel_cudnn_status
cudnnBackendFinalize(oriel_cudnn_descriptor descriptor)
{
    CUDNN_ENTER();
    CudnnDescriptor *d = sim::cudnn_descriptor(descriptor);

    if (!d || d->finalized)
        return sim::cudnn_refuse(ORIEL_CUDNN_BAD_PARAM, "nothing to finalize");
    const oriel_cudnn_status status = sim::cudnn_check(d);

    d->finalized = status == ORIEL_CUDNN_SUCCESS;
    return status;
}
}
