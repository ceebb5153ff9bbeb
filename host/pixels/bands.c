/* SPDX-License-Identifier: Apache-2.0 */
/* bands.c - a band of each frame of a slice, resampled */
#include "pixels/bands.h"

void
oriel_resample_slice(const oriel_bands *b, int64_t slice, int32_t first_row,
                     int32_t rows, const uint8_t *result[])
{
    int64_t before = -1;

    for (int32_t f = 0; f < b->per_slice; f++) {
        int64_t frame = slice * b->per_slice + f;
        uint8_t *out = b->memory + (size_t)f * b->band_bytes;

        frame = frame < b->n_frames - 1 ? frame : b->n_frames - 1;
        result[f] = out;
        if (f > 0 && frame == before)
            result[f] = result[f - 1];
        else
            oriel_resample_band(
                b->resampler, b->frames[frame],
                b->pitches ? b->pitches[frame] : (size_t)b->source_width * 3,
                first_row, rows, out, (size_t)b->width * 3, b->scratch);
        before = frame;
    }
}
