/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_plan.c - any sizes, grids, limits and geometry that a configuration may
 * have (the ranges are from model/config.c)
 */
#include "base/network.h"
#include "fuzz/fuzz.h"
#include "oriel.h"
#include "support/fake_model.h"

#include <stdlib.h>
#include <string.h>

/* A plan may be large by right; here that is out of memory. */
enum { MAX_BYTES = 4 << 20, MAX_ITEMS = 64 };

typedef struct header {
    uint8_t from_grids, patch, merge, temporal;
    uint8_t window_tokens, sizing, resample, full_blocks;
    int64_t min_pixels, max_pixels;
} header;

static void *
small_alloc(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    return bytes > MAX_BYTES ? NULL : aligned_alloc(alignment, bytes);
}

static void
small_free(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static oriel_network
network_of(const header *h)
{
    oriel_network n = network_7b;

    n.patch_size = 1 + h->patch;
    n.spatial_merge_size = 1 + h->merge % 16;
    n.temporal_patch_size = 1 + h->temporal % 16;
    n.window_size =
        (1 + h->window_tokens % 16) * n.patch_size * n.spatial_merge_size;
    n.n_full_attention_blocks = h->full_blocks % 5;
    return n;
}

/* Both index arrays are one permutation, which keeps every item's place. */
static void
check_order(const oriel_plan_info *info)
{
    for (int32_t i = 0; i < info->n_items; i++)
        for (int64_t k = info->offsets[i]; k < info->offsets[i + 1]; k++) {
            const int32_t at = info->window_index[k];

            FUZZ_CHECK(at >= info->offsets[i] && at < info->offsets[i + 1]);
            FUZZ_CHECK(info->window_inverse[at] == k);
        }
}

static void
check_segments(const int32_t *cu, int32_t n, int32_t longest, int64_t patches)
{
    int32_t most = 0;

    FUZZ_CHECK(n >= 1 && cu[0] == 0 && cu[n] == patches);
    for (int32_t i = 0; i < n; i++) {
        FUZZ_CHECK(cu[i] < cu[i + 1]);
        most = cu[i + 1] - cu[i] > most ? cu[i + 1] - cu[i] : most;
    }
    FUZZ_CHECK(most == longest);
}

static void
check_plan(oriel_plan *plan, const oriel_network *n)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    const int64_t merge = n->spatial_merge_size;
    int64_t flops = 0;

    FUZZ_CHECK(!oriel_plan_get_info(plan, &info, NULL));
    FUZZ_CHECK(info.patches <= ORIEL_MAX_PATCHES);
    FUZZ_CHECK(info.tokens * merge * merge == info.patches);
    for (int32_t i = 0; i < info.n_items; i++) {
        const int64_t *g = info.grid_thw + 3 * (int64_t)i;

        FUZZ_CHECK(g[0] >= 1 && g[1] >= 1 && g[2] >= 1);
        FUZZ_CHECK(g[1] % merge == 0 && g[2] % merge == 0);
        FUZZ_CHECK(g[0] * g[1] * g[2] ==
                   (info.offsets[i + 1] - info.offsets[i]) * merge * merge);
        FUZZ_CHECK(info.flops_per_item[i] > 0);
        flops += info.flops_per_item[i];
    }
    FUZZ_CHECK(info.flops == flops);
    check_order(&info);
    check_segments(info.cu_seqlens, info.n_frames, info.longest_frame,
                   info.patches);
    check_segments(info.cu_window_seqlens, info.n_windows, info.longest_window,
                   info.patches);
    for (int64_t p = 0; p < 2 * info.patches; p++)
        FUZZ_CHECK(info.positions[p] >= 0 &&
                   info.positions[p] < info.longest_frame);
    fuzz_accepted++;
}

/* What oriel_plan_split says of items that a plan took or refused. */
static void
check_split(const oriel_network *network, const oriel_item *items, size_t n,
            const oriel_plan_options *options, const oriel_error *plans)
{
    const oriel_model *model = model_of(network);
    size_t ends[MAX_ITEMS], n_ends, first = 0;
    oriel_error err;
    oriel_status status =
        oriel_plan_split(model, items, n, options, NULL, ends, &n_ends, &err);

    FUZZ_CHECK(err.status == status && n_ends <= n);
    for (size_t k = 0; k < n_ends; k++) {
        FUZZ_CHECK(ends[k] > first && ends[k] <= n);
        first = ends[k];
    }
    if (status == ORIEL_OK)
        FUZZ_CHECK(first == n);
    else if (status == ORIEL_ERR_INPUT)
        FUZZ_CHECK(err.item == (int64_t)first);
    else
        FUZZ_CHECK(n_ends == 0);
    if (plans->status == ORIEL_OK || plans->status == ORIEL_ERR_MEMORY)
        FUZZ_CHECK(status == ORIEL_OK && n_ends == 1);
    else if (plans->status != ORIEL_ERR_CAPACITY)
        FUZZ_CHECK(status == plans->status && err.item == plans->item);
    else if (n_ends)
        FUZZ_CHECK((int64_t)ends[0] == plans->item);
    if (n)
        FUZZ_CHECK(oriel_item_measure(model, items, options, NULL, NULL,
                                      &err) != ORIEL_ERR_CAPACITY);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_item items[MAX_ITEMS];
    int64_t grids[3 * MAX_ITEMS];
    oriel_network network;
    oriel_status status;
    oriel_plan *plan;
    oriel_error err;
    header h;
    size_t n;

    if (bytes < sizeof(h))
        return 0;
    memcpy(&h, data, sizeof(h));
    data += sizeof(h);
    bytes -= sizeof(h);
    network = network_of(&h);
    hooks.alloc = small_alloc;
    hooks.free = small_free;
    options.hooks = &hooks;
    options.sizing = h.sizing;
    options.resample = h.resample;
    options.min_pixels = h.min_pixels;
    options.max_pixels = h.max_pixels;
    options.video_min_pixels = h.min_pixels;
    options.video_max_pixels = h.max_pixels;
    if (h.from_grids) {
        n = bytes / sizeof(int64_t[3]);
        n = n < MAX_ITEMS ? n : MAX_ITEMS;
        memcpy(grids, data, n * sizeof(int64_t[3]));
        status = oriel_plan_create_from_grids(&plan, model_of(&network), grids,
                                              n, &options, &err);
    } else {
        n = bytes / sizeof(oriel_item);
        n = n < MAX_ITEMS ? n : MAX_ITEMS;
        memcpy(items, data, n * sizeof(oriel_item));
        status = oriel_plan_create(&plan, model_of(&network), items, n,
                                   &options, &err);
        check_split(&network, items, n, &options, &err);
    }
    FUZZ_CHECK(err.status == status && !plan == !!status);
    FUZZ_CHECK(err.item >= -1 && err.item < (int64_t)n);
    FUZZ_CHECK(!err.message[0] == !status);
    if (status == ORIEL_ERR_INPUT || status == ORIEL_ERR_CAPACITY)
        FUZZ_CHECK(err.item >= 0);
    if (!status)
        check_plan(plan, &network);
    oriel_plan_destroy(plan);
    return 0;
}
