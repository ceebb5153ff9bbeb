/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kinds.c - what a file is called that is no picture Oriel decodes, or that
 * needs liboriel-formats.so, which is not beside this program
 *
 * The first bytes are those that the formats' specifications give.
 */
#include "oriel_image.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *bytes;
    size_t n;
    const char *says; /* NULL: unknown */
} heads[] = {
#define HEAD(bytes, says) \
    { \
        bytes, sizeof(bytes) - 1, says \
    }
    /* Boxes: the major brand, else a compatible one within the first box. */
    HEAD("\0\0\0\x1c"
         "ftypavis\0\0\0\0avis",
         "an AVIF"),
    HEAD("\0\0\0\x1c"
         "ftypheim\0\0\0\0mif1",
         "a HEIC"),
    HEAD("\0\0\0\x1c"
         "ftypmif1\0\0\0\0miafheix",
         "a HEIC"),
    HEAD("\0\0\0\x14"
         "ftypmif1\0\0\0\0miafheix",
         "a HEIF of a kind other than HEIC and AVIF"),
    HEAD("\0\0\0\x1c"
         "ftypmiaf\0\0\0\0jpeg",
         "a HEIF of a kind other than HEIC and AVIF"),
    HEAD("\0\0\0\x14"
         "ftypavci\0\0\0\0",
         "a HEIF of a kind other than HEIC and AVIF"),
    HEAD("\0\0\0\x14"
         "ftypj2ki\0\0\0\0",
         "a HEIF of a kind other than HEIC and AVIF"),
    HEAD("\0\0\0\x14"
         "ftyp",
         "a HEIF of a kind other than HEIC and AVIF"),
    HEAD("\0\0\0\x18"
         "ftypcrx \0\0\0\1",
         "a camera's raw file (CR3)"),
    HEAD("\0\0\0\x18"
         "ftypisom",
         "an MP4 or QuickTime video"),
    HEAD("\0\0\0\x18"
         "ftypqt  \0\0\2\0",
         "an MP4 or QuickTime video"),
    /* RIFF */
    HEAD("RIFF\x24\0\0\0WEBP", "a damaged WebP"),
    HEAD("RIFF\x24\0\0\0RMID", "a RIFF file"),
    HEAD("RIFF", "a RIFF file"),
    /* Zip: the local header is 30 bytes, the length of the name at 26. */
    HEAD("PK\3\4"
         "1234567890123456789012\5\0\0\0a.npy",
         "NumPy arrays (.npz)"),
    HEAD("PK\3\4"
         "1234567890123456789012\4\0\0\0.npy",
         "a zip archive"),
    HEAD("PK\3\4"
         "1234567890123456789012\x10\0\0\0archive/data.pkl",
         "a PyTorch file"),
    HEAD("PK\3\4"
         "1234567890123456789012\x08\0\0\0data.pkl",
         "a zip archive"),
    HEAD("PK\3\4"
         "1234567890123456789012\x13\0\0\0[Content_Types].xml",
         "an Office document"),
    HEAD("PK\3\4"
         "1234567890123456789012\x0b\0\0\0_rels/.rels",
         "an Office document"),
    HEAD("PK\3\4"
         "1234567890123456789012\x0d\0\0\0word/document",
         "an Office document"),
    HEAD("PK\3\4"
         "1234567890123456789012\x0b\0\0\0xl/workbook",
         "an Office document"),
    HEAD("PK\3\4"
         "1234567890123456789012\x0a\0\0\0ppt/slides",
         "an Office document"),
    HEAD("PK\3\4"
         "1234567890123456789012\x07\0\0\0cat.jpg",
         "a zip archive"),
    HEAD("PK\3\4"
         "1234567890123456789012\x09\0\0\0cat.jp",
         "a zip archive"),
    HEAD("PK\3\4"
         "1234567890123456789012\0\0\0\0",
         "a zip archive"),
    /* Text */
    HEAD("<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG"),
    HEAD("<?xml version='1.0'?>\n<!-- --><SVG/>", "an SVG"),
    HEAD("\xef\xbb\xbf \r\n<!DOCTYPE html><p>", "an HTML page"),
    HEAD("<script>1</script>", "an HTML page"),
    HEAD("<Error><Code>NoSuchKey</Code></Error>", "an XML file"),
    HEAD("<", "an XML file"),
    HEAD("data:image/png;base64,iVBORw0KGgo", "a data: URL"),
    HEAD("/9j/4AAQSkZJRg", "a picture as base64 text"),
    HEAD("UklGRiQAAABXRUJQ", "a picture as base64 text"),
    HEAD("{\"error\": 1}", "a JSON file"),
    HEAD("[\t]", "a JSON file"),
    HEAD("[section]\nkey = 1\n", "a text file"),
    HEAD("[", "a text file"),
    HEAD("cat.png\ndog.png\n", "a text file"),
    HEAD("na\xc3\xafve", "a text file"),
    HEAD("na\xc3", "a text file"), /* a character that is cut */
    HEAD("na\xe2\x82", "a text file"),
    HEAD("na\xc3\xc3\xc3\xc3", NULL),
    HEAD("na\x80", NULL),
    HEAD("\xe2\x82", NULL), /* nothing but a cut one */
    HEAD("bell\7bell", NULL),
    HEAD("escape\x1b[0m", NULL),
    HEAD(" \r\n\t", NULL),
    HEAD("\xef\xbb\xbf", NULL),
    /* Structures */
    HEAD("\x40\0\0\0\0\0\0\0{\"", "a safetensors file"),
    HEAD("\x40\0\0\0\1\0\0\0{\"", NULL),
    HEAD("\x40\0\0\0\0\0\0\0{ ", NULL),
    HEAD("\x40\0\0\0\0\0\0\0[\"", NULL),
    HEAD("\x80\2}q\0.", "a Python pickle"),
    HEAD("\x80\5K\1.", "a Python pickle"),
    HEAD("\x80\1K.", NULL),
    HEAD("\x80\6K.", NULL),
    HEAD("\x80\4K,", NULL),
    HEAD("\x80\4.", NULL),
    HEAD("\0\0\1\0\1\0\x10\x10\0\0", "a Windows icon (ICO)"),
    HEAD("\0\0\1\0\0\1", "a Windows icon (ICO)"),
    HEAD("\0\0\2\0\1\0\x20\x20\0\0", "a Windows cursor (CUR)"),
    HEAD("\0\0\1\0\1\0\x10\x10\0\1", NULL), /* not reserved */
    HEAD("\0\0\1\0\0\0\x10\x10\0\0", NULL), /* no pictures */
    HEAD("\0\0\1\1\1\0\x10\x10\0\0", NULL),
    HEAD("\0\0\3\0\1\0\x10\x10\0\0", NULL),
    HEAD("\0\1\1\0\1\0\x10\x10\0\0", NULL),
    HEAD("\0\0\1\0\1", NULL),
    HEAD("MZ", "a text file"),
    /* All the rest. */
    HEAD("", "an empty file, not a picture"),
    HEAD("\0\0\0\14jP  \r\n\x87\n", "a JPEG 2000, convert it to PNG or JPEG"),
    HEAD("\xff\x4f\xff\x51", "a JPEG 2000 codestream, "),
    HEAD("\xff\x0a\x42", "a JPEG XL, convert"),
    HEAD("\0\0\0\14JXL \r\n\x87\n", "a JPEG XL, convert"),
    HEAD("\0\0\1\0\1\0", "a Windows icon (ICO), "),
    HEAD("\0\0\1\0moov\0\0\0\x6cmvhd", "a QuickTime video, "),
    HEAD("\0\0\2\0\0\0\0\0\0\0\0\0\1\0\1\0\x18\0\1\2\3\0\0\0\0\0\0\0\0"
         "TRUEVISION-XFILE.\0",
         "a Targa (TGA), convert it"),
    HEAD("AT&TFORM\0\0\0\x10"
         "DJVU",
         "a DjVu, not a picture: render its pages"),
    HEAD("\x89PNG\n\x1a\n\0", "a PNG whose first bytes are damaged, "),
    HEAD("\xef\xbf\xbdPNG\r\n", "a PNG that was saved as text, download"),
    HEAD("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
         "a binary file that was saved as text, "),
    HEAD("iVBORw0KGgoAAAANSUhEUg", "a picture as base64 text, decode it"),
    HEAD("\xff\xfeh\0i\0", "a text file in UTF-16, "),
    HEAD("[InternetShortcut]\r\nURL=x", "a text file, "),
    HEAD("{\\rtf1", "an RTF document, "),
    HEAD("<head><title>404", "an HTML page, "),
    HEAD("<svg><title>A drawing</title></svg>", "an SVG, "),
    HEAD("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
         "a file of zeros, not a picture: did a download or a copy fail?"),
    HEAD("MZ\x90\0\3\0", "a Windows program (EXE, DLL), "),
    HEAD("8BPS\0\1", "a Photoshop document (PSD), export it as PNG"),
    HEAD("<svg xmlns=\"http://www.w3.org/2000/svg\">", "an SVG, render it"),
    HEAD("<?xml version=\"1.0\"?>\n<svg>", "an SVG, render it"),
    HEAD("<?xml version=\"1.0\"?>\n<Error>", "an XML file, "),
    HEAD("\n <!DOCTYPE HTML><html>",
         "an HTML page, not a picture: did the download fail?"),
    HEAD("\xef\xbb\xbf<html lang=en>", "an HTML page, "),
    HEAD("{\"error\": 404}", "a JSON file, not a picture: did the download"),
    HEAD("[1, 2]", "a JSON file, "),
    HEAD("version https://git-lfs.github.com/spec/v1\noid sha256:0",
         "a Git LFS pointer, the file itself was not downloaded: run 'git "
         "lfs pull'"),
    HEAD("\0\0\0\x18"
         "ftypmp42\0\0\0\0isom",
         "an MP4 or QuickTime video, "),
    HEAD("\0\0\0\x14"
         "ftypqt  \0\0\0\0",
         "an MP4 or QuickTime video, "),
    HEAD("\0\0\0\x08"
         "wide\0\0\0\0mdat",
         "a QuickTime video, "),
    HEAD("\x1a\x45\xdf\xa3\x01", "a Matroska or WebM video, "),
    HEAD("RIFF\0\0\0\0AVI LIST", "an AVI video, "),
    HEAD("RIFF\0\0\0\0WAVEfmt ", "a WAV, "),
    HEAD("GGUF\3\0\0\0", "a GGUF model, not a picture"),
    HEAD("%PDF-1.7", "a PDF, not a picture: render its pages"),
    HEAD("PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7\0\0\0"
         "arr.npy",
         "NumPy arrays (.npz), "),
    HEAD("PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0"
         "a.txt",
         "a zip archive, "),
    HEAD("PK\3\4", "a zip archive, "),
    HEAD("\x93NUMPY\1\0", "a NumPy array (.npy), "),
    HEAD("\x40\0\0\0\0\0\0\0{\"a\":{", "a safetensors file, "),
    HEAD("\x80\4\x95.", "a Python pickle, "),
    HEAD("\x1f\x8b\x08", "a gzip archive, "),
    HEAD("\x7f"
         "ELF",
         "a program or library (ELF), "),
    HEAD("a.jpg\nb.jpg\n",
         "a text file, not a picture: a list of names is given as @FILE"),
    HEAD("caf\xc3\xa9", "a text file, "),
    HEAD("data:image/png;base64,iVBOR", "a data: URL, "),
    HEAD("\x89", "unknown format (1 bytes), expected PNG, JPEG, WebP, PNM, "
                 "GIF, BMP, TIFF, AVIF or HEIC"),
    HEAD("\0\0\0\0\0\0\0\0", "unknown format (8 bytes), "),
};

static void
check(const void *bytes, size_t n, const char *says)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    uint8_t *exact = malloc(n ? n : 1); /* a sanitizer sees one byte more */
    const char *expected = says ? says : "unknown format";
    oriel_error err;
    oriel_status status;

    ck_assert_ptr_nonnull(exact);
    memcpy(exact, bytes, n);
    status = oriel_image_probe(exact, n, NULL, &info, &err);
    ck_assert_msg(
        (status == ORIEL_ERR_INPUT || status == ORIEL_ERR_UNSUPPORTED) &&
            strncmp(err.message, expected, strlen(expected)) == 0,
        "%zu bytes: status %d, '%s', expected '%s'", n, status, err.message,
        expected);
    free(exact);
}

START_TEST(first_bytes_tell)
{
    check(heads[_i].bytes, heads[_i].n, heads[_i].says);
}
END_TEST

/* Signatures that stand further on, or at the end. */
START_TEST(later_bytes_tell)
{
    static const struct {
        size_t n, at;
        const char *text;
        size_t n_text;
        const char *says;
    } files[] = {
        {200, 128, "DICM", 4, "a DICOM file"},
        {512, 257, "ustar", 5, "a tar archive"},
        {100, 40, " EMF", 4, "a Windows metafile (EMF)"},
        {100, 82, "TRUEVISION-XFILE.", 18, "a Targa (TGA)"},
        {100, 81, "TRUEVISION-XFILE.", 18, NULL},
        {18, 0, "TRUEVISION-XFILE.", 18, "a Targa (TGA)"},
        {64, 0, "", 0, "a file of zeros"},
        {63, 0, "", 0, NULL},
        {64, 63, "\1", 1, NULL},
    };

    for (size_t i = 0; i < COUNT(files); i++) {
        uint8_t bytes[512] = {0};

        if (files[i].n_text > 1) /* or it is one of zeros */
            bytes[0] = 1;
        memcpy(bytes + files[i].at, files[i].text, files[i].n_text);
        check(bytes, files[i].n, files[i].says);
    }
}
END_TEST

/* Packets of 188 bytes. */
START_TEST(a_transport_stream_has_three_packets)
{
    uint8_t bytes[377] = {0};

    bytes[0] = bytes[188] = bytes[376] = 0x47;
    check(bytes, 377, "an MPEG transport stream");
    check(bytes, 376, NULL);
    bytes[188] = 0;
    check(bytes, 377, NULL);
    bytes[188] = 0x47;
    bytes[376] = 0;
    check(bytes, 377, NULL);
}
END_TEST

/* Of a text the first KiB is looked at. */
START_TEST(long_texts)
{
    char text[4096];

    memset(text, 'a', sizeof(text));
    check(text, sizeof(text), "a text file");
    text[2000] = '\1';
    check(text, sizeof(text), "a text file");
    text[1000] = '\1';
    check(text, sizeof(text), NULL);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("image_kinds");
    TCase *tcase = tcase_create("kinds");

    tcase_add_loop_test(tcase, first_bytes_tell, 0, COUNT(heads));
    tcase_add_test(tcase, later_bytes_tell);
    tcase_add_test(tcase, a_transport_stream_has_three_packets);
    tcase_add_test(tcase, long_texts);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
