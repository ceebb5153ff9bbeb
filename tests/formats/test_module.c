/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_module.c - liboriel-formats.so is loaded when it is needed, from beside
 * liboriel-image.so; without it everything else works, and the line says what
 * the file is
 *
 * liboriel-image.so is opened from three folders, as a program would have it:
 * the build's, one without the module, one with that of another version.
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

/* ---- What a file is ------------------------------------------------------ */

typedef struct known {
    const char *bytes;
    size_t n;
    const char *message;
} known;

#define KNOWN(bytes, message) \
    { \
        bytes, sizeof(bytes) - 1, message \
    }

static const known kinds[] = {
    KNOWN("", "an empty file, not a picture"),
    KNOWN("\0\0\0\14jP  \r\n\x87\n", "a JPEG 2000, convert it to PNG or JPEG"),
    KNOWN("\xff\x4f\xff\x51", "a JPEG 2000 codestream, "),
    KNOWN("\xff\x0a\x42", "a JPEG XL, convert"),
    KNOWN("\0\0\0\14JXL \r\n\x87\n", "a JPEG XL, convert"),
    KNOWN("\0\0\1\0\1\0", "a Windows icon (ICO), "),
    KNOWN("\0\0\1\0moov\0\0\0\x6cmvhd", "a QuickTime video, "),
    KNOWN("\0\0\2\0\0\0\0\0\0\0\0\0\1\0\1\0\x18\0\1\2\3\0\0\0\0\0\0\0\0"
          "TRUEVISION-XFILE.\0",
          "a Targa (TGA), convert it"),
    KNOWN("AT&TFORM\0\0\0\x10"
          "DJVU",
          "a DjVu, not a picture: render its pages"),
    KNOWN("\x89PNG\n\x1a\n\0", "a PNG whose first bytes are damaged, "),
    KNOWN("\xef\xbf\xbdPNG\r\n", "a PNG that was saved as text, download"),
    KNOWN("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
          "a binary file that was saved as text, "),
    KNOWN("iVBORw0KGgoAAAANSUhEUg", "a picture as base64 text, decode it"),
    KNOWN("\xff\xfeh\0i\0", "a text file in UTF-16, "),
    KNOWN("[InternetShortcut]\r\nURL=x", "a text file, "),
    KNOWN("{\\rtf1", "an RTF document, "),
    KNOWN("<head><title>404", "an HTML page, "),
    KNOWN("<svg><title>A drawing</title></svg>", "an SVG, "),
    KNOWN("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
          "a file of zeros, not a picture: did a download or a copy fail?"),
    KNOWN("MZ\x90\0\3\0", "a Windows program (EXE, DLL), "),
    KNOWN("8BPS\0\1", "a Photoshop document (PSD), export it as PNG"),
    KNOWN("<svg xmlns=\"http://www.w3.org/2000/svg\">", "an SVG, render it"),
    KNOWN("<?xml version=\"1.0\"?>\n<svg>", "an SVG, render it"),
    KNOWN("<?xml version=\"1.0\"?>\n<Error>", "an XML file, "),
    KNOWN("\n <!DOCTYPE HTML><html>",
          "an HTML page, not a picture: did the download fail?"),
    KNOWN("\xef\xbb\xbf<html lang=en>", "an HTML page, "),
    KNOWN("{\"error\": 404}", "a JSON file, not a picture: did the download"),
    KNOWN("[1, 2]", "a JSON file, "),
    KNOWN("version https://git-lfs.github.com/spec/v1\noid sha256:0",
          "a Git LFS pointer, the file itself was not downloaded: run 'git "
          "lfs pull'"),
    KNOWN("\0\0\0\x18"
          "ftypmp42\0\0\0\0isom",
          "an MP4 or QuickTime video, "),
    KNOWN("\0\0\0\x14"
          "ftypqt  \0\0\0\0",
          "an MP4 or QuickTime video, "),
    KNOWN("\0\0\0\x08"
          "wide\0\0\0\0mdat",
          "a QuickTime video, "),
    KNOWN("\x1a\x45\xdf\xa3\x01", "a Matroska or WebM video, "),
    KNOWN("RIFF\0\0\0\0AVI LIST", "an AVI video, "),
    KNOWN("RIFF\0\0\0\0WAVEfmt ", "a WAV, "),
    KNOWN("GGUF\3\0\0\0", "a GGUF model, not a picture"),
    KNOWN("%PDF-1.7", "a PDF, not a picture: render its pages"),
    KNOWN("PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7\0\0\0"
          "arr.npy",
          "NumPy arrays (.npz), "),
    KNOWN("PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0"
          "a.txt",
          "a zip archive, "),
    KNOWN("PK\3\4", "a zip archive, "),
    KNOWN("\x93NUMPY\1\0", "a NumPy array (.npy), "),
    KNOWN("\x40\0\0\0\0\0\0\0{\"a\":{", "a safetensors file, "),
    KNOWN("\x80\4\x95.", "a Python pickle, "),
    KNOWN("\x1f\x8b\x08", "a gzip archive, "),
    KNOWN("\x7f"
          "ELF",
          "a program or library (ELF), "),
    KNOWN("a.jpg\nb.jpg\n",
          "a text file, not a picture: a list of names is given as @FILE"),
    KNOWN("caf\xc3\xa9", "a text file, "),
    KNOWN("data:image/png;base64,iVBOR", "a data: URL, "),
    KNOWN("\x89", "unknown format (1 bytes), expected PNG, JPEG, WebP, PNM, "
                  "GIF, BMP, TIFF, AVIF or HEIC"),
    KNOWN("\0\0\0\0\0\0\0\0", "unknown format (8 bytes), "),
};

START_TEST(the_line_says_what_a_file_is)
{
    probe_fn *probe = open_library(BUILD_FOLDER);
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_error err;

    for (size_t i = 0; i < COUNT(kinds); i++) {
        ck_assert_int_eq(probe(kinds[i].bytes, kinds[i].n, NULL, &info, &err),
                         ORIEL_ERR_INPUT);
        ck_assert_msg(strstr(err.message, kinds[i].message) == err.message,
                      "'%s', expected '%s'", err.message, kinds[i].message);
    }
}
END_TEST

/* A tar is told by bytes 257 on. */
START_TEST(a_tar_is_told_from_its_first_name)
{
    probe_fn *probe = open_library(BUILD_FOLDER);
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    char tar[512] = "photo.jpg";
    oriel_error err;

    memcpy(tar + 257, "ustar", 5);
    ck_assert_int_eq(probe(tar, sizeof(tar), NULL, &info, &err),
                     ORIEL_ERR_INPUT);
    ck_assert_ptr_eq(strstr(err.message, "a tar archive, "), err.message);
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
    tcase_add_test(tcase, the_line_says_what_a_file_is);
    tcase_add_test(tcase, a_tar_is_told_from_its_first_name);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
