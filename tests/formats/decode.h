/* SPDX-License-Identifier: Apache-2.0 */
/* decode.h - a whole picture through the public functions */
#ifndef TESTS_FORMATS_DECODE_H
#define TESTS_FORMATS_DECODE_H

#include "oriel_image.h"

/* RGB8 [info->height, info->width, 3], to be freed; NULL when the file is
   refused, and 'err' says why. */
uint8_t *decode_picture(const void *bytes, size_t n_bytes,
                        const oriel_image_options *options,
                        oriel_image_info *info, oriel_error *err);

#endif /* TESTS_FORMATS_DECODE_H */
