/* SPDX-License-Identifier: Apache-2.0 */
/* image.c - the public functions: which format, how large, into which buffer */
#include "oriel_image.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/memory.h"
#include "base/options.h"
#include "image/file.h"
#include "image/kinds.h"

#include <string.h>

static const oriel_image_format *const formats[] = {
    &oriel_format_jpeg,
    &oriel_format_png,
    &oriel_format_webp,
    &oriel_format_pnm,
};

static oriel_status
load_job(oriel_image_job *job, const void *bytes, size_t n_bytes,
         const oriel_image_options *options, oriel_error *err)
{
    oriel_image_options opt;
    oriel_status status =
        oriel_options_load(&opt, sizeof(opt), sizeof(oriel_image_options),
                           options, "oriel_image_options", err);

    if (!status)
        status = oriel_hooks_load(&job->hooks, opt.hooks, err);
    if (status)
        return status;
    if (!bytes && n_bytes > 0)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "bytes: NULL");
    if (opt.alpha < ORIEL_ALPHA_WHITE || opt.alpha > ORIEL_ALPHA_QWEN_VL_UTILS)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_image_options.alpha: %d, expected "
                          "ORIEL_ALPHA_WHITE, _DROP or _QWEN_VL_UTILS",
                          opt.alpha);
    if (opt.truncated < ORIEL_TRUNCATED_FAIL ||
        opt.truncated > ORIEL_TRUNCATED_PAD)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_image_options.truncated: %d, expected "
                          "ORIEL_TRUNCATED_FAIL or _PAD",
                          opt.truncated);
    if (opt.max_pixels < 0)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "oriel_image_options.max_pixels: %lld, expected 0 "
                          "or more",
                          (long long)opt.max_pixels);
    job->bytes = bytes;
    job->n_bytes = n_bytes;
    job->white = opt.alpha == ORIEL_ALPHA_WHITE;
    job->rgba_white = opt.alpha != ORIEL_ALPHA_DROP;
    job->orient = !opt.ignore_orientation;
    job->pad = opt.truncated == ORIEL_TRUNCATED_PAD;
    job->max_pixels = opt.max_pixels ? opt.max_pixels : ORIEL_IMAGE_MAX_PIXELS;
    job->err = err;
    return ORIEL_OK;
}

/* A format of our own, else one of the module, else what the file is. */
static oriel_status
find_format(const oriel_image_job *job, const oriel_image_format **format)
{
    const oriel_file_kind *kind;

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (formats[i]->accepts(job->bytes, job->n_bytes)) {
            *format = formats[i];
            return ORIEL_OK;
        }
    kind = oriel_file_kind_of(job->bytes, job->n_bytes);
    if (!kind)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "unknown format (%zu bytes), expected PNG, JPEG, "
                          "WebP, PNM, GIF, BMP, TIFF, AVIF or HEIC",
                          job->n_bytes);
    if (kind->code)
        return oriel_formats_get(format, kind->code, kind->what, job->err);
    return oriel_fail(job->err, ORIEL_ERR_INPUT, "%s, %s", kind->what,
                      kind->advice);
}

/* Ends with '(*format)->close(file)' when '*format' is set. */
static oriel_status
open_file(oriel_image_file *file, const oriel_image_job *job,
          const oriel_image_format **format, oriel_image_header *header)
{
    oriel_status status = find_format(job, format);

    memset(file, 0, sizeof(*file));
    memset(header, 0, sizeof(*header));
    header->orientation = 1;
    return status ? status : (*format)->open(file, job, header);
}

/* Sides of the picture that comes out. */
static void
turned_size(const oriel_image_header *header, size_t *width, size_t *height)
{
    bool turned = header->orientation >= 5;

    *width = turned ? header->height : header->width;
    *height = turned ? header->width : header->height;
}

oriel_status
oriel_image_probe(const void *bytes, size_t n_bytes,
                  const oriel_image_options *options, oriel_image_info *info,
                  oriel_error *err)
{
    oriel_image_info found = ORIEL_IMAGE_INFO_INIT;
    const oriel_image_format *format = NULL;
    oriel_image_header header;
    oriel_image_file file;
    oriel_image_job job;
    size_t width, height;
    oriel_status status = load_job(&job, bytes, n_bytes, options, err);

    if (!status)
        status = open_file(&file, &job, &format, &header);
    if (format)
        format->close(&file);
    if (status)
        return status;
    turned_size(&header, &width, &height);
    found.format = format->code;
    found.width = (int32_t)width;
    found.height = (int32_t)height;
    found.orientation = header.orientation;
    found.channels = header.channels;
    found.bit_depth = header.bit_depth;
    found.has_alpha = header.has_alpha;
    found.decode_bytes =
        (int64_t)(header.decode_bytes +
                  oriel_canvas_bytes(header.width, header.orientation));
    status =
        oriel_info_store(info, &found, sizeof(found), sizeof(oriel_image_info),
                         "oriel_image_info", err);
    return status ? status : oriel_ok(err);
}

/* The buffer holds the picture.  '*pitch' 0 becomes the tight one. */
static oriel_status
check_buffer(const void *rgb, size_t rgb_bytes, size_t *pitch, size_t width,
             size_t height, oriel_error *err)
{
    size_t line, needed;

    if (!rgb)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT, "rgb: NULL");
    if (!oriel_mul_size(&line, width, 3))
        return oriel_fail_memory(err, width, "a row of pixels");
    if (*pitch == 0)
        *pitch = line;
    if (*pitch < line)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "pitch: %zu bytes, expected at least %zu for %zu "
                          "pixels",
                          *pitch, line, width);
    if (!oriel_mul_size(&needed, *pitch, height - 1) ||
        !oriel_add_size(&needed, needed, line) || rgb_bytes < needed)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "rgb_bytes: %zu, expected room for %zux%zu pixels "
                          "in lines of %zu bytes",
                          rgb_bytes, width, height, *pitch);
    return ORIEL_OK;
}

static oriel_status
decode(oriel_image_file *file, const oriel_image_job *job,
       const oriel_image_format *format, const oriel_image_header *header,
       uint8_t *rgb, size_t pitch)
{
    oriel_canvas canvas;
    oriel_status status;

    if (oriel_cancelled(&job->hooks))
        return oriel_image_fail_cancelled(job);
    if (!oriel_canvas_init(&canvas, rgb, pitch, header->width, header->height,
                           header->orientation, &job->hooks))
        return oriel_fail(job->err, ORIEL_ERR_MEMORY,
                          "out of memory for rows of %u pixels to be turned",
                          header->width);
    status = format->decode(file, &canvas);
    oriel_canvas_end(&canvas);
    if (!status && canvas.cancelled)
        status = oriel_image_fail_cancelled(job);
    return status;
}

oriel_status
oriel_image_decode(const void *bytes, size_t n_bytes,
                   const oriel_image_options *options, void *rgb,
                   size_t rgb_bytes, size_t pitch, oriel_error *err)
{
    const oriel_image_format *format = NULL;
    oriel_image_header header;
    oriel_image_file file;
    oriel_image_job job;
    size_t width, height;
    oriel_status status = load_job(&job, bytes, n_bytes, options, err);

    if (status)
        return status;
    status = open_file(&file, &job, &format, &header);
    if (!status) {
        turned_size(&header, &width, &height);
        status = check_buffer(rgb, rgb_bytes, &pitch, width, height, err);
    }
    if (!status)
        status = decode(&file, &job, format, &header, rgb, pitch);
    if (format)
        format->close(&file);
    return status ? status : oriel_ok(err);
}
