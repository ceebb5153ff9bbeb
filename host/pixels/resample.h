/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resample.h - the resampler of pixels.h with the processor's variant chosen
 *
 * For tests and benchmarks: everybody else takes the best variant there is.
 */
#ifndef ORIEL_PIXELS_RESAMPLE_H
#define ORIEL_PIXELS_RESAMPLE_H

#include "pixels/passes.h"
#include "pixels/pixels.h"

size_t oriel_resampler_bytes_isa(oriel_isa isa, int32_t source_width,
                                 int32_t source_height, int32_t width,
                                 int32_t height);
oriel_resampler *oriel_resampler_init_isa(void *memory, oriel_isa isa,
                                          int32_t resample,
                                          int32_t source_width,
                                          int32_t source_height, int32_t width,
                                          int32_t height);

#endif /* ORIEL_PIXELS_RESAMPLE_H */
