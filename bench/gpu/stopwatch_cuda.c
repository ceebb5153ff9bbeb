/* SPDX-License-Identifier: Apache-2.0 */
/* stopwatch_cuda.c - time by events */
#include "stopwatch.h"

#include <stdio.h>

enum { MOST = 200, LEAST = 5, MAX_INNER = 64 };
#define SAMPLE_SECONDS 2e-4 /* hot runs are timed in groups of about this */
#define COPY_BYTES ((size_t)1 << 30)

typedef struct watch {
    cudaEvent_t start, stop;
    void *flush; /* twice the L2 cache; cold only */
    size_t flush_bytes;
    stopwatch_run *run;
    void *context;
} watch;

bool
stopwatch_is_real(void)
{
    return true;
}

static int
failed(cudaError_t error)
{
    if (error)
        fprintf(stderr, "stopwatch: %s\n", cudaGetErrorString(error));
    return error ? -1 : 0;
}

static int
watch_open(watch *w, stopwatch_run *run, void *context, bool cold)
{
    int l2 = 0, device = 0;

    *w = (watch){.run = run, .context = context};
    if (failed(cudaEventCreate(&w->start)) || failed(cudaEventCreate(&w->stop)))
        return -1;
    if (!cold)
        return 0;
    if (failed(cudaGetDevice(&device)) ||
        failed(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, device)))
        return -1;
    w->flush_bytes = 2 * (size_t)l2;
    return failed(cudaMalloc(&w->flush, w->flush_bytes));
}

static void
watch_close(watch *w)
{
    if (w->start)
        cudaEventDestroy(w->start);
    if (w->stop)
        cudaEventDestroy(w->stop);
    if (w->flush)
        cudaFree(w->flush);
}

/* Seconds of one of 'inner' runs. */
static int
sample(const watch *w, int inner, double *seconds)
{
    float milliseconds = 0;
    cudaError_t error = cudaSuccess;

    if (w->flush)
        error = cudaMemsetAsync(w->flush, 0x5a, w->flush_bytes, NULL);
    if (!error)
        error = cudaEventRecord(w->start, NULL);
    for (int i = 0; i < inner && !error; i++)
        error = w->run(w->context);
    if (!error)
        error = cudaEventRecord(w->stop, NULL);
    if (!error)
        error = cudaEventSynchronize(w->stop);
    if (!error)
        error = cudaEventElapsedTime(&milliseconds, w->start, w->stop);
    *seconds = (double)milliseconds * 1e-3 / inner;
    return failed(error);
}

int
stopwatch_measure(bench_times *out, stopwatch_run *run, void *context,
                  bool cold, double budget, int repeats)
{
    double seconds[MOST], one = 0;
    watch w;
    int result = watch_open(&w, run, context, cold);
    int inner = 1, n = 0;

    for (int i = 0; i < 3 && !result; i++) /* to warm up */
        result = sample(&w, 1, &one);
    while (!result && !cold && inner < MAX_INNER &&
           one * inner < SAMPLE_SECONDS)
        inner *= 2;
    for (const double end = bench_now() + budget;
         !result && n < (repeats && repeats < MOST ? repeats : MOST) &&
         (repeats || n < LEAST || bench_now() < end);
         n++)
        result = sample(&w, inner, &seconds[n]);
    if (!result)
        *out = bench_summarise(seconds, n);
    watch_close(&w);
    return result;
}

typedef struct copy {
    void *from, *to;
} copy;

static cudaError_t
run_copy(void *context)
{
    const copy *c = context;

    return cudaMemcpyAsync(c->to, c->from, COPY_BYTES, cudaMemcpyDeviceToDevice,
                           NULL);
}

int
stopwatch_copy_rate(double *out)
{
    copy c = {NULL, NULL};
    bench_times times;
    int result = failed(cudaMalloc(&c.from, COPY_BYTES)) ||
                 failed(cudaMalloc(&c.to, COPY_BYTES)) ||
                 failed(cudaMemset(c.from, 0x3b, COPY_BYTES)) ||
                 stopwatch_measure(&times, run_copy, &c, false, 0.1, 0);

    cudaFree(c.from);
    cudaFree(c.to);
    if (!result)
        *out = 2 * (double)COPY_BYTES / times.median;
    return result ? -1 : 0;
}

int
stopwatch_device_json(char *out, size_t out_bytes)
{
    struct cudaDeviceProp p;
    int driver = 0, runtime = 0, device = 0, khz = 0;

    if (failed(cudaGetDevice(&device)) ||
        failed(cudaGetDeviceProperties(&p, device)) ||
        failed(cudaDeviceGetAttribute(&khz, cudaDevAttrClockRate, device)) ||
        failed(cudaDriverGetVersion(&driver)) ||
        failed(cudaRuntimeGetVersion(&runtime)))
        return -1;
    snprintf(out, out_bytes,
             "\"kind\": \"cuda\", \"name\": \"%s\", \"precision\": "
             "\"bf16\", \"capability\": \"%d.%d\", \"most_sm_mhz\": %d, "
             "\"multiprocessors\": %d, \"l2_bytes\": %d, \"memory_bytes\": "
             "%zu, \"driver_cuda\": %d, \"runtime_cuda\": %d",
             p.name, p.major, p.minor, khz / 1000, p.multiProcessorCount,
             p.l2CacheSize, p.totalGlobalMem, driver, runtime);
    return 0;
}
