/* SPDX-License-Identifier: Apache-2.0 */
/* jpeg_markers.c - from the start of a JPEG to its first scan */
#include "image/jpeg.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_SIDE = 65500 }; /* of libjpeg */

enum {
    M_SOF0 = 0xc0,
    M_SOF2 = 0xc2, /* progressive, Huffman */
    M_DHT = 0xc4,
    M_JPG = 0xc8,
    M_SOF10 = 0xca, /* progressive, arithmetic */
    M_DAC = 0xcc,
    M_RST0 = 0xd0,
    M_EOI = 0xd9,
    M_SOS = 0xda,
    M_DQT = 0xdb,
    M_DHP = 0xde,
    M_EXP = 0xdf,
    M_APP0 = 0xe0,
    M_APP1 = 0xe1,
    M_APP2 = 0xe2,
    M_APP13 = 0xed,
    M_APP14 = 0xee,
    M_JPG0 = 0xf0,
    M_JPG13 = 0xfd,
    M_COM = 0xfe
};

typedef struct walk {
    const oriel_image_job *job;
    oriel_jpeg *jpeg;
    size_t at;
    /* Of the parts of an ICC profile since the last frame header, the one
       that sorts first. */
    const uint8_t *icc;
    size_t n_icc;
    size_t exif_room; /* of the copy that joins EXIF segments; 0: none yet */
} walk;

typedef struct segment {
    const uint8_t *bytes;
    size_t n_bytes;
} segment;

static bool
starts_with(const segment *s, const char *text, size_t n)
{
    return s->n_bytes >= n && memcmp(s->bytes, text, n) == 0;
}
#define STARTS_WITH(segment, literal) \
    starts_with(segment, literal, sizeof(literal) - 1)

__attribute__((format(printf, 3, 4))) static oriel_status
bad_marker(const walk *w, int marker, const char *format, ...)
{
    char what[200];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return oriel_fail(w->job->err, ORIEL_ERR_INPUT, "JPEG: marker FF%02X: %s",
                      (unsigned)marker, what);
}

static uint32_t
u16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

/* The length counts itself; one of 0 or 1 is as good as 2. */
static oriel_status
read_segment(walk *w, int marker, segment *s)
{
    size_t there = w->job->n_bytes - w->at;
    size_t length;

    if (there < 2)
        return bad_marker(w, marker, "the file ends in its length");
    length = u16(w->job->bytes + w->at);
    s->bytes = w->job->bytes + w->at + 2;
    s->n_bytes = length < 2 ? 0 : length - 2;
    if (there - 2 < s->n_bytes)
        return bad_marker(w, marker, "the file ends in it");
    w->at += 2 + s->n_bytes;
    return ORIEL_OK;
}

/* A part of EXIF after the first is its continuation. */
static oriel_status
add_exif(walk *w, const segment *s)
{
    oriel_metadata *metadata = &w->jpeg->metadata;
    oriel_blob *exif = &metadata->exif;
    size_t n_bytes = exif->n_bytes + s->n_bytes - 6;

    if (!exif->bytes) {
        oriel_metadata_set(metadata, exif, s->bytes, s->n_bytes, NULL);
        return ORIEL_OK;
    }
    if (n_bytes > w->exif_room) {
        uint8_t *joined = oriel_alloc(&w->job->hooks, 2 * n_bytes);

        if (!joined)
            return oriel_fail_memory(w->job->err, 2 * n_bytes,
                                     "the EXIF segments");
        memcpy(joined, exif->bytes, exif->n_bytes);
        oriel_metadata_set(metadata, exif, joined, exif->n_bytes, joined);
        w->exif_room = 2 * n_bytes;
    }
    memcpy((uint8_t *)exif->owned + exif->n_bytes, s->bytes + 6,
           s->n_bytes - 6);
    exif->n_bytes = n_bytes;
    return ORIEL_OK;
}

static void
add_icc(walk *w, const segment *s)
{
    size_t n = s->n_bytes < w->n_icc ? s->n_bytes : w->n_icc;
    int order = w->icc ? memcmp(s->bytes, w->icc, n) : -1;

    if (order < 0 || (order == 0 && s->n_bytes < w->n_icc)) {
        w->icc = s->bytes;
        w->n_icc = s->n_bytes;
    }
}

/* Photoshop's resources are not needed, but one whose name is cut off refuses
   the file; other damage only ends the list. */
static bool
photoshop_is_sound(const segment *s)
{
    enum { RESOLUTION = 0x03ed, RESOLUTION_BYTES = 14 };
    size_t at = 14;

    while (s->n_bytes >= at + 6 && memcmp(s->bytes + at, "8BIM", 4) == 0) {
        uint32_t code = u16(s->bytes + at + 4);
        at += 6;
        if (at >= s->n_bytes)
            return false;
        at += 1u + s->bytes[at];
        at += at & 1;
        if (at > s->n_bytes || s->n_bytes - at < 4)
            return true;
        size_t size =
            ((size_t)u16(s->bytes + at) << 16) + u16(s->bytes + at + 2);
        at += 4;
        size_t there = s->n_bytes - at < size ? s->n_bytes - at : size;
        if (code == RESOLUTION && there < RESOLUTION_BYTES)
            return true;
        at += size;
        at += at & 1;
    }
    return true;
}

static oriel_status
read_app(walk *w, int marker, const segment *s)
{
    static const char xmp[] = "http://ns.adobe.com/xap/1.0/";

    if (marker == M_APP1 && STARTS_WITH(s, "Exif\0\0"))
        return add_exif(w, s);
    if (marker == M_APP1 && starts_with(s, xmp, sizeof(xmp)))
        oriel_metadata_set(&w->jpeg->metadata, &w->jpeg->metadata.xmp,
                           s->bytes + sizeof(xmp), s->n_bytes - sizeof(xmp),
                           NULL);
    else if (marker == M_APP2 && STARTS_WITH(s, "ICC_PROFILE\0"))
        add_icc(w, s);
    else if ((marker == M_APP0 && STARTS_WITH(s, "JFIF") && s->n_bytes < 7) ||
             (marker == M_APP14 && STARTS_WITH(s, "Adobe") && s->n_bytes < 7))
        return bad_marker(w, marker, "expected a version");
    else if (marker == M_APP13 && STARTS_WITH(s, "Photoshop 3.0\0") &&
             !photoshop_is_sound(s))
        return bad_marker(w, marker, "a Photoshop resource is cut off");
    return ORIEL_OK;
}

/* Blocks of one side of a component, padded to whole units of all components. */
static uint64_t
count_side(uint32_t side, uint32_t sampling, uint32_t highest)
{
    uint64_t units = (side + 8 * highest - 1) / (8 * highest);

    return units * sampling;
}

/* Sampling factors outside of 1..4 are refused by libjpeg. */
static uint32_t
sampling_of(uint32_t nibble)
{
    return nibble < 1 ? 1 : nibble > 4 ? 4 : nibble;
}

static void
count_blocks(oriel_jpeg *jpeg, const uint8_t *components)
{
    uint32_t widest = 1, highest = 1;

    for (int32_t i = 0; i < jpeg->components; i++) {
        uint32_t h = sampling_of(components[3 * i + 1] >> 4);
        uint32_t v = sampling_of(components[3 * i + 1] & 15);

        widest = h > widest ? h : widest;
        highest = v > highest ? v : highest;
    }
    jpeg->highest = (int32_t)highest;
    jpeg->n_blocks = 0;
    for (int32_t i = 0; i < jpeg->components; i++)
        jpeg->n_blocks +=
            count_side(jpeg->width, sampling_of(components[3 * i + 1] >> 4),
                       widest) *
            count_side(jpeg->height, sampling_of(components[3 * i + 1] & 15),
                       highest);
}

static oriel_status
read_frame_header(walk *w, int marker, const segment *s)
{
    oriel_jpeg *jpeg = w->jpeg;

    if (s->n_bytes < 6 || (s->n_bytes - 6) % 3 != 0)
        return bad_marker(w, marker, "%zu bytes, expected 6 and 3 a component",
                          s->n_bytes);
    if (s->bytes[0] != 8)
        return bad_marker(w, marker, "samples of %d bits, expected 8",
                          s->bytes[0]);
    jpeg->height = u16(s->bytes + 1);
    jpeg->width = u16(s->bytes + 3);
    jpeg->components = s->bytes[5];
    if (jpeg->components != 1 && jpeg->components != 3 && jpeg->components != 4)
        return bad_marker(w, marker, "%d components, expected 1, 3 or 4",
                          jpeg->components);
    if (s->n_bytes < 6 + 3 * (size_t)jpeg->components)
        return bad_marker(w, marker, "%zu bytes for %d components", s->n_bytes,
                          jpeg->components);
    count_blocks(jpeg, s->bytes + 6);
    jpeg->many_scans = marker == M_SOF2 || marker == M_SOF10;
    if (w->icc && w->n_icc < 14)
        return bad_marker(w, marker, "an ICC profile without its number");
    w->icc = NULL;
    w->n_icc = 0;
    return ORIEL_OK;
}

static oriel_status
check_quantization(const walk *w, const segment *s)
{
    size_t at = 0;

    while (at < s->n_bytes) {
        size_t n = 1 + (s->bytes[at] >> 4 ? 128u : 64u);
        if (s->n_bytes - at < n)
            return bad_marker(w, M_DQT, "a table of %zu bytes, expected %zu",
                              s->n_bytes - at, n);
        at += n;
    }
    return ORIEL_OK;
}

static bool
is_frame_header(int marker)
{
    return (marker >= M_SOF0 && marker < M_RST0 && marker != M_DHT &&
            marker != M_JPG && marker != M_DAC) ||
           marker == M_DHP;
}

/* Neither length nor body: restarts, start and end of image, reserved ones. */
static bool
stands_alone(int marker)
{
    return marker == M_JPG || (marker >= M_RST0 && marker <= M_EOI) ||
           (marker >= M_JPG0 && marker <= M_JPG13);
}

static oriel_status
read_marker(walk *w, int marker)
{
    segment s = {NULL, 0};
    oriel_status status;

    if (stands_alone(marker))
        return ORIEL_OK;
    if (marker < M_SOF0)
        return bad_marker(w, marker, "expected a marker from FFC0 on");
    status = read_segment(w, marker, &s);
    if (status)
        return status;
    if (is_frame_header(marker))
        return read_frame_header(w, marker, &s);
    if (marker == M_DQT)
        return check_quantization(w, &s);
    if (marker == M_SOS && s.n_bytes > 0 && s.bytes[0] < w->jpeg->components)
        w->jpeg->many_scans = true;
    if (marker >= M_APP0 && marker < M_JPG0)
        return read_app(w, marker, &s);
    return ORIEL_OK;
}

/* Whatever lies between markers, and fill bytes, are passed over. */
static bool
next_marker(walk *w, int *marker)
{
    const uint8_t *bytes = w->job->bytes;
    size_t n_bytes = w->job->n_bytes;

    for (;;) {
        while (w->at < n_bytes && bytes[w->at] != 0xff)
            w->at++;
        while (w->at < n_bytes && bytes[w->at] == 0xff)
            w->at++;
        if (w->at >= n_bytes)
            return false;
        *marker = bytes[w->at++];
        if (*marker != 0)
            return true;
    }
}

oriel_status
oriel_jpeg_read_markers(oriel_jpeg *jpeg, const oriel_image_job *job)
{
    walk w = {.job = job, .jpeg = jpeg, .at = 2};
    int marker = 0;

    jpeg->job = job;
    jpeg->metadata.hooks = &job->hooks;
    while (marker != M_SOS) {
        if (!next_marker(&w, &marker))
            return oriel_fail(job->err, ORIEL_ERR_INPUT,
                              "JPEG: truncated: expected a scan");
        oriel_status status = read_marker(&w, marker);
        if (status)
            return status;
    }
    if (jpeg->components == 0)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "JPEG: a scan before any frame header");
    if (jpeg->width > LONGEST_SIDE || jpeg->height > LONGEST_SIDE)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "JPEG: %ux%u pixels, expected sides of at most %d",
                          jpeg->width, jpeg->height, LONGEST_SIDE);
    return oriel_image_check_size(job, "JPEG", jpeg->width, jpeg->height);
}
