/* SPDX-License-Identifier: Apache-2.0 */
/* metadata.c - orientation out of EXIF, its text form, and XMP */
#include "image/metadata.h"

#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

void
oriel_metadata_set(oriel_metadata *metadata, oriel_blob *blob,
                   const void *bytes, size_t n_bytes, void *owned)
{
    oriel_free(metadata->hooks, blob->owned);
    blob->bytes = bytes;
    blob->n_bytes = n_bytes;
    blob->owned = owned;
}

void
oriel_metadata_end(oriel_metadata *metadata)
{
    oriel_metadata_set(metadata, &metadata->exif, NULL, 0, NULL);
    oriel_metadata_set(metadata, &metadata->raw_profile, NULL, 0, NULL);
    oriel_metadata_set(metadata, &metadata->xmp, NULL, 0, NULL);
}

static int
hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * "\nexif\n   <length>\n" and hexadecimal digits in lines; the length is not
 * needed.  Returns the bytes written to 'out', which has room for half of the
 * text, or 0 when it is not of that form.
 */
static size_t
read_raw_profile(uint8_t *out, const uint8_t *text, size_t n_bytes)
{
    size_t at = 0, n = 0;

    for (int lines = 0; lines < 3; lines++) {
        const uint8_t *end = memchr(text + at, '\n', n_bytes - at);
        if (!end)
            return 0;
        at = (size_t)(end - text) + 1;
    }
    while (at < n_bytes) {
        if (is_space(text[at])) {
            at++;
            continue;
        }
        /* A line may end between the digits of one byte. */
        int high = hex_digit(text[at++]);
        while (at < n_bytes && text[at] == '\n')
            at++;
        int low = at < n_bytes ? hex_digit(text[at++]) : -1;
        if (high < 0 || low < 0)
            return 0;
        out[n++] = (uint8_t)(high << 4 | low);
    }
    return n;
}

static oriel_exif_result
read_exif(const oriel_blob *blob, int32_t *orientation)
{
    const uint8_t *bytes = blob->bytes;
    size_t n_bytes = blob->n_bytes;

    for (int i = 0; i < 2 && n_bytes >= 6 && !memcmp(bytes, "Exif\0\0", 6);
         i++) {
        bytes += 6;
        n_bytes -= 6;
    }
    if (n_bytes == 0)
        return ORIEL_EXIF_ABSENT;
    return oriel_exif_orientation(bytes, n_bytes, orientation);
}

oriel_status
oriel_metadata_orientation(const oriel_metadata *metadata, int32_t *orientation,
                           oriel_error *err)
{
    oriel_exif_result result = ORIEL_EXIF_ABSENT;

    *orientation = 1;
    if (metadata->exif.bytes) {
        result = read_exif(&metadata->exif, orientation);
    } else if (metadata->raw_profile.bytes) {
        size_t room = metadata->raw_profile.n_bytes / 2 + 1;
        uint8_t *bytes = oriel_alloc(metadata->hooks, room);
        if (!bytes)
            return oriel_fail_memory(err, room, "the EXIF profile");
        oriel_blob blob = {bytes, 0, NULL};
        blob.n_bytes = read_raw_profile(bytes, metadata->raw_profile.bytes,
                                        metadata->raw_profile.n_bytes);
        result = read_exif(&blob, orientation);
        oriel_free(metadata->hooks, bytes);
    }
    if (result == ORIEL_EXIF_ABSENT && metadata->xmp.bytes)
        *orientation =
            oriel_xmp_orientation(metadata->xmp.bytes, metadata->xmp.n_bytes);
    return ORIEL_OK;
}
