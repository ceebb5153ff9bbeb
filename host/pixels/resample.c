/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resample.c - bicubic resampling with antialiasing, band by band
 *
 * Two passes, each skipped when its axis keeps its size.  Horizontal first:
 * resampled rows wait in a ring of as many as one output row can ask for.
 * Vertical first: an output row's own mixture waits for the horizontal pass.
 */
#include "pixels/resample.h"

#include "base/checked.h"
#include "base/memory.h"
#include "pixels/pixels.h"

#include <string.h>

struct oriel_resampler {
    int32_t resample;
    int32_t vertical_first;
    oriel_axis across, down; /* set up only when its sizes differ */
    int32_t source_width, source_height, width, height;
    const oriel_passes *passes;
    void *packed_across, *packed_down;
};

/* Where in the caller's memory everything lies. */
typedef struct resampler_layout {
    size_t across, packed_across, down, packed_down, end;
} resampler_layout;

/* Room for an axis at *end, and after it for its packed form. */
static bool
lay_out_axis(size_t *axis, size_t *packed, size_t *end, int32_t source,
             int32_t size,
             bool (*packed_bytes)(int32_t, int32_t, size_t *bytes))
{
    size_t bytes;

    *axis = *packed = *end;
    if (source == size)
        return true;
    if (!oriel_axis_bytes(source, size, &bytes) ||
        !oriel_add_size(packed, *axis, bytes) ||
        !packed_bytes(source, size, &bytes) ||
        !oriel_add_size(end, *packed, bytes) ||
        *end > SIZE_MAX - ORIEL_ALIGNMENT)
        return false;
    *end = oriel_round_up(*end, ORIEL_ALIGNMENT);
    return true;
}

static bool
lay_out(resampler_layout *at, const oriel_passes *passes, int32_t source_width,
        int32_t source_height, int32_t width, int32_t height)
{
    *at = (resampler_layout){0};
    at->end = oriel_round_up(sizeof(oriel_resampler), ORIEL_ALIGNMENT);
    return lay_out_axis(&at->across, &at->packed_across, &at->end, source_width,
                        width, passes->across_bytes) &&
           lay_out_axis(&at->down, &at->packed_down, &at->end, source_height,
                        height, passes->down_bytes);
}

size_t
oriel_resampler_bytes_isa(oriel_isa isa, int32_t source_width,
                          int32_t source_height, int32_t width, int32_t height)
{
    resampler_layout at;

    if (!lay_out(&at, oriel_passes_choose(isa), source_width, source_height,
                 width, height))
        return SIZE_MAX;
    return at.end;
}

size_t
oriel_resampler_bytes(int32_t resample, int32_t source_width,
                      int32_t source_height, int32_t width, int32_t height)
{
    (void)resample;
    return oriel_resampler_bytes_isa(oriel_processor_isa(), source_width,
                                     source_height, width, height);
}

/* Pillow 13 takes the pass that loses more pixels first. */
int32_t
oriel_resample_vertical_first(int32_t resample, int32_t source_width,
                              int32_t source_height, int32_t width,
                              int32_t height)
{
    int64_t lost_rows = (int64_t)source_height - height;
    int64_t lost_columns = (int64_t)source_width - width;

    return resample == ORIEL_RESAMPLE_PILLOW && lost_rows > 0 &&
           lost_rows > 2 * lost_columns;
}

oriel_resampler *
oriel_resampler_init_isa(void *memory, oriel_isa isa, int32_t resample,
                         int32_t source_width, int32_t source_height,
                         int32_t width, int32_t height)
{
    oriel_resampler *r = memory;
    char *base = memory;
    resampler_layout at;

    memset(r, 0, sizeof(*r));
    r->resample = resample;
    r->passes = oriel_passes_choose(isa);
    r->source_width = source_width;
    r->source_height = source_height;
    r->width = width;
    r->height = height;
    lay_out(&at, r->passes, source_width, source_height, width, height);
    r->packed_across = base + at.packed_across;
    r->packed_down = base + at.packed_down;
    if (source_width != width)
        oriel_axis_init(&r->across, resample, source_width, width,
                        base + at.across);
    if (source_height != height)
        oriel_axis_init(&r->down, resample, source_height, height,
                        base + at.down);
    if (r->across.size && resample != ORIEL_RESAMPLE_FLOAT)
        r->passes->pack_across(&r->across, r->packed_across);
    if (r->down.size && resample != ORIEL_RESAMPLE_FLOAT)
        r->passes->pack_down(&r->down, r->packed_down);
    r->vertical_first = oriel_resample_vertical_first(
        resample, source_width, source_height, width, height);
    return r;
}

oriel_resampler *
oriel_resampler_init(void *memory, int32_t resample, int32_t source_width,
                     int32_t source_height, int32_t width, int32_t height)
{
    return oriel_resampler_init_isa(memory, oriel_processor_isa(), resample,
                                    source_width, source_height, width, height);
}

/* Rows that wait between the passes: a ring, unless the pass down reads the
   source itself. */
static size_t
waiting_rows(const oriel_resampler *r)
{
    bool ring = r->resample == ORIEL_RESAMPLE_FLOAT ||
                (r->across.size && !r->vertical_first);

    return r->down.size && ring ? (size_t)r->down.max_taps : 1;
}

/* Bytes of such a row, a multiple of the alignment. */
static size_t
waiting_pitch(const oriel_resampler *r)
{
    size_t columns = (size_t)(r->vertical_first ? r->source_width : r->width);
    size_t level = r->resample == ORIEL_RESAMPLE_FLOAT ? sizeof(float) : 1;

    return oriel_round_up(columns * 3 * level, ORIEL_ALIGNMENT);
}

/* Pointers to the rows of one weighted sum. */
static size_t
tap_pointers(const oriel_resampler *r)
{
    size_t taps = (size_t)(r->down.size ? r->down.max_taps : 1);

    return oriel_round_up(taps, ORIEL_ROWS_MULTIPLE);
}

size_t
oriel_resampler_scratch_bytes(const oriel_resampler *r, int32_t rows)
{
    size_t bytes;

    (void)rows; /* a ring needs no more for many rows than for one */
    if (!oriel_mul_size(&bytes, waiting_rows(r) + 1, waiting_pitch(r)) ||
        !oriel_add_size(&bytes, bytes, tap_pointers(r) * sizeof(void *)))
        return SIZE_MAX;
    return bytes;
}

size_t
oriel_resampler_scratch_bytes_for(int32_t resample, int32_t source_width,
                                  int32_t source_height, int32_t width,
                                  int32_t height, int32_t rows)
{
    oriel_resampler r = {
        .resample = resample,
        .source_width = source_width,
        .width = width,
        .vertical_first = oriel_resample_vertical_first(
            resample, source_width, source_height, width, height),
    };

    if (source_width != width)
        r.across.size = width;
    if (source_height != height) {
        r.down.size = height;
        r.down.max_taps = oriel_axis_max_taps(source_height, height);
    }
    return oriel_resampler_scratch_bytes(&r, rows);
}

/* One call of oriel_resample_band. */
typedef struct band {
    const oriel_resampler *r;
    const uint8_t *source;
    size_t source_pitch;
    uint8_t *waiting;  /* [slots, pitch] the ring */
    float *line;       /* [pitch] float: a row before it is rounded */
    const void **taps; /* [max_taps] the rows of one weighted sum */
    int64_t next;      /* source row that the ring takes next */
    size_t pitch, slots;
} band;

static const uint8_t *
source_row(const band *b, int64_t y)
{
    return b->source + (size_t)y * b->source_pitch;
}

/* The lowest source row of any output row of the band: zero weights were
   dropped, so it need not be the first one's. */
static int64_t
lowest_row(const oriel_axis *down, int32_t first_row, int32_t rows)
{
    int32_t lowest = down->first[first_row];

    for (int32_t y = first_row; y < first_row + rows; y++)
        lowest = down->first[y] < lowest ? down->first[y] : lowest;
    return lowest;
}

static void
enter_row(const band *b, const uint8_t *source, void *out)
{
    const oriel_resampler *r = b->r;
    size_t n = (size_t)r->source_width * 3;

    if (r->resample != ORIEL_RESAMPLE_FLOAT)
        r->passes->across(&r->across, r->packed_across, source, out);
    else if (r->across.size)
        r->passes->across_float(&r->across, source, out);
    else
        for (size_t x = 0; x < n; x++)
            ((float *)out)[x] = (float)source[x];
}

/* Weightless taps up to the multiple that 'down' wants repeat the last. */
static void
repeat_last_tap(const band *b, int32_t count)
{
    for (int32_t j = count; j % ORIEL_ROWS_MULTIPLE; j++)
        b->taps[j] = b->taps[count - 1];
}

/* Advance the ring to what output row y needs and point at its taps. */
static void
gather_rows(band *b, int32_t y)
{
    const oriel_axis *down = &b->r->down;
    int64_t end = (int64_t)down->first[y] + down->count[y];

    for (; b->next < end; b->next++)
        enter_row(b, source_row(b, b->next),
                  b->waiting + (size_t)b->next % b->slots * b->pitch);
    for (int32_t j = 0; j < down->count[y]; j++)
        b->taps[j] =
            b->waiting + (size_t)(down->first[y] + j) % b->slots * b->pitch;
    repeat_last_tap(b, down->count[y]);
}

static void
point_at_source(band *b, int32_t y)
{
    const oriel_axis *down = &b->r->down;

    for (int32_t j = 0; j < down->count[y]; j++)
        b->taps[j] = source_row(b, down->first[y] + j);
    repeat_last_tap(b, down->count[y]);
}

static void
mix_rows(const band *b, int32_t y, size_t n, uint8_t *out)
{
    b->r->passes->down(&b->r->down, b->r->packed_down, y,
                       (const uint8_t *const *)b->taps, n, out);
}

static void
fixed_row(band *b, int32_t y, uint8_t *out)
{
    const oriel_resampler *r = b->r;
    size_t n = (size_t)r->width * 3;

    if (!r->down.size) {
        enter_row(b, source_row(b, y), out);
    } else if (!r->across.size) {
        point_at_source(b, y);
        mix_rows(b, y, n, out);
    } else if (r->vertical_first) {
        point_at_source(b, y);
        mix_rows(b, y, (size_t)r->source_width * 3, b->waiting);
        enter_row(b, b->waiting, out);
    } else {
        gather_rows(b, y);
        mix_rows(b, y, n, out);
    }
}

static void
float_row(band *b, int32_t y, uint8_t *out)
{
    const oriel_resampler *r = b->r;
    size_t n = (size_t)r->width * 3;

    if (!r->down.size) {
        enter_row(b, source_row(b, y), b->line);
    } else {
        gather_rows(b, y);
        r->passes->down_float(&r->down, y, (const float *const *)b->taps, n,
                              b->line);
    }
    r->passes->round(b->line, n, out);
}

void
oriel_resample_band(const oriel_resampler *r, const uint8_t *source,
                    size_t source_pitch, int32_t first_row, int32_t rows,
                    uint8_t *out, size_t out_pitch, void *scratch)
{
    band b = {.r = r, .source = source, .source_pitch = source_pitch};

    b.waiting = scratch;
    b.slots = waiting_rows(r);
    b.pitch = waiting_pitch(r);
    b.line = (float *)(void *)(b.waiting + b.slots * b.pitch);
    b.taps = (const void **)(void *)(b.waiting + (b.slots + 1) * b.pitch);
    if (r->down.size)
        b.next = lowest_row(&r->down, first_row, rows);
    for (int32_t y = first_row; y < first_row + rows; y++, out += out_pitch) {
        if (!r->across.size && !r->down.size)
            memcpy(out, source_row(&b, y), (size_t)r->width * 3);
        else if (r->resample == ORIEL_RESAMPLE_FLOAT)
            float_row(&b, y, out);
        else
            fixed_row(&b, y, out);
    }
}
