/* SPDX-License-Identifier: Apache-2.0 */
/* pnm.c - the header of a PNM, and binary pixels */
#include "image/pnm.h"

#include "base/fail.h"
#include "base/memory.h"
#include "image/convert.h"
#include "image/file.h"

#include <math.h>
#include <string.h>

enum { LONGEST_TOKEN = 10 };

/* What rounding and the allocator add. */
enum { ALLOCATIONS_BYTES = 1024 };

bool
oriel_pnm_is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

uint8_t
oriel_pnm_scale(const oriel_pnm *pnm, int64_t value)
{
    bool wide = pnm->channels == 1 && pnm->max_value > 255;
    double scaled =
        nearbyint((double)value / pnm->max_value * (wide ? 65535 : 255));

    return scaled < 255 ? (uint8_t)scaled : 255;
}

bool
oriel_pnm_parse_number(const uint8_t *token, size_t n, int64_t *value)
{
    bool negative = n > 0 && token[0] == '-';
    size_t i = negative || (n > 0 && token[0] == '+');
    bool digit_before = false;

    *value = 0;
    for (; i < n; i++) {
        if (token[i] == '_' && digit_before) {
            digit_before = false;
            continue;
        }
        if (token[i] < '0' || token[i] > '9')
            return false;
        *value = *value * 10 + (token[i] - '0');
        digit_before = true;
    }
    if (negative)
        *value = -*value;
    return digit_before;
}

/* A number of the header.  A comment may stand anywhere, within it too. */
static bool
read_number(const oriel_image_job *job, size_t *at, int64_t *value)
{
    uint8_t token[LONGEST_TOKEN + 1];
    size_t n = 0;

    while (n <= LONGEST_TOKEN && *at < job->n_bytes) {
        uint8_t c = job->bytes[(*at)++];

        if (c == '#') {
            while (*at < job->n_bytes && c != '\n' && c != '\r')
                c = job->bytes[(*at)++];
        } else if (!oriel_pnm_is_space(c)) {
            token[n++] = c;
        } else if (n > 0) {
            break;
        }
    }
    return n <= LONGEST_TOKEN && oriel_pnm_parse_number(token, n, value);
}

static oriel_status
read_header(oriel_pnm *pnm, const oriel_image_job *job)
{
    static const int32_t channels[] = {0, 1, 1, 3, 1, 1, 3};
    int64_t width, height, max_value = 1;
    size_t at = 3;

    pnm->job = job;
    uint8_t kind = job->bytes[1];
    if (kind < '1' || kind > '6')
        return oriel_fail(job->err, ORIEL_ERR_UNSUPPORTED,
                          "PNM: variant P%c, expected P1 to P6", kind);
    if (job->n_bytes < 3 || !oriel_pnm_is_space(job->bytes[2]))
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "PNM: expected white space after P%c", kind);
    pnm->kind = kind - '0';
    pnm->channels = channels[pnm->kind];
    if (!read_number(job, &at, &width) || !read_number(job, &at, &height) ||
        width < 1 || height < 1)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "PNM: header: expected a width and a height");
    if (pnm->kind != 1 && pnm->kind != 4 &&
        (!read_number(job, &at, &max_value) || max_value < 1 ||
         max_value > 65535))
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "PNM: header: expected a highest value from 1 to "
                          "65535");
    pnm->width = (uint32_t)width;
    pnm->height = (uint32_t)height;
    pnm->max_value = (int32_t)max_value;
    pnm->data = at;
    return oriel_image_check_size(job, "PNM", (uint64_t)width,
                                  (uint64_t)height);
}

static size_t
row_bytes(const oriel_pnm *pnm)
{
    size_t samples = (size_t)pnm->width * (size_t)pnm->channels;

    if (pnm->kind == 4)
        return (samples + 7) / 8;
    return pnm->max_value > 255 ? 2 * samples : samples;
}

/* One row of samples, 8 bits each. */
static void
read_samples(const oriel_pnm *pnm, const uint8_t *bytes, uint8_t *samples)
{
    size_t n = (size_t)pnm->width * (size_t)pnm->channels;

    for (size_t i = 0; i < n; i++) {
        if (pnm->kind == 4)
            samples[i] = bytes[i / 8] >> (7 - i % 8) & 1 ? 0 : 255;
        else if (pnm->max_value > 255)
            samples[i] =
                oriel_pnm_scale(pnm, bytes[2 * i] << 8 | bytes[2 * i + 1]);
        else
            samples[i] = oriel_pnm_scale(pnm, bytes[i]);
    }
}

/*
 * How many rows there are: all, unless what is missing is to be black.  The
 * reference pads what it reads as it is stored, but not what it scales first.
 */
static oriel_status
count_rows(const oriel_pnm *pnm, oriel_canvas *canvas, size_t *n_rows)
{
    static const uint8_t black[3];
    const oriel_image_job *job = pnm->job;
    size_t line = row_bytes(pnm), there = job->n_bytes - pnm->data;
    bool as_stored = pnm->kind == 4 || pnm->max_value == 255 ||
                     (pnm->kind == 5 && pnm->max_value == 65535);

    *n_rows = pnm->height;
    if (there / line >= pnm->height)
        return ORIEL_OK;
    oriel_status status = oriel_fail(job->err, ORIEL_ERR_INPUT,
                                     "PNM: truncated: %zu bytes of pixels, "
                                     "expected %u rows of %zu",
                                     there, pnm->height, line);
    if (!job->pad || !as_stored)
        return status;
    *n_rows = there / line;
    oriel_canvas_fill(canvas, black);
    return oriel_image_pad(job);
}

static oriel_status
read_binary(const oriel_pnm *pnm, oriel_canvas *canvas)
{
    const oriel_image_job *job = pnm->job;
    size_t line = row_bytes(pnm), n_rows;
    size_t n_samples = (size_t)pnm->width * (size_t)pnm->channels;
    const uint8_t *bytes = job->bytes + pnm->data;
    oriel_status status = count_rows(pnm, canvas, &n_rows);
    uint8_t *samples;

    if (status)
        return status;
    samples = oriel_alloc(&job->hooks, n_samples);
    if (!samples)
        return oriel_fail_memory(job->err, n_samples, "a row of pixels");
    for (size_t y = 0; y < n_rows; y++, bytes += line) {
        const uint8_t *row = bytes;

        if (oriel_canvas_cancelled(canvas, pnm->width)) {
            oriel_free(&job->hooks, samples);
            return oriel_image_fail_cancelled(job);
        }
        if (pnm->max_value != 255) {
            read_samples(pnm, bytes, samples);
            row = samples;
        }
        if (pnm->channels == 3)
            oriel_convert_rgb(oriel_canvas_row(canvas, y), row, pnm->width);
        else
            oriel_convert_grey(oriel_canvas_row(canvas, y), row, pnm->width);
    }
    oriel_canvas_flush(canvas);
    oriel_free(&job->hooks, samples);
    return ORIEL_OK;
}

static bool
accepts(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 2 && bytes[0] == 'P' &&
           ((bytes[1] >= '0' && bytes[1] <= '6') || bytes[1] == 'f' ||
            bytes[1] == 'y');
}

static oriel_status
open_file(oriel_image_file *file, const oriel_image_job *job,
          oriel_image_header *header)
{
    oriel_pnm *pnm = &file->pnm;
    oriel_status status = read_header(pnm, job);

    header->width = pnm->width;
    header->height = pnm->height;
    header->channels = pnm->channels;
    header->bit_depth = pnm->max_value > 255 ? 16 : pnm->max_value > 1 ? 8 : 1;
    header->decode_bytes = pnm->kind < 4
                               ? oriel_pnm_plain_bytes(pnm)
                               : (uint64_t)pnm->width * (uint64_t)pnm->channels;
    header->decode_bytes += ALLOCATIONS_BYTES;
    return status;
}

static oriel_status
decode(oriel_image_file *file, oriel_canvas *canvas)
{
    const oriel_pnm *pnm = &file->pnm;

    return pnm->kind < 4 ? oriel_pnm_read_plain(pnm, canvas)
                         : read_binary(pnm, canvas);
}

static void
close_file(oriel_image_file *file)
{
    (void)file; /* nothing is held */
}

const oriel_image_format oriel_format_pnm = {
    .name = "PNM",
    .code = ORIEL_IMAGE_PNM,
    .accepts = accepts,
    .open = open_file,
    .decode = decode,
    .close = close_file,
};
