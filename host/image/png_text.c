/* SPDX-License-Identifier: Apache-2.0 */
/*
 * png_text.c - tEXt, zTXt, iTXt and iCCP: metadata, and bombs
 *
 * Of texts only those that can hold an orientation are kept, but each is
 * inflated once, and all that comes out counts, also of profiles, of texts
 * without a keyword and of broken streams: one of more than 1 MiB, or more than
 * 64 MiB together, refuse the file.  These are Pillow's limits, so libpng,
 * whose own differ, gets none of these chunks.  A broken stream is an empty
 * text, and a cut one a shorter text.
 */
#include "image/png.h"

#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

enum { TEXT_LIMIT = 1024 * 1024, TEXTS_LIMIT = 64 * TEXT_LIMIT };

/* A text inside a chunk, or inflated. */
typedef struct text {
    const uint8_t *bytes; /* NULL: broken */
    size_t n_bytes;
} text;

static voidpf
zip_alloc(voidpf opaque, uInt count, uInt bytes)
{
    return oriel_calloc(opaque, count, bytes);
}

static void
zip_free(voidpf opaque, voidpf memory)
{
    oriel_free(opaque, memory);
}

/* Room for texts and a stream, both used again and again. */
static oriel_status
prepare(oriel_png *png)
{
    const oriel_hooks *hooks = &png->job->hooks;

    if (png->zip.zalloc) {
        inflateReset(&png->zip);
        return ORIEL_OK;
    }
    png->inflated = oriel_alloc(hooks, TEXT_LIMIT);
    if (!png->inflated)
        return oriel_fail_memory(png->job->err, TEXT_LIMIT, "a text of a PNG");
    png->zip.zalloc = zip_alloc;
    png->zip.zfree = zip_free;
    png->zip.opaque = (voidpf)hooks;
    if (inflateInit(&png->zip) == Z_OK)
        return ORIEL_OK;
    png->zip.zalloc = NULL;
    return oriel_fail(png->job->err, ORIEL_ERR_MEMORY,
                      "out of memory: zlib wanted more");
}

void
oriel_png_end_texts(oriel_png *png)
{
    if (png->zip.zalloc)
        inflateEnd(&png->zip);
    oriel_free(&png->job->hooks, png->inflated);
}

uint64_t
oriel_png_text_room(const oriel_png *png)
{
    /* The last text, a stream, two texts that are kept, and the bytes of the
       raw profile. */
    uint64_t inflated = png->zip.zalloc ? 3 * (uint64_t)TEXT_LIMIT + 65536 : 0;

    return inflated + png->metadata.raw_profile.n_bytes / 2;
}

static oriel_status
count_bytes(oriel_png *png, size_t n_bytes)
{
    png->text_bytes += n_bytes;
    if (png->text_bytes > TEXTS_LIMIT)
        return oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                          "PNG: texts and profiles of more than %d bytes",
                          TEXTS_LIMIT);
    return ORIEL_OK;
}

/* The body of a chunk after its compression method; the stream's end need not
   be there.  'result' is good until the next call. */
static oriel_status
inflate_text(oriel_png *png, const oriel_png_chunk *chunk, const text *body,
             text *result)
{
    oriel_error *err = png->job->err;
    oriel_status status = prepare(png);
    z_stream *zip = &png->zip;

    if (status)
        return status;
    if (oriel_cancelled(&png->job->hooks))
        return oriel_image_fail_cancelled(png->job);
    zip->next_in = body->bytes;
    zip->avail_in = (uInt)body->n_bytes;
    zip->next_out = png->inflated;
    zip->avail_out = TEXT_LIMIT;
    int ended = inflate(zip, Z_SYNC_FLUSH);
    result->bytes = png->inflated;
    result->n_bytes = TEXT_LIMIT - zip->avail_out;
    if (ended == Z_MEM_ERROR)
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "out of memory: zlib wanted more");
    status = count_bytes(png, result->n_bytes);
    if (ended != Z_OK && ended != Z_STREAM_END && ended != Z_BUF_ERROR) {
        *result = (text){NULL, 0};
    } else if (!status && ended != Z_STREAM_END && zip->avail_in > 0) {
        if (png->job->pad) {
            *result = (text){NULL, 0};
            return ORIEL_OK;
        }
        status = oriel_png_bad_chunk(
            png, chunk, "inflates to more than %d bytes", TEXT_LIMIT);
    }
    return status;
}

/* Keep a text if its keyword is one that orients. */
static oriel_status
keep(oriel_png *png, const text *keyword, bool plain, const text *t)
{
    const struct {
        const char *keyword;
        oriel_blob *blob;
        bool plain_only;
    } kept[] = {
        {"Raw profile type exif", &png->metadata.raw_profile, false},
        {"XML:com.adobe.xmp", &png->metadata.xmp, false},
        {"exif", &png->metadata.exif, true},
    };
    oriel_blob *blob = NULL;
    void *owned = NULL;

    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (keyword->n_bytes == strlen(kept[i].keyword) &&
            !memcmp(keyword->bytes, kept[i].keyword, keyword->n_bytes) &&
            (plain || !kept[i].plain_only))
            blob = kept[i].blob;
    if (!blob)
        return ORIEL_OK;
    if (t->bytes && t->bytes == png->inflated) {
        owned = oriel_alloc(&png->job->hooks, t->n_bytes);
        if (!owned)
            return oriel_fail_memory(png->job->err, t->n_bytes,
                                     "a text of a PNG");
        memcpy(owned, t->bytes, t->n_bytes);
    }
    oriel_metadata_set(&png->metadata, blob, owned ? owned : t->bytes,
                       t->n_bytes, owned);
    return ORIEL_OK;
}

/* Split 'rest' after its first zero.  False: there is none, and all of it is
   'head'. */
static bool
take_string(text *rest, text *head)
{
    const uint8_t *zero = memchr(rest->bytes, 0, rest->n_bytes);

    *head = *rest;
    if (zero)
        head->n_bytes = (size_t)(zero - rest->bytes);
    rest->bytes += head->n_bytes + (zero != NULL);
    rest->n_bytes -= head->n_bytes + (zero != NULL);
    return zero != NULL;
}

/* A compression method at the head of 'rest', which must be 0. */
static oriel_status
take_method(const oriel_png *png, const oriel_png_chunk *chunk, text *rest)
{
    if (rest->n_bytes == 0)
        return oriel_png_bad_chunk(png, chunk, "expected a compression method");
    if (rest->bytes[0] != 0)
        return oriel_png_bad_chunk(
            png, chunk, "compression method %d, expected 0", rest->bytes[0]);
    rest->bytes++;
    rest->n_bytes--;
    return ORIEL_OK;
}

/* keyword, 0, text */
static oriel_status
read_plain(oriel_png *png, text rest)
{
    text keyword;
    oriel_status status;

    take_string(&rest, &keyword);
    status = count_bytes(png, rest.n_bytes);
    return status ? status : keep(png, &keyword, true, &rest);
}

/* keyword, 0, method, compressed text; or nothing after the keyword. */
static oriel_status
read_compressed(oriel_png *png, const oriel_png_chunk *chunk, text rest)
{
    text keyword, t = {rest.bytes, 0};
    oriel_status status = ORIEL_OK;

    take_string(&rest, &keyword);
    if (rest.n_bytes > 0) {
        status = take_method(png, chunk, &rest);
        if (!status)
            status = inflate_text(png, chunk, &rest, &t);
    }
    return status ? status : keep(png, &keyword, false, &t);
}

/* keyword, 0, flag, method, language, 0, translated keyword, 0, text */
static oriel_status
read_international(oriel_png *png, const oriel_png_chunk *chunk, text rest)
{
    text keyword, language, translated, t;
    oriel_status status = ORIEL_OK;

    if (!take_string(&rest, &keyword) || rest.n_bytes < 2)
        return ORIEL_OK;
    bool compressed = rest.bytes[0] != 0;
    if (compressed && rest.bytes[1] != 0)
        return ORIEL_OK;
    rest.bytes += 2;
    rest.n_bytes -= 2;
    if (!take_string(&rest, &language) || !take_string(&rest, &translated))
        return ORIEL_OK;
    t = rest;
    status = compressed ? inflate_text(png, chunk, &rest, &t)
                        : count_bytes(png, rest.n_bytes);
    if (status || !t.bytes)
        return status;
    return keep(png, &keyword, false, &t);
}

/* name, 0, method, compressed profile: ignored once it is known to be small. */
static oriel_status
read_profile(oriel_png *png, const oriel_png_chunk *chunk, text rest)
{
    text name, profile;
    oriel_status status;

    if (!take_string(&rest, &name))
        rest = (text){chunk->data, chunk->n_data};
    status = take_method(png, chunk, &rest);
    return status ? status : inflate_text(png, chunk, &rest, &profile);
}

oriel_status
oriel_png_read_text(oriel_png *png, const oriel_png_chunk *chunk)
{
    text body = {chunk->data, chunk->n_data};

    switch (chunk->id[0]) {
    case 't':
        return read_plain(png, body);
    case 'z':
        return read_compressed(png, chunk, body);
    default:
        return chunk->id[1] == 'T' ? read_international(png, chunk, body)
                                   : read_profile(png, chunk, body);
    }
}
