/* SPDX-License-Identifier: Apache-2.0 */
/* clocks_cuda.c - see clocks.h */
#include "clocks.h"

#include <cuda_runtime.h>
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

/* Of nvml.h, which is not in every toolkit. */
typedef struct nvmlDevice_st *nvml_device;
enum { NVML_CLOCK_SM = 1 };
enum {
    REASONS_POWER = 0x4 | 0x80, /* software cap, hardware brake */
    REASONS_HEAT = 0x20 | 0x40,
    REASONS_HARDWARE = 0x8
};

typedef struct nvml {
    int (*init)(void);
    int (*device)(const char *bus, nvml_device *out);
    int (*clock)(nvml_device device, int what, unsigned *mhz);
    int (*reasons)(nvml_device device, unsigned long long *bits);
    nvml_device of;
} nvml;

static int
find(void *library, void *function, const char *name)
{
    void *symbol = dlsym(library, name);

    memcpy(function, &symbol, sizeof(symbol)); /* ISO C has no such cast */
    return symbol ? 0 : -1;
}

static int
open_nvml(nvml *n)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    char bus[32];
    int device;

    if (!library || find(library, &n->init, "nvmlInit_v2") ||
        find(library, &n->device, "nvmlDeviceGetHandleByPciBusId_v2") ||
        find(library, &n->clock, "nvmlDeviceGetClockInfo") ||
        find(library, &n->reasons, "nvmlDeviceGetCurrentClocksThrottleReasons"))
        return -1;
    return n->init() || cudaGetDevice(&device) ||
           cudaDeviceGetPCIBusId(bus, sizeof(bus), device) ||
           n->device(bus, &n->of);
}

void
clocks_read(clocks *out)
{
    static nvml n;
    static int state; /* 0: not yet tried, 1: there, -1: absent */
    unsigned long long bits;

    *out = (clocks){0, NULL};
    if (state == 0)
        state = open_nvml(&n) ? -1 : 1;
    if (state < 0)
        return;
    if (n.clock(n.of, NVML_CLOCK_SM, &out->sm_mhz))
        out->sm_mhz = 0;
    if (n.reasons(n.of, &bits))
        return;
    out->throttled = bits & REASONS_HEAT       ? "heat"
                     : bits & REASONS_POWER    ? "power"
                     : bits & REASONS_HARDWARE ? "hardware"
                                               : "";
}
