/* SPDX-License-Identifier: Apache-2.0 */
/* test_limits.c - memory, cancelling, and files that ask for too much */
#include "formats/decode.h"
#include "image/corpus.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static corpus files;

/* One good file of each format that Pillow made the corpus for. */
static const char *const good[] = {
    "GIF, mode P, 40x30, interlace 1",
    "BMP, header 40, 24 bits",
    "BMP, RLE8, 40x9",
    "TIFF, tiff_lzw, mode RGB",
    "TIFF, jpeg, mode YCbCr",
    "AVIF, mode RGBA, 33x21",
};

/* ---- Memory and cancelling ----------------------------------------------- */

typedef struct ledger {
    int64_t calls, live, fail_at; /* this call fails; -1: none does */
    int64_t asked, cancel_at;     /* the hook says so from this one on */
} ledger;

static void *
ledger_alloc(void *user, size_t bytes, size_t alignment)
{
    ledger *l = user;
    void *memory = NULL;

    if (l->calls++ != l->fail_at)
        memory = aligned_alloc(alignment,
                               (bytes + alignment - 1) / alignment * alignment);
    l->live += memory != NULL;
    return memory;
}

static void
ledger_free(void *user, void *memory)
{
    ((ledger *)user)->live--;
    free(memory);
}

static int32_t
ledger_cancel(void *user)
{
    ledger *l = user;

    return l->cancel_at >= 0 && l->asked++ >= l->cancel_at;
}

static oriel_status
decode_with(const corpus_file *file, ledger *l)
{
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_image_info info;
    oriel_error err;

    hooks.user = l;
    hooks.alloc = ledger_alloc;
    hooks.free = ledger_free;
    hooks.cancel = ledger_cancel;
    options.hooks = &hooks;
    free(decode_picture(file->bytes, file->n_bytes, &options, &info, &err));
    return err.status;
}

START_TEST(every_allocation_fails_once)
{
    const corpus_file *file = corpus_find(&files, good[_i]);
    ledger whole = {.fail_at = -1, .cancel_at = -1};

    ck_assert_int_eq(decode_with(file, &whole), ORIEL_OK);
    ck_assert_int_eq(whole.live, 0);
    for (int64_t i = 0; i < whole.calls; i++) {
        ledger l = {.fail_at = i, .cancel_at = -1};

        ck_assert_int_eq(decode_with(file, &l), ORIEL_ERR_MEMORY);
        ck_assert_int_eq(l.live, 0);
    }
}
END_TEST

START_TEST(cancel_is_asked_before_and_after)
{
    const corpus_file *file = corpus_find(&files, good[_i]);

    for (int64_t at = 0; at < 2; at++) {
        ledger l = {.fail_at = -1, .cancel_at = at};

        ck_assert_int_eq(decode_with(file, &l), ORIEL_ERR_CANCELLED);
        ck_assert_int_eq(l.live, 0);
    }
}
END_TEST

/* ---- Sizes --------------------------------------------------------------- */

START_TEST(max_pixels_is_the_header_s)
{
    const corpus_file *file = corpus_find(&files, good[_i]);
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_error err;

    ck_assert_int_eq(
        oriel_image_probe(file->bytes, file->n_bytes, &options, &info, &err),
        ORIEL_OK);
    options.max_pixels = (int64_t)info.width * info.height;
    ck_assert_int_eq(
        oriel_image_probe(file->bytes, file->n_bytes, &options, &info, &err),
        ORIEL_OK);
    options.max_pixels--;
    ck_assert_int_eq(
        oriel_image_probe(file->bytes, file->n_bytes, &options, &info, &err),
        ORIEL_ERR_INPUT);
}
END_TEST

typedef struct claim {
    const char *what, *message;
    size_t n;
    uint8_t bytes[160];
} claim;

/* Small files that say a lot; by hand, from the specifications. */
static const claim claims[] = {
    {"a GIF of 65535x65535",
     "expected at most 178956970",
     24,
     {'G', 'I', 'F', '8', '9', 'a', 0xff, 0xff, 0xff, 0xff, 0, 0,
      0,   ',', 0,   0,   0,   0,   1,    0,    1,    0,    0, 8}},
    {"a BMP of 50000x50000",
     "expected at most 178956970",
     54,
     {'B', 'M', 0, 0,    0,    0, 0, 0,    0,    0, 54, 0, 0, 0, 40,
      0,   0,   0, 0x50, 0xc3, 0, 0, 0x50, 0xc3, 0, 0,  1, 0, 24}},
    {"a TIFF of 60000x60000",
     "expected at most 178956970",
     8 + 2 + 12 * 4 + 4,
     {'I', 'I', '*', 0, 8, 0, 0, 0, 4,    0,          /**/
      0,   1,   4,   0, 1, 0, 0, 0, 0x60, 0xea, 0, 0, /* width */
      1,   1,   4,   0, 1, 0, 0, 0, 0x60, 0xea, 0, 0, /* height */
      17,  1,   4,   0, 1, 0, 0, 0, 8,    0,    0, 0, /* offset */
      23,  1,   4,   0, 1, 0, 0, 0, 8,    0,    0, 0 /* bytes */}},
};

START_TEST(claims_are_refused_before_memory_is_taken)
{
    const claim *c = &claims[_i];
    struct rusage before, after;
    oriel_image_info info;
    oriel_error err;

    getrusage(RUSAGE_SELF, &before);
    ck_assert_ptr_null(decode_picture(c->bytes, c->n, NULL, &info, &err));
    getrusage(RUSAGE_SELF, &after);
    ck_assert_int_eq(err.status, ORIEL_ERR_INPUT);
    ck_assert_msg(strstr(err.message, c->message) != NULL, "%s: %s", c->what,
                  err.message);
    ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 64 << 10); /* KiB */
}
END_TEST

/* A TIFF of one pixel whose tile is not: deflating it is not worth it. */
START_TEST(tiles_much_larger_than_the_picture)
{
    static const uint8_t tags[9][12] = {
        {0, 1, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0},       /* width */
        {1, 1, 4, 0, 1, 0, 0, 0, 1, 0, 0, 0},       /* height */
        {2, 1, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0},       /* bits */
        {3, 1, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0},       /* no compression */
        {6, 1, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0},       /* grey */
        {0x42, 1, 4, 0, 1, 0, 0, 0, 0, 0x40, 0, 0}, /* tiles of 16384 */
        {0x43, 1, 4, 0, 1, 0, 0, 0, 0, 0x40, 0, 0},
        {0x44, 1, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0},   /* at 8 */
        {0x45, 1, 4, 0, 1, 0, 0, 0, 100, 0, 0, 0}, /* of 100 bytes */
    };
    uint8_t file[8 + 2 + sizeof(tags) + 4] = {'I', 'I', '*', 0, 8, 0, 0, 0, 9};
    oriel_image_info info;
    oriel_error err;

    memcpy(file + 10, tags, sizeof(tags));
    ck_assert_ptr_null(decode_picture(file, sizeof(file), NULL, &info, &err));
    ck_assert_int_eq(err.status, ORIEL_ERR_INPUT);
    ck_assert_msg(strstr(err.message, "blocks of 268435456 bytes") != NULL,
                  "%s", err.message);
}
END_TEST

/* ---- What Pillow does not read -------------------------------------------- */

static size_t
put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return 2;
}

/* An uncompressed YCbCr TIFF, chroma halved both ways: units of four Y, Cb, Cr. */
static size_t
make_ycbcr(uint8_t tiff[256], const uint8_t *units, size_t n_units)
{
    static const uint16_t fields[][3] = {
        {256, 3, 4}, {257, 3, 4},   {258, 3, 8}, {259, 3, 1},
        {262, 3, 6}, {273, 4, 200}, {277, 3, 3}, {278, 3, 4},
        {279, 4, 0}, {284, 3, 1},   {530, 3, 2},
    };
    size_t n = 8;

    memset(tiff, 0, 256);
    memcpy(tiff, "II*\0\10\0\0\0", 8);
    n += put_u16(tiff + n, COUNT(fields));
    for (size_t i = 0; i < COUNT(fields); i++, n += 12) {
        const uint32_t tag = fields[i][0];

        put_u16(tiff + n, tag);
        put_u16(tiff + n + 2, fields[i][1]);
        put_u16(tiff + n + 4, tag == 530 ? 2 : 1);
        put_u16(tiff + n + 8, tag == 279 ? (uint32_t)n_units : fields[i][2]);
        if (tag == 530)
            put_u16(tiff + n + 10, 2);
        if (tag == 258) { /* 8, 8, 8 */
            put_u16(tiff + n + 4, 3);
            put_u16(tiff + n + 8, 180);
        }
    }
    for (int i = 0; i < 3; i++)
        put_u16(tiff + 180 + 2 * i, 8);
    memcpy(tiff + 200, units, n_units);
    return 200 + n_units;
}

/* By the specification of TIFF: without colour R, G and B are Y; and of the
   chroma of a unit all four pixels have the same. */
START_TEST(subsampled_chroma_is_converted)
{
    uint8_t units[4 * 6], tiff[256];
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_error err;
    uint8_t *rgb;
    size_t n;

    for (int u = 0; u < 4; u++) {
        for (int i = 0; i < 4; i++)
            units[6 * u + i] = (uint8_t)(10 + 40 * u + 5 * i);
        units[6 * u + 4] = units[6 * u + 5] = 128;
    }
    units[6 * 3 + 5] = 192; /* Cr of the last unit: R is 90 more */
    n = make_ycbcr(tiff, units, sizeof(units));
    rgb = decode_picture(tiff, n, &options, &info, &err);
    ck_assert_msg(rgb != NULL, "%s", err.message);
    ck_assert_int_eq(info.width, 4);
    ck_assert_int_eq(info.height, 4);
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 4; x++) {
            const int u = y / 2 * 2 + x / 2, i = y % 2 * 2 + x % 2;
            const int luma = 10 + 40 * u + 5 * i;
            const uint8_t *pixel = rgb + 3 * (4 * y + x);

            ck_assert_int_le(abs(pixel[0] - luma - (u == 3 ? 90 : 0)), 1);
            ck_assert_int_le(abs(pixel[1] - luma + (u == 3 ? 46 : 0)), 1);
            ck_assert_int_le(abs(pixel[2] - luma), 1);
        }
    free(rgb);
    /* Cut in its last unit. */
    rgb = decode_picture(tiff, n - 3, &options, &info, &err);
    ck_assert_ptr_null(rgb);
    ck_assert_int_eq(err.status, ORIEL_ERR_INPUT);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("formats_limits");
    TCase *tcase = tcase_create("limits");
    int result;

    files = corpus_load(ORIEL_CORPUS);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, every_allocation_fails_once, 0, COUNT(good));
    tcase_add_loop_test(tcase, cancel_is_asked_before_and_after, 0,
                        COUNT(good));
    tcase_add_loop_test(tcase, max_pixels_is_the_header_s, 0, COUNT(good));
    tcase_add_loop_test(tcase, claims_are_refused_before_memory_is_taken, 0,
                        COUNT(claims));
    tcase_add_test(tcase, tiles_much_larger_than_the_picture);
    tcase_add_test(tcase, subsampled_chroma_is_converted);
    suite_add_tcase(suite, tcase);
    result = run_suite(suite);
    corpus_free(&files);
    return result;
}
