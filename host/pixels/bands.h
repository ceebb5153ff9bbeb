/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bands.h - the same rows of every frame of a temporal slice
 *
 * Frames become patches band by band: a few rows of each frame that a slice
 * shows are resampled together, and then cut.
 */
#ifndef ORIEL_PIXELS_BANDS_H
#define ORIEL_PIXELS_BANDS_H

#include "pixels/pixels.h"

typedef struct oriel_bands {
    const oriel_resampler *resampler;
    const void *const *frames; /* [n_frames] of one item, RGB8 */
    const size_t *pitches;     /* [n_frames] bytes a line; NULL: tight */
    int64_t n_frames;
    int32_t source_width, width; /* pixels, before and after resampling */
    int32_t per_slice;           /* frames of a slice */
    uint8_t *memory;             /* [per_slice] bands, 'band_bytes' apart */
    size_t band_bytes;
    void *scratch; /* as oriel_resample_band wants it */
} oriel_bands;

/*
 * Resample rows first_row .. first_row + rows - 1 of each frame of a slice;
 * result[f], [per_slice], points to frame f's, with lines 3 * width bytes apart.
 * The last frame fills a slice that has too few: it is resampled once, and its
 * pointers are equal.
 */
void oriel_resample_slice(const oriel_bands *bands, int64_t slice,
                          int32_t first_row, int32_t rows,
                          const uint8_t *result[]);

#endif /* ORIEL_PIXELS_BANDS_H */
