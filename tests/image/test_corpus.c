/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_corpus.c - every file of the corpus against what Pillow made of it
 *
 * Accepted or refused, size and pixels, in all combinations of alpha and
 * orientation; lines with a gap between them, and nothing written beyond.
 */
#include "image/corpus.h"
#include "oriel_image.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* Larger results are all refused before a pixel: nothing to guard there. */
enum { GAP = 5, GUARD = 0xa5, GUARDED_BYTES = 1 << 20 };

static corpus files;

/*
 * What Pillow accepts and Oriel refuses, as the table of docs/model.md says:
 * PNGs that their specification forbids.  Where both accept, all pixels are
 * equal, and Oriel accepts nothing that Pillow refuses.
 */
static const char *const refused_here[] = {
    "PNG, DDAT",
    "PNG, animation: a part",
    "PNG, animation: a part with a key",
    "PNG, animation: a part without acTL",
    "PNG, animation: a part, turned",
    "PNG, animation: an interlaced part",
    "PNG, animation: fdAT first",
    "PNG, animation: fdAT in place of IDAT",
    "PNG, animation: pixels go on in fdAT 1",
    "PNG, header: second of no mode",
    "PNG, header: twice",
    "PNG, rare: a lower frame first",
    "PNG, stream: few rows",
    "PNG, stream: few rows, split 12 before its end",
    "PNG, stream: few rows, split 5 before its end",
    "PNG, stream: few rows, split 6 before its end",
};

static int
is_refused_here(const corpus_file *file)
{
    for (size_t i = 0; i < COUNT(refused_here); i++)
        if (strcmp(file->name, refused_here[i]) == 0)
            return 1;
    return 0;
}

static oriel_image_options
options_of(int combination)
{
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;

    options.alpha = combination & 2 ? ORIEL_ALPHA_WHITE : ORIEL_ALPHA_DROP;
    options.ignore_orientation = !(combination & 1);
    return options;
}

/* CRC of the pixels alone; the gaps must still be what they were. */
static uint32_t
crc_of_pixels(const uint8_t *rgb, size_t pitch, size_t line, size_t height,
              int *overrun)
{
    uint32_t crc = 0;

    for (size_t y = 0; y < height; y++, rgb += pitch) {
        crc = (uint32_t)crc32(crc, rgb, (uInt)line);
        for (size_t i = line; i < pitch; i++)
            *overrun |= rgb[i] != GUARD;
    }
    return crc;
}

/* What Oriel makes of a file.  'err' says why it was refused. */
static corpus_result
decode(const corpus_file *file, const oriel_image_options *options,
       oriel_error *err, int *overrun)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    corpus_result result = {0, 0, 0};

    if (oriel_image_probe(file->bytes, file->n_bytes, options, &info, err))
        return result;
    size_t line = 3 * (size_t)info.width;
    size_t pitch = line + GAP;
    size_t rgb_bytes = pitch * (size_t)info.height;
    uint8_t *rgb = malloc(rgb_bytes);
    ck_assert_ptr_nonnull(rgb);
    if (rgb_bytes <= GUARDED_BYTES)
        memset(rgb, GUARD, rgb_bytes);
    if (!oriel_image_decode(file->bytes, file->n_bytes, options, rgb,
                            rgb_bytes - GAP, pitch, err)) {
        result.width = (uint32_t)info.width;
        result.height = (uint32_t)info.height;
        result.crc = crc_of_pixels(rgb, pitch, line, result.height, overrun);
    }
    free(rgb);
    return result;
}

static int
is_unbuilt(const corpus_file *file)
{
#ifdef ORIEL_WEBP
    (void)file;
    return 0;
#else
    return strstr(file->name, "WebP") != NULL;
#endif
}

/* The number of combinations in which a file differs, each told on stderr. */
static int
count_differences(const corpus_file *file)
{
    int n = 0;

    for (int combination = 0; combination < 4; combination++) {
        const oriel_image_options options = options_of(combination);
        oriel_error err;
        int overrun = 0;
        corpus_result found = decode(file, &options, &err, &overrun);
        const corpus_result none = {0, 0, 0};
        const corpus_result *wanted =
            is_refused_here(file) ? &none : &file->results[combination];

        if (found.width == wanted->width && found.height == wanted->height &&
            found.crc == wanted->crc && !overrun)
            continue;
        n++;
        fprintf(
            stderr,
            "%s, white %d, turned %d: %ux%u %08x, expected %ux%u %08x%s %s\n",
            file->name, combination >> 1, combination & 1, found.width,
            found.height, found.crc, wanted->width, wanted->height, wanted->crc,
            overrun ? ", wrote between lines" : "", err.message);
    }
    return n;
}

static void
check_files(const char *prefix)
{
    int n = 0, differ = 0;

    for (size_t i = 0; i < files.n_files; i++) {
        const corpus_file *file = &files.files[i];

        if (strncmp(file->name, prefix, strlen(prefix)) != 0 ||
            is_unbuilt(file))
            continue;
        n++;
        differ += count_differences(file);
    }
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(differ, 0);
}

/* At least 99 % of the verdicts are Pillow's, and the list only shrinks. */
START_TEST(differences_are_few)
{
    for (size_t i = 0; i < COUNT(refused_here); i++)
        ck_assert_uint_ne(
            corpus_find(&files, refused_here[i])->results[3].width, 0);
    ck_assert_uint_le(100 * COUNT(refused_here), files.n_files);
}
END_TEST

/*
 * qwen-vl-utils puts on white what Pillow opens as RGBA, that is what has four
 * channels, and converts the rest to RGB: each result is Pillow's of one of the
 * other two ways.
 */
START_TEST(alpha_of_qwen_vl_utils)
{
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    int n_white = 0, n_drop = 0;

    options.alpha = ORIEL_ALPHA_QWEN_VL_UTILS;
    for (size_t i = 0; i < files.n_files; i++) {
        const corpus_file *file = &files.files[i];
        oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
        oriel_error err;
        int overrun = 0;

        if (is_unbuilt(file) || is_refused_here(file) ||
            oriel_image_probe(file->bytes, file->n_bytes, &options, &info,
                              &err))
            continue;
        const corpus_result *wanted =
            &file->results[info.channels == 4 ? 3 : 1];
        corpus_result found = decode(file, &options, &err, &overrun);

        ck_assert_msg(
            found.width == wanted->width && found.height == wanted->height &&
                found.crc == wanted->crc,
            "%s: %08x, expected %08x", file->name, found.crc, wanted->crc);
        if (file->results[1].crc != file->results[3].crc) {
            n_white += info.channels == 4;
            n_drop += info.channels != 4;
        }
    }
    ck_assert_int_gt(n_white, 10);
    ck_assert_int_gt(n_drop, 10);
}
END_TEST

START_TEST(png_files)
{
    check_files("PNG, ");
}
END_TEST

START_TEST(jpeg_files)
{
    check_files("JPEG, ");
}
END_TEST

#ifdef ORIEL_WEBP
START_TEST(webp_files)
{
    check_files("WebP, ");
}
END_TEST
#else
START_TEST(webp_is_unsupported)
{
    const corpus_file *file = corpus_find(&files, "WebP, EXIF 6");
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_error err;

    ck_assert_int_eq(
        oriel_image_probe(file->bytes, file->n_bytes, NULL, &info, &err),
        ORIEL_ERR_UNSUPPORTED);
}
END_TEST
#endif

START_TEST(pnm_files)
{
    check_files("PNM, ");
}
END_TEST

START_TEST(damaged_files)
{
    check_files("mutation ");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("image_corpus");
    TCase *tcase = tcase_create("pillow");
    int result;

    files = corpus_load(ORIEL_CORPUS);
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, differences_are_few);
    tcase_add_test(tcase, alpha_of_qwen_vl_utils);
    tcase_add_test(tcase, png_files);
    tcase_add_test(tcase, jpeg_files);
#ifdef ORIEL_WEBP
    tcase_add_test(tcase, webp_files);
#else
    tcase_add_test(tcase, webp_is_unsupported);
#endif
    tcase_add_test(tcase, pnm_files);
    tcase_add_test(tcase, damaged_files);
    suite_add_tcase(suite, tcase);
    result = run_suite(suite);
    corpus_free(&files);
    return result;
}
