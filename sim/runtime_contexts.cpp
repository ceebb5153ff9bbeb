/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stand-in's contexts: which one is current to a thread, and the functions of
 * the driver that change it.
 *
 * A device has a primary context, and a caller may make others.  The runtime works
 * on the current one, or makes the primary one of its device current when it needs
 * one.  Streams, events, kernels and memory are of the context in which they were
 * made.
 */
#include "runtime_state.hpp"

#include "report.hpp"
#include "tensor_map.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace
{

/* A place of the thread's stack. */
struct Place {
    CUctx_st *context;
    bool pushed; /* else cudaSetDevice or the runtime itself put it there */
};

/* The device that the runtime takes where no context is current. */
thread_local int chosen;
thread_local std::vector<Place> stack;
std::map<int, CUctx_st> primaries;
std::set<int> active; /* devices whose primary context was made */
std::map<CUctx_st *, std::unique_ptr<CUctx_st>> created;

CUctx_st *
primary_of(int device)
{
    return &(primaries[device] = {device, device});
}

/* In the place of what is current. */
void
bind(CUctx_st *context)
{
    if (stack.empty())
        stack.push_back({context, false});
    else
        stack.back().context = context;
}

} // namespace

namespace sim
{

CUctx_st *
current_context()
{
    return stack.empty() ? primary_of(chosen) : stack.back().context;
}

int
current_device()
{
    return current_context()->device;
}

void
use_context()
{
    CUctx_st *context = current_context();

    bind(context);
    if (is_primary(context->number))
        active.insert(context->device);
}

bool
is_primary(int context)
{
    return context < CONTEXTS_CREATED;
}

bool
has_context(int device)
{
    return active.count(device) > 0;
}

void
forget_contexts()
{
    active.clear();
    stack.clear();
}

} // namespace sim

using namespace sim;

extern "C" {

cudaError_t
cudaGetDevice(int *device)
{
    ENTER();
    *device = current_device();
    return cudaSuccess;
}

cudaError_t
cudaSetDevice(int device)
{
    ENTER();
    if (device < 0 || device >= runtime().device_count)
        return result(cudaErrorInvalidDevice);
    chosen = device;
    bind(primary_of(device));
    active.insert(device);
    return cudaSuccess;
}

/* ---- Of the driver -------------------------------------------------------- */

static int
cuDeviceGet(int *device, int ordinal)
{
    ENTER();
    *device = ordinal;
    return ordinal < 0 || ordinal >= runtime().device_count
               ? cudaErrorInvalidDevice
               : cudaSuccess;
}

static int
cuDevicePrimaryCtxRetain(CUctx_st **context, int device)
{
    ENTER();
    active.insert(device);
    *context = primary_of(device);
    return cudaSuccess;
}

static int
cuCtxGetCurrent(CUctx_st **context)
{
    ENTER();
    *context = stack.empty() ? nullptr : stack.back().context;
    return cudaSuccess;
}

static int
cuCtxSetCurrent(CUctx_st *context)
{
    ENTER();
    if (context)
        bind(context);
    else if (!stack.empty())
        stack.pop_back();
    return cudaSuccess;
}

static int
cuCtxPushCurrent(CUctx_st *context)
{
    ENTER();
    stack.push_back({context, true});
    return cudaSuccess;
}

static int
cuCtxPopCurrent(CUctx_st **context)
{
    const Entrance entered;

    if (stack.empty() || !stack.back().pushed) {
        host_violation("a context is popped that was not pushed");
        return cudaErrorInvalidValue;
    }
    *context = stack.back().context;
    stack.pop_back();
    return entered.error;
}

/* It becomes current too. */
static int
cuCtxCreate(CUctx_st **context, unsigned int, int device)
{
    static int number = CONTEXTS_CREATED;

    ENTER();
    auto made = std::make_unique<CUctx_st>(CUctx_st{device, number++});
    *context = made.get();
    created[*context] = std::move(made);
    stack.push_back({*context, true});
    return cudaSuccess;
}

static int
cuCtxDestroy(CUctx_st *context)
{
    ENTER();
    if (!created.count(context))
        return cudaErrorInvalidValue;
    if (!stack.empty() && stack.back().context == context)
        stack.pop_back();
    created.erase(context);
    return cudaSuccess;
}

/* Also of a stream that was made in a green context, of which there are none here:
   the driver then names the primary context it shares. */
static int
cuStreamGetCtx(cudaStream_t stream, CUctx_st **context, void **green)
{
    ENTER();
    const CUstream_st *s = resolve(stream);

    if (!s)
        return cudaErrorInvalidResourceHandle;
    *context = context_of(stream);
    *green = nullptr;
    return cudaSuccess;
}

cudaError_t
cudaGetDriverEntryPointByVersion(const char *symbol, void **function,
                                 unsigned int version, unsigned long long,
                                 enum cudaDriverEntryPointQueryResult *found)
{
    /* A name has other arguments in other versions: these have them from 'first'
       to 'last'. */
    struct Function {
        void *function;
        unsigned int first, last;
    };
    static const std::map<std::string, Function> functions = {
        {"cuDeviceGet", {(void *)cuDeviceGet, 2000, 13000}},
        {"cuDevicePrimaryCtxRetain",
         {(void *)cuDevicePrimaryCtxRetain, 7000, 13000}},
        {"cuCtxGetCurrent", {(void *)cuCtxGetCurrent, 4000, 13000}},
        {"cuCtxSetCurrent", {(void *)cuCtxSetCurrent, 4000, 13000}},
        {"cuCtxPushCurrent", {(void *)cuCtxPushCurrent, 4000, 13000}},
        {"cuCtxPopCurrent", {(void *)cuCtxPopCurrent, 4000, 13000}},
        {"cuCtxCreate", {(void *)cuCtxCreate, 3020, 11039}},
        {"cuCtxDestroy", {(void *)cuCtxDestroy, 4000, 13000}},
        {"cuStreamGetCtx", {(void *)cuStreamGetCtx, 12050, 13000}},
        {"cuTensorMapEncodeTiled",
         {(void *)sim_tensor_map_encode_tiled, 12000, 13000}},
        {"cuPointerGetAttributes",
         {(void *)sim_pointer_get_attributes, 7000, 13000}},
    };
    auto it = functions.find(symbol);

    ENTER();
    bool fits = it != functions.end() && version >= it->second.first &&
                version <= it->second.last;
    *function = fits ? it->second.function : nullptr;
    *found =
        fits ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
}
}
