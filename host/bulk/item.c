/* SPDX-License-Identifier: Apache-2.0 */
/* item.c - one input on its way: read, decoded, encoded, written */
#include "bulk/item.h"

#include "base/fail.h"
#include "cli/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
/* The inlined hash is not ours to warn about. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include <xxhash.h>
#pragma GCC diagnostic pop

static size_t
count_frames(const bulk_entry *entry)
{
    size_t n = 0;

    if (!entry->frames)
        return 1;
    while (entry->frames[n])
        n++;
    return n;
}

bulk_item *
bulk_item_new(bulk_entry *entry)
{
    bulk_item *item = calloc(1, sizeof(*item));

    if (!item) {
        bulk_entry_free(entry);
        return NULL;
    }
    item->entry = entry;
    item->err = entry->err;
    if (item->err.status || entry->named_only)
        return item;
    item->n_frames = count_frames(entry);
    item->frames = calloc(item->n_frames + 1, sizeof(*item->frames));
    if (!item->frames) {
        bulk_item_free(item);
        return NULL;
    }
    for (size_t i = 0; i < item->n_frames; i++)
        item->frames[i].name = entry->frames ? entry->frames[i] : entry->source;
    if (entry->bytes) {
        item->frames[0].bytes = entry->bytes;
        item->frames[0].n_bytes = entry->n_bytes;
        item->frames[0].is_member = true;
        entry->bytes = NULL;
    }
    return item;
}

void
bulk_item_let_go(bulk_item *item)
{
    for (size_t i = 0; i < item->n_frames && item->frames; i++)
        cli_photo_free(&item->frames[i]);
    free(item->frames);
    item->frames = NULL;
    item->file_bytes = 0;
}

void
bulk_item_free(bulk_item *item)
{
    if (!item)
        return;
    bulk_item_let_go(item);
    bulk_entry_free(item->entry);
    bulk_block_release(item->block);
    free(item);
}

bool
bulk_item_is_at_fault(const bulk_item *item)
{
    return item->err.status == ORIEL_ERR_INPUT ||
           item->err.status == ORIEL_ERR_CAPACITY ||
           item->err.status == ORIEL_ERR_UNSUPPORTED;
}

/* ---- Measuring ------------------------------------------------------------ */

/* A video's message says which of its files it is about. */
static void
fail_as_frame(bulk_item *item, const cli_photo *frame)
{
    item->err = frame->err;
    if (item->entry->frames)
        oriel_fail(&item->err, frame->err.status, "frame %s: %.300s",
                   ORIEL_QUOTE(frame->name), frame->err.message);
}

static void
measure_frame(bulk_item *item, cli_photo *frame, const cli_settings *settings)
{
    const cli_photo *first = &item->frames[0];

    cli_photo_look(frame, settings);
    if (frame->err.status) {
        fail_as_frame(item, frame);
        return;
    }
    item->rgb_bytes += frame->rgb_bytes;
    item->file_bytes += frame->bytes ? frame->n_bytes : 0;
    if (frame->decode_bytes > item->decode_bytes)
        item->decode_bytes = frame->decode_bytes;
    if (frame->item.width != first->item.width ||
        frame->item.height != first->item.height)
        oriel_fail(&item->err, ORIEL_ERR_INPUT,
                   "frame %s: %d x %d, expected %d x %d as the first frame",
                   ORIEL_QUOTE(frame->name), frame->item.width,
                   frame->item.height, first->item.width, first->item.height);
}

/* What the whole of it becomes. */
static void
measure_shape(bulk_item *item, const cli_settings *settings)
{
    item->shape = item->frames[0].item;
    if (item->entry->frames) {
        item->shape.frames = (int32_t)item->n_frames;
        item->shape.kind = ORIEL_KIND_VIDEO;
    }
    if (oriel_item_measure(settings->model, &item->shape, &settings->plan,
                           item->grid, &item->tokens, &item->err) == ORIEL_OK)
        item->patches = item->grid[0] * item->grid[1] * item->grid[2];
}

void
bulk_item_measure(bulk_item *item, const cli_settings *settings)
{
    XXH3_state_t hash;
    bool whole = true;

    XXH3_128bits_reset(&hash);
    for (size_t i = 0; i < item->n_frames && !item->err.status; i++) {
        cli_photo *frame = &item->frames[i];

        if (!frame->bytes)
            cli_photo_read(frame, settings);
        whole = whole && cli_photo_has_head(frame);
        if (frame->err.status) {
            fail_as_frame(item, frame);
            whole = false;
            break;
        }
        XXH3_128bits_update(&hash, frame->bytes, frame->n_bytes);
        measure_frame(item, frame, settings);
        if (item->err.status && i + 1 < item->n_frames)
            whole = false;
    }
    if (whole && item->n_frames > 0) {
        const XXH128_hash_t sum = XXH3_128bits_digest(&hash);

        snprintf(item->hash, sizeof(item->hash), "%016" PRIx64 "%016" PRIx64,
                 (uint64_t)sum.high64, (uint64_t)sum.low64);
    }
    if (!item->err.status)
        measure_shape(item, settings);
    if (item->err.status)
        bulk_item_let_go(item);
}

void
bulk_item_decode(bulk_item *item, const cli_settings *settings)
{
    for (size_t i = 0; i < item->n_frames && !item->err.status; i++) {
        const cli_photo *frame = &item->frames[i];

        cli_photo_decode(&item->frames[i], settings);
        if (frame->err.status)
            fail_as_frame(item, frame);
        else if (frame->padded[0] && !item->padded[0])
            memcpy(item->padded, frame->padded, sizeof(item->padded));
    }
    item->file_bytes = 0;
    if (item->err.status)
        bulk_item_let_go(item);
}

/* ---- The manifest --------------------------------------------------------- */

static json_t *
integer_or_null(int64_t value, bool there)
{
    return there ? json_integer(value) : json_null();
}

/* False: memory is out. */
static bool
add_optional(json_t *line, const bulk_item *item)
{
    const bulk_entry *entry = item->entry;

    if (entry->frames &&
        json_object_set_new(line, "frames",
                            json_integer((json_int_t)item->n_frames)) != 0)
        return false;
    if (item->padded[0] && !item->err.status &&
        json_object_set_new(line, "padded", json_string(item->padded)) != 0)
        return false;
    return !entry->columns ||
           json_object_set(line, "columns", entry->columns) == 0;
}

json_t *
bulk_item_line(const bulk_item *item)
{
    const bool ok = item->err.status == ORIEL_OK;
    const bool sized = item->shape.width > 0;
    json_t *grid =
        ok ? json_pack("[I, I, I]", (json_int_t)item->grid[0],
                       (json_int_t)item->grid[1], (json_int_t)item->grid[2])
           : json_null();
    json_t *line = json_pack(
        "{s:I, s:O, s:o, s:s, s:s?, s:o, s:o, s:o, s:o, s:n, s:n, s:n, s:s?, "
        "s:o}",
        "index", (json_int_t)item->entry->index, "id", item->entry->id,
        "source", cli_text_name(item->entry->source), "status",
        ok ? "ok" : "failed", "reason", ok ? NULL : item->err.message, "width",
        integer_or_null(item->shape.width, sized), "height",
        integer_or_null(item->shape.height, sized), "grid_thw", grid, "tokens",
        integer_or_null(item->tokens, ok), "shard", "row_begin", "row_end",
        "hash", *item->hash ? item->hash : NULL, "flops",
        integer_or_null(item->flops, ok));

    if (line && add_optional(line, item))
        return line;
    json_decref(line);
    return NULL;
}
