/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webp.c - WebP through libwebp's animation decoder
 *
 * Also for still pictures: it alone composites the first frame of an animation
 * on its canvas, and its idea of a valid file is the reference's.
 */
#include "image/format.h"

#include "base/fail.h"

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

/* What the reference believes: a stream whose features cannot be read has
   alpha until the decoder finds out more. */
static bool
has_alpha(const oriel_image_job *job)
{
    WebPBitstreamFeatures features;

    if (WebPGetFeatures(job->bytes, job->n_bytes, &features) != VP8_STATUS_OK)
        return true;
    return features.has_alpha != 0;
}

static oriel_status
probe(const oriel_image_job *job, oriel_image_header *header)
{
    WebPData data = {job->bytes, job->n_bytes};
    oriel_metadata metadata = {.hooks = &job->hooks};
    WebPDemuxer *demuxer = WebPDemux(&data);
    oriel_status status;

    if (!demuxer)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "WebP: truncated or malformed");
    header->width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH);
    header->height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    header->has_alpha = has_alpha(job);
    header->channels = header->has_alpha ? 4 : 3;
    header->bit_depth = 8;
    status = oriel_image_check_size(job, "WebP", header->width, header->height);
    if (!status && job->orient) {
        read_chunk(demuxer, &metadata, &metadata.exif, "EXIF");
        read_chunk(demuxer, &metadata, &metadata.xmp, "XMP ");
        status = oriel_metadata_orientation(&metadata, &header->orientation,
                                            job->err);
    }
    WebPDemuxDelete(demuxer);
    return status;
}

static oriel_status
decode(const oriel_image_job *job, oriel_canvas *canvas)
{
    WebPData data = {job->bytes, job->n_bytes};
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, NULL);
    bool white = job->rgba_white && has_alpha(job);
    oriel_status status = ORIEL_OK;
    uint8_t *rgba = NULL;
    WebPAnimInfo info;
    int timestamp;

    /* The file has been parsed once already: only its canvas can be missing. */
    if (!decoder) {
        status = oriel_fail_memory(job->err, canvas->width * canvas->height * 8,
                                   "the canvas of a WebP");
        goto unwind;
    }
    if (!WebPAnimDecoderGetInfo(decoder, &info) ||
        info.canvas_width != canvas->width ||
        info.canvas_height != canvas->height) {
        status = oriel_fail(job->err, ORIEL_ERR_INTERNAL,
                            "WebP: the decoder's canvas is not the header's");
        goto unwind;
    }
    if (!WebPAnimDecoderGetNext(decoder, &rgba, &timestamp)) {
        status = oriel_fail(job->err, ORIEL_ERR_INPUT,
                            "WebP: the first frame cannot be decoded");
        goto unwind;
    }
    for (size_t y = 0; y < canvas->height; y++)
        oriel_convert_rgba(oriel_canvas_row(canvas, y),
                           rgba + y * canvas->width * 4, canvas->width, 1,
                           white);
    oriel_canvas_flush(canvas);

unwind:
    WebPAnimDecoderDelete(decoder);
    return status;
}

#else

static oriel_status
probe(const oriel_image_job *job, oriel_image_header *header)
{
    (void)header;
    return oriel_fail(job->err, ORIEL_ERR_UNSUPPORTED,
                      "WebP: this build has no decoder for it; expected PNG, "
                      "JPEG or PNM");
}

static oriel_status
decode(const oriel_image_job *job, oriel_canvas *canvas)
{
    oriel_image_header header;

    (void)canvas;
    return probe(job, &header);
}

#endif

const oriel_image_format oriel_format_webp = {
    .name = "WebP",
    .code = ORIEL_IMAGE_WEBP,
    .accepts = accepts,
    .probe = probe,
    .decode = decode,
};
