/* SPDX-License-Identifier: Apache-2.0 */
/* made_image.h - pictures that Python makes too, and a digest it knows */
#ifndef TESTS_PIXELS_MADE_IMAGE_H
#define TESTS_PIXELS_MADE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

enum { IMAGE_NOISE = 0, IMAGE_EXTREMES = 1, IMAGE_SMOOTH = 2 };

/*
 * RGB8 [height, width, 3] with lines 'pitch' bytes apart, of exactly
 * (height - 1) * pitch + width * 3 bytes, so that a sanitizer sees a read
 * beyond.  The caller frees.  tests/parity/test_images.py is its twin.
 */
uint8_t *made_image_make(int32_t kind, uint64_t seed, int32_t height,
                         int32_t width, size_t pitch);

/* zlib's crc32; go on from 'crc', which is 0 at first. */
uint32_t made_image_crc(uint32_t crc, const void *data, size_t bytes);

/* Exactly 'bytes' (at least 1), aligned to 64.  The caller frees. */
void *made_image_aligned(size_t bytes);

#endif /* TESTS_PIXELS_MADE_IMAGE_H */
