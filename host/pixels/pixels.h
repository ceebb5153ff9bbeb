/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pixels.h - RGB8 frames to patch rows, bit for bit as the reference does it
 *
 * Three stages, no allocation in any: a resampler (coefficients of one pair of
 * sizes), a table (the value of each 8-bit level), and the cutting into rows.
 * Every variant by processor gives the same bits.
 */
#ifndef ORIEL_PIXELS_PIXELS_H
#define ORIEL_PIXELS_PIXELS_H

#include "base/network.h"
#include "oriel.h"

#include <stddef.h>
#include <stdint.h>

/* ---- resample.c: bicubic with antialiasing, in four flavours ----------- */

/* Coefficients of one pair of sizes, in memory of the caller's. */
typedef struct oriel_resampler oriel_resampler;

/* Bytes that oriel_resampler_init wants; SIZE_MAX if it cannot be counted. */
size_t oriel_resampler_bytes(int32_t resample, int32_t source_width,
                             int32_t source_height, int32_t width,
                             int32_t height);

/* 'memory' is aligned to 64 bytes.  Sizes are >= 1.  Equal sizes copy. */
oriel_resampler *oriel_resampler_init(void *memory, int32_t resample,
                                      int32_t source_width,
                                      int32_t source_height, int32_t width,
                                      int32_t height);

/* Whether the pass down the columns comes before the one along the rows; it
   matters only where both sizes change. */
int32_t oriel_resample_vertical_first(int32_t resample, int32_t source_width,
                                      int32_t source_height, int32_t width,
                                      int32_t height);

/* Scratch for one call of oriel_resample_band over at most 'rows' rows. */
size_t oriel_resampler_scratch_bytes(const oriel_resampler *resampler,
                                     int32_t rows);

/* The same from the sizes alone, before there is a resampler. */
size_t oriel_resampler_scratch_bytes_for(int32_t resample, int32_t source_width,
                                         int32_t source_height, int32_t width,
                                         int32_t height, int32_t rows);

/*
 * Rows first_row .. first_row + rows - 1 of the result, into 'out' [rows, width,
 * 3], lines 'out_pitch' bytes apart.  Bands are independent: threads may do
 * different ones at once, each with its own scratch (64-byte aligned).
 */
void oriel_resample_band(const oriel_resampler *resampler,
                         const uint8_t *source, size_t source_pitch,
                         int32_t first_row, int32_t rows, uint8_t *out,
                         size_t out_pitch, void *scratch);

/* ---- normalise.c: what an 8-bit level becomes -------------------------- */

/*
 * table[c][level] by the flavour's own formula (docs/model.md, section 7):
 * "fast" for torchvision and float, "slow" for pillow and pillow12; do_rescale and
 * do_normalize of the network obeyed.
 */
void oriel_normalise_table(const oriel_network *network, int32_t resample,
                           float table[3][256]);

/* ---- patchify.c: pixels to rows --------------------------------------- */

/*
 * Cut one band, the token row of one temporal slice, into patch rows.
 *
 * frames   [temporal_patch_size], each RGB8 [merge x patch, grid_w x patch, 3],
 *          lines 'pitch' bytes apart: the band of each frame of the slice
 * place    [grid_w / merge] token x's merge x merge rows go to rows
 *          place[x] * merge^2 and on; NULL: x itself (image order)
 * rows     fp32 or bf16, [..., row_stride] of which patch_columns are written
 */
void oriel_patchify_band_f32(const oriel_network *network,
                             const float table[3][256],
                             const uint8_t *const *frames, size_t pitch,
                             int32_t grid_w, const int32_t *place, float *rows,
                             size_t row_stride);
void oriel_patchify_band_bf16(const oriel_network *network,
                              const float table[3][256],
                              const uint8_t *const *frames, size_t pitch,
                              int32_t grid_w, const int32_t *place,
                              uint16_t *rows, size_t row_stride);

#endif /* ORIEL_PIXELS_PIXELS_H */
