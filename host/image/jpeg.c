/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jpeg.c - JPEG pixels through libjpeg, with the reference's settings
 *
 * Accurate integer DCT, fancy upsampling, and data in portions of 64 KiB to a
 * source that suspends: a file that ends early is then refused rather than
 * completed in grey, and faults after the last row are seen exactly as far as
 * the reference sees them.  Where damage is to be padded, an end of image
 * follows the last byte, as in the reference.
 */
#include "image/jpeg.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/version.h"
#include "image/convert.h"
#include "image/file.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum { PORTION_BYTES = 65536, READER_BYTES = 1 << 17, ROWS_OF_BLOCKS = 4 };

/*
 * Progressive files have some 10 scans, each a pass over all blocks of its
 * components, however few bytes it has: a block costs up to 50 ns.  Encoders go
 * over a block 4 to 7 times, and spend at least a bit on it each time that it
 * matters.  So the limits refuse no picture, and keep the time below 1 s a MB
 * of file and 10 ns a pixel and channel.
 */
#define MAX_SCANS 500
enum { VISITS_A_BLOCK = 6, VISITS_A_BYTE = 16 };

/* What libjpeg has to do next: it may suspend in each. */
typedef enum stage { READ_HEADER, START, READ_ROWS, DONE } stage;

typedef struct decoder {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    struct jpeg_source_mgr source;
    jmp_buf failed;
    char message[JMSG_LENGTH_MAX];

    const oriel_image_job *job;
    const oriel_jpeg *jpeg;
    oriel_canvas *canvas;
    stage stage;
    size_t skip;  /* bytes that libjpeg wants passed over but has not got */
    size_t given; /* bytes of the file handed over so far */
    size_t y;
    uint8_t *row;  /* as libjpeg gives it */
    uint8_t *end;  /* the last bytes of a file that ends early, and an EOI */
    int last_scan; /* that was counted */
    uint64_t n_visits; /* blocks, over all scans so far */
    bool cancelled;
} decoder;

static void
on_error(j_common_ptr cinfo)
{
    decoder *d = cinfo->client_data;

    cinfo->err->format_message(cinfo, d->message);
    longjmp(d->failed, 1);
}

static void
on_message(j_common_ptr cinfo)
{
    (void)cinfo; /* warnings refuse nothing */
}

static void
fail_here(decoder *d, const char *message)
{
    snprintf(d->message, sizeof(d->message), "%s", message);
    d->errors.msg_code = 0; /* the last warning's, else */
    longjmp(d->failed, 1);
}

/* Count the blocks of a scan that begins. */
static void
begin_scan(decoder *d)
{
    const oriel_jpeg *jpeg = d->jpeg;
    uint64_t most = VISITS_A_BLOCK * jpeg->n_blocks +
                    VISITS_A_BYTE * (uint64_t)d->job->n_bytes;

    d->last_scan = d->cinfo.input_scan_number;
    if (d->last_scan > MAX_SCANS)
        fail_here(
            d, "more than " ORIEL_STRINGIFY(MAX_SCANS) " scans of one picture");
    for (int i = 0; i < d->cinfo.comps_in_scan; i++) {
        const jpeg_component_info *component = d->cinfo.cur_comp_info[i];

        d->n_visits +=
            (uint64_t)component->width_in_blocks * component->height_in_blocks;
    }
    if (d->n_visits > most)
        fail_here(d, "its scans go over the picture too often for a file of "
                     "this size");
}

/* libjpeg calls it before each row of blocks that it reads, and each row of
   pixels that it writes. */
static void
on_progress(j_common_ptr cinfo)
{
    decoder *d = cinfo->client_data;

    if (d->cinfo.input_scan_number != d->last_scan)
        begin_scan(d);
    d->cancelled = oriel_canvas_cancelled(d->canvas, DCTSIZE * d->jpeg->width);
    if (d->cancelled)
        longjmp(d->failed, 1);
}

static void
source_nothing(j_decompress_ptr cinfo)
{
    (void)cinfo;
}

static boolean
source_suspend(j_decompress_ptr cinfo)
{
    (void)cinfo;
    return FALSE;
}

static void
source_skip(j_decompress_ptr cinfo, long n_bytes)
{
    decoder *d = cinfo->client_data;
    size_t n = n_bytes > 0 ? (size_t)n_bytes : 0;
    size_t there = d->source.bytes_in_buffer;

    d->skip = n > there ? n - there : 0;
    n = n > there ? there : n;
    d->source.next_input_byte += n;
    d->source.bytes_in_buffer -= n;
}

/* Hand over the next portion.  False: the file is at its end. */
static bool
give_portion(decoder *d)
{
    size_t n = d->job->n_bytes - d->given;

    if (n == 0)
        return false;
    n = n < PORTION_BYTES ? n : PORTION_BYTES;
    d->given += n;
    d->source.bytes_in_buffer += n;
    if (d->skip > 0)
        source_skip(&d->cinfo, (long)d->skip);
    return true;
}

static void
set_up(decoder *d)
{
    memset(&d->cinfo, 0, sizeof(d->cinfo));
    d->cinfo.err = jpeg_std_error(&d->errors);
    d->cinfo.client_data = d;
    d->errors.error_exit = on_error;
    d->errors.output_message = on_message;
    jpeg_create_decompress(&d->cinfo);
    d->progress.progress_monitor = on_progress;
    d->cinfo.progress = &d->progress;
    d->source.init_source = source_nothing;
    d->source.fill_input_buffer = source_suspend;
    d->source.skip_input_data = source_skip;
    d->source.resync_to_restart = jpeg_resync_to_restart;
    d->source.term_source = source_nothing;
    d->source.next_input_byte = d->job->bytes;
    d->cinfo.src = &d->source;
}

/* The walk over the markers and libjpeg agree on what the file holds, or the
   file is none of both. */
static void
check_agreement(decoder *d)
{
    if (d->cinfo.output_width != d->jpeg->width ||
        d->cinfo.output_height != d->jpeg->height ||
        d->cinfo.output_components != d->jpeg->components)
        fail_here(d, "two frame headers that contradict each other");
}

/* False: suspended. */
static bool
read_rows(decoder *d)
{
    size_t width = d->jpeg->width;
    JSAMPROW row = d->row;

    while (d->y < d->jpeg->height) {
        if (jpeg_read_scanlines(&d->cinfo, &row, 1) != 1)
            return false;
        /* Asked for once a row, so not before there is one. */
        uint8_t *rgb = oriel_canvas_row(d->canvas, d->y++);

        if (d->jpeg->components == 1)
            oriel_convert_grey(rgb, d->row, width);
        else if (d->jpeg->components == 3)
            oriel_convert_rgb(rgb, d->row, width);
        else
            oriel_convert_inverted_cmyk(rgb, d->row, width);
    }
    return true;
}

/* libjpeg-turbo refuses a second frame header as soon as its marker is there
   since version 3, before that only when all of it is. */
static void
check_second_frame(decoder *d)
{
    int marker = d->cinfo.unread_marker;

    if ((marker >= 0xc0 && marker <= 0xc2) || marker == 0xc9 || marker == 0xca)
        fail_here(d, "a second frame header after the pixels");
}

/* Decode as far as the data go. */
static void
advance(decoder *d)
{
    static const J_COLOR_SPACE spaces[] = {0, JCS_GRAYSCALE, 0, JCS_RGB,
                                           JCS_CMYK};
    int result = JPEG_HEADER_TABLES_ONLY;

    if (d->skip > 0)
        return;
    if (d->stage == READ_HEADER) {
        while (result == JPEG_HEADER_TABLES_ONLY)
            result = jpeg_read_header(&d->cinfo, FALSE);
        if (result == JPEG_SUSPENDED)
            return;
        d->cinfo.out_color_space = spaces[d->jpeg->components];
        d->stage = START;
    }
    if (d->stage == START) {
        if (!jpeg_start_decompress(&d->cinfo))
            return;
        check_agreement(d);
        d->stage = READ_ROWS;
    }
    if (!read_rows(d))
        return;
    /* Suspended or not, the picture is complete; an error still counts. */
    if (!jpeg_finish_decompress(&d->cinfo) && !d->job->pad)
        check_second_frame(d);
    d->stage = DONE;
}

static oriel_status
status_of(int message_code)
{
    switch (message_code) {
    case JERR_OUT_OF_MEMORY:
        return ORIEL_ERR_MEMORY;
    case JERR_SOF_UNSUPPORTED: /* lossless, before libjpeg-turbo 3 */
        return ORIEL_ERR_UNSUPPORTED;
    default:
        return ORIEL_ERR_INPUT;
    }
}

/* Refused by libjpeg, or by a limit of ours, which no option lifts. */
static oriel_status
fail(const decoder *d)
{
    const oriel_image_job *job = d->job;
    int code = d->errors.msg_code;
    oriel_status status;

    if (d->cancelled)
        return oriel_image_fail_cancelled(job);
    status = oriel_fail(job->err, status_of(code), "JPEG: %s",
                        ORIEL_QUOTE(d->message));
    if (!job->pad || code == 0 || status != ORIEL_ERR_INPUT)
        return status;
    return d->end ? ORIEL_OK : oriel_image_pad(job); /* said once */
}

/* An end of image after the bytes that libjpeg has not taken. */
static oriel_status
give_end(decoder *d)
{
    size_t n = d->source.bytes_in_buffer;

    d->end = oriel_alloc(&d->job->hooks, n + 2);
    if (!d->end)
        return oriel_fail_memory(d->job->err, n + 2, "the end of a JPEG");
    memcpy(d->end, d->source.next_input_byte, n);
    d->end[n] = 0xff;
    d->end[n + 1] = JPEG_EOI;
    d->source.next_input_byte = d->end;
    d->source.bytes_in_buffer = n + 2;
    if (d->skip > 0)
        source_skip(&d->cinfo, (long)d->skip);
    return ORIEL_OK;
}

/* The file has ended before the picture: what libjpeg makes of the rest. */
static oriel_status
end_early(decoder *d)
{
    oriel_status status = oriel_fail(d->job->err, ORIEL_ERR_INPUT,
                                     "JPEG: truncated: the file ends in row "
                                     "%zu of %u",
                                     d->y, d->jpeg->height);

    if (!d->job->pad)
        return status;
    oriel_image_pad(d->job);
    status = give_end(d);
    if (!status)
        advance(d);
    return status;
}

static oriel_status
run(decoder *d)
{
    if (setjmp(d->failed))
        return fail(d);
    set_up(d);
    while (d->stage != DONE) {
        if (!give_portion(d))
            return end_early(d);
        advance(d);
    }
    return ORIEL_OK;
}

/* What is not decoded is zero: black, but in CMYK no ink. */
static void
fill_with_zeros(const decoder *d)
{
    static const uint8_t black[3], white[3] = {255, 255, 255};

    oriel_canvas_fill(d->canvas, d->jpeg->components == 4 ? white : black);
}

static oriel_status
decode(oriel_image_file *file, oriel_canvas *canvas)
{
    const oriel_jpeg *jpeg = &file->jpeg;
    const oriel_image_job *job = jpeg->job;
    decoder *d = oriel_calloc(&job->hooks, 1, sizeof(*d));
    oriel_status status;

    if (!d)
        return oriel_fail_memory(job->err, sizeof(*d), "the JPEG decoder");
    d->job = job;
    d->jpeg = jpeg;
    d->canvas = canvas;
    d->row = oriel_alloc(&job->hooks, 4 * (size_t)jpeg->width);
    if (d->row) {
        if (job->pad)
            fill_with_zeros(d);
        status = run(d);
        oriel_canvas_flush(canvas);
        jpeg_destroy_decompress(&d->cinfo);
    } else {
        status = oriel_fail_memory(job->err, 4 * (size_t)jpeg->width,
                                   "a row of pixels");
    }
    oriel_free(&job->hooks, d->end);
    oriel_free(&job->hooks, d->row);
    oriel_free(&job->hooks, d);
    return status;
}

static bool
accepts(const uint8_t *bytes, size_t n_bytes)
{
    return n_bytes >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

/*
 * libjpeg's rows: it holds some rows of blocks of each component, and what it
 * makes of them; all coefficients, of 2 bytes, when they come in many scans.
 */
static uint64_t
decode_bytes(const oriel_jpeg *jpeg)
{
    uint64_t width = jpeg->width + 8 * MAX_SAMP_FACTOR;
    uint64_t rows =
        (uint64_t)ROWS_OF_BLOCKS * DCTSIZE * (uint64_t)jpeg->highest;
    uint64_t bytes = width * (uint64_t)jpeg->components * rows + 4 * width;

    if (jpeg->many_scans)
        bytes += jpeg->n_blocks * (2 * DCTSIZE2 + 1);
    return bytes + 2 * jpeg->metadata.exif.n_bytes + READER_BYTES;
}

static oriel_status
open_file(oriel_image_file *file, const oriel_image_job *job,
          oriel_image_header *header)
{
    oriel_jpeg *jpeg = &file->jpeg;
    oriel_status status = oriel_jpeg_read_markers(jpeg, job);

    if (!status && job->orient)
        status = oriel_metadata_orientation(&jpeg->metadata,
                                            &header->orientation, job->err);
    header->width = jpeg->width;
    header->height = jpeg->height;
    header->channels = jpeg->components;
    header->bit_depth = 8;
    header->decode_bytes = decode_bytes(jpeg) + (job->pad ? PORTION_BYTES : 0);
    return status;
}

static void
close_file(oriel_image_file *file)
{
    oriel_metadata_end(&file->jpeg.metadata);
}

const oriel_image_format oriel_format_jpeg = {
    .name = "JPEG",
    .code = ORIEL_IMAGE_JPEG,
    .accepts = accepts,
    .open = open_file,
    .decode = decode,
    .close = close_file,
};
