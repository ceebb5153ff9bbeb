/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/picture.h"

#include "fuzz/fuzz.h"
#include "oriel_image.h"

#include <stdlib.h>

enum { MAX_PIXELS = 1 << 18 }; /* larger pictures only cost time */

static oriel_status
decode(const uint8_t *data, size_t bytes, int32_t alpha, int32_t ignore,
       int32_t truncated)
{
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_status status;
    oriel_error err;

    options.alpha = alpha;
    options.ignore_orientation = ignore;
    options.truncated = truncated;
    options.max_pixels = MAX_PIXELS;
    status = oriel_image_probe(data, bytes, &options, &info, &err);
    FUZZ_CHECK(status == err.status);
    if (status)
        return status;
    FUZZ_CHECK(info.width > 0 && info.height > 0);
    FUZZ_CHECK((int64_t)info.width * info.height <= MAX_PIXELS);
    FUZZ_CHECK(info.orientation >= 1 && info.orientation <= 8);
    FUZZ_CHECK(info.decode_bytes > 0);
    size_t rgb_bytes = 3 * (size_t)info.width * (size_t)info.height;
    uint8_t *rgb = malloc(rgb_bytes); /* exact: a sanitizer sees one more */
    if (!rgb)
        return ORIEL_ERR_MEMORY;
    status = oriel_image_decode(data, bytes, &options, rgb, rgb_bytes, 0, &err);
    FUZZ_CHECK(status == err.status);
    FUZZ_CHECK(status == ORIEL_OK || status == ORIEL_ERR_INPUT ||
               status == ORIEL_ERR_UNSUPPORTED || status == ORIEL_ERR_MEMORY);
    free(rgb);
    return status;
}

void
fuzz_picture(const uint8_t *data, size_t bytes)
{
    const int32_t fail = ORIEL_TRUNCATED_FAIL, pad = ORIEL_TRUNCATED_PAD;
    oriel_status white = decode(data, bytes, ORIEL_ALPHA_WHITE, 0, fail);
    oriel_status drop = decode(data, bytes, ORIEL_ALPHA_DROP, 1, fail);

    decode(data, bytes, ORIEL_ALPHA_WHITE, 0, pad);

    /* Dropping asks for less: transparency cannot refuse a file there, nor can
       metadata anywhere. */
    FUZZ_CHECK(white != ORIEL_OK || drop == ORIEL_OK);
    fuzz_accepted += white == ORIEL_OK;
}
