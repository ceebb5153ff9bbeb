/* SPDX-License-Identifier: Apache-2.0 */
/* test_build_info.c - oriel_build_info() against what was built */
#include "oriel.h"
#include "oriel_image.h"
#include "support/suite.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static json_t *
parse(void)
{
    json_error_t error;
    json_t *info =
        json_loads(oriel_build_info(), JSON_REJECT_DUPLICATES, &error);

    ck_assert_msg(info != NULL, "%s", error.text);
    return info;
}

static const char *
text_of(const json_t *info, const char *key)
{
    const char *text = json_string_value(json_object_get(info, key));

    ck_assert_msg(text != NULL, "%s", key);
    return text;
}

static bool
lists(const json_t *info, const char *key, const char *name)
{
    const json_t *list = json_object_get(info, key);

    ck_assert(json_is_array(list));
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), name) == 0)
            return true;
    return false;
}

START_TEST(versions_are_those_that_were_loaded)
{
    json_t *info = parse();
    const char *commit = text_of(info, "commit");

    ck_assert_ptr_null(strchr(oriel_build_info(), '\n'));
    ck_assert_str_eq(text_of(info, "oriel"), oriel_version());
    ck_assert_int_eq(json_integer_value(json_object_get(info, "abi")),
                     oriel_abi_version());
    ck_assert_str_eq(text_of(info, "jansson"), JANSSON_VERSION);
    ck_assert_uint_gt(strlen(text_of(info, "compiler")), 0);
    ck_assert_uint_gt(strlen(text_of(info, "target")), 0);
    ck_assert_msg(strcmp(commit, "unknown") == 0 ||
                      (strlen(commit) >= 40 &&
                       strspn(commit, "0123456789abcdef") == strlen(commit)),
                  "%s", commit);
    json_decref(info);
}
END_TEST

/* The modules lie beside the library, or they were not built. */
START_TEST(backends_are_those_that_were_built)
{
    json_t *info = parse();
    bool cuda = access(LIBRARY_FOLDER "/liboriel-cuda.so", R_OK) == 0;
    const json_t *toolkit = json_object_get(info, "cuda_toolkit");

    ck_assert(lists(info, "backends", "cpu"));
    ck_assert_int_eq(access(LIBRARY_FOLDER "/liboriel-cpu.so", R_OK), 0);
    ck_assert_int_eq(lists(info, "backends", "cuda"), cuda);
    ck_assert_uint_eq(json_array_size(json_object_get(info, "backends")),
                      cuda ? 2 : 1);
    ck_assert_int_eq(json_is_string(toolkit), cuda);
    ck_assert_int_eq(json_is_null(toolkit), !cuda);
    ck_assert_int_eq(
        json_array_size(json_object_get(info, "cuda_architectures")) > 0, cuda);
    json_decref(info);
}
END_TEST

/* A file that only begins as one of its format is broken, where the format is
   built in, and not supported where it is not. */
START_TEST(formats_are_those_that_are_read)
{
    static const struct {
        const char *name, *bytes;
        size_t n_bytes;
    } formats[] = {
#define FORMAT(name, bytes) {name, bytes, sizeof(bytes) - 1}
        FORMAT("png", "\x89PNG\r\n\x1a\n"),
        FORMAT("jpeg", "\xff\xd8\xff"),
        FORMAT("pnm", "P6\n"),
        FORMAT("webp", "RIFF\4\0\0\0WEBP"),
        FORMAT("gif", "GIF89a"),
        FORMAT("bmp", "BM"),
        FORMAT("tiff", "II*\0\10\0\0\0"),
        FORMAT("avif", "\0\0\0\24ftypavif\0\0\0\0avif"),
        FORMAT("heic", "\0\0\0\24ftypheic\0\0\0\0heic"),
#undef FORMAT
    };
    json_t *info = parse();

    for (size_t i = 0; i < COUNT(formats); i++) {
        oriel_image_info image = ORIEL_IMAGE_INFO_INIT;
        oriel_error err;
        oriel_status status = oriel_image_probe(
            formats[i].bytes, formats[i].n_bytes, NULL, &image, &err);

        ck_assert_msg(status == ORIEL_ERR_INPUT ||
                          status == ORIEL_ERR_UNSUPPORTED,
                      "%s: %s", formats[i].name, err.message);
        ck_assert_msg(lists(info, "formats", formats[i].name) ==
                          (status == ORIEL_ERR_INPUT),
                      "%s: %s", formats[i].name, err.message);
    }
    ck_assert_uint_le(json_array_size(json_object_get(info, "formats")),
                      COUNT(formats));
    json_decref(info);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("abi_build_info");
    TCase *tc = tcase_create("build_info");

    tcase_add_test(tc, versions_are_those_that_were_loaded);
    tcase_add_test(tc, backends_are_those_that_were_built);
    tcase_add_test(tc, formats_are_those_that_are_read);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
