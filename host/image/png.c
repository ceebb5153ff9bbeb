/* SPDX-License-Identifier: Apache-2.0 */
/* png.c - the chunks of a PNG, and which faults in them refuse the file */
#include "image/png.h"

#include "base/fail.h"
#include "image/file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

enum { SIGNATURE_BYTES = 8 };

oriel_status
oriel_png_bad_chunk(const oriel_png *png, const oriel_png_chunk *chunk,
                    const char *format, ...)
{
    char what[200];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return oriel_fail(png->job->err, ORIEL_ERR_INPUT, "PNG: chunk %s: %s",
                      chunk->id, what);
}

static bool
is(const oriel_png_chunk *chunk, const char *id)
{
    return memcmp(chunk->id, id, 4) == 0;
}

bool
oriel_png_next_chunk(const oriel_image_job *job, size_t at,
                     oriel_png_chunk *chunk)
{
    if (at > job->n_bytes || job->n_bytes - at < 8)
        return false;
    const uint8_t *head = job->bytes + at;

    chunk->start = at;
    chunk->data = head + 8;
    chunk->n_data = oriel_png_u32(head);
    memcpy(chunk->id, head + 4, 4);
    chunk->id[4] = '\0';
    for (int i = 0; i < 4; i++) {
        uint8_t c = head[4 + i], lower = c | 0x20;
        bool word = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
                    c == '_';
        if (!word && !(job->pad && c < 128))
            return false;
    }
    return true;
}

/* Where the next chunk starts. */
static size_t
end_of(const oriel_png_chunk *chunk)
{
    return chunk->start + 8 + chunk->n_data + 4;
}

/* The file holds all that the chunk claims. */
static bool
is_whole(const oriel_image_job *job, const oriel_png_chunk *chunk)
{
    return job->n_bytes - chunk->start - 8 >= chunk->n_data;
}

static bool
crc_matches(const oriel_image_job *job, const oriel_png_chunk *chunk)
{
    uLong crc;

    if (job->n_bytes < end_of(chunk))
        return false;
    crc = crc32_z(crc32(0, NULL, 0), chunk->data - 4,
                  (z_size_t)chunk->n_data + 4);
    return crc == oriel_png_u32(chunk->data + chunk->n_data);
}

static oriel_status
read_header(oriel_png *png, const oriel_png_chunk *chunk)
{
    /* Bits of a sample that each colour type may have, as a set. */
    static const uint32_t depths[] = {
        1u << 1 | 1u << 2 | 1u << 4 | 1u << 8 | 1u << 16,
        0,
        1u << 8 | 1u << 16,
        1u << 1 | 1u << 2 | 1u << 4 | 1u << 8,
        1u << 8 | 1u << 16,
        0,
        1u << 8 | 1u << 16,
    };
    const uint8_t *data = chunk->data;

    if (png->header.data)
        return oriel_png_bad_chunk(png, chunk, "comes twice");
    if (data[9] >= sizeof(depths) / sizeof(depths[0]) || data[8] > 16 ||
        !(depths[data[9]] >> data[8] & 1))
        return oriel_png_bad_chunk(
            png, chunk,
            "%d bits and colour type %d, expected a pair that PNG "
            "allows",
            data[8], data[9]);
    if (data[10] != 0)
        return oriel_png_bad_chunk(
            png, chunk, "compression method %d, expected 0", data[10]);
    if (data[11] != 0)
        return oriel_png_bad_chunk(png, chunk, "filter method %d, expected 0",
                                   data[11]);
    if (data[12] > 1)
        return oriel_png_bad_chunk(
            png, chunk, "interlace method %d, expected 0 or 1", data[12]);
    png->header = *chunk;
    png->width = oriel_png_u32(data);
    png->height = oriel_png_u32(data + 4);
    png->bit_depth = data[8];
    png->colour = data[9];
    return ORIEL_OK;
}

/* Bytes of a tRNS. */
static int
least_transparency(const oriel_png *png)
{
    return png->colour == PNG_COLOR_TYPE_RGB    ? 6
           : png->colour == PNG_COLOR_TYPE_GRAY ? 2
                                                : 0;
}

/* fcTL and fdAT are numbered in one row; a frame lies within the picture. */
static oriel_status
read_frame(oriel_png *png, const oriel_png_chunk *chunk)
{
    const uint8_t *data = chunk->data;

    bool data_frame = is(chunk, "fdAT");

    if (data_frame && (png->n_sequence == 0 || !png->pixels.data))
        return oriel_png_bad_chunk(png, chunk, "expected fcTL and IDAT before");
    if (oriel_png_u32(data) != png->n_sequence)
        return oriel_png_bad_chunk(png, chunk,
                                   "sequence number %u, expected %u",
                                   oriel_png_u32(data), png->n_sequence);
    png->n_sequence++;
    if (data_frame)
        return ORIEL_OK;
    uint64_t width = oriel_png_u32(data + 4), height = oriel_png_u32(data + 8);
    uint64_t left = oriel_png_u32(data + 12), top = oriel_png_u32(data + 16);
    bool empty = width == 0 || height == 0;
    if ((empty && !png->pixels.data) || left + width > png->width ||
        top + height > png->height)
        return oriel_png_bad_chunk(png, chunk,
                                   "the frame is not within the picture");
    if (png->pixels.data)
        return ORIEL_OK;
    png->has_first_frame = true;
    if (width < png->width || height < png->height)
        return oriel_png_bad_chunk(png, chunk,
                                   "the first frame is a part of the picture");
    return ORIEL_OK;
}

/* A second acTL makes both void. */
static void
read_animation(oriel_png *png, const oriel_png_chunk *chunk)
{
    uint32_t n_frames = oriel_png_u32(chunk->data);

    png->n_frames = png->has_actl || n_frames > INT32_MAX ? 0 : n_frames;
    png->has_actl = true;
}

/* What a chunk means, and how short it refuses the file. */
static const struct {
    char id[5];
    uint8_t least; /* bytes */
} known[] = {
    {"IHDR", 13}, {"PLTE", 0},  {"tRNS", 0}, {"acTL", 8}, {"fcTL", 26},
    {"eXIf", 0},  {"tEXt", 0},  {"zTXt", 0}, {"iTXt", 0}, {"iCCP", 0},
    {"gAMA", 4},  {"cHRM", 32}, {"sRGB", 1}, {"pHYs", 9}, {"fdAT", 4},
};

/* '*skip': too short, but damage is padded. */
static oriel_status
check_length(const oriel_png *png, const oriel_png_chunk *chunk, bool *skip)
{
    int least = 0;

    *skip = false;
    if (!is_whole(png->job, chunk))
        return oriel_png_bad_chunk(png, chunk, "the file ends in it");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (is(chunk, known[i].id))
            least = known[i].least;
    if (is(chunk, "tRNS"))
        least = least_transparency(png);
    *skip = chunk->n_data < (uint32_t)least;
    if (*skip && !png->job->pad)
        return oriel_png_bad_chunk(png, chunk, "%u bytes, expected at least %d",
                                   chunk->n_data, least);
    return ORIEL_OK;
}

static oriel_status
read_chunk(oriel_png *png, const oriel_png_chunk *chunk)
{
    bool skip = false;
    oriel_status status = check_length(png, chunk, &skip);

    if (status || skip)
        return status;
    if (is(chunk, "CgBI"))
        return oriel_png_bad_chunk(png, chunk,
                                   "Apple's variant, expected a PNG");
    if (is(chunk, "IHDR"))
        return read_header(png, chunk);
    if (is(chunk, "tRNS") && !(png->colour & PNG_COLOR_MASK_ALPHA))
        png->transparency = *chunk;
    else if (is(chunk, "PLTE") && !png->pixels.data)
        png->palette = *chunk;
    else if (is(chunk, "acTL"))
        read_animation(png, chunk);
    else if (is(chunk, "fcTL") || is(chunk, "fdAT"))
        return read_frame(png, chunk);
    else if (is(chunk, "eXIf"))
        oriel_metadata_set(&png->metadata, &png->metadata.exif, chunk->data,
                           chunk->n_data, NULL);
    else if (is(chunk, "tEXt") || is(chunk, "zTXt") || is(chunk, "iTXt") ||
             is(chunk, "iCCP"))
        return oriel_png_read_text(png, chunk);
    return ORIEL_OK;
}

/* Damage of what is not needed is passed over where pixels are padded. */
static bool
crc_counts(const oriel_image_job *job, const oriel_png_chunk *chunk)
{
    bool ancillary = chunk->id[0] & 32;

    return !(job->pad && ancillary);
}

/* Up to the first chunk of pixels: every CRC counts. */
static oriel_status
read_before_pixels(oriel_png *png)
{
    const oriel_image_job *job = png->job;
    oriel_png_chunk chunk;
    size_t at = SIGNATURE_BYTES;

    for (;; at = end_of(&chunk)) {
        if (!oriel_png_next_chunk(job, at, &chunk))
            return oriel_fail(job->err, ORIEL_ERR_INPUT,
                              "PNG: no chunk at byte %zu, expected pixels", at);
        if (is(&chunk, "IDAT") && png->header.data)
            break;
        if (is(&chunk, "IEND"))
            return oriel_png_bad_chunk(png, &chunk, "comes before any pixels");
        oriel_status status = read_chunk(png, &chunk);
        if (status)
            return status;
        if (crc_counts(job, &chunk) && !crc_matches(job, &chunk))
            return oriel_png_bad_chunk(png, &chunk, "its CRC does not match");
    }
    png->pixels = chunk;
    return ORIEL_OK;
}

/*
 * From the first chunk of pixels to the end: no CRC counts, nor does a missing
 * end, but what is known must be whole and well-formed, and it still tells
 * transparency and orientation.  Of an animation only the first picture
 * counts: chunks after the next frame's fcTL are not read.
 */
static oriel_status
read_after_pixels(oriel_png *png)
{
    const oriel_image_job *job = png->job;
    bool animated = png->n_frames > (png->has_first_frame ? 1 : 0);
    oriel_png_chunk chunk = png->pixels;

    for (;;) {
        bool pixels = is(&chunk, "IDAT");
        bool cut = !is_whole(job, &chunk);
        if (cut && (pixels || (job->pad && is(&chunk, "fdAT")))) {
            png->cut_pixels_start = job->pad ? 0 : chunk.start;
            return ORIEL_OK;
        }
        oriel_status status = pixels ? ORIEL_OK : read_chunk(png, &chunk);
        if (status)
            return status;
        if (!oriel_png_next_chunk(job, end_of(&chunk), &chunk) ||
            is(&chunk, "IEND") || (is(&chunk, "fcTL") && animated))
            return ORIEL_OK;
    }
}

static bool
accepts(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= SIGNATURE_BYTES &&
           memcmp(bytes, "\211PNG\r\n\032\n", SIGNATURE_BYTES) == 0;
}

static oriel_status
open_file(oriel_image_file *file, const oriel_image_job *job,
          oriel_image_header *header)
{
    static const int32_t channels[] = {1, 0, 3, 1, 2, 0, 4};
    oriel_png *png = &file->png;
    oriel_status status;

    png->job = job;
    png->metadata.hooks = &job->hooks;
    status = read_before_pixels(png);
    if (!status)
        status = oriel_image_check_size(job, "PNG", png->width, png->height);
    if (!status)
        status = read_after_pixels(png);
    if (!status && job->orient)
        status = oriel_metadata_orientation(&png->metadata,
                                            &header->orientation, job->err);
    if (!status)
        header->decode_bytes =
            oriel_png_text_room(png) + oriel_png_decode_room(png);
    header->width = png->width;
    header->height = png->height;
    header->channels = channels[png->colour];
    header->bit_depth = png->bit_depth;
    header->has_alpha =
        png->colour & PNG_COLOR_MASK_ALPHA || png->transparency.data;
    return status;
}

static oriel_status
decode(oriel_image_file *file, oriel_canvas *canvas)
{
    return oriel_png_decode(&file->png, canvas);
}

static void
close_file(oriel_image_file *file)
{
    oriel_metadata_end(&file->png.metadata);
    oriel_png_end_texts(&file->png);
}

const oriel_image_format oriel_format_png = {
    .name = "PNG",
    .code = ORIEL_IMAGE_PNG,
    .accepts = accepts,
    .open = open_file,
    .decode = decode,
    .close = close_file,
};
