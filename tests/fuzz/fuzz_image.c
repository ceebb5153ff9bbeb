/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_image.c - any bytes as an image file: the body of several targets, which
   differ by their seeds, dictionaries and libraries */
#include "fuzz/fuzz.h"
#include "fuzz/picture.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fuzz_picture(data, bytes);
    return 0;
}
