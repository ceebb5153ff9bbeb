/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patchify.c - a band of pixels to rows of patches
 *
 * Column ((channel x T + frame) x P + y) x P + x of a row holds that sample of
 * its patch, so a row is written from front to back, in runs of P samples.
 */
#include "base/bfloat16.h"
#include "pixels/pixels.h"

#include <string.h>

/* Where the patches of token x, counted from the left, begin. */
typedef struct cutter {
    int32_t merge, patch, frames;
    size_t pitch, row_stride;
    const uint8_t *const *band;
    const int32_t *place;
} cutter;

static cutter
make_cutter(const oriel_network *net, const uint8_t *const *frames,
            size_t pitch, const int32_t *place, size_t row_stride)
{
    return (cutter){net->spatial_merge_size,
                    net->patch_size,
                    net->temporal_patch_size,
                    pitch,
                    row_stride,
                    frames,
                    place};
}

static size_t
row_of(const cutter *cut, int32_t token, int32_t part)
{
    size_t parts = (size_t)cut->merge * (size_t)cut->merge;
    size_t at = (size_t)(cut->place ? cut->place[token] : token);

    return (at * parts + (size_t)part) * cut->row_stride;
}

/* The first pixel of a patch in one frame of the band. */
static const uint8_t *
corner(const cutter *cut, int32_t frame, int32_t token, int32_t part)
{
    size_t y = (size_t)(part / cut->merge) * (size_t)cut->patch;
    size_t x =
        (size_t)(token * cut->merge + part % cut->merge) * (size_t)cut->patch;

    return cut->band[frame] + y * cut->pitch + x * 3;
}

static void
cut_f32(const cutter *cut, const float table[3][256], int32_t token,
        int32_t part, float *row)
{
    size_t side = (size_t)cut->patch, plane = side * side;

    for (int32_t c = 0; c < 3; c++) {
        for (int32_t f = 0; f < cut->frames; f++, row += plane) {
            const uint8_t *pixel = corner(cut, f, token, part) + c;

            if (f > 0 && cut->band[f] == cut->band[f - 1]) {
                memcpy(row, row - plane, plane * sizeof(*row));
                continue;
            }
            for (size_t y = 0; y < side; y++, pixel += cut->pitch)
                for (size_t x = 0; x < side; x++)
                    row[y * side + x] = table[c][pixel[x * 3]];
        }
    }
}

static void
cut_bf16(const cutter *cut, uint16_t table[3][256], int32_t token, int32_t part,
         uint16_t *row)
{
    size_t side = (size_t)cut->patch, plane = side * side;

    for (int32_t c = 0; c < 3; c++) {
        for (int32_t f = 0; f < cut->frames; f++, row += plane) {
            const uint8_t *pixel = corner(cut, f, token, part) + c;

            if (f > 0 && cut->band[f] == cut->band[f - 1]) {
                memcpy(row, row - plane, plane * sizeof(*row));
                continue;
            }
            for (size_t y = 0; y < side; y++, pixel += cut->pitch)
                for (size_t x = 0; x < side; x++)
                    row[y * side + x] = table[c][pixel[x * 3]];
        }
    }
}

void
oriel_patchify_band_f32(const oriel_network *network, const float table[3][256],
                        const uint8_t *const *frames, size_t pitch,
                        int32_t grid_w, const int32_t *place, float *rows,
                        size_t row_stride)
{
    cutter cut = make_cutter(network, frames, pitch, place, row_stride);

    for (int32_t t = 0; t < grid_w / cut.merge; t++)
        for (int32_t part = 0; part < cut.merge * cut.merge; part++)
            cut_f32(&cut, table, t, part, rows + row_of(&cut, t, part));
}

void
oriel_patchify_band_bf16(const oriel_network *network,
                         const float table[3][256],
                         const uint8_t *const *frames, size_t pitch,
                         int32_t grid_w, const int32_t *place, uint16_t *rows,
                         size_t row_stride)
{
    cutter cut = make_cutter(network, frames, pitch, place, row_stride);
    uint16_t rounded[3][256];

    for (int32_t c = 0; c < 3; c++)
        for (int32_t p = 0; p < 256; p++)
            rounded[c][p] = oriel_f32_to_bf16(table[c][p]);
    for (int32_t t = 0; t < grid_w / cut.merge; t++)
        for (int32_t part = 0; part < cut.merge * cut.merge; part++)
            cut_bf16(&cut, rounded, t, part, rows + row_of(&cut, t, part));
}
