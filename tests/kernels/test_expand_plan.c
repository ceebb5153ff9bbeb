/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arrays that the GPU makes of records, against the arrays of the host's plan,
 * and packs and tiles against windows and frames taken one by one.
 */
#include "cuda/records.h"
#include "support/device_case.h"
#include "support/fake_model.h"
#include "support/segments.h"
#include "support/suite.h"

#include "ops.h"

#include <stdlib.h>
#include <string.h>

enum { ITEMS_MOST = 12 };
/* As wide as a network may be, so that values are more than 2^31. */
enum { HIDDEN = 8192, SEQUENCES = ORIEL_CUDA_SEQUENCES };
enum {
    INDEX,
    INVERSE,
    POSITIONS,
    CU_WINDOW,
    PACKS,
    W_TILES,
    F_TILES,
    STILL,
    LENGTHS,
    QKV_OFFSETS,
    OUT_OFFSETS,
    COUNTED,
    OUTPUTS
};

/* A batch and what is expected of it; outputs lie one after another. */
typedef struct batch {
    oriel_network network;
    oriel_plan *plan;
    oriel_cuda_work_counts counts;
    bool fit; /* windows into packs */
    device_buffer records;
    bool listed;            /* its frames are few enough */
    size_t at[OUTPUTS + 1]; /* of each output, and the end */
    unsigned char *expected;
} batch;

/* ---- What is expected ------------------------------------------------------ */

typedef struct writer {
    int32_t *to;
    int32_t columns;
} writer;

static void
put_row(void *context, const int32_t *row)
{
    writer *w = context;

    memcpy(w->to, row, (size_t)w->columns * sizeof(*row));
    w->to += w->columns;
}

/* Windows' tiles in window order. */
static void
put_window_tiles(const oriel_plan_info *info, int32_t *to)
{
    writer w = {to, ORIEL_TILE_COLUMNS};

    for (int32_t i = 0; i < info->n_windows; i++) {
        const int32_t *cu = &info->cu_window_seqlens[i];

        for (int32_t query = 0; query < cu[1] - cu[0]; query += 128)
            put_row(&w, (int32_t[]){cu[0], cu[1] - cu[0], query});
    }
}

enum { UNTOUCHED = 0xa5 };

/* The reference pads a video with its last frame. */
static void
put_still(const batch *b, uint8_t *to)
{
    const oriel_plan *plan = b->plan;
    int32_t per_slice = b->network.temporal_patch_size;

    for (int64_t i = 0; i < plan->info.n_items; i++) {
        const int64_t *grid = &plan->info.grid_thw[3 * i];
        int32_t frames = plan->items[i].frames;

        for (int64_t t = 0; t < grid[0]; t++)
            for (int64_t p = 0; p < grid[1] * grid[2]; p++)
                *to++ = per_slice == 2 && 2 * t + 1 >= frames;
    }
}

/* Of the frames, which are the segments of cu_seqlens. */
static void
put_sequences(const batch *b)
{
    const oriel_plan_info *info = &b->plan->info;
    int32_t *lengths = (int32_t *)(void *)(b->expected + b->at[LENGTHS]);
    int64_t *qkv = (int64_t *)(void *)(b->expected + b->at[QKV_OFFSETS]);
    int64_t *out = (int64_t *)(void *)(b->expected + b->at[OUT_OFFSETS]);

    for (int32_t i = 0; i <= SEQUENCES; i++) {
        const int32_t frame = i < info->n_frames ? i : info->n_frames;
        const int64_t row = info->cu_seqlens[frame];

        out[i] = row * HIDDEN;
        qkv[i] = row * 3 * HIDDEN;
        if (i < SEQUENCES)
            lengths[i] = i < info->n_frames
                             ? info->cu_seqlens[i + 1] - info->cu_seqlens[i]
                             : 0;
    }
}

static void
lay_out(batch *b)
{
    const oriel_plan_info *info = &b->plan->info;
    const oriel_cuda_work_counts *counts = &b->counts;
    size_t tokens = (size_t)info->tokens, word = sizeof(int32_t);
    const size_t bytes[] = {
        tokens * word,
        tokens * word,
        tokens * 8 * word,
        ((size_t)info->n_windows + 1) * word,
        (size_t)counts->n_packs * ORIEL_PACK_COLUMNS * word,
        (size_t)counts->n_window_tiles * ORIEL_TILE_COLUMNS * word,
        (size_t)counts->n_frame_tiles * ORIEL_TILE_COLUMNS * word,
        tokens * 4,
        SEQUENCES * word,
        (SEQUENCES + 1) * sizeof(int64_t),
        (SEQUENCES + 1) * sizeof(int64_t),
        sizeof(oriel_batch_counts)};

    for (size_t i = 0; i < COUNT(bytes); i++)
        b->at[i + 1] = (b->at[i] + bytes[i] + 15) / 16 * 16;
}

static int32_t *
part(const batch *b, int which)
{
    return (int32_t *)(void *)(b->expected + b->at[which]);
}

static void
fill_expected(batch *b)
{
    const oriel_plan_info *info = &b->plan->info;
    size_t tokens = (size_t)info->tokens, word = sizeof(int32_t);
    writer packs = {part(b, PACKS), ORIEL_PACK_COLUMNS};
    writer tiles = {part(b, F_TILES), ORIEL_TILE_COLUMNS};

    memcpy(part(b, INDEX), info->window_index, tokens * word);
    memcpy(part(b, POSITIONS), info->positions, tokens * 8 * word);
    memcpy(part(b, CU_WINDOW), info->cu_window_seqlens,
           ((size_t)info->n_windows + 1) * word);
    if (b->fit)
        ck_assert_int_eq(oriel_cuda_pack_windows(info->cu_window_seqlens,
                                                 info->n_windows, put_row,
                                                 &packs),
                         b->counts.n_packs);
    else
        put_window_tiles(info, part(b, W_TILES));
    ck_assert_int_eq(oriel_cuda_tile_segments(info->cu_seqlens, info->n_frames,
                                              put_row, &tiles),
                     b->counts.n_frame_tiles);
    if (b->listed)
        put_sequences(b);
    if (b->fit)
        memcpy(part(b, COUNTED), &(oriel_batch_counts){7, 5, 3},
               sizeof(oriel_batch_counts));
    if (b->plan->from_grids) /* then these are not asked for */
        return;
    memcpy(part(b, INVERSE), info->window_inverse, tokens * word);
    put_still(b, b->expected + b->at[STILL]);
}

/* ---- Batches --------------------------------------------------------------- */

static void
put_record(void *context, const oriel_plan_record *record)
{
    oriel_plan_record **to = context;

    *(*to)++ = *record;
}

static void
finish_batch(batch *b)
{
    int32_t side = oriel_network_window_tokens(&b->network);
    size_t n = (size_t)b->plan->info.n_items;
    oriel_plan_record *records = calloc(n, sizeof(*records)), *to = records;

    ck_assert_uint_le(sizeof(*records), 64);
    b->fit = side <= 4;
    b->listed = b->plan->info.n_frames <= SEQUENCES;
    oriel_cuda_count(&b->counts, b->plan, b->fit);
    if (b->fit) /* as large as it can be: the reference checks itself */
        ck_assert_int_le(b->counts.n_packs, b->plan->info.n_windows);
    lay_out(b);
    /* Outputs start poisoned with what the gaps between them are to keep. */
    b->expected = malloc(b->at[OUTPUTS]);
    memset(b->expected, UNTOUCHED, b->at[OUTPUTS]);
    fill_expected(b);
    oriel_cuda_make_records(b->plan, b->fit, put_record, &to);
    ck_assert_int_eq(to - records, (ptrdiff_t)n);
    b->records = device_upload(records, n * sizeof(*records));
    free(records);
}

static void
free_batch(batch *b)
{
    device_release(b->records);
    free(b->expected);
    oriel_plan_destroy(b->plan);
}

static oriel_network
network_of_side(int32_t side)
{
    oriel_network network = network_7b;

    network.window_size = side * oriel_network_token_pixels(&network);
    return network;
}

static int32_t
tokens_between(random_stream *random, int32_t most)
{
    return (int32_t)random_between(random, 1, most);
}

/* Small items, thin ones, and videos with an odd frame at the end. */
static void
make_random_batch(batch *b, random_stream *random, int32_t side)
{
    oriel_item items[ITEMS_MOST] = {{0}};
    int32_t n = tokens_between(random, ITEMS_MOST), size;
    oriel_error err;

    memset(b, 0, sizeof(*b));
    b->network = network_of_side(side);
    size = oriel_network_token_pixels(&b->network);
    for (int32_t i = 0; i < n; i++) {
        bool thin = random_between(random, 0, 3) == 0;
        int32_t rows = tokens_between(random, thin ? 40 : 13);
        int32_t columns = tokens_between(random, thin ? 2 : 13);
        bool turned = random_between(random, 0, 1);

        items[i].width = items[i].resized_width =
            size * (turned ? rows : columns);
        items[i].height = items[i].resized_height =
            size * (turned ? columns : rows);
        if (random_between(random, 0, 2) == 0)
            items[i].frames = tokens_between(random, 5);
    }
    ck_assert_msg(oriel_plan_create(&b->plan, model_of(&b->network), items,
                                    (size_t)n, NULL, &err) == ORIEL_OK,
                  "%s", err.message);
    finish_batch(b);
}

static void
make_grid_batch(batch *b, int32_t side, const int64_t (*grids)[3], size_t n)
{
    oriel_error err;

    memset(b, 0, sizeof(*b));
    b->network = network_of_side(side);
    ck_assert_msg(oriel_plan_create_from_grids(&b->plan, model_of(&b->network),
                                               grids[0], n, NULL,
                                               &err) == ORIEL_OK,
                  "%s", err.message);
    finish_batch(b);
}

/* ---- Runs ------------------------------------------------------------------ */

static oriel_expand_plan_args
args_of(const batch *b, char *out)
{
    oriel_expand_plan_args args = {
        .records = b->records.data,
        .n_records = b->plan->info.n_items,
        .tokens = (int32_t)b->plan->info.tokens,
        .n_windows = b->plan->info.n_windows,
        .side = oriel_network_window_tokens(&b->network),
        .window_index = (int32_t *)(void *)(out + b->at[INDEX]),
        .positions = (int32_t *)(void *)(out + b->at[POSITIONS]),
        .cu_window = (int32_t *)(void *)(out + b->at[CU_WINDOW]),
        .frame_tiles = (int32_t *)(void *)(out + b->at[F_TILES])};

    if (!b->plan->from_grids) {
        args.window_inverse = (int32_t *)(void *)(out + b->at[INVERSE]);
        args.is_still = (uint8_t *)out + b->at[STILL];
    }
    if (b->listed) {
        args.lengths = (int32_t *)(void *)(out + b->at[LENGTHS]);
        args.qkv_offsets = (int64_t *)(void *)(out + b->at[QKV_OFFSETS]);
        args.out_offsets = (int64_t *)(void *)(out + b->at[OUT_OFFSETS]);
        args.hidden = HIDDEN;
    }
    args.counts = (oriel_batch_counts){7, 5, 3};
    if (b->fit) {
        args.packs = (int32_t *)(void *)(out + b->at[PACKS]);
        args.counts_out = (oriel_batch_counts *)(void *)(out + b->at[COUNTED]);
    } else
        args.window_tiles = (int32_t *)(void *)(out + b->at[W_TILES]);
    memcpy(args.windows_of, b->counts.windows_of, sizeof(args.windows_of));
    return args;
}

static cudaError_t
run(void *context, void *out)
{
    oriel_expand_plan_args args = args_of(context, out);

    return oriel_cuda_expand_plan(&args, NULL);
}

static void
compare(const batch *b, const unsigned char *out)
{
    static const char *const names[] = {
        "window_index", "window_inverse", "positions",   "cu_window",
        "packs",        "window_tiles",   "frame_tiles", "is_still",
        "lengths",      "qkv_offsets",    "out_offsets", "counts_out"};

    for (size_t i = 0; i < COUNT(names); i++)
        ck_assert_msg(memcmp(out + b->at[i], b->expected + b->at[i],
                             b->at[i + 1] - b->at[i]) == 0,
                      "%s differs", names[i]);
}

/* Once, under the schedule that is set. */
static void
check_once(const batch *b)
{
    unsigned char *out = malloc(b->at[OUTPUTS]);
    device_buffer buffer;

    memset(out, UNTOUCHED, b->at[OUTPUTS]);
    buffer = device_upload(out, b->at[OUTPUTS]);
    ck_assert_int_eq(run((void *)(uintptr_t)b, buffer.data), cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    device_download(out, buffer);
    compare(b, out);
    device_release(buffer);
    free(out);
}

/* A thousand batches for each side of windows. */
START_TEST(random_batches)
{
    static const int32_t sides[] = {1, 2, 3, 4, 5, 8};
    random_stream random = {(uint64_t)_i + 1};

    ck_assert_int_eq(oriel_cuda_expand_plan_prepare(NULL), cudaSuccess);
    for (int i = 0; i < 1000; i++) {
        batch b;

        device_set_schedule(i % device_schedules());
        make_random_batch(&b, &random, sides[_i]);
        check_once(&b);
        free_batch(&b);
    }
    device_set_schedule(0);
}
END_TEST

static const int64_t mixed[][3] = {{1, 2, 2},  {3, 10, 14}, {1, 18, 2},
                                   {2, 2, 50}, {1, 36, 52}, {1, 8, 8},
                                   {1, 6, 6},  {4, 4, 4},   {1, 22, 6}};

START_TEST(every_schedule_agrees)
{
    static const int32_t sides[] = {4, 3, 8};
    unsigned char *out, *initial;
    batch b;

    ck_assert_int_eq(oriel_cuda_expand_plan_prepare(NULL), cudaSuccess);
    make_grid_batch(&b, sides[_i], mixed, COUNT(mixed));
    out = malloc(b.at[OUTPUTS]);
    initial = malloc(b.at[OUTPUTS]);
    memset(initial, UNTOUCHED, b.at[OUTPUTS]);
    device_check_schedules(run, &b, out, b.at[OUTPUTS], initial);
    compare(&b, out);
    free(out);
    free(initial);
    free_batch(&b);
}
END_TEST

/* A frame of 400,000 patches and more, windows large enough for several tiles
   each, and windows larger than anything. */
START_TEST(large_ones)
{
    static const int64_t grids[][3] = {{1, 2, 2}, {1, 640, 640}, {2, 34, 20}};
    static const int32_t sides[] = {4, 24, 1 << 20};
    batch b;

    ck_assert_int_eq(oriel_cuda_expand_plan_prepare(NULL), cudaSuccess);
    make_grid_batch(&b, sides[_i], grids, COUNT(grids));
    check_once(&b);
    free_batch(&b);
}
END_TEST

/* As many frames as are listed, in one item and in several; one more, which are
   not, touches nothing. */
START_TEST(as_many_as_are_listed)
{
    static const int64_t grids[][3][3] = {
        {{SEQUENCES, 2, 4}, {0}, {0}},
        {{1, 6, 2}, {SEQUENCES - 3, 2, 2}, {2, 4, 6}},
        {{1, 6, 2}, {SEQUENCES - 3, 2, 2}, {3, 4, 6}}};
    batch b;

    ck_assert_int_eq(oriel_cuda_expand_plan_prepare(NULL), cudaSuccess);
    make_grid_batch(&b, 4, grids[_i], _i == 0 ? 1 : 3);
    ck_assert_int_eq(b.listed, _i < 2);
    check_once(&b);
    free_batch(&b);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("expand_plan");
    TCase *tc = tcase_create("expand_plan");

    tcase_set_timeout(tc, 240);
    tcase_add_loop_test(tc, random_batches, 0, 6);
    tcase_add_loop_test(tc, every_schedule_agrees, 0, 3);
    tcase_add_loop_test(tc, large_ones, 0, 3);
    tcase_add_loop_test(tc, as_many_as_are_listed, 0, 3);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
