/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pnm_plain.c - pixels written as decimal numbers
 *
 * Read in blocks of 1 MiB as the reference reads them, because it checks a
 * block to its end even where the picture is complete before: what follows the
 * last pixel refuses the file or does not, by where it stands.
 */
#include "image/pnm.h"

#include "base/fail.h"
#include "base/memory.h"
#include "image/convert.h"

#include <string.h>

enum { BLOCK_BYTES = 1024 * 1024, LONGEST_TOKEN = 10 };

typedef struct plain {
    const oriel_image_job *job;
    const oriel_pnm *pnm;
    oriel_canvas *canvas;
    size_t at;          /* in the file */
    bool comment_spans; /* the last block ended in a comment */

    uint8_t *text; /* a block without its comments, after what it continues */
    size_t n_text;

    uint8_t *row; /* [width, channels] */
    size_t n_row, y;
} plain;

/* After the comment that starts at or before 'from'; NULL: not in here. */
static const uint8_t *
comment_end(const uint8_t *from, const uint8_t *end)
{
    while (from < end && *from != '\n' && *from != '\r')
        from++;
    return from < end ? from + 1 : NULL;
}

/* Append the next block without its comments.  False: the file is at its
   end. */
static bool
read_block(plain *p)
{
    const uint8_t *from, *end;
    size_t n = p->job->n_bytes - p->at;

    if (n == 0)
        return false;
    n = n < BLOCK_BYTES ? n : BLOCK_BYTES;
    from = p->job->bytes + p->at;
    end = from + n;
    p->at += n;
    if (p->comment_spans)
        from = comment_end(from, end);
    p->comment_spans = !from;
    while (from) {
        const uint8_t *hash = memchr(from, '#', (size_t)(end - from));
        const uint8_t *stop = hash ? hash : end;

        memcpy(p->text + p->n_text, from, (size_t)(stop - from));
        p->n_text += (size_t)(stop - from);
        if (!hash)
            return true;
        from = comment_end(hash, end);
        p->comment_spans = !from;
    }
    return true;
}

static bool
is_complete(const plain *p)
{
    return p->y == p->pnm->height;
}

static void
put_sample(plain *p, uint8_t sample)
{
    size_t width = p->pnm->width;

    p->row[p->n_row++] = sample;
    if (p->n_row < width * (size_t)p->pnm->channels)
        return;
    uint8_t *rgb = oriel_canvas_row(p->canvas, p->y++);
    if (p->pnm->channels == 3)
        oriel_convert_rgb(rgb, p->row, width);
    else
        oriel_convert_grey(rgb, p->row, width);
    p->n_row = 0;
}

/* Digits of a bitmap need nothing between them. */
static oriel_status
read_bits(plain *p)
{
    for (size_t i = 0; i < p->n_text; i++) {
        uint8_t c = p->text[i];

        if (oriel_pnm_is_space(c))
            continue;
        if (c != '0' && c != '1')
            return oriel_fail(p->job->err, ORIEL_ERR_INPUT,
                              "PNM: pixels: expected digits 0 and 1");
        if (!is_complete(p))
            put_sample(p, c == '1' ? 0 : 255);
    }
    p->n_text = 0;
    return ORIEL_OK;
}

static oriel_status
bad_token(const plain *p, const uint8_t *token, size_t n)
{
    return oriel_fail(p->job->err, ORIEL_ERR_INPUT,
                      "PNM: pixels: \"%s\", expected a number from 0 to %d",
                      oriel_quote_bytes((const char *)token, n).text,
                      p->pnm->max_value);
}

/* The numbers that are complete; a last one that the next block may continue
   moves to the front, but is measured first. */
static oriel_status
read_numbers(plain *p, bool last)
{
    const uint8_t *token = p->text, *end = p->text + p->n_text;
    const uint8_t *tail = end;
    int64_t value;

    while (!last && tail > p->text && !oriel_pnm_is_space(tail[-1]))
        tail--;
    if (end - tail > LONGEST_TOKEN)
        return bad_token(p, tail, (size_t)(end - tail));
    while (!is_complete(p)) {
        while (token < tail && oriel_pnm_is_space(*token))
            token++;
        const uint8_t *stop = token;
        while (stop < tail && !oriel_pnm_is_space(*stop))
            stop++;
        size_t n = (size_t)(stop - token);
        if (n == 0)
            break;
        if (n > LONGEST_TOKEN || !oriel_pnm_parse_number(token, n, &value) ||
            value < 0 || value > p->pnm->max_value)
            return bad_token(p, token, n);
        put_sample(p, oriel_pnm_scale(p->pnm, value));
        token = stop;
    }
    p->n_text = (size_t)(end - tail);
    memmove(p->text, tail, p->n_text);
    return ORIEL_OK;
}

static oriel_status
read_all(plain *p)
{
    oriel_status status = ORIEL_OK;

    while (!status && !is_complete(p)) {
        if (oriel_cancelled(&p->job->hooks))
            return oriel_image_fail_cancelled(p->job);
        bool more = read_block(p);
        if (!more && p->n_text == 0)
            return oriel_fail(p->job->err, ORIEL_ERR_INPUT,
                              "PNM: truncated: pixels end in row %zu of %u",
                              p->y, p->pnm->height);
        status = p->pnm->kind == 1 ? read_bits(p) : read_numbers(p, !more);
    }
    return status;
}

/* A block and what the one before left of a token. */
static size_t
text_bytes(const oriel_pnm *pnm)
{
    size_t left = pnm->job->n_bytes - pnm->data;

    return (left < BLOCK_BYTES ? left : BLOCK_BYTES) + LONGEST_TOKEN;
}

uint64_t
oriel_pnm_plain_bytes(const oriel_pnm *pnm)
{
    return text_bytes(pnm) + (uint64_t)pnm->width * (uint64_t)pnm->channels;
}

oriel_status
oriel_pnm_read_plain(const oriel_pnm *pnm, oriel_canvas *canvas)
{
    const oriel_image_job *job = pnm->job;
    plain p = {.job = job, .pnm = pnm, .canvas = canvas, .at = pnm->data};
    size_t n_text = text_bytes(pnm);
    size_t n_row = (size_t)pnm->width * (size_t)pnm->channels;
    oriel_status status;

    p.text = oriel_alloc(&job->hooks, n_text);
    p.row = oriel_alloc(&job->hooks, n_row);
    if (p.text && p.row)
        status = read_all(&p);
    else
        status = oriel_fail_memory(job->err, n_text + n_row, "plain pixels");
    if (!status)
        oriel_canvas_flush(canvas);
    oriel_free(&job->hooks, p.text);
    oriel_free(&job->hooks, p.row);
    return status;
}
