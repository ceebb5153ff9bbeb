/* SPDX-License-Identifier: Apache-2.0 */
/* patchify.h - the cutting of pixels.h with the processor's variant chosen, for
   tests and benchmarks */
#ifndef ORIEL_PIXELS_PATCHIFY_H
#define ORIEL_PIXELS_PATCHIFY_H

#include "base/processor.h"
#include "pixels/pixels.h"

void oriel_patchify_band_f32_isa(oriel_isa isa, const oriel_network *network,
                                 const float table[3][256],
                                 const uint8_t *const *frames, size_t pitch,
                                 int32_t grid_w, const int32_t *place,
                                 float *rows, size_t row_stride);
void oriel_patchify_band_bf16_isa(oriel_isa isa, const oriel_network *network,
                                  const float table[3][256],
                                  const uint8_t *const *frames, size_t pitch,
                                  int32_t grid_w, const int32_t *place,
                                  uint16_t *rows, size_t row_stride);

#endif /* ORIEL_PIXELS_PATCHIFY_H */
