/* SPDX-License-Identifier: Apache-2.0 */
/* bmff.c - items, their types, properties, references and data */
#include "formats/bmff.h"

#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

/* Grids: at least this many pixels a tile, but for the first few tiles. */
enum { TILE_PIXELS = 16384, TILES_FREE = 64, OVERLAID_MAX = 16 };
/* A coded picture may be larger than what is shown of it, by blocks. */
#define CODED_SPARE ((uint64_t)1 << 20)

/* An item's kind, by its identifier; larger identifiers do not occur. */
enum { ITEMS_MAX = 65536 };
typedef enum item_kind {
    ITEM_OTHER,
    ITEM_AV1,
    ITEM_HEVC,
    ITEM_GRID,
    ITEM_OVERLAY,
    ITEM_IDENTITY
} item_kind;

typedef struct span {
    const uint8_t *bytes;
    size_t n_bytes, at;
    bool ended; /* something was read beyond the end */
} span;

/* The boxes that are looked at; empty when absent. */
typedef struct boxes {
    const oriel_image_job *job;
    span iinf, iref, ipco, iloc, idat;
    uint8_t *kinds; /* [ITEMS_MAX] */
} boxes;

static uint64_t
take(span *s, size_t n)
{
    uint64_t value = 0;

    if (s->n_bytes - s->at < n) {
        s->ended = true;
        s->at = s->n_bytes;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        value = value << 8 | s->bytes[s->at++];
    return value;
}

/* The next box within 'parent'; false at the end, or when none fits. */
static bool
next_box(span *parent, char type[4], span *box)
{
    size_t start = parent->at;
    uint64_t n;

    if (parent->n_bytes - start < 8)
        return false;
    n = take(parent, 4);
    memcpy(type, parent->bytes + parent->at, 4);
    parent->at += 4;
    if (n == 1)
        n = take(parent, 8);
    else if (n == 0)
        n = parent->n_bytes - start;
    if (parent->ended || n < parent->at - start || n > parent->n_bytes - start)
        return false;
    *box = (span){parent->bytes + parent->at, (size_t)n - (parent->at - start),
                  0, false};
    parent->at = start + (size_t)n;
    return true;
}

static bool
is_type(const char type[4], const char *wanted)
{
    return memcmp(type, wanted, 4) == 0;
}

/* ---- Finding the boxes --------------------------------------------------- */

static void
find_properties(boxes *b, span properties)
{
    span box;
    char type[4];

    while (next_box(&properties, type, &box))
        if (is_type(type, "ipco"))
            b->ipco = box;
}

static void
find_in_meta(boxes *b, span meta)
{
    span box;
    char type[4];

    take(&meta, 4);
    while (next_box(&meta, type, &box))
        if (is_type(type, "iinf"))
            b->iinf = box;
        else if (is_type(type, "iref"))
            b->iref = box;
        else if (is_type(type, "iloc"))
            b->iloc = box;
        else if (is_type(type, "idat"))
            b->idat = box;
        else if (is_type(type, "iprp"))
            find_properties(b, box);
}

static bool
find_boxes(boxes *b)
{
    span file = {b->job->bytes, b->job->n_bytes, 0, false}, box;
    char type[4];
    bool found = false;

    while (next_box(&file, type, &box))
        if (is_type(type, "meta") && !found) {
            find_in_meta(b, box);
            found = true;
        }
    return found;
}

/* ---- Items --------------------------------------------------------------- */

static item_kind
kind_of(const char type[4])
{
    return is_type(type, "av01")   ? ITEM_AV1
           : is_type(type, "hvc1") ? ITEM_HEVC
           : is_type(type, "hev1") ? ITEM_HEVC
           : is_type(type, "grid") ? ITEM_GRID
           : is_type(type, "iovl") ? ITEM_OVERLAY
           : is_type(type, "iden") ? ITEM_IDENTITY
                                   : ITEM_OTHER;
}

static bool
read_items(boxes *b)
{
    uint64_t version = take(&b->iinf, 1);
    span box;
    char type[4];

    take(&b->iinf, 3);
    take(&b->iinf, version == 0 ? 2 : 4);
    while (next_box(&b->iinf, type, &box)) {
        uint64_t entry = take(&box, 1);

        take(&box, 3);
        if (entry < 2)
            continue;
        uint64_t id = take(&box, entry == 2 ? 2 : 4);
        take(&box, 2);
        if (box.n_bytes - box.at < 4 || id >= ITEMS_MAX)
            return false;
        memcpy(type, box.bytes + box.at, 4);
        b->kinds[id] = (uint8_t)kind_of(type);
    }
    return true;
}

/* Counts what derived pictures are made of; none of it may be derived. */
static bool
read_references(boxes *b, oriel_bmff *bmff)
{
    size_t id_bytes = take(&b->iref, 1) == 0 ? 2 : 4;
    span box;
    char type[4];

    take(&b->iref, 3);
    while (next_box(&b->iref, type, &box)) {
        uint64_t from = take(&box, id_bytes), n = take(&box, 2);

        if (!is_type(type, "dimg"))
            continue;
        if (from >= ITEMS_MAX)
            return false;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t to = take(&box, id_bytes);

            if (to >= ITEMS_MAX || b->kinds[to] >= ITEM_GRID)
                return false;
        }
        bmff->n_derived += n;
        if (b->kinds[from] != ITEM_GRID)
            bmff->n_overlaid += n;
    }
    return true;
}

/* ---- Sizes of coded pictures --------------------------------------------- */

static void
enlarge(oriel_bmff *bmff, uint64_t pixels)
{
    if (pixels > bmff->coded_pixels)
        bmff->coded_pixels = pixels;
}

/* hvcC: arrays of NAL units, each after a length of two bytes. */
static void
read_hevc_config(oriel_bmff *bmff, span box)
{
    box.at = box.n_bytes < 22 ? box.n_bytes : 22;
    for (uint64_t n_arrays = take(&box, 1); n_arrays > 0 && !box.ended;
         n_arrays--) {
        take(&box, 1);
        for (uint64_t n = take(&box, 2); n > 0 && !box.ended; n--) {
            size_t start = box.at;
            uint64_t bytes = take(&box, 2);

            if (bytes > box.n_bytes - box.at)
                return;
            box.at += (size_t)bytes;
            enlarge(bmff,
                    oriel_hevc_pixels(box.bytes + start, box.at - start, 2));
        }
    }
}

/* av1C: four bytes, then headers. */
static void
read_configs(const boxes *b, oriel_bmff *bmff)
{
    span all = b->ipco, box;
    char type[4];

    while (next_box(&all, type, &box))
        if (is_type(type, "hvcC"))
            read_hevc_config(bmff, box);
        else if (is_type(type, "av1C") && box.n_bytes > 4)
            enlarge(bmff, oriel_av1_pixels(box.bytes + 4, box.n_bytes - 4));
}

static void
read_coded(oriel_bmff *bmff, uint8_t kind, const span *from, uint64_t offset,
           uint64_t n)
{
    if (offset > from->n_bytes)
        return;
    if (n == 0 || n > from->n_bytes - offset)
        n = from->n_bytes - offset;
    if (kind == ITEM_AV1)
        enlarge(bmff, oriel_av1_pixels(from->bytes + offset, (size_t)n));
    else
        enlarge(bmff, oriel_hevc_pixels(from->bytes + offset, (size_t)n, 4));
}

/* The first extent of each item, where its headers are.  Items that share
   their bytes would be read again and again: 'budget' bytes in all. */
static bool
read_locations(boxes *b, oriel_bmff *bmff)
{
    span file = {b->job->bytes, b->job->n_bytes, 0, false};
    span *s = &b->iloc;
    uint64_t budget = 4 * (uint64_t)file.n_bytes + 65536;
    uint64_t version = take(s, 1);

    take(s, 3);
    uint64_t sizes = take(s, 2);
    size_t offset_bytes = sizes >> 12 & 15, length_bytes = sizes >> 8 & 15;
    size_t base_bytes = sizes >> 4 & 15, index_bytes = version ? sizes & 15 : 0;
    if (offset_bytes > 8 || length_bytes > 8 || base_bytes > 8 ||
        index_bytes > 8)
        return false;
    uint64_t n_items = take(s, version < 2 ? 2 : 4);
    for (uint64_t i = 0; i < n_items && !s->ended; i++) {
        uint64_t id = take(s, version < 2 ? 2 : 4);
        uint64_t method = version ? take(s, 2) & 15 : 0;

        take(s, 2);
        uint64_t base = take(s, base_bytes), n_extents = take(s, 2);
        for (uint64_t k = 0; k < n_extents && !s->ended; k++) {
            take(s, index_bytes);
            uint64_t offset = base + take(s, offset_bytes);
            uint64_t n = take(s, length_bytes);

            if (id >= ITEMS_MAX || k > 0 ||
                (b->kinds[id] != ITEM_AV1 && b->kinds[id] != ITEM_HEVC))
                continue;
            read_coded(bmff, b->kinds[id], method == 1 ? &b->idat : &file,
                       offset, n);
            n = n && n < file.n_bytes ? n : file.n_bytes;
            if (n > budget)
                return false;
            budget -= n;
        }
    }
    return true;
}

oriel_status
oriel_bmff_read(oriel_bmff *bmff, const oriel_image_job *job,
                const char *format)
{
    boxes b = {.job = job};
    bool good;

    memset(bmff, 0, sizeof(*bmff));
    b.kinds = oriel_calloc(&job->hooks, ITEMS_MAX, 1);
    if (!b.kinds)
        return oriel_fail_memory(job->err, ITEMS_MAX, "the items of a file");
    good = find_boxes(&b) && read_items(&b) && read_references(&b, bmff) &&
           read_locations(&b, bmff);
    read_configs(&b, bmff);
    oriel_free(&job->hooks, b.kinds);
    if (!good)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "%s: truncated or damaged: its boxes are not those "
                          "of a picture",
                          format);
    return ORIEL_OK;
}

oriel_status
oriel_bmff_check(const oriel_bmff *bmff, const oriel_image_job *job,
                 const char *format, uint32_t width, uint32_t height)
{
    uint64_t pixels = (uint64_t)width * height;
    uint64_t n_tiles = TILES_FREE + pixels / TILE_PIXELS;

    if (bmff->n_derived > n_tiles || bmff->n_overlaid > OVERLAID_MAX)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "%s: %llu tiles, expected at most %llu for %ux%u "
                          "pixels",
                          format, (unsigned long long)bmff->n_derived,
                          (unsigned long long)n_tiles, width, height);
    if (bmff->coded_pixels == UINT64_MAX)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "%s: damaged: a parameter set that breaks its own "
                          "rules",
                          format);
    if (bmff->coded_pixels > 2 * pixels + CODED_SPARE ||
        bmff->coded_pixels > (uint64_t)job->max_pixels + CODED_SPARE)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "%s: a coded picture of %llu pixels in one of %ux%u",
                          format, (unsigned long long)bmff->coded_pixels, width,
                          height);
    return ORIEL_OK;
}
