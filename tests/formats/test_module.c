/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_module.c - liboriel-formats.so is loaded when it is needed, from beside
 * liboriel-image.so; without it everything else works, and the line says what
 * the file is
 *
 * liboriel-image.so is opened from several folders, as a program would have it:
 * the build's, and others without the module, with that of another version, and
 * with what is no module.
 */
#include "oriel_image.h"
#include "support/suite.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

typedef oriel_status probe_fn(const void *bytes, size_t n_bytes,
                              const oriel_image_options *options,
                              oriel_image_info *info, oriel_error *err);

static const uint8_t ppm[] = "P6 1 1 255\nrgb";
static const uint8_t gif[] = "GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2L\1";

static probe_fn *
open_library(const char *folder)
{
    char path[4096];
    void *handle;

    snprintf(path, sizeof(path), "%s/" LIBRARY, folder);
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s: %s", path, dlerror());
    probe_fn *probe = (probe_fn *)dlsym(handle, "oriel_image_probe");
    ck_assert_ptr_nonnull(probe);
    return probe;
}

static int
is_module(struct dl_phdr_info *info, size_t bytes, void *data)
{
    (void)bytes;
    if (strstr(info->dlpi_name, "liboriel-formats") ||
        strstr(info->dlpi_name, "libheif") || strstr(info->dlpi_name, "libgif"))
        *(int *)data = 1;
    return 0;
}

static int
module_is_loaded(void)
{
    int loaded = 0;

    dl_iterate_phdr(is_module, &loaded);
    return loaded;
}

START_TEST(the_module_is_loaded_for_its_files_alone)
{
    static const char *const others[] = {
        "", "no picture", "%PDF-1.7", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff\xe0"};
    probe_fn *probe = open_library(BUILD_FOLDER);
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_error err;

    ck_assert_int_eq(probe(ppm, sizeof(ppm) - 1, NULL, &info, &err), ORIEL_OK);
    for (size_t i = 0; i < COUNT(others); i++)
        ck_assert_int_eq(probe(others[i], strlen(others[i]), NULL, &info, &err),
                         ORIEL_ERR_INPUT);
    ck_assert_int_eq(module_is_loaded(), 0);
    ck_assert_int_eq(probe(gif, sizeof(gif) - 1, NULL, &info, &err), ORIEL_OK);
    ck_assert_int_eq(info.format, ORIEL_IMAGE_GIF);
    ck_assert_int_eq(info.width, 1);
    ck_assert_int_eq(module_is_loaded(), 1);
}
END_TEST

static void
check_refusal(probe_fn *probe, const char *bytes, size_t n, const char *message)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_error err;

    ck_assert_int_eq(probe(bytes, n, NULL, &info, &err), ORIEL_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.message, message) == err.message,
                  "'%s', expected '%s'", err.message, message);
    ck_assert_int_eq(module_is_loaded(), 0);
    ck_assert_int_eq(probe(ppm, sizeof(ppm) - 1, NULL, &info, &err), ORIEL_OK);
}

START_TEST(without_the_module_the_line_says_what_the_file_is)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *message;
    } cases[] = {
        {"GIF89a", 6,
         "a GIF; liboriel-formats.so is not installed beside "
         "liboriel-image.so"},
        {"BM", 2, "a BMP; liboriel-formats.so is not installed"},
        {"II*\0", 4, "a TIFF; liboriel-formats.so is not installed"},
        {"MM\0*", 4, "a TIFF; liboriel-formats.so is not installed"},
        {"\0\0\0\x14"
         "ftypavif\0\0\0\0mif1",
         20, "an AVIF; liboriel-formats.so is not installed"},
        {"\0\0\0\x14"
         "ftypmif1\0\0\0\0avif",
         20, "an AVIF; liboriel-formats.so is not installed"},
        {"\0\0\0\x14"
         "ftypheic\0\0\0\0mif1",
         20, "a HEIC; liboriel-formats.so is not installed"},
    };
    probe_fn *probe = open_library(ALONE_FOLDER);

    for (size_t i = 0; i < COUNT(cases); i++)
        check_refusal(probe, cases[i].bytes, cases[i].n, cases[i].message);
}
END_TEST

START_TEST(a_module_of_another_version_is_refused)
{
    check_refusal(open_library(STALE_FOLDER), "GIF89a", 6,
                  "a GIF; liboriel-formats.so beside liboriel-image.so is not "
                  "of version ");
}
END_TEST

/* A text in the module's place, and a library without the module's entry. */
START_TEST(a_module_that_is_none_is_refused)
{
    check_refusal(open_library(TEXT_FOLDER), "GIF89a", 6,
                  "a GIF; liboriel-formats.so beside liboriel-image.so cannot "
                  "be loaded (");
    check_refusal(open_library(OTHER_FOLDER), "GIF89a", 6,
                  "a GIF; liboriel-formats.so beside liboriel-image.so is not "
                  "of version ");
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("formats_module");
    TCase *tcase = tcase_create("module");

    tcase_add_test(tcase, the_module_is_loaded_for_its_files_alone);
    tcase_add_test(tcase, without_the_module_the_line_says_what_the_file_is);
    tcase_add_test(tcase, a_module_of_another_version_is_refused);
    tcase_add_test(tcase, a_module_that_is_none_is_refused);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
