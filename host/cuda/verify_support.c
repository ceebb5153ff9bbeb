/* SPDX-License-Identifier: Apache-2.0 */
/* verify_support.c - what the cases of tests/ops ask of whoever links them */
#include "cuda/verify.h"

#include "ops/op.h"

#include <stdio.h>

static char complaint[200];

/* Kept, where a test prints it. */
int
op_complain(const char *what, const char *why)
{
    if (!complaint[0])
        snprintf(complaint, sizeof(complaint), "%s: %s", what, why);
    return -1;
}

const char *
oriel_cuda_complaint(void)
{
    static char last[sizeof(complaint)];

    snprintf(last, sizeof(last), "%s", complaint);
    complaint[0] = '\0';
    return last;
}

size_t
device_guard_bytes(void)
{
    return 0;
}

const char *
device_finish(void)
{
    const cudaError_t error = cudaDeviceSynchronize();

    return error == cudaSuccess ? "" : cudaGetErrorString(error);
}
