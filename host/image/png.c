/* SPDX-License-Identifier: Apache-2.0 */
/* png.c - the chunks of a PNG, and which faults in them refuse the file */
#include "image/png.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { SIGNATURE_BYTES = 8 };

__attribute__((format(printf, 3, 4))) static oriel_status
bad_chunk(const oriel_png *png, const oriel_png_chunk *chunk,
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

bool
oriel_png_next_chunk(const oriel_image_job *job, size_t at,
                     oriel_png_chunk *chunk)
{
    if (at > job->n_bytes || job->n_bytes - at < 8)
        return false;
    const uint8_t *head = job->bytes + at;

    chunk->start = at;
    chunk->data = at + 8;
    chunk->n_data = oriel_png_u32(head);
    memcpy(chunk->id, head + 4, 4);
    chunk->id[4] = '\0';
    for (int i = 0; i < 4; i++) {
        uint8_t c = head[4 + i];
        uint8_t lower = c | 0x20;
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') &&
            c != '_')
            return false;
    }
    return true;
}

/* The file holds all that the chunk claims. */
static bool
is_whole(const oriel_image_job *job, const oriel_png_chunk *chunk)
{
    return job->n_bytes - chunk->data >= chunk->n_data;
}

static bool
crc_matches(const oriel_image_job *job, const oriel_png_chunk *chunk)
{
    const uint8_t *bytes = job->bytes;
    size_t end = chunk->data + chunk->n_data;
    uLong crc;

    if (job->n_bytes - end < 4)
        return false;
    crc = crc32_z(crc32(0, NULL, 0), bytes + chunk->start + 4,
                  (size_t)chunk->n_data + 4);
    return crc == oriel_png_u32(bytes + end);
}

static oriel_status
read_ihdr(oriel_png *png, const oriel_png_chunk *chunk, const uint8_t *data)
{
    static const struct {
        uint8_t bit_depth, code;
        oriel_png_colour colour;
    } modes[] = {
        {1, 0, ORIEL_PNG_GREY},        {2, 0, ORIEL_PNG_GREY},
        {4, 0, ORIEL_PNG_GREY},        {8, 0, ORIEL_PNG_GREY},
        {16, 0, ORIEL_PNG_GREY},       {8, 2, ORIEL_PNG_RGB},
        {16, 2, ORIEL_PNG_RGB},        {1, 3, ORIEL_PNG_PALETTE},
        {2, 3, ORIEL_PNG_PALETTE},     {4, 3, ORIEL_PNG_PALETTE},
        {8, 3, ORIEL_PNG_PALETTE},     {8, 4, ORIEL_PNG_GREY_ALPHA},
        {16, 4, ORIEL_PNG_GREY_ALPHA}, {8, 6, ORIEL_PNG_RGBA},
        {16, 6, ORIEL_PNG_RGBA},
    };

    if (data[10] != 0)
        return bad_chunk(png, chunk, "compression method %d, expected 0",
                         data[10]);
    if (data[11] != 0)
        return bad_chunk(png, chunk, "filter method %d, expected 0", data[11]);
    /* Behind the pixels a second header changes nothing any more. */
    if (png->data_seen)
        return ORIEL_OK;
    png->width = oriel_png_u32(data);
    png->height = oriel_png_u32(data + 4);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (modes[i].bit_depth == data[8] && modes[i].code == data[9]) {
            png->colour = modes[i].colour;
            png->bit_depth = modes[i].bit_depth;
        }
    png->interlaced = png->interlaced || data[12] != 0;
    return ORIEL_OK;
}

/* A single fully transparent entry among opaque ones is a key; a stray line
   feed at the end counts as nothing, since the reference's pattern ends so. */
static bool
is_single_entry(const uint8_t *alphas, uint32_t n, uint32_t *index)
{
    uint32_t i = 0;

    while (i < n && alphas[i] == 255)
        i++;
    if (i == n || alphas[i] != 0)
        return false;
    *index = i++;
    while (i < n && alphas[i] == 255)
        i++;
    return i == n || (i == n - 1 && alphas[i] == '\n');
}

static oriel_status
read_trns(oriel_png *png, const oriel_png_chunk *chunk, const uint8_t *data)
{
    uint32_t wanted = png->colour == ORIEL_PNG_RGB ? 6 : 2;

    switch (png->colour) {
    case ORIEL_PNG_PALETTE:
        png->alphas = data;
        png->n_alphas = chunk->n_data;
        png->key_kind = ORIEL_PNG_KEY_ALPHAS;
        if (is_single_entry(data, chunk->n_data, &png->key_index))
            png->key_kind = ORIEL_PNG_KEY_INDEX;
        return ORIEL_OK;
    case ORIEL_PNG_GREY:
    case ORIEL_PNG_RGB:
        if (chunk->n_data < wanted)
            return bad_chunk(png, chunk, "%u bytes, expected at least %u",
                             chunk->n_data, wanted);
        png->key_kind = ORIEL_PNG_KEY_COLOUR;
        for (uint32_t i = 0; i < 3; i++)
            png->key[i] = data[wanted == 6 ? 2 * i + 1 : 1];
        if (png->bit_depth == 1)
            png->key[0] = png->key[1] = png->key[2] =
                data[0] || data[1] ? 255 : 0;
        return ORIEL_OK;
    default:
        return ORIEL_OK;
    }
}

static oriel_status
read_actl(oriel_png *png, const uint8_t *data)
{
    uint32_t count = oriel_png_u32(data);

    if (png->has_frame_count) {
        png->has_frame_count = false;
    } else if (count > 0 && count <= 0x80000000u) {
        png->has_frame_count = true;
        png->frame_count = count;
    }
    return ORIEL_OK;
}

static oriel_status
read_fctl(oriel_png *png, const oriel_png_chunk *chunk, const uint8_t *data)
{
    uint64_t width = oriel_png_u32(data + 4), height = oriel_png_u32(data + 8);
    uint64_t left = oriel_png_u32(data + 12), top = oriel_png_u32(data + 16);

    if ((int64_t)oriel_png_u32(data) != png->sequence + 1)
        return bad_chunk(png, chunk, "sequence number %u, expected %lld",
                         oriel_png_u32(data), (long long)png->sequence + 1);
    png->sequence++;
    if (left + width > png->width || top + height > png->height)
        return bad_chunk(png, chunk, "frame is not within the picture");
    if (png->data_seen)
        return ORIEL_OK;
    png->has_box = true;
    png->box[0] = (uint32_t)left;
    png->box[1] = (uint32_t)top;
    png->box[2] = (uint32_t)(left + width);
    png->box[3] = (uint32_t)(top + height);
    return ORIEL_OK;
}

static oriel_status
read_exif(oriel_png *png, const oriel_png_chunk *chunk, const uint8_t *data)
{
    oriel_metadata_set(&png->metadata, &png->metadata.exif, data, chunk->n_data,
                       NULL);
    return ORIEL_OK;
}

static oriel_status
read_palette(oriel_png *png, const oriel_png_chunk *chunk, const uint8_t *data)
{
    if (png->colour == ORIEL_PNG_PALETTE && !png->data_seen) {
        png->palette = data;
        png->n_palette = chunk->n_data;
    }
    return ORIEL_OK;
}

/* Chunks that mean something, or whose being short refuses the file. */
static oriel_status
read_chunk(oriel_png *png, const oriel_png_chunk *chunk)
{
    enum { IHDR, PLTE, TRNS, ACTL, FCTL, EXIF, TEXT, CHECK };
    static const struct {
        char id[5];
        uint8_t kind;
        uint8_t least; /* bytes */
    } known[] = {
        {"IHDR", IHDR, 13}, {"PLTE", PLTE, 0},  {"tRNS", TRNS, 0},
        {"acTL", ACTL, 8},  {"fcTL", FCTL, 26}, {"eXIf", EXIF, 0},
        {"tEXt", TEXT, 0},  {"zTXt", TEXT, 0},  {"iTXt", TEXT, 0},
        {"iCCP", TEXT, 0},  {"gAMA", CHECK, 4}, {"cHRM", CHECK, 32},
        {"sRGB", CHECK, 1}, {"pHYs", CHECK, 9},
    };
    const uint8_t *data = png->job->bytes + chunk->data;

    if (!is_whole(png->job, chunk))
        return bad_chunk(png, chunk, "the file ends in it");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(chunk->id, known[i].id) != 0)
            continue;
        if (chunk->n_data < known[i].least)
            return bad_chunk(png, chunk, "%u bytes, expected at least %d",
                             chunk->n_data, known[i].least);
        switch (known[i].kind) {
        case IHDR:
            return read_ihdr(png, chunk, data);
        case PLTE:
            return read_palette(png, chunk, data);
        case TRNS:
            return read_trns(png, chunk, data);
        case ACTL:
            return read_actl(png, data);
        case FCTL:
            return read_fctl(png, chunk, data);
        case EXIF:
            return read_exif(png, chunk, data);
        case TEXT:
            return oriel_png_read_text(png, chunk, data);
        default:
            return ORIEL_OK;
        }
    }
    return ORIEL_OK;
}

bool
oriel_png_frame_follows(const oriel_image_job *job,
                        const oriel_png_chunk *chunk, int64_t *sequence)
{
    if (chunk->n_data < 4 || job->n_bytes - chunk->data < 4 || *sequence < 0 ||
        oriel_png_u32(job->bytes + chunk->data) != *sequence + 1)
        return false;
    ++*sequence;
    return true;
}

static oriel_status
out_of_sequence(const oriel_png *png, const oriel_png_chunk *chunk)
{
    return bad_chunk(png, chunk, "expected sequence number %lld",
                     (long long)png->sequence + 1);
}

/* Up to the first chunk of pixels: every CRC counts. */
static oriel_status
read_before_pixels(oriel_png *png)
{
    const oriel_image_job *job = png->job;
    oriel_png_chunk chunk;
    size_t at = SIGNATURE_BYTES;

    for (;; at = chunk.data + chunk.n_data + 4) {
        if (!oriel_png_next_chunk(job, at, &chunk))
            return oriel_fail(job->err, ORIEL_ERR_INPUT,
                              "PNG: no chunk at byte %zu, expected pixels", at);
        bool frame = strcmp(chunk.id, "fdAT") == 0;
        if (frame && !oriel_png_frame_follows(job, &chunk, &png->sequence))
            return out_of_sequence(png, &chunk);
        if ((frame || strcmp(chunk.id, "IDAT") == 0) &&
            png->colour != ORIEL_PNG_UNKNOWN)
            break;
        if (strcmp(chunk.id, "IEND") == 0)
            return bad_chunk(png, &chunk, "comes before any pixels");
        oriel_status status = read_chunk(png, &chunk);
        if (status)
            return status;
        if (!crc_matches(job, &chunk))
            return bad_chunk(png, &chunk, "its CRC does not match");
    }
    png->first = chunk;
    png->first_sequence = png->sequence;
    png->data_seen = true;
    return ORIEL_OK;
}

/*
 * From the first chunk of pixels to the end: no CRC counts, nor does a missing
 * end, but what is known must be whole and well-formed, and it still tells
 * transparency and orientation.
 */
static oriel_status
read_after_pixels(oriel_png *png)
{
    const oriel_image_job *job = png->job;
    uint64_t frames = png->has_frame_count ? png->frame_count : 1;
    oriel_png_chunk chunk = png->first;

    /* A default picture outside of the animation is a frame more. */
    if (png->has_frame_count && !png->has_box)
        frames++;
    for (;;) {
        bool pixels = !strcmp(chunk.id, "IDAT") || !strcmp(chunk.id, "DDAT") ||
                      !strcmp(chunk.id, "fdAT");
        if (pixels && !is_whole(job, &chunk)) {
            png->cut_data_start = chunk.start;
            return ORIEL_OK;
        }
        oriel_status status = pixels ? ORIEL_OK : read_chunk(png, &chunk);
        if (status)
            return status;
        if (!oriel_png_next_chunk(job, chunk.data + chunk.n_data + 4, &chunk) ||
            strcmp(chunk.id, "IEND") == 0 ||
            (strcmp(chunk.id, "fcTL") == 0 && frames > 1))
            return ORIEL_OK;
        if (strcmp(chunk.id, "fdAT") == 0 &&
            !oriel_png_frame_follows(job, &chunk, &png->sequence))
            return out_of_sequence(png, &chunk);
    }
}

oriel_status
oriel_png_open(oriel_png *png, const oriel_image_job *job)
{
    oriel_status status;

    memset(png, 0, sizeof(*png));
    png->job = job;
    png->sequence = -1;
    png->metadata.hooks = &job->hooks;
    status = read_before_pixels(png);
    if (!status)
        status = oriel_image_check_size(job, "PNG", png->width, png->height);
    if (!status)
        status = read_after_pixels(png);
    return status;
}

void
oriel_png_close(oriel_png *png)
{
    oriel_metadata_end(&png->metadata);
    oriel_free(&png->job->hooks, png->inflated);
}

static bool
accepts(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= SIGNATURE_BYTES &&
           memcmp(bytes, "\211PNG\r\n\032\n", SIGNATURE_BYTES) == 0;
}

static oriel_status
probe(const oriel_image_job *job, oriel_image_header *header)
{
    static const int8_t channels[] = {0, 1, 3, 1, 2, 4};
    oriel_png png;
    oriel_status status = oriel_png_open(&png, job);

    if (!status && job->orient)
        status = oriel_metadata_orientation(&png.metadata, &header->orientation,
                                            job->err);
    header->width = png.width;
    header->height = png.height;
    header->channels = channels[png.colour];
    header->bit_depth = png.bit_depth;
    header->has_alpha = png.colour >= ORIEL_PNG_GREY_ALPHA ||
                        png.key_kind != ORIEL_PNG_KEY_NONE;
    oriel_png_close(&png);
    return status;
}

static oriel_status
decode(const oriel_image_job *job, oriel_canvas *canvas)
{
    oriel_png png;
    oriel_status status = oriel_png_open(&png, job);

    if (!status)
        status = oriel_png_read_pixels(&png, canvas);
    oriel_png_close(&png);
    return status;
}

const oriel_image_format oriel_format_png = {
    .name = "PNG",
    .code = ORIEL_IMAGE_PNG,
    .accepts = accepts,
    .probe = probe,
    .decode = decode,
};
