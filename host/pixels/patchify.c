/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patchify.c - a band of pixels to rows of patches
 *
 * Tokens from left to right, the merge x merge patches of each row by row; where
 * a token's rows go is the caller's choice.
 */
#include "pixels/patchify.h"

#include "base/half.h"
#include "pixels/cut.h"

typedef struct cutting {
    const oriel_network *net;
    const int32_t *place;
    size_t row_stride;
    oriel_patch patch; /* all but its offset */
} cutting;

static cutting
start(const oriel_network *net, const uint8_t *const *frames, size_t pitch,
      const int32_t *place, size_t row_stride)
{
    oriel_patch patch = {frames, 0, pitch, net->patch_size,
                         net->temporal_patch_size};

    return (cutting){net, place, row_stride, patch};
}

/* Patch 'part' of token 'token': where it lies, and where its row begins. */
static size_t
turn_to(cutting *cut, int32_t token, int32_t part)
{
    int32_t merge = cut->net->spatial_merge_size;
    size_t side = (size_t)cut->net->patch_size;
    size_t y = (size_t)(part / merge) * side;
    size_t x = (size_t)(token * merge + part % merge) * side;
    size_t to = (size_t)(cut->place ? cut->place[token] : token);

    cut->patch.offset = y * cut->patch.pitch + x * 3;
    return (to * (size_t)(merge * merge) + (size_t)part) * cut->row_stride;
}

void
oriel_patchify_band_f32_isa(oriel_isa isa, const oriel_network *network,
                            const float table[3][256],
                            const uint8_t *const *frames, size_t pitch,
                            int32_t grid_w, const int32_t *place, float *rows,
                            size_t row_stride)
{
    const oriel_cutter *cutter = oriel_cutter_choose(isa, network->patch_size);
    cutting cut = start(network, frames, pitch, place, row_stride);
    int32_t merge = network->spatial_merge_size;
    oriel_levels levels;

    levels.f32 = table;
    levels.bf16 = NULL;
    cutter->prepare(&levels);
    for (int32_t t = 0; t < grid_w / merge; t++)
        for (int32_t part = 0; part < merge * merge; part++) {
            float *row = rows + turn_to(&cut, t, part);

            cutter->f32(&cut.patch, &levels, row);
        }
}

void
oriel_patchify_band_bf16_isa(oriel_isa isa, const oriel_network *network,
                             const float table[3][256],
                             const uint8_t *const *frames, size_t pitch,
                             int32_t grid_w, const int32_t *place,
                             uint16_t *rows, size_t row_stride)
{
    const oriel_cutter *cutter = oriel_cutter_choose(isa, network->patch_size);
    cutting cut = start(network, frames, pitch, place, row_stride);
    int32_t merge = network->spatial_merge_size;
    uint16_t rounded[3][256];
    oriel_levels levels;

    for (int32_t c = 0; c < 3; c++)
        for (int32_t p = 0; p < 256; p++)
            rounded[c][p] = oriel_f32_to_bf16(table[c][p]);
    levels.f32 = NULL;
    levels.bf16 = (const uint16_t(*)[256])rounded;
    cutter->prepare(&levels);
    for (int32_t t = 0; t < grid_w / merge; t++)
        for (int32_t part = 0; part < merge * merge; part++) {
            uint16_t *row = rows + turn_to(&cut, t, part);

            cutter->bf16(&cut.patch, &levels, row);
        }
}

void
oriel_patchify_band_f32(const oriel_network *network, const float table[3][256],
                        const uint8_t *const *frames, size_t pitch,
                        int32_t grid_w, const int32_t *place, float *rows,
                        size_t row_stride)
{
    oriel_patchify_band_f32_isa(oriel_processor_isa(), network, table, frames,
                                pitch, grid_w, place, rows, row_stride);
}

void
oriel_patchify_band_bf16(const oriel_network *network,
                         const float table[3][256],
                         const uint8_t *const *frames, size_t pitch,
                         int32_t grid_w, const int32_t *place, uint16_t *rows,
                         size_t row_stride)
{
    oriel_patchify_band_bf16_isa(oriel_processor_isa(), network, table, frames,
                                 pitch, grid_w, place, rows, row_stride);
}
