/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_image.c - the public functions: what they report, limit and refuse
 *
 * Pixels are test_corpus.c's business.
 */
#include "image/corpus.h"
#include "oriel_image.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <zlib.h>

static corpus files;

/* ---- An allocator that counts, and fails when told to ------------------- */

typedef struct ledger {
    int64_t calls, live;
    int64_t fail_at; /* this call returns NULL; -1: none does */
    size_t largest;
} ledger;

static void *
ledger_alloc(void *user, size_t bytes, size_t alignment)
{
    ledger *l = user;
    void *memory = NULL;

    if (l->calls++ != l->fail_at)
        memory = aligned_alloc(alignment, bytes);
    l->live += memory != NULL;
    l->largest = bytes > l->largest ? bytes : l->largest;
    return memory;
}

static void
ledger_free(void *user, void *memory)
{
    ((ledger *)user)->live--;
    free(memory);
}

static oriel_hooks
ledger_hooks(ledger *l)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;

    hooks.user = l;
    hooks.alloc = ledger_alloc;
    hooks.free = ledger_free;
    return hooks;
}

/* ---- A PNG of one's own -------------------------------------------------- */

static void
put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Signature, IHDR, and a chunk of pixels that says nothing: enough to probe. */
static size_t
make_png(uint8_t png[64], uint32_t width, uint32_t height)
{
    static const uint8_t head[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n',
                                   0,    0,   0,   13,  'I',  'H',  'D',  'R'};
    static const uint8_t tail[] = {8, 2, 0, 0, 0};
    static const uint8_t pixels[] = {0,   0,   0, 0, 'I', 'D',
                                     'A', 'T', 0, 0, 0,   0};

    memcpy(png, head, sizeof(head));
    put_u32(png + 16, width);
    put_u32(png + 20, height);
    memcpy(png + 24, tail, 5);
    put_u32(png + 29, (uint32_t)crc32(0, png + 12, 17));
    memcpy(png + 33, pixels, sizeof(pixels));
    return 45;
}

/* ---- Probing ---------------------------------------------------------- */

static const struct {
    const char *name;
    int32_t format, width, height, orientation, channels, bit_depth, has_alpha;
} probed[] = {
    {"PNG, 1 bits, colour 0, interlace 0, 7x9", 1, 7, 9, 1, 1, 1, 0},
    {"PNG, 16 bits, colour 0, interlace 1, 33x10", 1, 33, 10, 1, 1, 16, 0},
    {"PNG, 4 bits, colour 3, interlace 0, 7x9", 1, 7, 9, 1, 1, 4, 0},
    {"PNG, 16 bits, colour 4, interlace 0, 7x9", 1, 7, 9, 1, 2, 16, 1},
    {"PNG, 8 bits, colour 2, interlace 0, 7x9", 1, 7, 9, 1, 3, 8, 0},
    {"PNG, 8 bits, colour 6, interlace 0, 7x9", 1, 7, 9, 1, 4, 8, 1},
    {"PNG, palette: alphas after: partial", 1, 9, 7, 1, 1, 8, 1},
    {"PNG, orientation: 6", 1, 35, 37, 6, 3, 8, 0},
    {"PNG, orientation: 5, after the pixels", 1, 35, 37, 5, 3, 8, 0},
    {"JPEG, 1 bands, 17x23, progressive 0, subsampling 0", 2, 17, 23, 1, 1, 8,
     0},
    {"JPEG, EXIF 8, CMYK", 2, 33, 37, 8, 4, 8, 0},
    {"JPEG, EXIF 3", 2, 37, 33, 3, 3, 8, 0},
#ifdef ORIEL_WEBP
    {"WebP, EXIF 7, alpha", 3, 33, 37, 7, 4, 8, 1},
    {"WebP, 3 bands, 17x23, lossless 1", 3, 17, 23, 1, 3, 8, 0},
    {"WebP, animation", 3, 30, 20, 1, 4, 8, 1},
#endif
    {"PNM, P1 7 5", 4, 7, 5, 1, 1, 1, 0},
    {"PNM, P5 of 65535, 7 5", 4, 7, 5, 1, 1, 16, 0},
    {"PNM, P6 of 100, 7 5", 4, 7, 5, 1, 3, 8, 0},
};

START_TEST(probe_tells)
{
    const corpus_file *file = corpus_find(&files, probed[_i].name);
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_error err;

    ck_assert_int_eq(
        oriel_image_probe(file->bytes, file->n_bytes, NULL, &info, &err),
        ORIEL_OK);
    ck_assert_int_eq(err.status, ORIEL_OK);
    ck_assert_int_eq(info.format, probed[_i].format);
    ck_assert_int_eq(info.width, probed[_i].width);
    ck_assert_int_eq(info.height, probed[_i].height);
    ck_assert_int_eq(info.orientation, probed[_i].orientation);
    ck_assert_int_eq(info.channels, probed[_i].channels);
    ck_assert_int_eq(info.bit_depth, probed[_i].bit_depth);
    ck_assert_int_eq(info.has_alpha, probed[_i].has_alpha);
}
END_TEST

START_TEST(ignored_orientation_is_1)
{
    const corpus_file *file = corpus_find(&files, "PNG, orientation: 6");
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;

    options.ignore_orientation = 1;
    ck_assert_int_eq(
        oriel_image_probe(file->bytes, file->n_bytes, &options, &info, NULL),
        ORIEL_OK);
    ck_assert_int_eq(info.orientation, 1);
    ck_assert_int_eq(info.width, 37);
    ck_assert_int_eq(info.height, 35);
}
END_TEST

/* ---- Refusals ----------------------------------------------------------- */

static const struct {
    const char *bytes;
    size_t n_bytes;
    oriel_status status;
    const char *says;
} unfit[] = {
    {"", 0, ORIEL_ERR_INPUT, "an empty file"},
    {"\x89", 1, ORIEL_ERR_INPUT,
     "unknown format (1 bytes), expected PNG, JPEG, WebP, PNM"},
    /* Beside this program there is no module. */
    {"GIF89a\1\0\1\0", 10, ORIEL_ERR_UNSUPPORTED,
     "a GIF; liboriel-formats.so is not installed"},
    {"\x89PNG\r\n\x1a\n", 8, ORIEL_ERR_INPUT, "PNG: no chunk"},
    {"\xff\xd8\xff", 3, ORIEL_ERR_INPUT, "JPEG: truncated"},
    {"P5 2 2 255 abc", 14, ORIEL_ERR_INPUT, "PNM: truncated"},
    {"Pf 1 1 1.0 abcd", 15, ORIEL_ERR_UNSUPPORTED, "P1 to P6"},
#ifdef ORIEL_WEBP
    {"RIFF\4\0\0\0WEBPVP8 ", 16, ORIEL_ERR_INPUT, "WebP: truncated"},
#endif
};

START_TEST(unfit_files)
{
    uint8_t rgb[64];
    oriel_error err;

    ck_assert_int_eq(oriel_image_decode(unfit[_i].bytes, unfit[_i].n_bytes,
                                        NULL, rgb, sizeof(rgb), 0, &err),
                     unfit[_i].status);
    ck_assert_int_eq(err.status, unfit[_i].status);
    ck_assert_int_eq(err.item, -1);
    ck_assert_ptr_nonnull(strstr(err.message, unfit[_i].says));
    ck_assert_ptr_null(strchr(err.message, '\n'));
}
END_TEST

#if LIBJPEG_TURBO_VERSION_NUMBER < 3000000
START_TEST(lossless_jpeg_is_unsupported)
{
    static const uint8_t jpeg[] = {
        0xff, 0xd8, 0xff, 0xc3, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0,
        0xff, 0xda, 0,    8,    1, 1,  0, 1, 0, 0, 0, 0, 0, 0xff, 0xd9};
    uint8_t rgb[3];
    oriel_error err;

    ck_assert_int_eq(
        oriel_image_decode(jpeg, sizeof(jpeg), NULL, rgb, sizeof(rgb), 0, &err),
        ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "SOF type 0xc3"));
}
END_TEST
#endif

static oriel_status
probe_with(const oriel_image_options *options)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;

    return oriel_image_probe("P5 1 1 255 a", 12, options, &info, NULL);
}

START_TEST(options_are_checked)
{
    oriel_image_options good = ORIEL_IMAGE_OPTIONS_INIT, bad;
    oriel_hooks half = ORIEL_HOOKS_INIT;

    ck_assert_int_eq(probe_with(&good), ORIEL_OK);
    ck_assert_int_eq(probe_with(NULL), ORIEL_OK);
    bad = good;
    bad.alpha = 3;
    ck_assert_int_eq(probe_with(&bad), ORIEL_ERR_ARGUMENT);
    bad = good;
    bad.max_pixels = -1;
    ck_assert_int_eq(probe_with(&bad), ORIEL_ERR_ARGUMENT);
    bad = good;
    bad.truncated = 2;
    ck_assert_int_eq(probe_with(&bad), ORIEL_ERR_ARGUMENT);
    bad = good;
    bad.struct_size = 8;
    ck_assert_int_eq(probe_with(&bad), ORIEL_ERR_ARGUMENT);
    half.alloc = ledger_alloc;
    bad = good;
    bad.hooks = &half;
    ck_assert_int_eq(probe_with(&bad), ORIEL_ERR_ARGUMENT);
}
END_TEST

START_TEST(arguments_are_checked)
{
    static const char pgm[] = "P5 2 2 255 abcd";
    static const char tall[] = "P5 2 3 255 abcdef";
    const size_t n = sizeof(pgm) - 1;
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_error err;
    uint8_t rgb[32];

    memset(rgb, 9, sizeof(rgb));
    ck_assert_int_eq(oriel_image_probe(NULL, 5, NULL, &info, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_image_probe(pgm, n, NULL, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    info.struct_size = 4;
    ck_assert_int_eq(oriel_image_probe(pgm, n, NULL, &info, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_image_decode(pgm, n, NULL, NULL, 12, 0, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_image_decode(pgm, n, NULL, rgb, 11, 0, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "rgb_bytes"));
    ck_assert_int_eq(oriel_image_decode(pgm, n, NULL, rgb, 32, 5, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "pitch"));
    ck_assert_int_eq(oriel_image_decode(pgm, n, NULL, rgb, 13, 8, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_image_decode(pgm, n, NULL, rgb, 32, SIZE_MAX, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(oriel_image_decode(tall, sizeof(tall) - 1, NULL, rgb, 32,
                                        SIZE_MAX, &err),
                     ORIEL_ERR_ARGUMENT);
    for (size_t i = 0; i < sizeof(rgb); i++)
        ck_assert_int_eq(rgb[i], 9);
    /* The last line needs no gap after it. */
    ck_assert_int_eq(oriel_image_decode(pgm, n, NULL, rgb, 14, 8, &err),
                     ORIEL_OK);
    ck_assert_mem_eq(rgb, "aaabbb\11\11cccddd\11", 15);
}
END_TEST

/* Lines may be farther apart than a decoder's int can tell. */
START_TEST(a_pitch_of_any_size)
{
    static const char *const names[] = {
        "PNG, 8 bits, colour 2, interlace 0, 1x1",
        "JPEG, 3 bands, 1x1, progressive 0, subsampling 0",
#ifdef ORIEL_WEBP
        "WebP, 3 bands, 1x1, lossless 0",
        "WebP, 4 bands, 1x1, lossless 1",
#endif
    };

    for (size_t i = 0; i < COUNT(names); i++) {
        const corpus_file *file = corpus_find(&files, names[i]);
        uint8_t tight[3], far[3];

        ck_assert_int_eq(oriel_image_decode(file->bytes, file->n_bytes, NULL,
                                            tight, sizeof(tight), 0, NULL),
                         ORIEL_OK);
        ck_assert_int_eq(oriel_image_decode(file->bytes, file->n_bytes, NULL,
                                            far, sizeof(far), (size_t)1 << 40,
                                            NULL),
                         ORIEL_OK);
        ck_assert_mem_eq(tight, far, 3);
    }
}
END_TEST

typedef struct impatience {
    int calls, stop_at;
} impatience;

static int32_t
grow_impatient(void *user)
{
    impatience *i = user;

    return ++i->calls == i->stop_at;
}

/* Whenever the caller says so, also when the last rows are turned. */
START_TEST(any_poll_cancels)
{
    const corpus_file *file =
        corpus_find(&files, "JPEG, wide: 9000x3, turned 8");
    const corpus_result *wanted = &file->results[3];
    size_t rgb_bytes = 3 * (size_t)wanted->width * wanted->height;
    uint8_t *rgb = malloc(rgb_bytes);
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    impatience none = {0, 0};
    oriel_error err;

    ck_assert_ptr_nonnull(rgb);
    options.hooks = &hooks;
    hooks.cancel = grow_impatient;
    hooks.user = &none;
    ck_assert_int_eq(oriel_image_decode(file->bytes, file->n_bytes, &options,
                                        rgb, rgb_bytes, 0, &err),
                     ORIEL_OK);
    ck_assert_int_gt(none.calls, 1);
    for (int stop_at = 1; stop_at <= none.calls; stop_at++) {
        impatience some = {0, stop_at};

        hooks.user = &some;
        ck_assert_int_eq(oriel_image_decode(file->bytes, file->n_bytes,
                                            &options, rgb, rgb_bytes, 0, &err),
                         ORIEL_ERR_CANCELLED);
        ck_assert_int_eq(some.calls, stop_at);
    }
    free(rgb);
}
END_TEST

/* Nobody hears the warning, nor reads an error. */
START_TEST(padding_needs_no_error)
{
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    uint8_t rgb[12];

    options.truncated = ORIEL_TRUNCATED_PAD;
    ck_assert_int_eq(oriel_image_decode("P5 2 2 255 abc", 14, &options, rgb,
                                        sizeof(rgb), 0, NULL),
                     ORIEL_OK);
    /* Pillow pads whole rows. */
    ck_assert_mem_eq(rgb, "aaabbb\0\0\0\0\0\0", 12);
}
END_TEST

/* ---- Limits ------------------------------------------------------------- */

START_TEST(pixels_are_limited)
{
    uint8_t png[64];
    size_t n = make_png(png, 1000, 1000);
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_error err;

    options.max_pixels = 1000000;
    ck_assert_int_eq(oriel_image_probe(png, n, &options, &info, &err),
                     ORIEL_OK);
    options.max_pixels = 999999;
    ck_assert_int_eq(oriel_image_probe(png, n, &options, &info, &err),
                     ORIEL_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "1000x1000"));
    ck_assert_ptr_nonnull(strstr(err.message, "999999"));
}
END_TEST

/* Bombs and the sizes around the default limit: no byte is allocated. */
static const struct {
    uint32_t width, height;
    oriel_status status;
} bombs[] = {
    {13377, 13377, ORIEL_OK},
    {178956970, 1, ORIEL_OK},
    {1, 178956970, ORIEL_OK},
    {178956971, 1, ORIEL_ERR_INPUT},
    {13378, 13378, ORIEL_ERR_INPUT},
    {65536, 65536, ORIEL_ERR_INPUT},
    {0x10000, 0x10001, ORIEL_ERR_INPUT},
    {0x7fffffff, 0x7fffffff, ORIEL_ERR_INPUT},
    {0xffffffff, 0xffffffff, ORIEL_ERR_INPUT},
    {0x80000000, 2, ORIEL_ERR_INPUT},
    {0xffffffff, 0, ORIEL_ERR_INPUT},
    {0, 1, ORIEL_ERR_INPUT},
};

START_TEST(bombs_allocate_nothing)
{
    uint8_t png[64], rgb[3];
    size_t n = make_png(png, bombs[_i].width, bombs[_i].height);
    ledger l = {.fail_at = -1};
    oriel_hooks hooks = ledger_hooks(&l);
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;

    options.hooks = &hooks;
    ck_assert_int_eq(oriel_image_probe(png, n, &options, &info, NULL),
                     bombs[_i].status);
    /* And a buffer that is too small is found out before any allocation. */
    ck_assert_int_ne(
        oriel_image_decode(png, n, &options, rgb, sizeof(rgb), 0, NULL),
        ORIEL_OK);
    ck_assert_int_eq(l.calls, 0);
}
END_TEST

/* A progressive JPEG whose last scan comes again and again. */
static oriel_status
decode_scans(const corpus_file *file, size_t again, oriel_error *err)
{
    static uint8_t rgb[3 * 64 * 64];
    size_t scan = file->n_bytes - 2;

    while (scan > 0 && memcmp(file->bytes + scan, "\377\332", 2) != 0)
        scan--;
    size_t n = file->n_bytes - 2 - scan;
    uint8_t *bytes = malloc(scan + n * again + 2);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, file->bytes, scan);
    for (size_t i = 0; i < again; i++)
        memcpy(bytes + scan + i * n, file->bytes + scan, n);
    memcpy(bytes + scan + again * n, file->bytes + file->n_bytes - 2, 2);
    oriel_status status = oriel_image_decode(bytes, scan + n * again + 2, NULL,
                                             rgb, sizeof(rgb), 0, err);
    free(bytes);
    return status;
}

START_TEST(scans_are_limited)
{
    const corpus_file *file = corpus_find(
        &files, "JPEG, 3 bands, 40x33, progressive 1, subsampling 2");
    oriel_error err;

    ck_assert_int_eq(decode_scans(file, 1, &err), ORIEL_OK);
    ck_assert_int_eq(decode_scans(file, 480, &err), ORIEL_OK);
    ck_assert_int_eq(decode_scans(file, 501, &err), ORIEL_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(err.message, "more than 500 scans"));
}
END_TEST

/* ---- Memory ------------------------------------------------------------- */

static const char *const allocating[] = {
    "PNG, 8 bits, colour 6, interlace 1, 33x10",
    "PNG, orientation: 6",
    "PNG, orientation: 6, raw profile in zTXt",
    "PNG, orientation: 6, XMP element, compressed, after",
    "JPEG, 3 bands, 40x33, progressive 1, subsampling 2",
    "JPEG, EXIF in three",
    "JPEG, EXIF 6, CMYK",
#ifdef ORIEL_WEBP
    "WebP, EXIF 6, alpha",
#endif
    "PNM, P6 of 100, 7 5",
    "PNM, P3 of 1000, 7 5",
};

static oriel_status
decode_with(const corpus_file *file, ledger *l, uint8_t *rgb, size_t rgb_bytes)
{
    oriel_hooks hooks = ledger_hooks(l);
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_error err;

    options.hooks = &hooks;
    oriel_status status = oriel_image_decode(file->bytes, file->n_bytes,
                                             &options, rgb, rgb_bytes, 0, &err);
    ck_assert_int_eq(status, err.status);
    return status;
}

START_TEST(allocations_may_fail)
{
    const corpus_file *file = corpus_find(&files, allocating[_i]);
    const corpus_result *wanted = &file->results[3];
    static uint8_t rgb[3 * 64 * 64];
    size_t rgb_bytes = (size_t)wanted->width * wanted->height * 3;
    ledger counting = {.fail_at = -1};

    ck_assert_uint_le(rgb_bytes, sizeof(rgb));
    ck_assert_int_eq(decode_with(file, &counting, rgb, rgb_bytes), ORIEL_OK);
    ck_assert_int_eq(counting.live, 0);
    for (int64_t i = 0; i < counting.calls; i++) {
        ledger l = {.fail_at = i};
        ck_assert_int_eq(decode_with(file, &l, rgb, rgb_bytes),
                         ORIEL_ERR_MEMORY);
        ck_assert_int_eq(l.live, 0);
    }
    ck_assert_int_eq(decode_with(file, &counting, rgb, rgb_bytes), ORIEL_OK);
    ck_assert_uint_eq((uint32_t)crc32(0, rgb, (uInt)rgb_bytes), wanted->crc);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("image");
    TCase *tcase = tcase_create("api");
    int result;

    files = corpus_load(ORIEL_CORPUS);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, probe_tells, 0, COUNT(probed));
    tcase_add_test(tcase, ignored_orientation_is_1);
    tcase_add_loop_test(tcase, unfit_files, 0, COUNT(unfit));
#if LIBJPEG_TURBO_VERSION_NUMBER < 3000000
    tcase_add_test(tcase, lossless_jpeg_is_unsupported);
#endif
    tcase_add_test(tcase, options_are_checked);
    tcase_add_test(tcase, arguments_are_checked);
    tcase_add_test(tcase, a_pitch_of_any_size);
    tcase_add_test(tcase, any_poll_cancels);
    tcase_add_test(tcase, padding_needs_no_error);
    tcase_add_test(tcase, pixels_are_limited);
    tcase_add_loop_test(tcase, bombs_allocate_nothing, 0, COUNT(bombs));
    tcase_add_test(tcase, scans_are_limited);
    tcase_add_loop_test(tcase, allocations_may_fail, 0, COUNT(allocating));
    suite_add_tcase(suite, tcase);
    result = run_suite(suite);
    corpus_free(&files);
    return result;
}
