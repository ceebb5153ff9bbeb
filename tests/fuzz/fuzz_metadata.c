/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_metadata.c - a byte that says where, and then any bytes as the EXIF or XMP
 * of a good picture
 *
 * No picture is refused for them, no pixel changes, and every kind of file has
 * the orientation that the bytes alone have.
 */
#include "fuzz/fuzz.h"
#include "image/metadata.h"
#include "oriel_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <zlib.h>

enum { WIDTH = 3, HEIGHT = 2, MAX_BLOB = 60000 };

typedef enum place { EXIF, PROFILE, XMP } place;

/* A file under construction. */
typedef struct file {
    uint8_t bytes[MAX_BLOB + 4096];
    size_t n;
} file;

static void
put(file *f, const void *bytes, size_t n)
{
    FUZZ_CHECK(n <= sizeof(f->bytes) - f->n);
    if (n > 0)
        memcpy(f->bytes + f->n, bytes, n);
    f->n += n;
}

static void
put_big_endian(file *f, uint64_t value, int n)
{
    for (int i = n - 1; i >= 0; i--)
        put(f, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

/* ---- PNG -------------------------------------------------------------------- */

static void
put_chunk(file *f, const char *id, const char *head, size_t head_bytes,
          const uint8_t *data, size_t bytes)
{
    const size_t start = f->n + 4;

    put_big_endian(f, head_bytes + bytes, 4);
    put(f, id, 4);
    put(f, head, head_bytes);
    put(f, data, bytes);
    put_big_endian(f, crc32(0, f->bytes + start, (uInt)(f->n - start)), 4);
}

static void
make_png(file *f, place where, const uint8_t *blob, size_t bytes)
{
    static const uint8_t rows[] = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90,
                                   0, 1,  2,  3,  4,  5,  6,  7,  8,  9};
    static const uint8_t header[] = {0,      0, 0, WIDTH, 0, 0, 0,
                                     HEIGHT, 8, 2, 0,     0, 0};
    static uint8_t pixels[128];
    static uLongf n;

    put(f, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(f, "IHDR", "", 0, header, sizeof(header));
    if (where == EXIF)
        put_chunk(f, "eXIf", "", 0, blob, bytes);
    else if (where == PROFILE)
        put_chunk(f, "tEXt", "Raw profile type exif", 22, blob, bytes);
    else
        put_chunk(f, "iTXt", "XML:com.adobe.xmp\0\0\0\0", 22, blob, bytes);
    if (n == 0) {
        n = sizeof(pixels);
        FUZZ_CHECK(compress(pixels, &n, rows, sizeof(rows)) == Z_OK);
    }
    put_chunk(f, "IDAT", "", 0, pixels, n);
    put_chunk(f, "IEND", "", 0, NULL, 0);
}

/* ---- JPEG ------------------------------------------------------------------- */

/* The picture without its first two bytes. */
static const file *
plain_jpeg(void)
{
    static file made;
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long n = 0;
    JSAMPLE row[3 * WIDTH] = {200, 100, 50, 0, 120, 240, 90, 60, 30};

    if (made.n > 0)
        return &made;
    cinfo.err = jpeg_std_error(&errors);
    jpeg_create_compress(&cinfo);
    jpeg_mem_dest(&cinfo, &bytes, &n);
    cinfo.image_width = WIDTH;
    cinfo.image_height = HEIGHT;
    cinfo.input_components = 3;
    cinfo.in_color_space = JCS_RGB;
    jpeg_set_defaults(&cinfo);
    jpeg_start_compress(&cinfo, TRUE);
    for (int y = 0; y < HEIGHT; y++)
        jpeg_write_scanlines(&cinfo, &(JSAMPROW){row}, 1);
    jpeg_finish_compress(&cinfo);
    jpeg_destroy_compress(&cinfo);
    put(&made, bytes + 2, n - 2);
    free(bytes);
    return &made;
}

static void
make_jpeg(file *f, place where, const uint8_t *blob, size_t bytes)
{
    static const char xmp[] = "http://ns.adobe.com/xap/1.0/";
    const file *rest = plain_jpeg();
    const size_t head = where == EXIF ? 6 : sizeof(xmp);

    put(f, "\xff\xd8\xff\xe1", 4);
    put_big_endian(f, 2 + head + bytes, 2);
    put(f, where == EXIF ? "Exif\0" : xmp, head);
    put(f, blob, bytes);
    put(f, rest->bytes, rest->n);
}

/* ---- What must hold --------------------------------------------------------- */

/* A JPEG's EXIF begins with a name, which counts as one of those that may lead. */
static int32_t
orientation_of(place where, const uint8_t *bytes, size_t n, bool is_jpeg)
{
    const size_t named = is_jpeg && where == EXIF ? 6 : 0;
    uint8_t *copy =
        malloc(named + n + (named + n == 0)); /* exact: a sanitizer sees more */
    oriel_metadata metadata = {0};
    oriel_blob *const blobs[] = {&metadata.exif, &metadata.raw_profile,
                                 &metadata.xmp};
    int32_t orientation;

    FUZZ_CHECK(copy);
    memcpy(copy, "Exif\0", named);
    if (n > 0)
        memcpy(copy + named, bytes, n);
    *blobs[where] = (oriel_blob){copy, named + n, NULL};
    FUZZ_CHECK(oriel_metadata_orientation(&metadata, &orientation, NULL) ==
               ORIEL_OK);
    free(copy);
    return orientation;
}

static void
check_picture(const file *f, int32_t orientation, const uint8_t *expected)
{
    oriel_image_options options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    uint8_t rgb[3 * WIDTH * HEIGHT];

    FUZZ_CHECK(oriel_image_probe(f->bytes, f->n, NULL, &info, NULL) ==
               ORIEL_OK);
    FUZZ_CHECK(info.orientation == orientation);
    FUZZ_CHECK(info.width == (orientation < 5 ? WIDTH : HEIGHT));
    FUZZ_CHECK(oriel_image_decode(f->bytes, f->n, NULL, rgb, sizeof(rgb), 0,
                                  NULL) == ORIEL_OK);
    options.ignore_orientation = 1;
    FUZZ_CHECK(oriel_image_decode(f->bytes, f->n, &options, rgb, sizeof(rgb), 0,
                                  NULL) == ORIEL_OK);
    FUZZ_CHECK(memcmp(rgb, expected, sizeof(rgb)) == 0);
}

/* The pixels of the same picture without metadata. */
static void
decode_plain(void (*make)(file *, place, const uint8_t *, size_t), uint8_t *rgb)
{
    static file plain;

    plain.n = 0;
    make(&plain, EXIF, NULL, 0);
    FUZZ_CHECK(oriel_image_decode(plain.bytes, plain.n, NULL, rgb,
                                  3 * WIDTH * HEIGHT, 0, NULL) == ORIEL_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static file f;
    static uint8_t png[3 * WIDTH * HEIGHT], jpeg[3 * WIDTH * HEIGHT];
    static bool started;
    const place where = bytes ? (place)(data[0] % 3) : EXIF;
    const size_t n = bytes ? bytes - 1 : 0;
    int32_t orientation;
    const uint8_t *blob = bytes ? data + 1 : data;

    if (n > MAX_BLOB)
        return 0;
    if (!started) {
        decode_plain(make_png, png);
        decode_plain(make_jpeg, jpeg);
        started = true;
    }
    orientation = orientation_of(where, blob, n, false);
    fuzz_accepted += orientation > 1;
    f.n = 0;
    make_png(&f, where, blob, n);
    check_picture(&f, orientation, png);
    if (where != PROFILE) {
        f.n = 0;
        make_jpeg(&f, where, blob, n);
        check_picture(&f, orientation_of(where, blob, n, true), jpeg);
    }
    return 0;
}
