/* SPDX-License-Identifier: Apache-2.0 */
/* prepare.c - every kernel loaded, and what the driver took for it */
#include "cuda/prepare.h"

#include "base/memory.h"
#include "cuda/device.h"
#include "cuda/errors.h"
#include "cuda/images.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- Loading -------------------------------------------------------------- */

static const struct {
    const char *op;
    cudaError_t (*prepare)(oriel_cuda_loaded *loaded);
} plain[] = {
#define X(name) {#name, oriel_cuda_##name##_prepare},
    ORIEL_KERNELS(X)
#undef X
};

static const struct {
    const char *op;
    cudaError_t (*prepare)(int32_t head_dim, oriel_cuda_loaded *loaded);
} of_head_dim[] = {
#define X(name) {#name, oriel_cuda_##name##_prepare},
    ORIEL_HEAD_DIM_KERNELS(X)
#undef X
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static cudaError_t
prepare_plain(oriel_cuda_loaded *loaded)
{
    cudaError_t error = cudaSuccess;

    for (size_t i = 0; i < COUNT(plain) && error == cudaSuccess; i++) {
        loaded->op = plain[i].op;
        error = plain[i].prepare(loaded);
    }
    return error;
}

static cudaError_t
prepare_of_head_dim(int32_t head_dim, oriel_cuda_loaded *loaded)
{
    cudaError_t error = cudaSuccess;

    for (size_t i = 0; i < COUNT(of_head_dim) && error == cudaSuccess; i++) {
        loaded->op = of_head_dim[i].op;
        error = of_head_dim[i].prepare(head_dim, loaded);
    }
    return error;
}

oriel_status
oriel_cuda_prepare(oriel_cuda_loaded *loaded, int32_t head_dim,
                   oriel_error *err)
{
    cudaError_t error = prepare_plain(loaded);

    if (error == cudaSuccess)
        error = prepare_of_head_dim(head_dim, loaded);
    return oriel_cuda_check(error, "loading the kernels", err);
}

/* ---- Saying what was loaded ----------------------------------------------- */

/* The line under construction; what does not fit is left out. */
typedef struct writer {
    char *at;
    size_t left;
} writer;

__attribute__((format(printf, 2, 3))) static void
say(writer *w, const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(w->at, w->left, format, arguments);
    va_end(arguments);
    if (n < 0)
        n = 0;
    if ((size_t)n >= w->left)
        n = w->left ? (int)w->left - 1 : 0;
    w->at += n;
    w->left -= (size_t)n;
}

/* Code that was compiled from older PTX was compiled by the driver, here. */
static bool
is_expected(const oriel_cuda_loaded *loaded, int32_t i,
            const oriel_cuda_image *expected)
{
    return loaded->kernel[i].ptx == expected->architecture &&
           (!expected->as_code ||
            loaded->kernel[i].machine_code == expected->architecture);
}

static void
say_other(writer *w, const oriel_cuda_loaded *loaded, int32_t i)
{
    int32_t code = loaded->kernel[i].machine_code;
    int32_t ptx = loaded->kernel[i].ptx;

    if (ptx < code)
        say(w, "; but %s: compute_%d PTX, compiled by the driver",
            loaded->kernel[i].op, ptx);
    else
        say(w, "; but %s: sm_%d machine code", loaded->kernel[i].op, code);
}

bool
oriel_cuda_say_loaded(const oriel_cuda_loaded *loaded, int32_t capability,
                      char *line, size_t line_bytes)
{
    oriel_cuda_image expected = oriel_cuda_image_of(capability);
    writer w = {line, line_bytes};
    int32_t n = 0;

    for (int32_t i = 0; i < loaded->n; i++)
        n += is_expected(loaded, i, &expected);
    say(&w, "%d kernels: %s", n, expected.text);
    for (int32_t i = 0; i < loaded->n; i++)
        if (!is_expected(loaded, i, &expected))
            say_other(&w, loaded, i);
    return n == loaded->n;
}

oriel_status
oriel_cuda_prepare_logged(int32_t head_dim, int32_t device_index,
                          const oriel_hooks *call, oriel_error *err)
{
    oriel_cuda_loaded loaded = {0};
    int32_t capability = 0;
    char line[512];
    bool well;
    oriel_status status = oriel_cuda_prepare(&loaded, head_dim, err);

    if (!status)
        status = oriel_cuda_capability(device_index, &capability, err);
    if (status)
        return status;
    well = oriel_cuda_say_loaded(&loaded, capability, line, sizeof(line));
    oriel_log(call, well ? ORIEL_LOG_INFO : ORIEL_LOG_WARNING, line);
    return ORIEL_OK;
}
