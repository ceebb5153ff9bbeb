/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_exact.c - GIF, BMP, TIFF and AVIF against what Pillow makes of each file
 *
 * Accepted or refused, size and every pixel, in all four combinations of alpha
 * and orientation; and nothing is printed, by the libraries neither.
 */
#include "formats/decode.h"
#include "image/corpus.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static corpus files;

static int
differs(const corpus_file *file, int combination, FILE *log)
{
    const corpus_result *wanted = &file->results[combination];
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    corpus_result found = {0, 0, 0};
    oriel_image_info info;
    oriel_error err;

    options.alpha = combination & 2 ? ORIEL_ALPHA_WHITE : ORIEL_ALPHA_DROP;
    options.ignore_orientation = !(combination & 1);
    uint8_t *rgb =
        decode_picture(file->bytes, file->n_bytes, &options, &info, &err);
    if (rgb) {
        found.width = (uint32_t)info.width;
        found.height = (uint32_t)info.height;
        found.crc = (uint32_t)crc32(
            0, rgb, (uInt)(3 * (size_t)info.width * (size_t)info.height));
    } else {
        ck_assert(err.status == ORIEL_ERR_INPUT ||
                  err.status == ORIEL_ERR_UNSUPPORTED);
        ck_assert_int_gt((int)strlen(err.message), 0);
        ck_assert_ptr_null(strchr(err.message, '\n'));
    }
    free(rgb);
    if (memcmp(&found, wanted, sizeof(found)) == 0)
        return 0;
    fprintf(log,
            "%s, white %d, turned %d: %ux%u %08x, expected %ux%u %08x %s\n",
            file->name, combination >> 1, combination & 1, found.width,
            found.height, found.crc, wanted->width, wanted->height, wanted->crc,
            err.message);
    return 1;
}

/* Files whose name begins so, at least 'least' of them. */
static void
check_files(const char *prefix, int least)
{
    int n = 0, n_different = 0;

    for (size_t i = 0; i < files.n_files; i++) {
        if (strncmp(files.files[i].name, prefix, strlen(prefix)) != 0)
            continue;
        n++;
        for (int combination = 0; combination < 4; combination++)
            n_different += differs(&files.files[i], combination, stderr);
    }
    ck_assert_int_ge(n, least);
    ck_assert_int_eq(n_different, 0);
}

START_TEST(gif_files)
{
    check_files("GIF, ", 60);
}
END_TEST

START_TEST(bmp_files)
{
    check_files("BMP, ", 150);
}
END_TEST

START_TEST(tiff_files)
{
    check_files("TIFF, ", 200);
}
END_TEST

START_TEST(avif_files)
{
    check_files("AVIF, ", 40);
}
END_TEST

START_TEST(damaged_files)
{
    check_files("mutation ", 400);
}
END_TEST

/* What Pillow opens as RGBA goes on white, other alpha is dropped. */
START_TEST(qwen_vl_utils_keeps_white_for_rgba)
{
    static const struct {
        const char *name;
        int result; /* of the corpus: 1 dropped, 3 on white */
    } cases[] = {
        {"GIF, transparency", 1},
        {"TIFF, tiff_lzw, mode LA", 1},
        {"TIFF, tiff_lzw, mode RGBA", 3},
        {"BMP, header 56, masks ff0000,ff00,ff,ff000000 of 32 bits", 3},
        {"AVIF, mode RGBA, 33x21", 3},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const corpus_file *file = corpus_find(&files, cases[i].name);
        oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
        oriel_image_info info;
        oriel_error err;

        ck_assert_uint_ne(file->results[1].crc, file->results[3].crc);
        options.alpha = ORIEL_ALPHA_QWEN_VL_UTILS;
        uint8_t *rgb =
            decode_picture(file->bytes, file->n_bytes, &options, &info, &err);
        ck_assert_ptr_nonnull(rgb);
        ck_assert_uint_eq(
            crc32(0, rgb, (uInt)(3 * (size_t)info.width * (size_t)info.height)),
            file->results[cases[i].result].crc);
        free(rgb);
    }
}
END_TEST

/* libtiff warns on standard error unless it is told not to. */
START_TEST(nothing_is_printed)
{
    FILE *caught = tmpfile(), *log = tmpfile();
    int out = dup(1), err = dup(2);

    ck_assert(caught && log && out >= 0 && err >= 0);
    fflush(NULL);
    dup2(fileno(caught), 1);
    dup2(fileno(caught), 2);
    for (size_t i = 0; i < files.n_files; i++)
        differs(&files.files[i], 0, log);
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    ck_assert_int_eq((int)lseek(fileno(caught), 0, SEEK_END), 0);
    fclose(caught);
    fclose(log);
    close(out);
    close(err);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("formats_exact");
    TCase *tcase = tcase_create("pillow");
    int result;

    files = corpus_load(ORIEL_CORPUS);
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, gif_files);
    tcase_add_test(tcase, bmp_files);
    tcase_add_test(tcase, tiff_files);
    tcase_add_test(tcase, avif_files);
    tcase_add_test(tcase, damaged_files);
    tcase_add_test(tcase, qwen_vl_utils_keeps_white_for_rgba);
    tcase_add_test(tcase, nothing_is_printed);
    suite_add_tcase(suite, tcase);
    result = run_suite(suite);
    corpus_free(&files);
    return result;
}
