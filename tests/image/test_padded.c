/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_padded.c - damaged files against what Pillow makes of each when
 * LOAD_TRUNCATED_IMAGES is True
 *
 * Accepted or refused, size and every pixel, in all four combinations of alpha
 * and orientation.  The log hook hears of each picture that lacks pixels, and
 * of no other.
 */
#include "image/corpus.h"
#include "oriel_image.h"
#include "support/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <jpeglib.h>

enum { NOT_PIXEL = 0xa5 };

static corpus files;

/* What the log hook hears. */
typedef struct heard {
    int n;
    char line[600];
} heard;

static void
hear(void *user, int32_t level, const char *line)
{
    heard *h = user;

    ck_assert_int_eq(level, ORIEL_LOG_WARNING);
    h->n++;
    snprintf(h->line, sizeof(h->line), "%s", line);
}

static corpus_result
decode(const corpus_file *file, const oriel_image_options *options,
       oriel_error *err)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    corpus_result result = {0, 0, 0};

    if (oriel_image_probe(file->bytes, file->n_bytes, options, &info, err))
        return result;
    size_t n_bytes = 3 * (size_t)info.width * (size_t)info.height;
    uint8_t *rgb = malloc(n_bytes);
    ck_assert_ptr_nonnull(rgb);
    memset(rgb, NOT_PIXEL, n_bytes);
    if (!oriel_image_decode(file->bytes, file->n_bytes, options, rgb, n_bytes,
                            0, err)) {
        result.width = (uint32_t)info.width;
        result.height = (uint32_t)info.height;
        result.crc = (uint32_t)crc32(0, rgb, (uInt)n_bytes);
    }
    free(rgb);
    return result;
}

static bool
same(const corpus_result *a, const corpus_result *b)
{
    return a->width == b->width && a->height == b->height && a->crc == b->crc;
}

/* '*n_padded' counts what is refused unless it is padded. */
static bool
differs(const corpus_file *file, int combination, int *n_padded)
{
    const corpus_result *wanted = &file->results[combination];
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    heard warned = {0};
    oriel_error err, of_whole;

    hooks.user = &warned;
    hooks.log = hear;
    options.hooks = &hooks;
    options.alpha = combination & 2 ? ORIEL_ALPHA_WHITE : ORIEL_ALPHA_DROP;
    options.ignore_orientation = !(combination & 1);
    corpus_result whole = decode(file, &options, &of_whole);
    ck_assert_int_eq(warned.n, 0);
    options.truncated = ORIEL_TRUNCATED_PAD;
    corpus_result found = decode(file, &options, &err);

    ck_assert_int_le(warned.n, 1);
    if (whole.width > 0) { /* nothing is missing */
        ck_assert_int_eq(warned.n, 0);
        ck_assert(same(&whole, &found));
    }
    if (warned.n > 0) {
        ck_assert_ptr_nonnull(strstr(warned.line, "picture is padded"));
        *n_padded += found.width > 0;
    }
    if (same(&found, wanted))
        return false;
    fprintf(stderr,
            "%s, white %d, turned %d: %ux%u %08x, expected %ux%u %08x %s\n",
            file->name, combination >> 1, combination & 1, found.width,
            found.height, found.crc, wanted->width, wanted->height, wanted->crc,
            err.message);
    return true;
}

/* Some results depend on the version of libjpeg-turbo. */
static bool
is_of_another_version(const corpus_file *file)
{
#if defined(LIBJPEG_TURBO_VERSION_NUMBER) && \
    LIBJPEG_TURBO_VERSION_NUMBER >= 3000000
    return strncmp(file->name, "turbo 2", 7) == 0;
#else
    return strncmp(file->name, "turbo 3", 7) == 0;
#endif
}

static bool
is_unbuilt(const corpus_file *file)
{
#ifdef ORIEL_WEBP
    (void)file;
    return false;
#else
    return strstr(file->name, "WebP") != NULL;
#endif
}

START_TEST(pixels_are_those_of_pillow)
{
    int n = 0, n_padded = 0, n_different = 0;

    for (size_t i = 0; i < files.n_files; i++) {
        const corpus_file *file = &files.files[i];

        if (is_of_another_version(file) || is_unbuilt(file))
            continue;
        n++;
        for (int combination = 0; combination < 4; combination++)
            n_different += differs(file, combination, &n_padded);
    }
    ck_assert_int_gt(n, 400);
    ck_assert_int_gt(n_padded, 4 * 150);
    ck_assert_int_eq(n_different, 0);
}
END_TEST

/* ---- Failures that are not the picture's ------------------------------- */

static int allocations_left;

static void *
alloc_some(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    return allocations_left-- > 0
               ? aligned_alloc(alignment,
                               (bytes + alignment - 1) / alignment * alignment)
               : NULL;
}

static void
free_some(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static int32_t
say_stop(void *user)
{
    (void)user;
    return 1;
}

static oriel_status
decode_with(const corpus_file *file, const oriel_hooks *hooks, uint8_t *rgb,
            size_t n_bytes)
{
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_error err;

    options.truncated = ORIEL_TRUNCATED_PAD;
    options.hooks = hooks;
    return oriel_image_decode(file->bytes, file->n_bytes, &options, rgb,
                              n_bytes, 0, &err);
}

/* A decode that lacks memory, or was stopped, is no picture to be padded. */
START_TEST(only_damage_is_padded)
{
    oriel_hooks poor = ORIEL_HOOKS_INIT, stopped = ORIEL_HOOKS_INIT;
    int n = 0;

    poor.alloc = alloc_some;
    poor.free = free_some;
    stopped.cancel = say_stop;
    for (size_t i = 0; i < files.n_files; i += 5) {
        const corpus_file *file = &files.files[i];
        const corpus_result *result = &file->results[3];
        size_t n_bytes = 3 * (size_t)result->width * result->height;

        if (n_bytes == 0 || is_of_another_version(file) || is_unbuilt(file))
            continue;
        uint8_t *rgb = malloc(n_bytes);
        ck_assert_ptr_nonnull(rgb);
        ck_assert_int_eq(decode_with(file, &stopped, rgb, n_bytes),
                         ORIEL_ERR_CANCELLED);
        oriel_status status = ORIEL_ERR_MEMORY;
        for (int given = 0; status == ORIEL_ERR_MEMORY && given < 100;
             given++) {
            allocations_left = given;
            status = decode_with(file, &poor, rgb, n_bytes);
            ck_assert(allocations_left >= 0 || status == ORIEL_ERR_MEMORY);
        }
        ck_assert_int_eq(status, ORIEL_OK);
        free(rgb);
        n++;
    }
    ck_assert_int_gt(n, 50);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("padded");
    TCase *tcase = tcase_create("pillow");
    int result;

    files = corpus_load(ORIEL_PADDED);
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, pixels_are_those_of_pillow);
    tcase_add_test(tcase, only_damage_is_padded);
    suite_add_tcase(suite, tcase);
    result = run_suite(suite);
    corpus_free(&files);
    return result;
}
