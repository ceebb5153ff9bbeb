/* SPDX-License-Identifier: Apache-2.0 */
#include "support/device_case.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD_MOST = 256, POISON = 0xFF };

static void
must(cudaError_t error, const char *what)
{
    ck_assert_msg(error == cudaSuccess, "%s: %s", what,
                  cudaGetErrorString(error));
}

static void
fill(char *device, int value, size_t bytes)
{
    if (bytes == 0)
        return;
    must(cudaMemsetAsync(device, value, bytes, NULL), "cudaMemsetAsync");
    must(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
}

device_buffer
device_output(size_t bytes)
{
    device_buffer buffer = {NULL, bytes};

    must(cudaMalloc(&buffer.data, bytes + device_guard_bytes()), "cudaMalloc");
    fill(buffer.data, POISON, bytes);
    fill((char *)buffer.data + bytes, DEVICE_GUARD, device_guard_bytes());
    return buffer;
}

device_buffer
device_upload(const void *host, size_t bytes)
{
    device_buffer buffer = device_output(bytes);

    if (bytes)
        must(cudaMemcpy(buffer.data, host, bytes, cudaMemcpyHostToDevice),
             "cudaMemcpy");
    return buffer;
}

device_buffer
device_sparse(size_t bytes)
{
    device_buffer buffer = {NULL, bytes};

    must(device_malloc_zeros(&buffer.data, bytes + device_guard_bytes()),
         "cudaMalloc");
    fill((char *)buffer.data + bytes, DEVICE_GUARD, device_guard_bytes());
    return buffer;
}

void
device_put(device_buffer buffer, size_t at, const void *host, size_t n)
{
    ck_assert_uint_le(at + n, buffer.bytes);
    must(cudaMemcpy((char *)buffer.data + at, host, n, cudaMemcpyHostToDevice),
         "cudaMemcpy");
}

void
device_get(void *host, device_buffer buffer, size_t at, size_t n)
{
    ck_assert_uint_le(at + n, buffer.bytes);
    must(cudaMemcpy(host, (char *)buffer.data + at, n, cudaMemcpyDeviceToHost),
         "cudaMemcpy");
}

void
device_check_guard(device_buffer buffer)
{
    unsigned char guard[GUARD_MOST];
    const size_t n = device_guard_bytes();

    ck_assert_uint_le(n, sizeof(guard));
    if (n)
        must(cudaMemcpy(guard, (char *)buffer.data + buffer.bytes, n,
                        cudaMemcpyDeviceToHost),
             "cudaMemcpy");
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(guard[i] == DEVICE_GUARD,
                      "byte %zu after the output changed", i);
}

void
device_download(void *host, device_buffer buffer)
{
    if (buffer.bytes)
        device_get(host, buffer, 0, buffer.bytes);
    device_check_guard(buffer);
}

void
device_release(device_buffer buffer)
{
    must(cudaFree(buffer.data), "cudaFree");
}

void
device_check_schedules(device_run *run, void *context, void *out, size_t bytes,
                       const void *initial)
{
    char *again = malloc(bytes + 1);
    int n = 1;

    for (int i = 0; i < n; i++) {
        device_buffer buffer;
        const char *report;

        device_set_schedule(i);
        buffer = initial ? device_upload(initial, bytes) : device_output(bytes);
        must(run(context, buffer.data), "launch");
        report = device_finish();
        ck_assert_msg(report[0] == '\0', "%s: %s", device_schedule_name(i),
                      report);
        if (i == 0)
            n = device_schedules_worth();
        device_download(i ? again : out, buffer);
        ck_assert_msg(i == 0 || memcmp(again, out, bytes) == 0,
                      "%s: the bytes differ from those of '%s'",
                      device_schedule_name(i), device_schedule_name(0));
        device_release(buffer);
    }
    device_set_schedule(0);
    free(again);
}
