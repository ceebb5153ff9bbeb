/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xmp.c - the orientation in an XMP packet
 *
 * Found as text rather than as XML, as the reference does: the first
 * tiff:Orientation="N" or <tiff:Orientation>N, N one digit.
 */
#include "image/metadata.h"

#include <string.h>

int32_t
oriel_xmp_orientation(const uint8_t *bytes, size_t n_bytes)
{
    static const char name[] = "tiff:Orientation";
    const size_t n_name = sizeof(name) - 1;
    const uint8_t *end = bytes + n_bytes;

    while ((bytes = memmem(bytes, (size_t)(end - bytes), name, n_name))) {
        bytes += n_name;
        if (end - bytes >= 2 && bytes[0] == '>')
            bytes += 1;
        else if (end - bytes >= 3 && bytes[0] == '=' && bytes[1] == '"')
            bytes += 2;
        else
            continue;
        if (*bytes < '0' || *bytes > '9')
            continue;
        return *bytes >= '2' && *bytes <= '8' ? *bytes - '0' : 1;
    }
    return 1;
}
