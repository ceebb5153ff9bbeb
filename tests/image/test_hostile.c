/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hostile.c - small files that want much time, and how soon a decode stops
 *
 * The bound: 1 s of processor time for each MB of file, and 10 ns for each
 * pixel and channel.  A caller that cancels is heard within TELL_MS.
 */
#include "oriel_image.h"
#include "support/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef ORIEL_WEBP
#include <webp/encode.h>
#endif
#include <zlib.h>

enum { MIB = 1 << 20, TELL_MS = 100 };

/* ---- Files -------------------------------------------------------------- */

typedef struct file {
    uint8_t *bytes;
    size_t n_bytes, room;
} file;

static void
put(file *f, const void *bytes, size_t n_bytes)
{
    if (f->n_bytes + n_bytes > f->room) {
        f->room = 2 * (f->n_bytes + n_bytes);
        f->bytes = realloc(f->bytes, f->room);
        ck_assert_ptr_nonnull(f->bytes);
    }
    if (n_bytes > 0)
        memcpy(f->bytes + f->n_bytes, bytes, n_bytes);
    f->n_bytes += n_bytes;
}

static void
put_u32(file *f, uint32_t value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                             (uint8_t)(value >> 8), (uint8_t)value};

    put(f, bytes, sizeof(bytes));
}

static void
put_chunk(file *f, const char *id, const void *bytes, size_t n_bytes)
{
    put_u32(f, (uint32_t)n_bytes);
    size_t start = f->n_bytes;
    put(f, id, 4);
    put(f, bytes, n_bytes);
    put_u32(f, (uint32_t)crc32(0, f->bytes + start, (uInt)(n_bytes + 4)));
}

/* 'head', then a zlib stream of 'n_zeros', then 'tail'. */
static void
put_packed(file *f, const char *id, const void *head, size_t n_head,
           size_t n_zeros, const void *tail, size_t n_tail)
{
    file body = {NULL, 0, 0};
    uint8_t *zeros = calloc(1, n_zeros), *packed;
    uLongf n_packed = compressBound(n_zeros);

    packed = malloc(n_packed);
    ck_assert(zeros && packed);
    ck_assert_int_eq(compress2(packed, &n_packed, zeros, n_zeros, 9), Z_OK);
    put(&body, head, n_head);
    /* A tail takes the place of the checksum: the stream then breaks there. */
    put(&body, packed, n_tail ? n_packed - 4 : n_packed);
    put(&body, tail, n_tail);
    put_chunk(f, id, body.bytes, body.n_bytes);
    free(body.bytes);
    free(packed);
    free(zeros);
}

static void
begin_png(file *f, uint32_t width, uint32_t height)
{
    uint8_t header[13] = {0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0};

    for (int i = 0; i < 4; i++) {
        header[i] = (uint8_t)(width >> (24 - 8 * i));
        header[4 + i] = (uint8_t)(height >> (24 - 8 * i));
    }
    put(f, "\211PNG\r\n\032\n", 8);
    put_chunk(f, "IHDR", header, sizeof(header));
}

static void
end_png(file *f, uint32_t width, uint32_t height)
{
    put_packed(f, "IDAT", NULL, 0, (1 + 3 * (size_t)width) * height, NULL, 0);
    put_chunk(f, "IEND", NULL, 0);
}

static void
put_segment(file *f, uint8_t marker, const void *bytes, size_t n_bytes)
{
    const uint8_t head[] = {0xff, marker, (uint8_t)((n_bytes + 2) >> 8),
                            (uint8_t)(n_bytes + 2)};

    put(f, head, sizeof(head));
    put(f, bytes, n_bytes);
}

/* End-of-band runs of 32767 blocks, each the bit 0 (the only symbol) and 14
   bits 1. */
static void
put_runs(file *f, size_t n_blocks)
{
    size_t n_bits = 15 * (n_blocks / 32767 + 1);
    uint8_t byte = 0;

    for (size_t bit = 0; bit < (n_bits + 7) / 8 * 8; bit++) {
        byte = (uint8_t)(byte << 1 | (bit >= n_bits || bit % 15 != 0));
        if (bit % 8 != 7)
            continue;
        put(f, &byte, 1);
        if (byte == 0xff)
            put(f, "", 1);
    }
}

/* A grey progressive JPEG: one scan of DC, then 'n_scans' of end-of-band
   runs, which refine nothing but are a pass over all blocks. */
static file
make_jpeg(uint16_t side, int n_scans)
{
    const uint8_t frame[] = {8,
                             (uint8_t)(side >> 8),
                             (uint8_t)side,
                             (uint8_t)(side >> 8),
                             (uint8_t)side,
                             1,
                             1,
                             0x11,
                             0};
    uint8_t table[65] = {0}, dc[18] = {0, 1}, ac[18] = {0x10, 1};
    size_t n_blocks = (size_t)((side + 7) / 8) * ((side + 7) / 8);
    file f = {NULL, 0, 0};

    memset(table + 1, 1, 64);
    ac[17] = 0xe0;
    put(&f, "\xff\xd8", 2);
    put_segment(&f, 0xdb, table, sizeof(table));
    put_segment(&f, 0xc2, frame, sizeof(frame));
    put_segment(&f, 0xc4, dc, sizeof(dc));
    put_segment(&f, 0xc4, ac, sizeof(ac));
    put_segment(&f, 0xda, "\1\1\0\0\0\0", 6);
    for (size_t i = 0; i < (n_blocks + 7) / 8; i++)
        put(&f, "", 1);
    for (int i = 0; i < n_scans; i++) {
        put_segment(&f, 0xda, i ? "\1\1\0\1\77\20" : "\1\1\0\1\77\1", 6);
        put_runs(&f, n_blocks);
    }
    put(&f, "\xff\xd9", 2);
    return f;
}

static file
make_png(uint32_t side)
{
    file f = {NULL, 0, 0};

    begin_png(&f, side, side);
    end_png(&f, side, side);
    return f;
}

static file
make_pnm(const char *head, size_t n_bytes)
{
    file f = {NULL, 0, 0};

    put(&f, head, strlen(head));
    for (size_t i = 0; i < n_bytes; i++)
        put(&f, "1", 1);
    return f;
}

static file
make_webp(bool lossless)
{
    file f = {NULL, 0, 0};
#ifdef ORIEL_WEBP
    enum { WIDTH = 1000, HEIGHT = 800 };
    uint8_t *rgb = malloc(3 * (size_t)WIDTH * HEIGHT), *webp = NULL;
    uint32_t noise = 1;

    ck_assert_ptr_nonnull(rgb);
    for (size_t i = 0; i < 3 * (size_t)WIDTH * HEIGHT; i++) {
        noise = noise * 1664525u + 1013904223u;
        rgb[i] = (uint8_t)(i / 977 + (noise >> 29));
    }
    size_t n = lossless
                   ? WebPEncodeLosslessRGB(rgb, WIDTH, HEIGHT, 3 * WIDTH, &webp)
                   : WebPEncodeRGB(rgb, WIDTH, HEIGHT, 3 * WIDTH, 80, &webp);
    ck_assert_uint_gt(n, 0);
    put(&f, webp, n);
    WebPFree(webp);
    free(rgb);
#else
    (void)lossless;
#endif
    return f;
}

/* ---- Time ----------------------------------------------------------------- */

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What a caller sees of one decode. */
typedef struct watch {
    int calls, stop_at; /* stop_at 0: never */
    double last, longest;
} watch;

static int32_t
asked(void *user)
{
    watch *w = user;
    double t = now();

    if (t - w->last > w->longest)
        w->longest = t - w->last;
    w->last = t;
    return ++w->calls == w->stop_at;
}

static oriel_status
decode(const file *f, watch *w, oriel_error *err)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_status status;

    hooks.user = w;
    hooks.cancel = asked;
    status = oriel_image_probe(f->bytes, f->n_bytes, &options, &info, err);
    if (status)
        return status;
    size_t rgb_bytes = 3 * (size_t)info.width * (size_t)info.height;
    uint8_t *rgb = malloc(rgb_bytes);
    ck_assert_ptr_nonnull(rgb);
    /* The pages are the caller's, and so is the time to get them. */
    memset(rgb, 1, rgb_bytes);
    options.hooks = &hooks;
    w->last = now();
    status = oriel_image_decode(f->bytes, f->n_bytes, &options, rgb, rgb_bytes,
                                0, err);
    asked(w);
    free(rgb);
    return status;
}

/* ---- PNG: what inflates ---------------------------------------------------- */

typedef struct kind {
    const char *id, *head;
    size_t n_head;
    const char *tail;
} kind;

static const kind kinds[] = {
    {"iCCP", "a\0\0", 3, ""},
    {"zTXt", "\0\0", 2, ""},
    {"zTXt", "Comment\0\0", 9, ""},
    {"zTXt", "Comment\0\0", 9, "\7\7\7\7\7"},
    {"iTXt", "Comment\0\1\0\0\0", 12, ""},
    {"iTXt", "\377\0\1\0\0\0", 6, "\7\7\7\7\7"},
};

static file
make_text_bomb(const kind *k, int n, size_t n_zeros)
{
    file f = {NULL, 0, 0}, one = {NULL, 0, 0};

    put_packed(&one, k->id, k->head, k->n_head, n_zeros, k->tail,
               strlen(k->tail));
    begin_png(&f, 1, 1);
    for (int i = 0; i < n; i++)
        put(&f, one.bytes, one.n_bytes);
    end_png(&f, 1, 1);
    free(one.bytes);
    return f;
}

START_TEST(all_that_inflates_is_counted)
{
    file fits = make_text_bomb(&kinds[_i], 64, MIB);
    file over = make_text_bomb(&kinds[_i], 65, MIB);
    oriel_error err;
    watch w = {0};

    ck_assert_int_eq(decode(&fits, &w, &err), ORIEL_OK);
    ck_assert_int_eq(decode(&over, &w, &err), ORIEL_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "more than 67108864 bytes"));
    free(fits.bytes);
    free(over.bytes);
}
END_TEST

/* A MB of chunks that inflate to 1 MiB each, and of the smallest there are. */
START_TEST(a_megabyte_of_texts_is_quick)
{
    static const size_t sizes[] = {MIB, 0};
    oriel_error err;

    for (size_t i = 0; i < COUNT(sizes); i++) {
        file one = make_text_bomb(&kinds[_i], 1, sizes[i]);
        file f = make_text_bomb(&kinds[_i], (int)(1e6 / (double)one.n_bytes),
                                sizes[i]);
        double start = now();
        watch w = {0};

        decode(&f, &w, &err);
        ck_assert_double_lt(now() - start, 1.0);
        free(one.bytes);
        free(f.bytes);
    }
}
END_TEST

/* ---- JPEG: scans over blocks ------------------------------------------------ */

START_TEST(scans_over_blocks_are_limited)
{
    file fits = make_jpeg(4000, 7), over = make_jpeg(4000, 8);
    file small = make_jpeg(64, 480);
    oriel_error err;
    watch w = {0};

    /* 250,000 blocks, 31 KB: 6 times the blocks, and 2 times for the bytes. */
    ck_assert_int_eq(decode(&fits, &w, &err), ORIEL_OK);
    ck_assert_int_eq(decode(&over, &w, &err), ORIEL_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "too often"));
    /* 64 blocks, and 12 bytes a scan: as many scans as one likes. */
    ck_assert_int_eq(decode(&small, &w, &err), ORIEL_OK);
    free(fits.bytes);
    free(over.bytes);
    free(small.bytes);
}
END_TEST

/* All of the scans would take some 6 s, those that fit 0.1 s. */
START_TEST(many_scans_are_quick)
{
    file f = make_jpeg(4000, 490);
    double start = now();
    oriel_error err;
    watch w = {0};

    ck_assert_int_eq(decode(&f, &w, &err), ORIEL_ERR_INPUT);
    ck_assert_double_lt(now() - start, 1.5);
    free(f.bytes);
}
END_TEST

/* ---- Cancelling --------------------------------------------------------------- */

static file
make_picture(int which)
{
    switch (which) {
    case 0:
        return make_png(3000);
    case 1:
        return make_jpeg(4000, 6);
    case 2:
        return make_pnm("P6 2000 1500 100 ", 9000000);
    case 3:
        return make_pnm("P1 3000 2000 ", 6000000);
    case 4:
        return make_text_bomb(&kinds[0], 60, MIB);
    default:
        return make_webp(which == 5);
    }
}
#ifdef ORIEL_WEBP
enum { N_PICTURES = 7 };
#else
enum { N_PICTURES = 5 };
#endif

START_TEST(the_caller_is_asked)
{
    file f = make_picture(_i);
    oriel_error err;
    watch all = {0};

    ck_assert_int_eq(decode(&f, &all, &err), ORIEL_OK);
    ck_assert_int_gt(all.calls, 5);
    ck_assert_double_lt(all.longest, 1e-3 * TELL_MS);
    for (int stop_at = 1; stop_at < all.calls; stop_at += 1 + all.calls / 10) {
        watch w = {.stop_at = stop_at};

        ck_assert_int_eq(decode(&f, &w, &err), ORIEL_ERR_CANCELLED);
        ck_assert_int_eq(err.status, ORIEL_ERR_CANCELLED);
        ck_assert_ptr_nonnull(strstr(err.message, "cancelled"));
        /* Not asked again, except at the end by this test. */
        ck_assert_int_eq(w.calls, stop_at + 1);
    }
    free(f.bytes);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("image_hostile");
    TCase *tcase = tcase_create("bounds");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, all_that_inflates_is_counted, 0, COUNT(kinds));
    tcase_add_loop_test(tcase, a_megabyte_of_texts_is_quick, 0, COUNT(kinds));
    tcase_add_test(tcase, scans_over_blocks_are_limited);
    tcase_add_test(tcase, many_scans_are_quick);
    tcase_add_loop_test(tcase, the_caller_is_asked, 0, N_PICTURES);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
