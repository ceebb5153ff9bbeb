/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avif.c - AVIF through libavif, as Pillow reads it
 *
 * Not through libheif: before 1.17 it hands out no planes, and its own way to
 * RGB repeats chroma samples where the reference interpolates them, which is
 * several levels off.  irot and imir are an orientation as EXIF's is.
 */
#include "formats/formats.h"

#include "base/fail.h"
#include "base/memory.h"
#include "formats/bmff.h"
#include "image/convert.h"
#include "image/metadata.h"

#include <avif/avif.h>
#include <string.h>

static oriel_status
fail_avif(const oriel_image_job *job, avifResult result)
{
    if (result == AVIF_RESULT_OUT_OF_MEMORY)
        return oriel_fail(job->err, ORIEL_ERR_MEMORY,
                          "out of memory for an AVIF");
    return oriel_fail(job->err, ORIEL_ERR_INPUT,
                      "AVIF: truncated, damaged or not supported by libavif: "
                      "%s",
                      avifResultToString(result));
}

/* irot turns first, then imir mirrors. */
static int32_t
box_orientation(const avifImage *image)
{
    static const uint8_t turned[] = {1, 8, 3, 6};
    static const uint8_t top_to_bottom[] = {4, 5, 2, 7};
    static const uint8_t left_to_right[] = {2, 7, 4, 5};
    bool turns = image->transformFlags & AVIF_TRANSFORM_IROT;
    int angle = turns ? image->irot.angle & 3 : 0;

    if (!(image->transformFlags & AVIF_TRANSFORM_IMIR))
        return turned[angle];
#if AVIF_VERSION >= 1000000
    return image->imir.axis ? left_to_right[angle] : top_to_bottom[angle];
#else
    return image->imir.mode ? left_to_right[angle] : top_to_bottom[angle];
#endif
}

/* EXIF's own orientation gives way to the boxes, and only without both does
   XMP count. */
static int32_t
orientation_of(const avifImage *image)
{
    int32_t orientation = box_orientation(image), exif = 1;
    const uint8_t *bytes = image->exif.data;
    size_t n_bytes = image->exif.size;

    if (orientation != 1)
        return orientation;
    if (n_bytes >= 6 && memcmp(bytes, "Exif\0\0", 6) == 0) {
        bytes += 6;
        n_bytes -= 6;
    }
    if (n_bytes > 0 &&
        oriel_exif_orientation(bytes, n_bytes, &exif) == ORIEL_EXIF_FOUND)
        return 1;
    return image->xmp.size > 0
               ? oriel_xmp_orientation(image->xmp.data, image->xmp.size)
               : 1;
}

/*
 * libaom takes 13 bytes a pixel, and as many again for alpha.  Pictures of
 * Pillow's largest size would take over 1 GiB and 11 bytes a pixel, so they may
 * not be as large.
 */
static oriel_status
check_memory(const oriel_image_job *job, const avifDecoder *decoder)
{
    enum { PIXELS_MAX = 100000000, ALPHA_PIXELS_MAX = 40000000 };
    uint64_t pixels = (uint64_t)decoder->image->width * decoder->image->height;
    int most = decoder->alphaPresent ? ALPHA_PIXELS_MAX : PIXELS_MAX;

    if (pixels > (uint64_t)most)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "AVIF: %ux%u pixels%s, expected at most %d in all",
                          decoder->image->width, decoder->image->height,
                          decoder->alphaPresent ? " with alpha" : "", most);
    return ORIEL_OK;
}

/* The boxes are read, nothing is decoded.  NULL: an error. */
static oriel_status
open_avif(avifDecoder **out, const oriel_image_job *job)
{
    oriel_bmff bmff;
    oriel_status status = oriel_bmff_read(&bmff, job, "AVIF");
    avifDecoder *decoder;
    avifResult result;

    *out = NULL;
    if (status)
        return status;
    decoder = avifDecoderCreate();
    if (!decoder)
        return fail_avif(job, AVIF_RESULT_OUT_OF_MEMORY);
    *out = decoder;
    /* dav1d, which would come first, and libgav1 write to standard error. */
    if (avifCodecName(AVIF_CODEC_CHOICE_AOM, AVIF_CODEC_FLAG_CAN_DECODE))
        decoder->codecChoice = AVIF_CODEC_CHOICE_AOM;
    decoder->maxThreads = 1;
    decoder->strictFlags &=
        ~(avifStrictFlags)(AVIF_STRICT_CLAP_VALID | AVIF_STRICT_PIXI_REQUIRED);
    if (job->max_pixels < AVIF_DEFAULT_IMAGE_SIZE_LIMIT)
        decoder->imageSizeLimit = (uint32_t)job->max_pixels;
    result = avifDecoderSetIOMemory(decoder, job->bytes, job->n_bytes);
    if (result == AVIF_RESULT_OK)
        result = avifDecoderParse(decoder);
    if (result != AVIF_RESULT_OK)
        return fail_avif(job, result);
    status = oriel_image_check_size(job, "AVIF", decoder->image->width,
                                    decoder->image->height);
    if (!status)
        status = check_memory(job, decoder);
    return status ? status
                  : oriel_bmff_check(&bmff, job, "AVIF", decoder->image->width,
                                     decoder->image->height);
}

/* Planes, RGB and libaom's own, as measured; more for deeper samples. */
static uint64_t
decode_bytes(const avifDecoder *decoder)
{
    uint64_t pixels = (uint64_t)decoder->image->width * decoder->image->height;
    uint64_t pixel = decoder->alphaPresent ? 34 : 18;

    if (decoder->image->depth > 8)
        pixel *= 2;
    return pixel * pixels + ((uint64_t)32 << 20);
}

static oriel_status
open_file(oriel_image_file *file, const oriel_image_job *job,
          oriel_image_header *header)
{
    avifDecoder *decoder;
    oriel_status status = open_avif(&decoder, job);

    oriel_formats_keep_job(file, job);
    if (!status && decoder) {
        header->decode_bytes = decode_bytes(decoder);
        header->width = decoder->image->width;
        header->height = decoder->image->height;
        header->has_alpha = decoder->alphaPresent;
        header->channels = header->has_alpha ? 4 : 3;
        header->bit_depth = (int32_t)decoder->image->depth;
        if (job->orient)
            header->orientation = orientation_of(decoder->image);
    }
    if (decoder)
        avifDecoderDestroy(decoder);
    return status;
}

/* ---- Pixels -------------------------------------------------------------- */

/*
 * Some versions of libavif abort when memory runs out.  So what the planes may
 * take is asked for first, and given back.
 */
static bool
is_memory_left(const oriel_image_job *job, const avifImage *image)
{
    size_t bytes =
        (size_t)image->width * image->height * (image->depth > 8 ? 2 : 1) * 4;
    void *memory = oriel_alloc(&job->hooks, bytes);

    oriel_free(&job->hooks, memory);
    return memory != NULL;
}

static oriel_status
convert(const oriel_image_job *job, const avifDecoder *decoder,
        oriel_canvas *canvas)
{
    const avifImage *image = decoder->image;
    bool alpha = decoder->alphaPresent;
    oriel_status status = ORIEL_OK;
    avifRGBImage rgb;
    avifResult result;

    avifRGBImageSetDefaults(&rgb, image);
    rgb.depth = 8;
    rgb.format = alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
    rgb.rowBytes = (uint32_t)((alpha ? 4 : 3) * canvas->width);
    size_t bytes = (size_t)rgb.rowBytes * canvas->height;
    rgb.pixels = oriel_alloc(&job->hooks, bytes);
    if (!rgb.pixels)
        return oriel_fail_memory(job->err, bytes, "the pixels of an AVIF");
    result = avifImageYUVToRGB(image, &rgb);
    if (result != AVIF_RESULT_OK)
        status = fail_avif(job, result);
    for (size_t y = 0; y < canvas->height && !status; y++) {
        const uint8_t *row = rgb.pixels + y * rgb.rowBytes;

        if (alpha)
            oriel_convert_rgba(oriel_canvas_row(canvas, y), row, canvas->width,
                               job->rgba_white);
        else
            oriel_convert_rgb(oriel_canvas_row(canvas, y), row, canvas->width);
    }
    oriel_free(&job->hooks, rgb.pixels);
    return status;
}

static oriel_status
decode_frame(const oriel_image_job *job, avifDecoder *decoder,
             oriel_canvas *canvas)
{
    avifResult result;

    if (!is_memory_left(job, decoder->image))
        return fail_avif(job, AVIF_RESULT_OUT_OF_MEMORY);
    result = avifDecoderNextImage(decoder);
    if (result != AVIF_RESULT_OK)
        return fail_avif(job, result);
    if (decoder->image->width != canvas->width ||
        decoder->image->height != canvas->height)
        return oriel_fail(
            job->err, ORIEL_ERR_INPUT,
            "AVIF: damaged: a picture of %ux%u pixels, the header "
            "says %zux%zu",
            decoder->image->width, decoder->image->height, canvas->width,
            canvas->height);
    return convert(job, decoder, canvas);
}

static oriel_status
decode(oriel_image_file *file, oriel_canvas *canvas)
{
    const oriel_image_job *job = oriel_formats_job(file);
    avifDecoder *decoder;
    oriel_status status = open_avif(&decoder, job);

    if (!status && decoder)
        status = decode_frame(job, decoder, canvas);
    oriel_canvas_flush(canvas);
    if (decoder)
        avifDecoderDestroy(decoder);
    return oriel_formats_end(job, status);
}

const oriel_image_format oriel_format_avif = {
    .name = "AVIF",
    .code = ORIEL_IMAGE_AVIF,
    .open = open_file,
    .decode = decode,
    .close = oriel_formats_close,
};
