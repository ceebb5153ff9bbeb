/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_png.c - any bytes as a PNG whose signature and CRCs are right, so that a
 * change inside a chunk reaches what reads that chunk
 */
#include "fuzz/fuzz.h"
#include "fuzz/picture.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static uint32_t
big_endian(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

/* The CRC of every chunk that the file holds whole. */
static void
correct(uint8_t *png, size_t bytes)
{
    static const uint8_t signature[8] = "\x89PNG\r\n\x1a\n";
    size_t at = sizeof(signature);

    memcpy(png, signature, bytes < at ? bytes : at);
    while (at < bytes && bytes - at >= 12) {
        const size_t n = big_endian(png + at);
        uint32_t crc;

        if (n > bytes - at - 12)
            return;
        crc = (uint32_t)crc32(0, png + at + 4, (uInt)n + 4);
        at += n + 8;
        for (int i = 0; i < 4; i++)
            png[at++] = (uint8_t)(crc >> (24 - 8 * i));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t *png = malloc(bytes + (bytes == 0));

    FUZZ_CHECK(png);
    if (bytes > 0)
        memcpy(png, data, bytes);
    correct(png, bytes);
    fuzz_picture(png, bytes);
    free(png);
    return 0;
}
