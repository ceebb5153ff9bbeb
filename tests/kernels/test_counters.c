/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernels' accesses cost: phases of banks and sectors, on the simulated
 * GPU (counters.h), held against the figures at each kernel's head.
 */
#include "kernels/counters_check.h"
#include "support/device_case.h"
#include "support/suite.h"

#include "ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Buffers of one launch ----------------------------------------------- */

static device_buffer lent[16];
static int n_lent;

static void *
upload(const void *host, size_t bytes)
{
    ck_assert_int_lt(n_lent, (int)COUNT(lent));
    lent[n_lent] = device_upload(host, bytes);
    return lent[n_lent++].data;
}

static void *
zeros(size_t bytes)
{
    void *host = calloc(1, bytes);
    void *data = upload(host, bytes);

    free(host);
    return data;
}

/* 0, 1, 2 ... */
static int32_t *
places(int32_t n)
{
    int32_t *host = malloc((size_t)n * sizeof(*host)), *data;

    for (int32_t i = 0; i < n; i++)
        host[i] = i;
    data = upload(host, (size_t)n * sizeof(*host));
    free(host);
    return data;
}

static void
give_back(void)
{
    while (n_lent > 0)
        device_release(lent[--n_lent]);
}

/* ---- Launches: each at a shape that has every kind of access -------------- */

typedef cudaError_t launcher(int32_t variant);

/* One tile of 128 x 128 over four stages of 32. */
enum { TILE = 128 };

static oriel_linear_args
linear_args(void)
{
    return (oriel_linear_args){.x = zeros(TILE * TILE * 2),
                               .weight = zeros(TILE * TILE * 2),
                               .bias = zeros(TILE * 2),
                               .out = zeros(TILE * TILE * 2),
                               .rows = TILE,
                               .columns = TILE,
                               .depth = TILE};
}

/* 'adds' 1: to the residual, 2: to one of two planes. */
static cudaError_t
linear(int32_t adds)
{
    oriel_linear_args args = linear_args();

    if (adds == 2)
        args.lo = zeros(TILE * TILE * 2);
    ck_assert_int_eq(oriel_cuda_linear_prepare(NULL), cudaSuccess);
    return adds ? oriel_cuda_linear_residual(&args, NULL)
                : oriel_cuda_linear(&args, NULL);
}

static cudaError_t
linear_gelu(int32_t variant)
{
    oriel_linear_args args = linear_args();

    (void)variant;
    ck_assert_int_eq(oriel_cuda_linear_gelu_prepare(NULL), cudaSuccess);
    return oriel_cuda_linear_gelu(&args, NULL);
}

static cudaError_t
linear_swiglu(int32_t variant)
{
    oriel_linear_args a = linear_args();
    oriel_linear_swiglu_args args = {a.x,  a.weight, a.bias, a.out,
                                     TILE, TILE / 2, TILE,   {0}};

    (void)variant;
    ck_assert_int_eq(oriel_cuda_linear_swiglu_prepare(NULL), cudaSuccess);
    return oriel_cuda_linear_swiglu(&args, NULL);
}

static cudaError_t
swiglu(int32_t variant)
{
    oriel_swiglu_args args = {.gate_up = zeros((size_t)TILE * 2 * TILE * 2),
                              .out = zeros(TILE * TILE * 2),
                              .rows = TILE,
                              .columns = TILE};

    (void)variant;
    ck_assert_int_eq(oriel_cuda_swiglu_prepare(NULL), cudaSuccess);
    return oriel_cuda_swiglu(&args, NULL);
}

static cudaError_t
linear_rows(int32_t dtype)
{
    oriel_linear_args a = linear_args();
    oriel_linear_rows_args args = {.x = a.x,
                                   .weight = a.weight,
                                   .bias = a.bias,
                                   .places = places(TILE),
                                   .out = zeros(TILE * TILE * 4),
                                   .row_bytes = TILE * 4,
                                   .out_rows = TILE,
                                   .rows = TILE,
                                   .columns = TILE,
                                   .depth = TILE,
                                   .dtype = dtype};

    ck_assert_int_eq(oriel_cuda_linear_rows_prepare(NULL), cudaSuccess);
    return oriel_cuda_linear_rows(&args, NULL);
}

/* 'dtype' 0 and -1: from pixels of patches of 14 x 14; -1: to two planes. */
enum { WIDE = -1 };
static cudaError_t
patch_embed(int32_t dtype)
{
    enum { PATCH = 14, VALUES = 3 * 2 * PATCH * PATCH };
    const size_t depth = (size_t)oriel_cuda_patch_depth(PATCH, 2);
    oriel_patch_embed_args args = {.weight = zeros(TILE * depth * 2),
                                   .out = zeros(TILE * TILE * 2),
                                   .rows = TILE,
                                   .hidden = TILE,
                                   .patch_size = PATCH,
                                   .slices = 2,
                                   .merge2 = 4,
                                   .dtype = dtype};

    if (dtype == WIDE)
        args.lo = zeros(TILE * TILE * 2);
    if (dtype > 0) {
        args.pixel_values = zeros((size_t)TILE * VALUES * 4);
        args.tokens = places(TILE / 4);
    } else {
        args.pixels = zeros(TILE * depth);
        args.is_still = zeros(TILE);
        args.table = zeros((size_t)3 * 256 * 2);
    }
    ck_assert_int_eq(oriel_cuda_patch_embed_prepare(NULL), cudaSuccess);
    return oriel_cuda_patch_embed(&args, NULL);
}

/* Four rows of 1,280, as published. */
enum { ROWS = 4, COLUMNS = 1280, HEADS = 16 };

static cudaError_t
rms_norm(int32_t variant)
{
    oriel_rms_norm_args args = {.x = zeros(ROWS * COLUMNS * 2),
                                .weight = zeros(COLUMNS * 2),
                                .out = zeros(ROWS * COLUMNS * 2),
                                .rows = ROWS,
                                .columns = COLUMNS};

    if (variant == WIDE)
        args.lo = zeros(ROWS * COLUMNS * 2);
    ck_assert_int_eq(oriel_cuda_rms_norm_prepare(NULL), cudaSuccess);
    return oriel_cuda_rms_norm(&args, NULL);
}

static cudaError_t
rope(int32_t head_dim)
{
    oriel_rope_args args = {zeros((size_t)(ROWS * 3 * HEADS * head_dim) * 2),
                            zeros((size_t)head_dim / 4 * 2 * sizeof(float)),
                            zeros(ROWS * 2 * sizeof(int32_t)),
                            ROWS,
                            HEADS,
                            head_dim,
                            {0}};

    ck_assert_int_eq(oriel_cuda_rope_prepare(NULL), cudaSuccess);
    return oriel_cuda_rope(&args, NULL);
}

static cudaError_t
store_rows(int32_t variant)
{
    const int32_t dtype = variant == WIDE ? ORIEL_CUDA_F32 : variant;
    oriel_store_rows_args args = {
        .x = zeros(ROWS * COLUMNS * 2),
        .tokens = places(1),
        .out = zeros(ROWS * COLUMNS * 4),
        .row_bytes = COLUMNS * (dtype == ORIEL_CUDA_F32 ? 4 : 2),
        .rows = ROWS,
        .columns = COLUMNS,
        .merge2 = 4,
        .dtype = dtype};

    if (variant == WIDE)
        args.lo = zeros(ROWS * COLUMNS * 2);
    ck_assert_int_eq(oriel_cuda_store_rows_prepare(NULL), cudaSuccess);
    return oriel_cuda_store_rows(&args, NULL);
}

static cudaError_t
store_bytes(int32_t variant)
{
    static const char bytes[ORIEL_CUDA_STORE_BYTES];
    oriel_store_bytes_args args = {zeros(sizeof(bytes)), bytes, sizeof(bytes)};

    (void)variant;
    ck_assert_int_eq(oriel_cuda_store_bytes_prepare(NULL), cudaSuccess);
    return oriel_cuda_store_bytes(&args, NULL);
}

/* A whole window of two heads. */
static cudaError_t
window_attention(int32_t head_dim)
{
    static const int32_t cu[] = {0, 64}, packs[] = {0, 0, 0, 0};
    oriel_window_attention_args args = {
        zeros((size_t)(64 * 3 * 2 * head_dim) * 2),
        zeros((size_t)(64 * 2 * head_dim) * 2),
        upload(cu, sizeof(cu)),
        upload(packs, sizeof(packs)),
        zeros((size_t)head_dim / 4 * 2 * sizeof(float)),
        zeros(64 * 2 * sizeof(int32_t)),
        1,
        2,
        head_dim,
        1,
        {0}};

    ck_assert_int_eq(oriel_cuda_window_attention_prepare(head_dim, NULL),
                     cudaSuccess);
    return oriel_cuda_window_attention(&args, NULL);
}

/* A frame of two heads whose last tile of keys is not full. */
static cudaError_t
full_attention(int32_t head_dim)
{
    static const int32_t tiles[] = {0, 100, 0};
    oriel_full_attention_args args = {
        zeros((size_t)(100 * 3 * 2 * head_dim) * 2),
        zeros((size_t)(100 * 2 * head_dim) * 2),
        upload(tiles, sizeof(tiles)),
        1,
        2,
        head_dim,
        1,
        {0}};

    ck_assert_int_eq(oriel_cuda_full_attention_prepare(head_dim, NULL),
                     cudaSuccess);
    return oriel_cuda_full_attention(&args, NULL);
}

/* A picture of 16 x 16 tokens, so 16 whole windows; all arrays. */
static cudaError_t
expand_plan(int32_t variant)
{
    enum { SIDE = 16, TOKENS = SIDE * SIDE, WINDOWS = TOKENS / 16 };
    static const oriel_plan_record record = {
        .frames = 1, .rows = SIDE, .columns = SIDE};
    oriel_expand_plan_args args = {
        .records = upload(&record, sizeof(record)),
        .n_records = 1,
        .tokens = TOKENS,
        .n_windows = WINDOWS,
        .side = 4,
        .windows_of = {0, 0, 0, WINDOWS},
        .window_index = zeros(TOKENS * 4),
        .window_inverse = zeros(TOKENS * 4),
        .positions = zeros(TOKENS * 32),
        .cu_window = zeros((WINDOWS + 1) * 4),
        .packs = zeros(WINDOWS * ORIEL_PACK_COLUMNS * 4),
        .window_tiles = zeros(WINDOWS * ORIEL_TILE_COLUMNS * 4),
        .frame_tiles = zeros(TOKENS * 4 / 128 * ORIEL_TILE_COLUMNS * 4),
        .is_still = zeros(TOKENS * 4)};

    (void)variant;
    ck_assert_int_eq(oriel_cuda_expand_plan_prepare(NULL), cudaSuccess);
    return oriel_cuda_expand_plan(&args, NULL);
}

/* Half the size by 8 taps, as bicubic with antialiasing has them. */
static oriel_resample_axis
halving(int32_t size)
{
    enum { TAPS = 8 };
    int32_t *first = malloc((size_t)size * sizeof(*first));
    int32_t *count = malloc((size_t)size * sizeof(*count));
    oriel_resample_axis axis = {.weights = zeros((size_t)(size * TAPS) * 4),
                                .source = 2 * size,
                                .size = size,
                                .max_taps = TAPS,
                                .shift = 15};

    for (int32_t i = 0; i < size; i++) {
        first[i] = 2 * i - 3 < 0 ? 0 : 2 * i - 3;
        count[i] = (2 * i + 5 > 2 * size ? 2 * size : 2 * i + 5) - first[i];
    }
    axis.first = upload(first, (size_t)size * sizeof(*first));
    axis.count = upload(count, (size_t)size * sizeof(*count));
    free(first);
    free(count);
    return axis;
}

/* A picture of 448 x 112 to 224 x 56; both passes. */
static cudaError_t
resample(int32_t vertical_first)
{
    enum { WIDTH = 224, HEIGHT = 56, PATCH = 14 };
    const int32_t tokens = WIDTH * HEIGHT / (4 * PATCH * PATCH);
    oriel_resample_job job = {.source = zeros((size_t)WIDTH * HEIGHT * 12),
                              .pitch = WIDTH * 2 * 3,
                              .across = halving(WIDTH),
                              .down = halving(HEIGHT),
                              .vertical_first = vertical_first};
    oriel_resample_args args = {.places = places(tokens),
                                .pixels =
                                    zeros((size_t)(4 * tokens * PATCH) *
                                          (size_t)oriel_cuda_patch_line(PATCH)),
                                .patch_size = PATCH,
                                .slices = 1,
                                .merge = 2};

    job.waiting = zeros(oriel_cuda_resample_measure(&job, NULL, NULL));
    ck_assert_int_eq(oriel_cuda_resample_number(&args, &job, 1), cudaSuccess);
    args.jobs = upload(&job, sizeof(job));
    ck_assert_int_eq(oriel_cuda_resample_prepare(NULL), cudaSuccess);
    return oriel_cuda_resample(&args, NULL);
}

/* ---- The figures ---------------------------------------------------------- */

/*
 * Requests, what they take, and the least that they could; the ratio of the last
 * two is what the kernel's head says.  Figures that are not named are zero.
 */
#define ROW(launcher, variant, ...) \
    { \
#launcher, launcher, variant, \
        { \
            __VA_ARGS__ \
        } \
    }

static const struct {
    const char *name;
    launcher *launch;
    int32_t variant;
    sim_counters expected;
} figures[] = {
    ROW(linear, 0, .matrices = {1024, 1024, 1024}, .arrivals = {128, 512, 512},
        .copies = {128, 2048, 2048}, .loads = {32, 32, 32},
        .stores = {256, 2048, 1024}),
    ROW(linear, 1, .matrices = {1024, 1024, 1024}, .arrivals = {128, 512, 512},
        .copies = {128, 2048, 2048}, .loads = {288, 2080, 1056},
        .stores = {256, 2048, 1024}),
    ROW(linear, 2, .matrices = {1024, 1024, 1024}, .arrivals = {128, 512, 512},
        .copies = {128, 2048, 2048}, .loads = {544, 4128, 2080},
        .stores = {512, 4096, 2048}),
    ROW(linear_gelu, 0, .matrices = {1024, 1024, 1024},
        .arrivals = {128, 512, 512}, .copies = {128, 2048, 2048},
        .loads = {32, 32, 32}, .stores = {256, 2048, 1024}),
    ROW(linear_swiglu, 0, .matrices = {1024, 1024, 1024},
        .arrivals = {128, 512, 512}, .copies = {128, 2048, 2048},
        .loads = {32, 32, 32}, .stores = {128, 1024, 512}),
    ROW(swiglu, 0, .loads = {128, 4096, 2048}, .stores = {64, 1024, 1024}),
    ROW(linear_rows, ORIEL_CUDA_F32, .matrices = {1024, 1024, 1024},
        .arrivals = {128, 512, 512}, .copies = {128, 2048, 2048},
        .loads = {160, 160, 160}, .stores = {256, 2048, 2048}),
    ROW(linear_rows, ORIEL_CUDA_BF16, .matrices = {1024, 1024, 1024},
        .arrivals = {128, 512, 512}, .copies = {128, 2048, 2048},
        .loads = {160, 160, 160}, .stores = {256, 2048, 1024}),
    ROW(patch_embed, 0, .matrices = {10752, 10752, 10752},
        .arrivals = {672, 2688, 2688}, .shared_stores = {672, 2688, 2688},
        .copies = {672, 10752, 10752}, .loads = {6720, 25760, 11424},
        .stores = {256, 2048, 1024}),
    ROW(patch_embed, WIDE, .matrices = {10752, 10752, 10752},
        .arrivals = {672, 2688, 2688}, .shared_stores = {672, 2688, 2688},
        .copies = {672, 10752, 10752}, .loads = {6720, 25760, 11424},
        .stores = {512, 4096, 2048}),
    ROW(patch_embed, ORIEL_CUDA_F32, .matrices = {10752, 10752, 10752},
        .arrivals = {672, 2688, 2688}, .shared_stores = {672, 2688, 2688},
        .copies = {672, 10752, 10752}, .loads = {6048, 151200, 19488},
        .stores = {256, 2048, 1024}),
    ROW(patch_embed, ORIEL_CUDA_BF16, .matrices = {10752, 10752, 10752},
        .arrivals = {672, 2688, 2688}, .shared_stores = {672, 2688, 2688},
        .copies = {672, 10752, 10752}, .loads = {6048, 150656, 10080},
        .stores = {256, 2048, 1024}),
    ROW(rms_norm, 0, .loads = {60, 960, 960}, .stores = {20, 320, 320}),
    ROW(rms_norm, WIDE, .loads = {100, 1600, 1600}, .stores = {20, 320, 320}),
    ROW(rope, 80, .loads = {304, 1296, 1104}, .stores = {160, 832, 640}),
    ROW(store_rows, ORIEL_CUDA_F32, .loads = {56, 336, 336},
        .stores = {40, 640, 640}),
    ROW(store_rows, ORIEL_CUDA_BF16, .loads = {56, 336, 336},
        .stores = {40, 320, 320}),
    ROW(store_rows, WIDE, .loads = {96, 656, 656}, .stores = {40, 640, 640}),
    ROW(store_bytes, 0, .stores = {8, 124, 124}),
    ROW(expand_plan, 0, .loads = {104, 104, 104}, .stores = {97, 693, 409}),
    ROW(window_attention, 16, .matrices = {288, 288, 288},
        .arrivals = {24, 192, 96}, .shared_loads = {32, 64, 64},
        .shared_stores = {32, 64, 64}, .copies = {24, 384, 384},
        .loads = {84, 132, 100}, .stores = {32, 256, 128}),
    ROW(window_attention, 32, .matrices = {576, 576, 576},
        .arrivals = {48, 384, 192}, .shared_loads = {32, 256, 128},
        .shared_stores = {32, 256, 128}, .copies = {48, 768, 768},
        .loads = {84, 132, 100}, .stores = {64, 512, 256}),
    ROW(window_attention, 64, .matrices = {1152, 1152, 1152},
        .arrivals = {96, 384, 384}, .shared_loads = {64, 512, 256},
        .shared_stores = {64, 512, 256}, .copies = {96, 1536, 1536},
        .loads = {132, 228, 132}, .stores = {128, 1024, 512}),
    ROW(window_attention, 80, .matrices = {1440, 1440, 1440},
        .arrivals = {120, 768, 480}, .shared_loads = {96, 640, 320},
        .shared_stores = {96, 640, 320}, .copies = {120, 1920, 1920},
        .loads = {180, 612, 372}, .stores = {160, 1280, 640}),
    ROW(window_attention, 128, .matrices = {2304, 2304, 2304},
        .arrivals = {192, 768, 768}, .shared_loads = {128, 512, 512},
        .shared_stores = {128, 512, 512}, .copies = {192, 3072, 3072},
        .loads = {228, 612, 356}, .stores = {256, 2048, 1024}),
    ROW(full_attention, 16, .matrices = {1088, 1088, 1088},
        .arrivals = {48, 384, 192}, .copies = {42, 600, 600},
        .loads = {48, 48, 48}, .stores = {52, 400, 200}),
    ROW(full_attention, 32, .matrices = {2176, 2176, 2176},
        .arrivals = {96, 768, 384}, .copies = {78, 1200, 1200},
        .loads = {48, 48, 48}, .stores = {104, 800, 400}),
    ROW(full_attention, 64, .matrices = {4352, 4352, 4352},
        .arrivals = {192, 768, 768}, .copies = {150, 2400, 2400},
        .loads = {48, 48, 48}, .stores = {208, 1600, 800}),
    ROW(full_attention, 80, .matrices = {5440, 5440, 5440},
        .arrivals = {240, 1536, 960}, .copies = {192, 3000, 3000},
        .loads = {48, 48, 48}, .stores = {260, 2000, 1000}),
    ROW(full_attention, 128, .matrices = {8704, 8704, 8704},
        .arrivals = {384, 1536, 1536}, .copies = {300, 4800, 4800},
        .loads = {48, 48, 48}, .stores = {416, 3200, 1600}),
    ROW(resample, 0, .loads = {29622, 289952, 58930},
        .stores = {924, 11088, 3696}),
    ROW(resample, 1, .loads = {27284, 203127, 54268},
        .stores = {924, 11088, 3696}),
};

START_TEST(costs_what_its_head_says)
{
    char kernel[64];
    sim_counters c;

    snprintf(kernel, sizeof(kernel), "%s (%d)", figures[_i].name,
             figures[_i].variant);
    sim_start_counters();
    ck_assert_int_eq(figures[_i].launch(figures[_i].variant), cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    c = sim_take_counters();
    counters_check(kernel, &c, &figures[_i].expected);
    give_back();
}
END_TEST

/* A kernel file without figures is one whose head says nothing. */
START_TEST(every_file_has_figures)
{
    static const char *const files[] = {KERNEL_FILES};

    for (size_t f = 0; f < COUNT(files); f++) {
        size_t row = 0;

        while (row < COUNT(figures) && strcmp(figures[row].name, files[f]) != 0)
            row++;
        ck_assert_msg(row < COUNT(figures), "%s.cu has no row", files[f]);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("counters");
    TCase *tcase = tcase_create("counters");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, costs_what_its_head_says, 0, COUNT(figures));
    tcase_add_test(tcase, every_file_has_figures);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
