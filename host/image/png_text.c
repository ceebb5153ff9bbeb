/* SPDX-License-Identifier: Apache-2.0 */
/*
 * png_text.c - tEXt, zTXt, iTXt and iCCP: metadata, and bombs
 *
 * Of texts only those that can hold an orientation are kept, but all are
 * measured: what inflates over 1 MiB, or over 64 MiB together, refuses the
 * file.  A broken zlib stream is an empty text, and a cut one a shorter text.
 * (The reference keeps texts and its own facts in one table, where a keyword
 * "transparency" or "interlace" overwrites them; here it is a text.)
 */
#include "image/png.h"
#include "image/png_zip.h"

#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

enum { TEXT_LIMIT = 1024 * 1024, TEXTS_LIMIT = 64 * TEXT_LIMIT };

/* A text inside a chunk, or inflated. */
typedef struct text {
    const uint8_t *bytes;
    size_t n_bytes;
} text;

/* Fill 'out'; the stream's end need not be there.  '*n_out' SIZE_MAX: not a
   zlib stream. */
static oriel_status
inflate_into(const oriel_png *png, const oriel_png_chunk *chunk,
             const uint8_t *bytes, size_t n_bytes, uint8_t *out, size_t *n_out)
{
    z_stream zip = {.zalloc = oriel_zip_alloc,
                    .zfree = oriel_zip_free,
                    .opaque = (voidpf)(uintptr_t)&png->job->hooks,
                    .next_in = (z_const Bytef *)(uintptr_t)bytes,
                    .avail_in = (uInt)n_bytes,
                    .next_out = out,
                    .avail_out = TEXT_LIMIT};

    if (inflateInit(&zip) != Z_OK)
        return oriel_zip_fail_memory(png->job->err);
    int result = inflate(&zip, Z_SYNC_FLUSH);
    size_t left = zip.avail_in;
    *n_out = TEXT_LIMIT - zip.avail_out;
    inflateEnd(&zip);
    if (result == Z_MEM_ERROR)
        return oriel_zip_fail_memory(png->job->err);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        *n_out = SIZE_MAX;
    else if (result != Z_STREAM_END && left > 0)
        return oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                          "PNG: chunk %s: inflates to more than %d bytes",
                          chunk->id, TEXT_LIMIT);
    return ORIEL_OK;
}

/* A compressed body, good until the next one; '*valid' false and the text
   empty if it is broken. */
static oriel_status
inflate_text(oriel_png *png, const oriel_png_chunk *chunk, const uint8_t *bytes,
             size_t n_bytes, text *result, bool *valid)
{
    size_t n_out = 0;
    oriel_status status;

    if (!png->inflated)
        png->inflated = oriel_alloc(&png->job->hooks, TEXT_LIMIT);
    if (!png->inflated)
        return oriel_fail_memory(png->job->err, TEXT_LIMIT, "a text of a PNG");
    status = inflate_into(png, chunk, bytes, n_bytes, png->inflated, &n_out);
    *valid = n_out != SIZE_MAX;
    result->bytes = png->inflated;
    result->n_bytes = *valid ? n_out : 0;
    return status;
}

/* Characters of UTF-8, or SIZE_MAX when it is not. */
static size_t
utf8_length(const uint8_t *bytes, size_t n_bytes)
{
    size_t at = 0, n = 0;

    for (; at < n_bytes; n++) {
        uint8_t lead = bytes[at++];
        size_t more = lead < 0x80   ? 0
                      : lead < 0xc2 ? SIZE_MAX
                      : lead < 0xe0 ? 1
                      : lead < 0xf0 ? 2
                      : lead < 0xf5 ? 3
                                    : SIZE_MAX;
        if (more > n_bytes - at)
            return SIZE_MAX;
        /* Overlong forms, surrogates, and beyond U+10FFFF. */
        uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        for (size_t i = 0; i < more; i++, at++, low = 0x80, high = 0xbf)
            if (bytes[at] < low || bytes[at] > high)
                return SIZE_MAX;
    }
    return n;
}

static oriel_status
measure(oriel_png *png, size_t n_characters)
{
    png->text_size += n_characters;
    if (png->text_size > TEXTS_LIMIT)
        return oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                          "PNG: texts of more than %d bytes", TEXTS_LIMIT);
    return ORIEL_OK;
}

/* Keep a text if its keyword is one that orients. */
static oriel_status
keep(oriel_png *png, const uint8_t *keyword, size_t n_keyword, bool plain,
     const text *t)
{
    static const char raw_profile[] = "Raw profile type exif";
    static const char xmp[] = "XML:com.adobe.xmp";
    oriel_blob *blob;
    void *owned = NULL;

    if (n_keyword == sizeof(raw_profile) - 1 &&
        memcmp(keyword, raw_profile, n_keyword) == 0)
        blob = &png->metadata.raw_profile;
    else if (n_keyword == sizeof(xmp) - 1 &&
             memcmp(keyword, xmp, n_keyword) == 0)
        blob = &png->metadata.xmp;
    else if (plain && n_keyword == 4 && memcmp(keyword, "exif", 4) == 0)
        blob = &png->metadata.exif;
    else
        return ORIEL_OK;
    if (t->bytes == png->inflated) {
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

static oriel_status
bad_method(const oriel_png *png, const oriel_png_chunk *chunk, int method)
{
    return oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                      "PNG: chunk %s: compression method %d, expected 0",
                      chunk->id, method);
}

/* keyword, 0, text; or zTXt: keyword, 0, method, compressed text. */
static oriel_status
read_latin1(oriel_png *png, const oriel_png_chunk *chunk, const uint8_t *data,
            bool compressed)
{
    const uint8_t *end = data + chunk->n_data;
    const uint8_t *zero = memchr(data, 0, chunk->n_data);
    size_t n_keyword = (size_t)((zero ? zero : end) - data);
    text t = {zero ? zero + 1 : end, 0};
    oriel_status status = ORIEL_OK;
    bool valid = true;

    t.n_bytes = (size_t)(end - t.bytes);
    if (compressed && t.n_bytes > 0) {
        if (t.bytes[0] != 0)
            return bad_method(png, chunk, t.bytes[0]);
        status =
            inflate_text(png, chunk, t.bytes + 1, t.n_bytes - 1, &t, &valid);
    }
    if (!status && n_keyword > 0)
        status = measure(png, t.n_bytes);
    if (!status && n_keyword > 0)
        status = keep(png, data, n_keyword, !compressed, &t);
    return status;
}

/* The parts of iTXt: keyword, 0, flag, method, language, 0, translated
   keyword, 0, text. */
typedef struct itxt {
    size_t n_keyword;
    bool compressed;
    uint8_t method;
    const uint8_t *language, *translated;
    size_t n_language, n_translated;
    const uint8_t *body;
    size_t n_body;
} itxt;

static bool
split_itxt(itxt *parts, const uint8_t *data, size_t n_bytes)
{
    const uint8_t *end = data + n_bytes;
    const uint8_t *zero = memchr(data, 0, n_bytes);

    if (!zero || end - zero < 3)
        return false;
    parts->n_keyword = (size_t)(zero - data);
    parts->compressed = zero[1] != 0;
    parts->method = zero[2];
    parts->language = zero + 3;
    zero = memchr(parts->language, 0, (size_t)(end - parts->language));
    if (!zero)
        return false;
    parts->n_language = (size_t)(zero - parts->language);
    parts->translated = zero + 1;
    zero = memchr(parts->translated, 0, (size_t)(end - parts->translated));
    if (!zero)
        return false;
    parts->n_translated = (size_t)(zero - parts->translated);
    parts->body = zero + 1;
    parts->n_body = (size_t)(end - parts->body);
    return true;
}

static oriel_status
read_itxt(oriel_png *png, const oriel_png_chunk *chunk, const uint8_t *data)
{
    oriel_status status = ORIEL_OK;
    bool valid = true;
    itxt parts;

    if (!split_itxt(&parts, data, chunk->n_data) ||
        (parts.compressed && parts.method != 0))
        return ORIEL_OK;
    text t = {parts.body, parts.n_body};
    if (parts.compressed)
        status = inflate_text(png, chunk, parts.body, parts.n_body, &t, &valid);
    size_t n = utf8_length(t.bytes, t.n_bytes);
    if (!status && valid && n != SIZE_MAX &&
        utf8_length(parts.language, parts.n_language) != SIZE_MAX &&
        utf8_length(parts.translated, parts.n_translated) != SIZE_MAX)
        status = measure(png, n);
    if (!status && valid)
        status = keep(png, data, parts.n_keyword, false, &t);
    return status;
}

/* name, 0, method, compressed profile: ignored once it is known to be small. */
static oriel_status
read_iccp(oriel_png *png, const oriel_png_chunk *chunk, const uint8_t *data)
{
    const uint8_t *zero = memchr(data, 0, chunk->n_data);
    size_t at = zero ? (size_t)(zero - data) + 1 : 0;
    bool valid;
    text t;

    if (at >= chunk->n_data)
        return oriel_fail(png->job->err, ORIEL_ERR_INPUT,
                          "PNG: chunk iCCP: expected a compression method");
    if (data[at] != 0)
        return bad_method(png, chunk, data[at]);
    return inflate_text(png, chunk, data + at + 1, chunk->n_data - at - 1, &t,
                        &valid);
}

oriel_status
oriel_png_read_text(oriel_png *png, const oriel_png_chunk *chunk,
                    const uint8_t *data)
{
    switch (chunk->id[0]) {
    case 't':
        return read_latin1(png, chunk, data, false);
    case 'z':
        return read_latin1(png, chunk, data, true);
    default:
        return chunk->id[1] == 'T' ? read_itxt(png, chunk, data)
                                   : read_iccp(png, chunk, data);
    }
}
