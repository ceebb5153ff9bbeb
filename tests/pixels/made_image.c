/* SPDX-License-Identifier: Apache-2.0 */
#include "pixels/made_image.h"

#include "support/random.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

static void
fill_smooth(uint8_t *row, int64_t y, int32_t width, uint64_t seed)
{
    for (int64_t i = 0; i < width; i++) {
        int64_t x = i + (int64_t)seed;

        *row++ = (uint8_t)(x * x / 7 + 3 * y);
        *row++ = (uint8_t)(5 * x + y * y / 11);
        *row++ = (uint8_t)(x ^ y);
    }
}

/* The stream runs on from row to row, whatever lies between them. */
static void
fill_noise(uint8_t *row, size_t n, random_stream *stream, uint64_t *word,
           int *left)
{
    for (size_t i = 0; i < n; i++) {
        if (*left == 0) {
            *word = random_u64(stream);
            *left = 8;
        }
        row[i] = (uint8_t)*word;
        *word >>= 8;
        --*left;
    }
}

uint8_t *
made_image_make(int32_t kind, uint64_t seed, int32_t height, int32_t width,
                size_t pitch)
{
    size_t line = (size_t)width * 3;
    size_t bytes = (size_t)(height - 1) * pitch + line;
    uint8_t *image = malloc(bytes);
    random_stream stream = {seed};
    uint64_t word = 0;
    int left = 0;

    ck_assert_ptr_nonnull(image);
    memset(image, 0xA5, bytes);
    for (int32_t y = 0; y < height; y++) {
        uint8_t *row = image + (size_t)y * pitch;

        if (kind == IMAGE_SMOOTH)
            fill_smooth(row, y, width, seed);
        else
            fill_noise(row, line, &stream, &word, &left);
        for (size_t x = 0; kind == IMAGE_EXTREMES && x < line; x++)
            row[x] = row[x] >> 7 ? 255 : 0;
    }
    return image;
}

static uint32_t
crc_of_byte(uint32_t byte)
{
    for (int k = 0; k < 8; k++)
        byte = byte & 1 ? byte >> 1 ^ 0xEDB88320u : byte >> 1;
    return byte;
}

uint32_t
made_image_crc(uint32_t crc, const void *data, size_t bytes)
{
    static uint32_t table[256];
    const uint8_t *at = data;

    if (!table[255])
        for (uint32_t i = 0; i < 256; i++)
            table[i] = crc_of_byte(i);
    crc = ~crc;
    for (size_t i = 0; i < bytes; i++)
        crc = table[(crc ^ at[i]) & 255] ^ crc >> 8;
    return ~crc;
}

void *
made_image_aligned(size_t bytes)
{
    void *memory;

    ck_assert_int_eq(0, posix_memalign(&memory, 64, bytes ? bytes : 1));
    return memory;
}
