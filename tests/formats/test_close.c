/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_close.c - HEIC against the pixels of pillow-heif, within two levels
 *
 * Both go through libheif, of different versions: how it rounds its colours is
 * not promised.
 */
#include "formats/decode.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LEVELS = 2, UNPACKED_MAX = 1 << 22 };

static uint8_t unpacked[UNPACKED_MAX];
static const uint8_t *at, *end;

static const uint8_t *
take(size_t n)
{
    const uint8_t *bytes = at;

    ck_assert_uint_ge((size_t)(end - at), n);
    at += n;
    return bytes;
}

static size_t
take_uint(int n)
{
    const uint8_t *bytes = take((size_t)n);
    size_t value = 0;

    for (int i = n - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static void
open_corpus(void)
{
    static uint8_t packed[UNPACKED_MAX];
    uLongf n = sizeof(unpacked);
    FILE *file = fopen(ORIEL_CLOSE_CORPUS, "rb");

    ck_assert_ptr_nonnull(file);
    size_t n_packed = fread(packed, 1, sizeof(packed), file);
    fclose(file);
    ck_assert_int_eq(uncompress(unpacked, &n, packed, n_packed), Z_OK);
    at = unpacked;
    end = unpacked + n;
}

static void
check_file(const char *name, const uint8_t *bytes, size_t n_bytes,
           int32_t alpha)
{
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    size_t width = take_uint(4), height = take_uint(4);
    const uint8_t *wanted = take(3 * width * height);
    oriel_image_info info;
    oriel_error err;
    int most = 0;

    options.alpha = alpha;
    uint8_t *rgb = decode_picture(bytes, n_bytes, &options, &info, &err);
    ck_assert_msg((rgb != NULL) == (width > 0), "%s: %s", name, err.message);
    if (!rgb) {
        ck_assert_int_eq(err.status, ORIEL_ERR_INPUT);
        return;
    }
    ck_assert_msg((size_t)info.width == width && (size_t)info.height == height,
                  "%s: %dx%d", name, info.width, info.height);
    for (size_t i = 0; i < 3 * width * height; i++)
        if (abs(rgb[i] - wanted[i]) > most)
            most = abs(rgb[i] - wanted[i]);
    ck_assert_msg(most <= LEVELS, "%s: %d levels", name, most);
    free(rgb);
}

START_TEST(heic_files)
{
    int n = 0;

    open_corpus();
    for (; at < end; n++) {
        char name[160] = "";
        size_t n_name = take_uint(2);

        ck_assert_uint_lt(n_name, sizeof(name));
        memcpy(name, take(n_name), n_name);
        size_t n_bytes = take_uint(4);
        const uint8_t *bytes = take(n_bytes);
        check_file(name, bytes, n_bytes, ORIEL_ALPHA_DROP);
        check_file(name, bytes, n_bytes, ORIEL_ALPHA_WHITE);
    }
    ck_assert_int_ge(n, 12);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("formats_close");
    TCase *tcase = tcase_create("pillow_heif");

    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, heic_files);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
