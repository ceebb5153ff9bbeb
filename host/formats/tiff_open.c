/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tiff_open.c - libtiff on a file in memory, with limits and without a voice
 *
 * Errors and warnings come to handlers of this file alone, which print nothing
 * and leave libtiff's global handlers as they are.
 */
#include "formats/tiff.h"

#include "base/fail.h"
#include "image/metadata.h"

#include <stdio.h>
#include <string.h>

/* One allocation of libtiff may be what a picture of the largest pixels takes
   (16 bits, four samples), the file once more, and this. */
#define SPARE_BYTES ((uint64_t)64 << 20)

/* ---- The file ------------------------------------------------------------ */

static tmsize_t
read_bytes(thandle_t handle, void *to, tmsize_t n)
{
    oriel_tiff *t = handle;
    uint64_t left = t->at < t->job->n_bytes ? t->job->n_bytes - t->at : 0;

    if (n < 0)
        return -1;
    if ((uint64_t)n > left)
        n = (tmsize_t)left;
    if (n > 0)
        memcpy(to, t->job->bytes + t->at, (size_t)n);
    t->at += (uint64_t)n;
    return n;
}

static tmsize_t
write_bytes(thandle_t handle, void *from, tmsize_t n)
{
    (void)handle;
    (void)from;
    (void)n;
    return -1;
}

static toff_t
seek(thandle_t handle, toff_t offset, int whence)
{
    oriel_tiff *t = handle;

    if (whence == SEEK_CUR)
        offset += t->at;
    else if (whence == SEEK_END)
        offset += t->job->n_bytes;
    t->at = offset;
    return offset;
}

static int
close_file(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t
file_size(thandle_t handle)
{
    const oriel_tiff *t = handle;

    return t->job->n_bytes;
}

/* libtiff reads mapped files only; it has no const for them. */
static int
map(thandle_t handle, void **base, toff_t *size)
{
    const oriel_tiff *t = handle;
    union {
        const uint8_t *from;
        void *to;
    } cast = {t->job->bytes};

    *base = cast.to;
    *size = t->job->n_bytes;
    return 1;
}

static void
unmap(thandle_t handle, void *base, toff_t size)
{
    (void)handle;
    (void)base;
    (void)size;
}

/* ---- What it says -------------------------------------------------------- */

__attribute__((format(printf, 4, 0))) static int
keep_error(TIFF *file, void *user, const char *module, const char *format,
           va_list arguments)
{
    oriel_tiff *t = user;

    (void)file;
    (void)module;
    if (t->message[0] == '\0')
        vsnprintf(t->message, sizeof(t->message), format, arguments);
    return 1; /* the global handler is not called */
}

__attribute__((format(printf, 4, 0))) static int
drop_warning(TIFF *file, void *user, const char *module, const char *format,
             va_list arguments)
{
    (void)file;
    (void)user;
    (void)module;
    (void)format;
    (void)arguments;
    return 1;
}

oriel_status
oriel_tiff_fail(const oriel_tiff *t, const char *otherwise)
{
    const char *message = t->message[0] ? t->message : otherwise;
    bool limited = strstr(message, "beyond the") != NULL;

    if (!limited &&
        (strstr(message, "ut of memory") || strstr(message, "No space for") ||
         strstr(message, "Failed to allocate memory")))
        return oriel_fail(t->job->err, ORIEL_ERR_MEMORY,
                          "out of memory for a TIFF: %s", ORIEL_QUOTE(message));
    return oriel_fail(t->job->err, ORIEL_ERR_INPUT,
                      "TIFF: damaged or not supported by libtiff: %s",
                      ORIEL_QUOTE(message));
}

/* ---- Open and close ------------------------------------------------------ */

static TIFF *
open_file(oriel_tiff *t)
{
    uint64_t limit =
        8 * (uint64_t)t->job->max_pixels + t->job->n_bytes + SPARE_BYTES;
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    TIFF *file;

    if (!options)
        return NULL;
    if (t->job->max_pixels < INT64_MAX / 16 && limit < (uint64_t)INT64_MAX)
        TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)limit);
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_error, t);
    TIFFOpenOptionsSetWarningHandlerExtR(options, drop_warning, t);
    file = TIFFClientOpenExt("TIFF", "rC", t, read_bytes, write_bytes, seek,
                             close_file, file_size, map, unmap, options);
    TIFFOpenOptionsFree(options);
    return file;
}

/* The tag, and where it is missing, XMP. */
static int32_t
read_orientation(const oriel_tiff *t)
{
    uint16_t orientation;
    uint32_t n;
    void *xmp;

    if (TIFFGetField(t->file, TIFFTAG_ORIENTATION, &orientation))
        return orientation >= 2 && orientation <= 8 ? orientation : 1;
    if (TIFFGetField(t->file, TIFFTAG_XMLPACKET, &n, &xmp))
        return oriel_xmp_orientation(xmp, n);
    return 1;
}

oriel_status
oriel_tiff_open(oriel_tiff *t, const oriel_image_job *job)
{
    oriel_status status;

    memset(t, 0, sizeof(*t));
    t->job = job;
    t->file = open_file(t);
    if (!t->file)
        return oriel_tiff_fail(t, t->message[0] ? "no directory"
                                                : "out of memory");
    if (!TIFFGetField(t->file, TIFFTAG_IMAGEWIDTH, &t->width) ||
        !TIFFGetField(t->file, TIFFTAG_IMAGELENGTH, &t->height))
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "TIFF: no width or no height");
    status = oriel_image_check_size(job, "TIFF", t->width, t->height);
    if (!status)
        status = oriel_tiff_read_layout(t);
    t->orientation = read_orientation(t);
    return status;
}

void
oriel_tiff_close(oriel_tiff *t)
{
    if (t->file)
        TIFFClose(t->file);
    t->file = NULL;
}
