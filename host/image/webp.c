/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webp.c - WebP through libwebp: the demuxer, then its incremental decoder
 *
 * The first frame is decoded, whole rows at a time, into the caller's rows;
 * only alpha that is to be composited and rows that are to be turned need a
 * buffer between.  libwebp takes its memory from malloc and mostly does not say
 * when there is none, so errno does.
 */
#include "image/webp.h"

#include "base/fail.h"
#include "base/memory.h"
#include "image/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool
accepts(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 16 && memcmp(bytes, "RIFF", 4) == 0 &&
           memcmp(bytes + 8, "WEBPVP8", 7) == 0 &&
           (bytes[15] == ' ' || bytes[15] == 'L' || bytes[15] == 'X');
}

#ifdef ORIEL_WEBP

#include "image/convert.h"
#include "image/metadata.h"

#include <webp/decode.h>
#include <webp/demux.h>

/* The data come in portions, so that a decode can be stopped.  A lossless
   decoder that runs out of data repeats up to 8 rows, or all of its tables. */
enum { LOSSY_PORTIONS = 256, LOSSLESS_PORTIONS = 16, LEAST_PORTION = 4096 };

/* Of memory: fixed parts, a column of a lossy picture, and the part of a group
   of codes that is written to. */
enum { READER_BYTES = 1 << 17, COLUMN_BYTES = 160, GROUP_BYTES = 6144 };
enum { GROUP_BITS = 20 };

typedef struct decoder {
    const oriel_webp *webp;
    oriel_canvas *canvas;
    WebPIterator frame;
    bool alpha;       /* rows of RGBA, to be composited on white */
    uint8_t *scratch; /* the frame; NULL: rows are the caller's */
    WebPIDecoder *reader;
} decoder;

/* After a call of libwebp, before which errno was 0, has failed. */
static oriel_status
fail(const oriel_image_job *job, VP8StatusCode code, const char *what)
{
    if (code == VP8_STATUS_OUT_OF_MEMORY || errno == ENOMEM)
        return oriel_fail(job->err, ORIEL_ERR_MEMORY,
                          "out of memory: libwebp wanted more");
    return oriel_fail(job->err, ORIEL_ERR_INPUT, "WebP: %s", what);
}

static void
read_chunk(const WebPDemuxer *demuxer, oriel_metadata *metadata,
           oriel_blob *blob, const char *id)
{
    WebPChunkIterator at;

    if (!WebPDemuxGetChunk(demuxer, id, 1, &at))
        return;
    if (at.chunk.size > 0)
        oriel_metadata_set(metadata, blob, at.chunk.bytes, at.chunk.size, NULL);
    WebPDemuxReleaseChunkIterator(&at);
}

static oriel_status
read_orientation(const oriel_webp *webp, int32_t *orientation)
{
    oriel_metadata metadata = {.hooks = &webp->job->hooks};

    read_chunk(webp->demuxer, &metadata, &metadata.exif, "EXIF");
    read_chunk(webp->demuxer, &metadata, &metadata.xmp, "XMP ");
    return oriel_metadata_orientation(&metadata, orientation, webp->job->err);
}

/*
 * What libwebp takes for a frame.  Lossless: pixels of 4 bytes, with 16 rows
 * more, and tables.  Lossy: rows of macroblocks, and of alpha, which comes
 * lossless, a byte more for each pixel.
 */
static uint64_t
frame_bytes(const WebPIterator *frame)
{
    uint64_t width = (uint64_t)frame->width, height = (uint64_t)frame->height;
    const uint8_t *bytes = frame->fragment.bytes;
    bool lossless = memcmp(bytes, "VP8L", 4) == 0;
    bool alpha = memcmp(bytes, "ALPH", 4) == 0;
    uint64_t n = READER_BYTES;

    if (lossless || alpha)
        n += 4 * width * (height + 17);
    if (!lossless)
        n += COLUMN_BYTES * (width + 15);
    return n + (alpha ? width * height : 0);
}

/*
 * The lossless decoder's tables: 5 codes a group, each of 256 entries at least,
 * and as few as 4 bits of the file.  Up to 65536 groups.
 */
static uint64_t
table_bytes(const WebPIterator *frame)
{
    const uint8_t *bytes = frame->fragment.bytes;
    uint64_t n_bytes = 0;

    if (memcmp(bytes, "VP8L", 4) == 0)
        n_bytes = frame->fragment.size;
    else if (memcmp(bytes, "ALPH", 4) == 0)
        n_bytes = (uint64_t)bytes[4] | (uint64_t)bytes[5] << 8 |
                  (uint64_t)bytes[6] << 16 | (uint64_t)bytes[7] << 24;
    uint64_t n_groups = n_bytes * 8 / GROUP_BITS;

    return GROUP_BYTES * (n_groups < 65536 ? n_groups : 65536);
}

/* The demuxer keeps some bytes for each chunk that is no pixels. */
static uint64_t
decode_bytes(const oriel_webp *webp, const oriel_image_header *header)
{
    bool alpha = webp->job->rgba_white && webp->has_alpha;
    uint64_t pixel = alpha ? 4 : header->orientation != 1 ? 3 : 0;
    uint64_t n = READER_BYTES;
    WebPIterator frame;

    if (!WebPDemuxGetFrame(webp->demuxer, 1, &frame))
        return n;
    n += 4 * (uint64_t)(webp->job->n_bytes - frame.fragment.size);
    n += pixel * (uint64_t)frame.width * (uint64_t)frame.height;
    n += frame_bytes(&frame) + table_bytes(&frame);
    WebPDemuxReleaseIterator(&frame);
    return n;
}

static oriel_status
open_file(oriel_image_file *file, const oriel_image_job *job,
          oriel_image_header *header)
{
    WebPData data = {job->bytes, job->n_bytes};
    WebPBitstreamFeatures features;
    oriel_webp *webp = &file->webp;
    oriel_status status;

    webp->job = job;
    errno = 0;
    webp->demuxer = WebPDemux(&data);
    if (!webp->demuxer ||
        WebPGetFeatures(job->bytes, job->n_bytes, &features) != VP8_STATUS_OK)
        return fail(job, VP8_STATUS_OK, "truncated or malformed");
    webp->has_alpha = features.has_alpha != 0;
    header->width = WebPDemuxGetI(webp->demuxer, WEBP_FF_CANVAS_WIDTH);
    header->height = WebPDemuxGetI(webp->demuxer, WEBP_FF_CANVAS_HEIGHT);
    header->has_alpha = webp->has_alpha;
    header->channels = header->has_alpha ? 4 : 3;
    header->bit_depth = 8;
    status = oriel_image_check_size(job, "WebP", header->width, header->height);
    if (!status && job->orient)
        status = read_orientation(webp, &header->orientation);
    header->decode_bytes = decode_bytes(webp, header);
    return status;
}

static void
close_file(oriel_image_file *file)
{
    WebPDemuxDelete(file->webp.demuxer);
}

/* Where the decoder writes to. */
static oriel_status
prepare_rows(decoder *d, WebPDecBuffer *buffer)
{
    const oriel_image_job *job = d->webp->job;
    size_t width = (size_t)d->frame.width, height = (size_t)d->frame.height;
    size_t pixel = d->alpha ? 4 : 3;
    WebPRGBABuffer *rows = &buffer->u.RGBA;

    rows->rgba = NULL;
    if (!d->alpha)
        rows->rgba =
            oriel_canvas_direct(d->canvas, (size_t)d->frame.x_offset,
                                (size_t)d->frame.y_offset, &rows->stride);
    if (!rows->rgba) {
        d->scratch = oriel_alloc(&job->hooks, pixel * width * height);
        if (!d->scratch)
            return oriel_fail_memory(job->err, pixel * width * height,
                                     "the frame of a WebP");
        rows->rgba = d->scratch;
        rows->stride = (int)(pixel * width);
    }
    rows->size = (size_t)rows->stride * (height - 1) + pixel * width;
    buffer->colorspace = d->alpha ? MODE_RGBA : MODE_RGB;
    buffer->is_external_memory = 1;
    return ORIEL_OK;
}

/* More data for a decoder that had 'given' of 'n_bytes': small portions, but
   twice as much as long as no row came out. */
static size_t
next_portion(const decoder *d, size_t given, size_t n_bytes, bool lossless)
{
    size_t portion =
        n_bytes / (lossless ? LOSSLESS_PORTIONS : LOSSY_PORTIONS) + 1;
    int n_rows = 0;

    if (lossless && portion < LEAST_PORTION)
        portion = LEAST_PORTION;
    WebPIDecGetRGB(d->reader, &n_rows, NULL, NULL, NULL);
    if (lossless && n_rows == 0 && given > portion)
        portion = given;
    return n_bytes - given < portion ? n_bytes : given + portion;
}

static oriel_status
decode_frame(decoder *d)
{
    const oriel_image_job *job = d->webp->job;
    const WebPData *data = &d->frame.fragment;
    VP8StatusCode code = VP8_STATUS_SUSPENDED;
    WebPBitstreamFeatures features;
    size_t given = 0;

    code = WebPGetFeatures(data->bytes, data->size, &features);
    if (code != VP8_STATUS_OK)
        return fail(job, code, "the first frame is malformed");
    do {
        if (oriel_cancelled(&job->hooks))
            return oriel_image_fail_cancelled(job);
        given = next_portion(d, given, data->size, features.format == 2);
        errno = 0;
        code = WebPIUpdate(d->reader, data->bytes, given);
    } while (code == VP8_STATUS_SUSPENDED && given < data->size);
    return code == VP8_STATUS_OK
               ? ORIEL_OK
               : fail(job, code, "the first frame cannot be decoded");
}

/* Rows of the frame from the buffer between to the canvas. */
static void
place_rows(decoder *d)
{
    size_t width = (size_t)d->frame.width, height = (size_t)d->frame.height;
    size_t x = (size_t)d->frame.x_offset, y = (size_t)d->frame.y_offset;
    bool whole = width == d->canvas->width && height == d->canvas->height;
    uint8_t *row = d->scratch;

    for (size_t i = 0; i < height; i++, row += (d->alpha ? 4 : 3) * width) {
        /* A part is converted in place. */
        uint8_t *rgb = whole ? oriel_canvas_row(d->canvas, i) : row;

        if (d->alpha)
            oriel_convert_rgba(rgb, row, width, true);
        else if (whole)
            oriel_convert_rgb(rgb, row, width);
        if (!whole)
            oriel_canvas_scatter(d->canvas, x, y + i, 1, rgb, width);
    }
    oriel_canvas_flush(d->canvas);
}

/* What a frame that is a part of the canvas leaves is transparent black. */
static void
fill_around(const decoder *d)
{
    static const uint8_t black[3], white[3] = {255, 255, 255};

    if ((size_t)d->frame.width < d->canvas->width ||
        (size_t)d->frame.height < d->canvas->height)
        oriel_canvas_fill(d->canvas, d->alpha ? white : black);
}

/* libwebp copes badly without memory, so it is asked for what it needs in any
   case before it runs. */
static bool
has_room(const WebPIterator *frame)
{
    /* volatile: a pair of malloc and free alone is optimised away. */
    void *volatile room = malloc(frame_bytes(frame));

    free(room);
    return room != NULL;
}

static oriel_status
run(decoder *d)
{
    const oriel_image_job *job = d->webp->job;
    WebPDecBuffer buffer;
    oriel_status status;

    WebPInitDecBuffer(&buffer);
    status = prepare_rows(d, &buffer);
    if (status)
        return status;
    if (!has_room(&d->frame))
        return fail(job, VP8_STATUS_OUT_OF_MEMORY, "");
    fill_around(d);
    errno = 0;
    d->reader = WebPINewDecoder(&buffer);
    if (!d->reader)
        return fail(job, VP8_STATUS_OUT_OF_MEMORY, "");
    status = decode_frame(d);
    WebPIDelete(d->reader);
    if (!status && d->scratch)
        place_rows(d);
    return status;
}

static oriel_status
decode(oriel_image_file *file, oriel_canvas *canvas)
{
    const oriel_webp *webp = &file->webp;
    decoder d = {.webp = webp,
                 .canvas = canvas,
                 .alpha = webp->job->rgba_white && webp->has_alpha};
    oriel_status status;

    if (!WebPDemuxGetFrame(webp->demuxer, 1, &d.frame))
        return oriel_fail(webp->job->err, ORIEL_ERR_INPUT,
                          "WebP: there is no first frame");
    status = run(&d);
    oriel_free(&webp->job->hooks, d.scratch);
    WebPDemuxReleaseIterator(&d.frame);
    return status;
}

#else

static oriel_status
open_file(oriel_image_file *file, const oriel_image_job *job,
          oriel_image_header *header)
{
    (void)file;
    (void)header;
    return oriel_fail(job->err, ORIEL_ERR_UNSUPPORTED,
                      "WebP: this build has no decoder for it; expected PNG, "
                      "JPEG or PNM");
}

/* Never called: open has failed. */
static oriel_status
decode(oriel_image_file *file, oriel_canvas *canvas)
{
    (void)file;
    (void)canvas;
    return ORIEL_ERR_UNSUPPORTED;
}

static void
close_file(oriel_image_file *file)
{
    (void)file;
}

#endif

const oriel_image_format oriel_format_webp = {
    .name = "WebP",
    .code = ORIEL_IMAGE_WEBP,
    .accepts = accepts,
    .open = open_file,
    .decode = decode,
    .close = close_file,
};
