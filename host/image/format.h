/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - what the public functions ask of a format, and what it gets
 *
 * A file is opened once a call: what precedes and surrounds the pixels is read
 * there, and decode goes on from what open has found.
 */
#ifndef ORIEL_IMAGE_FORMAT_H
#define ORIEL_IMAGE_FORMAT_H

#include "image/canvas.h"
#include "oriel_image.h"

#include <stdbool.h>

/* One call: the file, the caller's wishes, and where errors go. */
typedef struct oriel_image_job {
    const uint8_t *bytes;
    size_t n_bytes;
    /* Composite on white, what Pillow opens as RGBA and what has other alpha;
       else the colour under the alpha shows. */
    bool rgba_white, white;
    bool orient;
    bool pad; /* damaged pictures are wanted, zero where pixels are missing */
    int64_t max_pixels;
    oriel_hooks hooks;
    oriel_error *err;
} oriel_image_job;

/* What a header says.  Sizes are as stored, before rotation. */
typedef struct oriel_image_header {
    uint32_t width, height;
    int32_t orientation; /* 1..8; 1 when the job does not orient */
    int32_t channels, bit_depth;
    bool has_alpha;
    /* The most host memory that open and decode take together, that of the
       libraries too, but not the canvas's. */
    uint64_t decode_bytes;
} oriel_image_header;

/* What open found; file.h has a member for each format. */
typedef union oriel_image_file oriel_image_file;

typedef struct oriel_image_format {
    const char *name;
    int32_t code; /* ORIEL_IMAGE_* */
    /* NULL for those of the module, whose heads kinds.c knows. */
    bool (*accepts)(const uint8_t *bytes, size_t n_bytes);
    /* 'file' is zeroed before; 'job' outlives it. */
    oriel_status (*open)(oriel_image_file *file, const oriel_image_job *job,
                         oriel_image_header *header);
    /* 'canvas' has the sizes and orientation that open gave. */
    oriel_status (*decode)(oriel_image_file *file, oriel_canvas *canvas);
    void (*close)(oriel_image_file *file); /* also after open has failed */
} oriel_image_format;

extern const oriel_image_format oriel_format_png;
extern const oriel_image_format oriel_format_jpeg;
extern const oriel_image_format oriel_format_webp;
extern const oriel_image_format oriel_format_pnm;

/* ORIEL_ERR_INPUT when a side is 0 or over INT32_MAX, or the product over
   max_pixels.  Every format calls it before it allocates for the picture. */
oriel_status oriel_image_check_size(const oriel_image_job *job,
                                    const char *format, uint64_t width,
                                    uint64_t height);

/* With job->pad a decoder calls it in place of the error that it has stored:
   the log hook hears it, and the picture counts as decoded. */
oriel_status oriel_image_pad(const oriel_image_job *job);

/* The status and message of a decode that the caller's hook has stopped. */
oriel_status oriel_image_fail_cancelled(const oriel_image_job *job);

#endif /* ORIEL_IMAGE_FORMAT_H */
