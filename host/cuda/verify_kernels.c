/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_kernels.c - every op and implementation of it, against its oracle; and
 * rows against themselves in another batch
 */
#include "cuda/verify_implementations.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Cases -------------------------------------------------------------------- */

typedef struct kernel_case {
    const op *op;
    op_shape shape;
} kernel_case;

static const int32_t windows[] = {0, 7, 27, 66, 130}; /* of 1, 2, 3, 4 slots */
static const int32_t frames[] = {0, 150, 153};
enum { N_WINDOWS = 4, N_FRAMES = 2 };
/* Rows and tokens that change places. */
static const int32_t places[] = {6, 0, 5, 1, 4, 2, 3};
enum { PLACES = 7, PATCH_ROWS = 4 * PLACES };

#define PRODUCT(op, rows_, columns_, depth_) \
    { \
        &(op), \
        { \
            .rows = (rows_), .columns = (columns_), .depth = (depth_) \
        } \
    }
#define STORED(dtype_) \
    { \
        &op_linear_rows, \
        { \
            .rows = PLACES, .columns = 40, .depth = 72, .places = places, \
            .dtype = (dtype_) \
        } \
    }
#define PATCHES(dtype_, wide_) \
    { \
        &op_patch_embed, \
        { \
            .rows = PATCH_ROWS, .columns = 80, .patch_size = 14, .slices = 2, \
            .merge2 = 4, .places = places, .wide = (wide_), .dtype = (dtype_) \
        } \
    }
#define ATTENTION(op, segments, n, heads_, dim) \
    { \
        &(op), \
        { \
            .cu = (segments), .n_segments = (n), .heads = (heads_), \
            .head_dim = (dim), .scale = 3 \
        } \
    }

/* On both sides of tiles' edges, each in milliseconds; the simulated GPU runs
   these alone. */
static const kernel_case small[] = {
    PRODUCT(op_linear, 70, 136, 200),
    PRODUCT(op_linear_residual, 70, 136, 200),
    {&op_linear_residual,
     {.rows = 70, .columns = 136, .depth = 200, .wide = true}},
    PRODUCT(op_linear_swiglu, 70, 72, 200),
    PRODUCT(op_linear_gelu, 9, 136, 200),
    STORED(ORIEL_CUDA_F32),
    STORED(ORIEL_CUDA_BF16),
    STORED(ORIEL_CUDA_F16),
    PATCHES(0, false),
    PATCHES(0, true),
    PATCHES(ORIEL_CUDA_F32, false),
    PATCHES(ORIEL_CUDA_U8, false),
    {&op_rms_norm, {.rows = 9, .columns = 1280}},
    {&op_rms_norm, {.rows = 9, .columns = 1280, .wide = true}},
    {&op_swiglu, {.rows = 9, .columns = 136}},
    {&op_rope, {.rows = 5, .heads = 2, .head_dim = 80}},
    ATTENTION(op_window_attention, windows, N_WINDOWS, 1, 80),
    ATTENTION(op_full_attention, frames, N_FRAMES, 1, 80),
};

/* The widths of the published towers, on hardware. */
#ifdef ORIEL_VERIFY_SMALL
enum { LARGE = 0 };
static const kernel_case *const large = NULL;
#else
static const kernel_case large[] = {
    PRODUCT(op_linear, 1000, 3840, 1280),
    PRODUCT(op_linear_residual, 1000, 1280, 1280),
    PRODUCT(op_linear_residual, 1000, 1280, 3456),
    {&op_linear_residual,
     {.rows = 1000, .columns = 1280, .depth = 3456, .wide = true}},
    PRODUCT(op_linear_swiglu, 1000, 3456, 1280),
    PRODUCT(op_linear_gelu, 250, 5120, 5120),
    PRODUCT(op_linear_rows, 250, 3584, 5120),
    PRODUCT(op_linear_rows, 250, 8192, 5120),
    {&op_rms_norm, {.rows = 1000, .columns = 1280}},
    {&op_swiglu, {.rows = 1000, .columns = 3456}},
    {&op_rope, {.rows = 1000, .heads = 16, .head_dim = 80}},
    ATTENTION(op_window_attention, windows, N_WINDOWS, 16, 80),
    ATTENTION(op_full_attention, frames, N_FRAMES, 16, 80),
    ATTENTION(op_window_attention, windows, N_WINDOWS, 2, 16),
    ATTENTION(op_full_attention, frames, N_FRAMES, 2, 128),
};
enum { LARGE = sizeof(large) / sizeof(large[0]) };
#endif
enum { SMALL = sizeof(small) / sizeof(small[0]) };

static void
name_case(const op_case *c, char *name, size_t bytes)
{
    int n =
        snprintf(name, bytes, "%s, %lld rows", c->op->name, (long long)c->rows);

    if (c->shape.heads)
        n += snprintf(name + n, bytes - (size_t)n, " heads %d x %d",
                      (int)c->shape.heads, (int)c->shape.head_dim);
    else
        n += snprintf(name + n, bytes - (size_t)n, " columns %d",
                      (int)c->columns);
    if (c->depth)
        n += snprintf(name + n, bytes - (size_t)n, " depth %d", (int)c->depth);
    if (c->shape.wide)
        n += snprintf(name + n, bytes - (size_t)n, " wide residual");
    if (c->shape.dtype)
        snprintf(name + n, bytes - (size_t)n, " %s",
                 c->shape.dtype == ORIEL_CUDA_F32    ? "f32"
                 : c->shape.dtype == ORIEL_CUDA_BF16 ? "bf16"
                 : c->shape.dtype == ORIEL_CUDA_F16  ? "f16"
                                                     : "u8");
}

/* ---- Running ------------------------------------------------------------------ */

/* Each plane of fresh device memory: these rows of 'initial', or NaN. */
static int
fill_result(const op_case *c, int64_t first, int64_t rows, char *device)
{
    const size_t plane = (size_t)(rows * c->row_bytes);

    for (int p = 0; p < op_case_planes(c); p++) {
        const int64_t row = p * c->rows + first;
        const cudaError_t error =
            c->initial.host
                ? cudaMemcpyAsync(device + (size_t)p * plane,
                                  (const char *)c->initial.device.data +
                                      row * c->row_bytes,
                                  plane, cudaMemcpyDeviceToDevice, NULL)
                : cudaMemsetAsync(device + (size_t)p * plane, 0xff, plane,
                                  NULL);

        if (op_must(error, "filling a result"))
            return -1;
    }
    return 0;
}

/* Rows of a case into fresh device memory, and back: planes of [rows] of row_bytes;
   caller frees.  NULL with a complaint. */
static void *
run_rows(const op_case *c, const oriel_cuda_implemented *by,
         const op_library *library, int64_t first, int64_t rows)
{
    const size_t bytes = (size_t)(rows * c->row_bytes * op_case_planes(c));
    void *host = malloc(bytes), *device = NULL;
    int result = host ? 0 : op_complain(c->op->name, "out of memory");

    if (!result)
        result = op_must(cudaMalloc(&device, bytes), "cudaMalloc");
    if (!result)
        result = fill_result(c, first, rows, device);
    if (!result)
        result = op_must(by->run(c, library, first, rows, device), c->op->name);
    if (!result)
        result = op_must(cudaDeviceSynchronize(), c->op->name);
    if (!result)
        result =
            op_must(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost),
                    "cudaMemcpy");
    if (device)
        (void)cudaFree(device);
    if (result) {
        free(host);
        return NULL;
    }
    return host;
}

/* ---- Against the oracle --------------------------------------------------------- */

/* The value of a row that is furthest from its bound, if it is further than those
   before. */
static void
compare_row(const op_case *c, int64_t row, const char *got, const double *exact,
            const double *bound, oriel_cuda_check_result *check)
{
    for (int32_t j = 0; j < c->columns; j++) {
        const double value = op_case_value(c, got, j);
        const double error = fabs(value - exact[j]);

        /* error / bound > check->error / check->bound, zeros and NaN too. */
        if (error * check->bound <= check->error * bound[j] &&
            (check->bound > 0 || error <= check->error))
            continue;
        check->error = error;
        check->bound = bound[j];
        if (!(error <= bound[j]))
            snprintf(check->why, sizeof(check->why),
                     "row %lld column %d is %.9g, expected %.9g within %.3g",
                     (long long)row, (int)j, value, exact[j], bound[j]);
    }
}

/* Every row of what is small; of what is large the first, some and the last. */
static void
compare(const op_case *c, const oriel_cuda_implemented *by, const char *out,
        oriel_cuda_check_result *check)
{
    const int64_t step = c->rows > 200 ? (c->rows - 1) / 4 : 1;
    const size_t bytes = (size_t)c->columns * sizeof(double);
    double *exact = malloc(bytes), *bound = malloc(bytes);

    if (!exact || !bound)
        (void)op_complain(c->op->name, "out of memory");
    for (int64_t r = 0; r < c->rows && exact && bound; r += step) {
        const int64_t place = op_case_place(c, r);

        c->op->exact(c, r, 1, exact, bound);
        if (by->loosen)
            by->loosen(c, exact, bound);
        if (place >= 0)
            compare_row(c, r, out + place * c->row_bytes, exact, bound, check);
    }
    free(exact);
    free(bound);
}

static void
check_case(const op_case *c, const oriel_cuda_implemented *by,
           oriel_cuda_check_result *check)
{
    op_library library = {0};
    char *out = NULL;

    if (by->open(c, &library) == 0)
        out = run_rows(c, by, &library, 0, c->rows);
    if (out)
        compare(c, by, out, check);
    by->close(&library);
    free(out);
    if (!check->why[0])
        snprintf(check->why, sizeof(check->why), "%s", oriel_cuda_complaint());
}

typedef void check_fn(const op_case *c, const oriel_cuda_implemented *by,
                      oriel_cuda_check_result *check);

/* An op by all that can run it. */
static oriel_status
check_by_all(const oriel_verify_job *job, const kernel_case *k, int32_t kind,
             check_fn *run, oriel_error *err)
{
    oriel_status status = ORIEL_OK;
    char name[160];
    op_case c;

    if (op_case_make(&c, k->op, &k->shape, 7)) {
        oriel_cuda_check_result check = {
            .name = k->op->name, .implementation = "own kernels", .kind = kind};

        snprintf(check.why, sizeof(check.why), "%s", oriel_cuda_complaint());
        return oriel_cuda_tell(job, &check, err);
    }
    name_case(&c, name, sizeof(name));
    for (int i = 0; i < ORIEL_CUDA_IMPLEMENTED && !status; i++) {
        oriel_cuda_check_result check = {.name = name,
                                         .implementation =
                                             oriel_cuda_implementations[i].name,
                                         .kind = kind};

        if (!oriel_cuda_implementations[i].has(&c))
            continue;
        if (oriel_cuda_implementations[i].find)
            oriel_cuda_implementations[i].find(check.why, sizeof(check.why));
        if (check.why[0])
            check.verdict = ORIEL_VERDICT_SKIPPED;
        else
            run(&c, &oriel_cuda_implementations[i], &check);
        status = oriel_cuda_tell(job, &check, err);
    }
    op_case_free(&c);
    return status;
}

oriel_status
oriel_cuda_verify_kernels(const oriel_verify_job *job, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (int i = 0; i < SMALL + LARGE && !status; i++)
        status = check_by_all(job, i < SMALL ? &small[i] : &large[i - SMALL],
                              ORIEL_CHECK_KERNEL, check_case, err);
    return status;
}

/* ---- Rows in other batches ------------------------------------------------------ */

/* Rows 'first' on of every plane. */
static bool
are_same(const op_case *c, const char *few, int64_t rows, const char *all,
         int64_t first)
{
    for (int p = 0; p < op_case_planes(c); p++)
        if (memcmp(few + p * rows * c->row_bytes,
                   all + (p * c->rows + first) * c->row_bytes,
                   (size_t)(rows * c->row_bytes)) != 0)
            return false;
    return true;
}

/* A few rows alone, from any place on, have the bytes that they have among all. */
static void
check_rows(const op_case *c, const oriel_cuda_implemented *by,
           oriel_cuda_check_result *check)
{
    enum { FEW = 3 };
    const int64_t starts[] = {0, 1, (c->rows - FEW) / 2, c->rows - FEW};
    op_library library = {0};
    char *all = NULL;

    if (by->open(c, &library) == 0)
        all = run_rows(c, by, &library, 0, c->rows);
    for (size_t i = 0; all && i < sizeof(starts) / sizeof(starts[0]); i++) {
        char *few = run_rows(c, by, &library, starts[i], FEW);

        if (few && !check->why[0] && !are_same(c, few, FEW, all, starts[i]))
            snprintf(check->why, sizeof(check->why),
                     "rows %lld to %lld have other bytes alone than among %lld",
                     (long long)starts[i], (long long)(starts[i] + FEW - 1),
                     (long long)c->rows);
        free(few);
    }
    by->close(&library);
    free(all);
    if (!check->why[0])
        snprintf(check->why, sizeof(check->why), "%s", oriel_cuda_complaint());
}

/* The operands of rows first .. of 'from', as the rows of 'to'. */
static int
take_segment(op_case *to, const op_case *from, int64_t first)
{
    const size_t row = 3 * (size_t)from->columns * sizeof(uint16_t);

    memcpy(to->x.host, (const char *)from->x.host + (size_t)first * row,
           (size_t)to->rows * row);
    memcpy(to->index[OP_POSITIONS].host,
           (const int32_t *)from->index[OP_POSITIONS].host + 2 * first,
           (size_t)to->rows * 2 * sizeof(int32_t));
    return op_array_send(&to->x) || op_array_send(&to->index[OP_POSITIONS]);
}

/* One segment of several alone. */
static void
check_segment(const op_case *all, const oriel_cuda_implemented *by,
              const op *which, int32_t begin, int32_t end,
              oriel_cuda_check_result *check)
{
    const int32_t cu[] = {0, end - begin};
    const op_shape shape = {.cu = cu,
                            .n_segments = 1,
                            .heads = all->shape.heads,
                            .head_dim = all->shape.head_dim,
                            .scale = all->shape.scale};
    op_library of_all = {0}, of_alone = {0};
    op_case alone;
    char *a = NULL, *b = NULL;

    if (op_case_make(&alone, which, &shape, 8))
        return;
    if (take_segment(&alone, all, begin) == 0 && by->open(all, &of_all) == 0 &&
        by->open(&alone, &of_alone) == 0) {
        a = run_rows(all, by, &of_all, 0, all->rows);
        b = run_rows(&alone, by, &of_alone, 0, alone.rows);
    }
    by->close(&of_all);
    by->close(&of_alone);
    if (a && b && !are_same(all, b, alone.rows, a, begin))
        snprintf(check->why, sizeof(check->why),
                 "rows %d to %d have other bytes alone than among %lld",
                 (int)begin, (int)end - 1, (long long)all->rows);
    free(a);
    free(b);
    op_case_free(&alone);
}

/* The second segment of a case alone. */
static void
check_attention(const op_case *c, const oriel_cuda_implemented *by,
                oriel_cuda_check_result *check)
{
    const int32_t *cu = c->index[OP_SEGMENTS].host;

    check_segment(c, by, c->op, cu[1], cu[2], check);
    if (!check->why[0])
        snprintf(check->why, sizeof(check->why), "%s", oriel_cuda_complaint());
}

oriel_status
oriel_cuda_verify_rows(const oriel_verify_job *job, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (int i = 0; i < SMALL && !status; i++) {
        const kernel_case *k = &small[i];

        if (k->shape.cu)
            status = check_by_all(job, k, ORIEL_CHECK_INVARIANCE,
                                  check_attention, err);
        else if (k->op->by_rows && !k->shape.places)
            status =
                check_by_all(job, k, ORIEL_CHECK_INVARIANCE, check_rows, err);
    }
    return status;
}
