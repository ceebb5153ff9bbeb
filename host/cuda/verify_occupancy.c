/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_occupancy.c - how many blocks of each kernel a multiprocessor holds
 *
 * The driver says it of the code that it loaded; kernels/resources.txt, which is
 * here whole, says it of the code that nvcc made.
 */
#include "cuda/verify.h"

#include "cuda/device.h"
#include "cuda/hopper.h"
#include "cuda/images.h"
#include "cuda/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__asm__(".section .rodata\n"
        "oriel_cuda_resources:\n"
        ".incbin \"" ORIEL_CUDA_RESOURCES "\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char oriel_cuda_resources[] __attribute__((visibility("hidden")));

enum { LINE_BYTES = 200, COLUMNS_MOST = 16 };

/* ---- The table ----------------------------------------------------------------- */

/* The next line of the text, without its end; false: there is none. */
static bool
next_line(const char **at, char line[LINE_BYTES])
{
    const size_t n = strcspn(*at, "\n");

    if (**at == '\0')
        return false;
    snprintf(line, LINE_BYTES, "%.*s", (int)n, *at);
    *at += n + ((*at)[n] == '\n');
    return true;
}

/* Which column is the architecture's, "sm_90a" for 90; -1: none. */
static int
find_column(int32_t architecture)
{
    const char *at = oriel_cuda_resources;
    char line[LINE_BYTES];

    while (next_line(&at, line)) {
        const char *column = strstr(line, " sm_");

        if (strncmp(line, "kernel ", 7) != 0)
            continue;
        for (int i = 0; column; i++) {
            if (strtol(column + 4, NULL, 10) == architecture)
                return i;
            column = strstr(column + 4, " sm_");
        }
    }
    return -1;
}

/* What follows the spaces at 'at' and the word after them. */
static const char *
skip_word(const char *at)
{
    at += strspn(at, " ");
    return at + strcspn(at, " ");
}

/* Blocks of a kernel, by its column, of "222 / 2 r" or, where it is not compiled,
   "-"; -1: it has none. */
static int
find_blocks(const char *kernel, int column)
{
    const char *at = oriel_cuda_resources;
    const size_t n = strlen(kernel);
    char line[LINE_BYTES];

    while (next_line(&at, line)) {
        const char *cell = line + n;

        if (strncmp(line, kernel, n) != 0 || *cell != ' ')
            continue;
        cell = skip_word(skip_word(cell)); /* threads, shared memory */
        for (int i = 0; i < column; i++) {
            cell = skip_word(cell);
            if (cell[-1] != '-')
                cell = skip_word(skip_word(skip_word(cell)));
        }
        cell = skip_word(cell);
        return *cell && cell[-1] != '-' ? (int)strtol(skip_word(cell), NULL, 10)
                                        : -1;
    }
    return -1;
}

/* ---- The driver ------------------------------------------------------------------ */

static oriel_status
check_kernel(const oriel_verify_job *job, const char *kernel, int blocks,
             int column, oriel_error *err)
{
    const int planned = find_blocks(kernel, column);
    char name[96];
    oriel_cuda_check_result check = {.name = name,
                                     .implementation = "own kernels",
                                     .kind = ORIEL_CHECK_OCCUPANCY,
                                     .error = abs(blocks - planned)};

    snprintf(name, sizeof(name), "%s, %d block%s a multiprocessor", kernel,
             blocks, blocks == 1 ? "" : "s");
    if (planned < 0)
        snprintf(check.why, sizeof(check.why),
                 "kernels/resources.txt has no such kernel");
    else if (blocks != planned)
        snprintf(check.why, sizeof(check.why), "expected %d", planned);
    return oriel_cuda_tell(job, &check, err);
}

/* Those of one size of head; the others once, with 'all'. */
static oriel_status
check_instances(const oriel_verify_job *job, int32_t head_dim, bool all,
                int column, oriel_error *err)
{
    static const char *const of_head_dim[] = {
#define X(name) #name,
        ORIEL_HEAD_DIM_KERNELS(X)
#undef X
    };
    oriel_cuda_loaded loaded = {.counts = 1};
    oriel_status status = oriel_cuda_prepare(&loaded, head_dim, err);

    for (int32_t i = 0; i < loaded.n && !status; i++) {
        const char *name = loaded.kernel[i].name;
        char instance[64];
        bool is_instance = false;

        for (size_t k = 0; k < sizeof(of_head_dim) / sizeof(of_head_dim[0]);
             k++)
            is_instance |= strcmp(name, of_head_dim[k]) == 0;
        if (!is_instance && !all)
            continue;
        snprintf(instance, sizeof(instance), "%s<%d>", name, (int)head_dim);
        status = check_kernel(job, is_instance ? instance : name,
                              loaded.kernel[i].blocks, column, err);
    }
    return status;
}

/* Those of a device of 9.0 alone. */
static oriel_status
check_hopper(const oriel_verify_job *job, int column, oriel_error *err)
{
    oriel_cuda_loaded loaded = {.counts = 1};
    oriel_status status = oriel_cuda_hopper_load(&loaded, err);

    for (int32_t i = 0; i < loaded.n && !status; i++)
        status = check_kernel(job, loaded.kernel[i].name,
                              loaded.kernel[i].blocks, column, err);
    return status;
}

oriel_status
oriel_cuda_verify_occupancy(const oriel_verify_job *job, oriel_error *err)
{
    static const int32_t head_dims[] = {80, 16, 32, 64, 128};
    int32_t capability = 0;
    oriel_cuda_image image;
    int column;
    oriel_status status =
        oriel_cuda_capability(job->device_index, &capability, err);

    if (status)
        return status;
    image = oriel_cuda_image_of(capability);
    column = image.as_code ? find_column(image.architecture) : -1;
    if (column < 0) {
        oriel_cuda_check_result check = {.name = "every kernel",
                                         .implementation = "own kernels",
                                         .kind = ORIEL_CHECK_OCCUPANCY,
                                         .verdict = ORIEL_VERDICT_SKIPPED};

        snprintf(check.why, sizeof(check.why),
                 "kernels/resources.txt has no column for %s", image.text);
        return oriel_cuda_tell(job, &check, err);
    }
    for (size_t i = 0; i < sizeof(head_dims) / sizeof(head_dims[0]) && !status;
         i++)
        status = check_instances(job, head_dims[i], i == 0, column, err);
    if (!status && capability == ORIEL_HOPPER_CAPABILITY)
        status = check_hopper(job, column, err);
    return status;
}
