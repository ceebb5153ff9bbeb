/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heif.c - HEIC through libheif, as pillow-heif reads it
 *
 * Turned and cropped as the boxes say; EXIF's and XMP's orientation, which the
 * boxes have replaced, is not looked at.
 */
#include "formats/formats.h"

#include "base/fail.h"
#include "formats/bmff.h"
#include "image/convert.h"

#include <libheif/heif.h>
#include <string.h>

typedef struct heif {
    const oriel_image_job *job;
    struct heif_context *context;
    struct heif_image_handle *handle;
    struct heif_image *image;
    uint32_t width, height;
} heif;

static oriel_status
fail_heif(const heif *h, struct heif_error error)
{
    const char *message = error.message ? error.message : "unknown error";

    if (error.code == heif_error_Memory_allocation_error &&
        error.subcode != heif_suberror_Security_limit_exceeded)
        return oriel_fail(h->job->err, ORIEL_ERR_MEMORY,
                          "out of memory for a HEIC: %s", ORIEL_QUOTE(message));
    return oriel_fail(h->job->err, ORIEL_ERR_INPUT,
                      "HEIC: truncated, damaged or not supported by libheif: "
                      "%s",
                      oriel_quote_bytes(message, strcspn(message, "\n")).text);
}

static void
close_heif(heif *h)
{
    if (h->image)
        heif_image_release(h->image);
    if (h->handle)
        heif_image_handle_release(h->handle);
    if (h->context)
        heif_context_free(h->context);
}

/* ---- Before anything is decoded ------------------------------------------ */

static void
set_limits(heif *h)
{
#if LIBHEIF_NUMERIC_VERSION >= 0x01130000
    struct heif_security_limits limits = *heif_get_global_security_limits();

    limits.max_image_size_pixels = (uint64_t)h->job->max_pixels * 2;
    heif_context_set_security_limits(h->context, &limits);
#else
    enum { SIDE_MAX = 65535 };

    heif_context_set_maximum_image_size_limit(h->context, SIDE_MAX);
#endif
}

/* What comes out, and what is stored: turning and cropping make no more. */
static oriel_status
check_sizes(heif *h)
{
    int stored_width = heif_image_handle_get_ispe_width(h->handle);
    int stored_height = heif_image_handle_get_ispe_height(h->handle);
    int width = heif_image_handle_get_width(h->handle);
    int height = heif_image_handle_get_height(h->handle);
    oriel_status status;

    if (width < 0 || height < 0 || stored_width < 0 || stored_height < 0)
        return oriel_fail(h->job->err, ORIEL_ERR_INPUT,
                          "HEIC: sides out of range");
    h->width = (uint32_t)width;
    h->height = (uint32_t)height;
    status = oriel_image_check_size(h->job, "HEIC", h->width, h->height);
    if (!status)
        status = oriel_image_check_size(h->job, "HEIC", (uint64_t)stored_width,
                                        (uint64_t)stored_height);
    if (!status &&
        (int64_t)width * height > (int64_t)stored_width * stored_height)
        status = oriel_fail(h->job->err, ORIEL_ERR_INPUT,
                            "HEIC: damaged: %dx%d pixels in a picture of %dx%d",
                            width, height, stored_width, stored_height);
    return status;
}

static oriel_status
open_heif(heif *h)
{
    struct heif_error error;
    oriel_bmff bmff;
    oriel_status status = oriel_bmff_read(&bmff, h->job, "HEIC");

    if (status)
        return status;
    h->context = heif_context_alloc();
    if (!h->context)
        return oriel_fail(h->job->err, ORIEL_ERR_MEMORY,
                          "out of memory for a HEIC");
    set_limits(h);
    error = heif_context_read_from_memory_without_copy(
        h->context, h->job->bytes, h->job->n_bytes, NULL);
    if (!error.code)
        error = heif_context_get_primary_image_handle(h->context, &h->handle);
    if (error.code)
        return fail_heif(h, error);
    status = check_sizes(h);
    return status
               ? status
               : oriel_bmff_check(&bmff, h->job, "HEIC", h->width, h->height);
}

static oriel_status
open_file(oriel_image_file *file, const oriel_image_job *job,
          oriel_image_header *header)
{
    heif h = {.job = job};
    oriel_status status = open_heif(&h);

    oriel_formats_keep_job(file, job);
    if (!status) {
        int bits = heif_image_handle_get_luma_bits_per_pixel(h.handle);

        /* Planes, their conversion, and copies that are turned and cropped. */
        header->decode_bytes =
            (uint64_t)h.width * h.height * (bits > 8 ? 32 : 16) +
            ((uint64_t)32 << 20);
        header->width = h.width;
        header->height = h.height;
        header->has_alpha = heif_image_handle_has_alpha_channel(h.handle);
        header->channels = header->has_alpha ? 4 : 3;
        header->bit_depth = bits > 0 ? bits : 8;
    }
    close_heif(&h);
    return status;
}

/* ---- Pixels -------------------------------------------------------------- */

static oriel_status
decode_image(heif *h)
{
    struct heif_decoding_options *options = heif_decoding_options_alloc();
    bool alpha = heif_image_handle_has_alpha_channel(h->handle);
    struct heif_error error;

    if (!options)
        return oriel_fail(h->job->err, ORIEL_ERR_MEMORY,
                          "out of memory for a HEIC");
    options->convert_hdr_to_8bit = 1;
    error = heif_decode_image(h->handle, &h->image, heif_colorspace_RGB,
                              alpha ? heif_chroma_interleaved_RGBA
                                    : heif_chroma_interleaved_RGB,
                              options);
    heif_decoding_options_free(options);
    return error.code ? fail_heif(h, error) : ORIEL_OK;
}

static uint8_t
divide_by_alpha(uint8_t value, uint8_t alpha)
{
    uint32_t whole = alpha ? value * 255u / alpha : 0;

    return (uint8_t)(whole > 255 ? 255 : whole);
}

static void
convert_premultiplied(uint8_t *rgb, const uint8_t *rgba, size_t n, bool white)
{
    for (size_t x = 0; x < n; x++, rgba += 4)
        for (size_t c = 0; c < 3; c++) {
            uint8_t value = divide_by_alpha(rgba[c], rgba[3]);

            rgb[3 * x + c] = white ? oriel_on_white(value, rgba[3]) : value;
        }
}

static oriel_status
convert(const heif *h, oriel_canvas *canvas)
{
    int stride = 0;
    enum heif_channel channel = heif_channel_interleaved;
    bool alpha =
        heif_image_get_chroma_format(h->image) == heif_chroma_interleaved_RGBA;
    bool premultiplied =
        alpha && heif_image_handle_is_premultiplied_alpha(h->handle);
    const uint8_t *pixels =
        heif_image_get_plane_readonly(h->image, channel, &stride);

    if (!pixels || heif_image_get_width(h->image, channel) != (int)h->width ||
        heif_image_get_height(h->image, channel) != (int)h->height)
        return oriel_fail(h->job->err, ORIEL_ERR_INPUT,
                          "HEIC: damaged: the picture is not of the size that "
                          "the header says");
    for (size_t y = 0; y < h->height; y++) {
        const uint8_t *row = pixels + y * (size_t)stride;
        uint8_t *rgb = oriel_canvas_row(canvas, y);

        if (premultiplied)
            convert_premultiplied(rgb, row, h->width, h->job->rgba_white);
        else if (alpha)
            oriel_convert_rgba(rgb, row, h->width, h->job->rgba_white);
        else
            oriel_convert_rgb(rgb, row, h->width);
    }
    return ORIEL_OK;
}

static oriel_status
decode(oriel_image_file *file, oriel_canvas *canvas)
{
    const oriel_image_job *job = oriel_formats_job(file);
    heif h = {.job = job};
    oriel_status status = open_heif(&h);

    if (!status)
        status = decode_image(&h);
    if (!status)
        status = convert(&h, canvas);
    oriel_canvas_flush(canvas);
    close_heif(&h);
    return oriel_formats_end(job, status);
}

const oriel_image_format oriel_format_heic = {
    .name = "HEIC",
    .code = ORIEL_IMAGE_HEIC,
    .open = open_file,
    .decode = decode,
    .close = oriel_formats_close,
};
