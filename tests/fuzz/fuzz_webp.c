/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_webp.c - any bytes as a WebP whose outer header is right: its two names,
 * and the length of the file
 */
#include "fuzz/fuzz.h"
#include "fuzz/picture.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 12 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const size_t payload = bytes - 8;
    uint8_t *webp;

    if (bytes < HEADER)
        return 0;
    webp = malloc(bytes);
    FUZZ_CHECK(webp);
    memcpy(webp, data, bytes);
    memcpy(webp, "RIFF", 4);
    for (int i = 0; i < 4; i++)
        webp[4 + i] = (uint8_t)(payload >> 8 * i);
    memcpy(webp + 8, "WEBP", 4);
    fuzz_picture(webp, bytes);
    free(webp);
    return 0;
}
