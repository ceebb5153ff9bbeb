/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oriel_image.h - file bytes to the RGB8 pictures that oriel_encode takes
 *
 * Its own library, liboriel-image, so that a server which decodes elsewhere
 * links no decoder.  Formats are told by content: PNG (APNG: the default
 * image), JPEG (MPO: the first picture), WebP (animated: the first composited
 * frame), PBM, PGM and PPM.  Every pixel is the one that Pillow's open, EXIF
 * transpose and convert("RGB") give; what Pillow refuses is refused, and what
 * it accepts accepted.  The exceptions are few, and docs/model.md lists them in
 * 4.6; the common one: broken EXIF and XMP refuse nothing.
 *
 * GIF, BMP, TIFF, AVIF and HEIC, the first picture of each, are decoded by a
 * module, liboriel-formats.so.  It is loaded when such a file is met, from the
 * folder of liboriel-image and from nowhere else, and may be left out: the
 * file is then ORIEL_ERR_UNSUPPORTED.  GIF, BMP, AVIF and TIFF of 8 bits equal
 * Pillow's bit for bit, HEIC is within two levels of pillow-heif's;
 * docs/inputs.md tells the differences.  A file that is none of these is
 * refused by a line that says what it is.
 *
 * Conventions of status, error, structs, numbers and hooks are as in oriel.h.
 */
#ifndef ORIEL_IMAGE_H
#define ORIEL_IMAGE_H

#include "oriel.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ORIEL_IMAGE_PNG = 1,
    ORIEL_IMAGE_JPEG = 2,
    ORIEL_IMAGE_WEBP = 3,
    ORIEL_IMAGE_PNM = 4,
    /* Through liboriel-formats.so, a module that may be left out. */
    ORIEL_IMAGE_GIF = 5,
    ORIEL_IMAGE_BMP = 6,
    ORIEL_IMAGE_TIFF = 7,
    ORIEL_IMAGE_AVIF = 8,
    ORIEL_IMAGE_HEIC = 9
};

enum {
    ORIEL_ALPHA_WHITE = 0, /* composited on white, as transformers >= 5.21 and
                              qwen-vl-utils do with image objects */
    ORIEL_ALPHA_DROP = 1,  /* convert("RGB"): the colour under the alpha, as
                              transformers does with paths */
    ORIEL_ALPHA_QWEN_VL_UTILS = 2 /* what Pillow opens as RGBA on white, other
                                     alpha dropped, as qwen-vl-utils does */
};

enum {
    ORIEL_TRUNCATED_FAIL = 0, /* a damaged picture is refused */
    ORIEL_TRUNCATED_PAD = 1   /* as Pillow's LOAD_TRUNCATED_IMAGES = True: what
                                 was decoded before the damage, and zeros after
                                 it; the log hook hears why, as a warning */
};

#define ORIEL_IMAGE_MAX_PIXELS 178956970 /* Pillow's decompression bomb error */

typedef struct oriel_image_options {
    uint32_t struct_size;
    int32_t alpha;
    int32_t ignore_orientation; /* non-zero: EXIF and XMP do not rotate */
    int32_t truncated;  /* ORIEL_TRUNCATED_*: docs/inputs.md says what is padded
                          in which format */
    int64_t max_pixels; /* default ORIEL_IMAGE_MAX_PIXELS; checked on the
                           header, before anything is allocated */
    const oriel_hooks *hooks; /* alloc and free serve all but libjpeg and
                                 libwebp; cancel stops a decode within
                                 milliseconds: it is asked before, after each
                                 64 Ki pixels of work, and each MiB of text */
} oriel_image_options;
#define ORIEL_IMAGE_OPTIONS_INIT ORIEL_INIT_(oriel_image_options)

typedef struct oriel_image_info {
    uint32_t struct_size;
    int32_t format;
    int32_t width, height; /* of the decoded picture, after rotation */
    int32_t orientation;   /* 1..8 as EXIF counts; 1 when ignored or absent.
                              A TIFF's own is never ignored, as in Pillow */
    int32_t channels;      /* as stored: 1 grey or palette, 2, 3, 4; TIFF: up
                              to 7 */
    int32_t bit_depth;     /* as stored: 1, 2, 4, 8, 16; also 10, 12, 32 */
    int32_t has_alpha;     /* an alpha band or a transparent colour */
    int64_t decode_bytes;  /* the most host memory that a decode takes besides
                              the file and 'rgb', libraries' included */
} oriel_image_info;
#define ORIEL_IMAGE_INFO_INIT ORIEL_INIT_(oriel_image_info)

/*
 * Read what the header of a file tells, without decoding.  'bytes' is the whole
 * file; err->item is -1: the caller knows which file it was.  Threads: any.
 * ORIEL_ERR_INPUT (no such format, malformed, over max_pixels), _UNSUPPORTED
 * (a format left out of this build, or no module for it), _ARGUMENT, _MEMORY,
 * _CANCELLED
 */
ORIEL_API oriel_status oriel_image_probe(const void *bytes, size_t n_bytes,
    const oriel_image_options *options, oriel_image_info *info,
    oriel_error *err);

/*
 * Decode into RGB8: 'rgb' is the caller's, [height, width, 3] as probed with
 * the same options, lines 'pitch' bytes apart (0: tight), 'rgb_bytes' in all.
 * After an error the contents of 'rgb' are undefined.  Threads: any.
 * ORIEL_ERR_INPUT as above, or damage further in; _UNSUPPORTED, _ARGUMENT,
 * _MEMORY, _CANCELLED.  A file takes at most about 1 s of processor time for
 * each MB, and 10 ns for each pixel and channel: a PNG whose texts inflate to
 * more than 64 MiB, and a JPEG whose scans go over its blocks more often than 6
 * times and 16 times for each byte of the file, are ORIEL_ERR_INPUT.
 */
ORIEL_API oriel_status oriel_image_decode(const void *bytes, size_t n_bytes,
    const oriel_image_options *options, void *rgb, size_t rgb_bytes,
    size_t pitch, oriel_error *err);

#ifdef __cplusplus
}
#endif
#endif /* ORIEL_IMAGE_H */
