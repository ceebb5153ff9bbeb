/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_parts.c - canvas, conversions, EXIF and XMP, each against its definition
 */
#include "image/canvas.h"
#include "image/convert.h"
#include "image/metadata.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Canvas --------------------------------------------------------------- */

/* Where EXIF's orientation puts stored pixel (x, y) of a w x h picture: row 0
   and column 0 are, by number, top left, top right, bottom right, bottom left,
   left top, right top, right bottom, left bottom of what is seen. */
static void
seen_at(int orientation, size_t w, size_t h, size_t x, size_t y, size_t *sx,
        size_t *sy)
{
    size_t left = x, right = w - 1 - x, top = y, bottom = h - 1 - y;
    const size_t columns[] = {left, right,  right,  left,
                              top,  bottom, bottom, top};
    const size_t rows[] = {top, top, bottom, bottom, left, left, right, right};

    *sx = columns[orientation - 1];
    *sy = rows[orientation - 1];
}

static const size_t sizes[][2] = {{1, 1},   {1, 70},  {70, 1}, {2, 3},
                                  {31, 32}, {33, 31}, {5, 64}, {64, 65}};

enum { BY_ROWS, BY_SCATTER, BY_FILL };

static void
paint(oriel_canvas *canvas, const uint8_t *stored, int how)
{
    size_t line = 3 * canvas->width;

    if (how == BY_FILL)
        oriel_canvas_fill(canvas, stored);
    for (size_t y = 0; y < canvas->height; y++) {
        if (how == BY_ROWS)
            memcpy(oriel_canvas_row(canvas, y), stored + y * line, line);
        for (size_t x = 0; how == BY_SCATTER && x < 3 && x < canvas->width;
             x++) {
            /* Every third pixel from each of the first three. */
            static uint8_t some[3 * 64];
            size_t n = 0;
            for (size_t i = x; i < canvas->width; i += 3, n++)
                memcpy(some + 3 * n, stored + y * line + 3 * i, 3);
            oriel_canvas_scatter(canvas, x, y, 3, some, n);
        }
    }
    oriel_canvas_flush(canvas);
}

static void
check_canvas(size_t w, size_t h, int orientation, int how)
{
    bool turned = orientation >= 5;
    size_t pitch = 3 * (turned ? h : w) + 7, height = turned ? w : h;
    uint8_t *stored = malloc(3 * w * h), *seen = malloc(pitch * height);
    random_stream random = {w * 1000 + h};
    oriel_canvas canvas;

    ck_assert(stored && seen);
    for (size_t i = 0; i < 3 * w * h; i++)
        stored[i] =
            how == BY_FILL ? (uint8_t)(i % 3) : (uint8_t)random_u64(&random);
    memset(seen, 0xa5, pitch * height);
    ck_assert(oriel_canvas_init(&canvas, seen, pitch, w, h, orientation, NULL));
    paint(&canvas, stored, how);
    oriel_canvas_end(&canvas);
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            size_t sx, sy;
            seen_at(orientation, w, h, x, y, &sx, &sy);
            ck_assert_mem_eq(seen + sy * pitch + 3 * sx,
                             stored + 3 * (y * w + x), 3);
        }
    for (size_t y = 0; y < height; y++)
        for (size_t i = pitch - 7; i < pitch; i++)
            ck_assert_int_eq(seen[y * pitch + i], 0xa5);
    free(stored);
    free(seen);
}

START_TEST(canvas_orients)
{
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (int how = BY_ROWS; how <= BY_FILL; how++)
            check_canvas(sizes[i][0], sizes[i][1], _i, how);
}
END_TEST

/* ---- Conversions ------------------------------------------------------------ */

START_TEST(white_is_rounded_exactly)
{
    for (int value = 0; value < 256; value++)
        for (int alpha = 0; alpha < 256; alpha++) {
            double exact = (value * alpha + 255.0 * (255 - alpha)) / 255;
            ck_assert_int_eq(oriel_on_white((uint8_t)value, (uint8_t)alpha),
                             (int)floor(exact + 0.5));
        }
}
END_TEST

START_TEST(cmyk_is_rounded_exactly)
{
    for (int ink = 0; ink < 256; ink++)
        for (int black = 0; black < 256; black++) {
            /* As stored, inverted: 255 is no ink. */
            uint8_t stored[4] = {(uint8_t)(255 - ink), 255, 0,
                                 (uint8_t)(255 - black)};
            double light = 255 - black;
            uint8_t rgb[3];

            oriel_convert_inverted_cmyk(rgb, stored, 1);
            ck_assert_int_eq(rgb[0],
                             (int)(light - floor(ink * light / 255 + 0.5)));
            ck_assert_int_eq(rgb[1], 255 - black);
            ck_assert_int_eq(rgb[2], 0);
        }
}
END_TEST

START_TEST(rows_convert)
{
    static const uint8_t bytes[] = {10, 20, 30, 40, 50, 60, 70, 80,
                                    90, 91, 92, 93, 94, 95, 96, 97};
    uint8_t rgb[12];

    oriel_convert_grey(rgb, bytes, 2);
    ck_assert_mem_eq(rgb, "\12\12\12\24\24\24", 6);
    oriel_convert_grey16(rgb, (const uint8_t[]){0, 10, 1, 9, 0, 255}, 3);
    ck_assert_mem_eq(rgb, "\12\12\12\377\377\377\377\377\377", 9);
    oriel_convert_grey_alpha(rgb, bytes, 2, false);
    ck_assert_mem_eq(rgb, "\12\12\12\36\36\36", 6);
    oriel_convert_grey_alpha(rgb, bytes, 1, true);
    for (size_t c = 0; c < 3; c++)
        ck_assert_int_eq(rgb[c], oriel_on_white(bytes[0], bytes[1]));
    oriel_convert_rgba(rgb, bytes, 2, false);
    ck_assert_mem_eq(rgb, "\12\24\36\62\74\106", 6);
    oriel_convert_rgba(rgb, bytes, 1, true);
    for (size_t c = 0; c < 3; c++)
        ck_assert_int_eq(rgb[c], oriel_on_white(bytes[c], bytes[3]));
    oriel_convert_rgb(rgb, bytes, 2);
    ck_assert_mem_eq(rgb, bytes, 6);
    oriel_convert_key_to_white(rgb, 2, (const uint8_t *)"\50\62\74");
    ck_assert_mem_eq(rgb, "\12\24\36\377\377\377", 6);
}
END_TEST

/* ---- EXIF and XMP ------------------------------------------------------------ */

/* Big-endian: two tags before Orientation, the second with data outside. */
static const uint8_t exif[] = {
    'M', 'M', 0, '*', 0,   0,   0,   8,   0,   3,        /* three entries */
    1,   0,   0, 3,   0,   0,   0,   1,   0,   9, 0, 0,  /* 256, SHORT */
    1,   15,  0, 2,   0,   0,   0,   6,   0,   0, 0, 50, /* 271, ASCII, at 50 */
    1,   18,  0, 3,   0,   0,   0,   1,   0,   6, 0, 0,  /* 274, SHORT, 6 */
    0,   0,   0, 0,   'O', 'r', 'i', 'e', 'l', 0};

START_TEST(exif_survives_every_cut)
{
    for (size_t n = 0; n <= sizeof(exif); n++) {
        int32_t orientation = 1;
        uint8_t *copy = malloc(n + 1); /* its end is the end of its memory */
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, exif, n);
        oriel_exif_result result =
            oriel_exif_orientation(copy, n, &orientation);
        /* The maker's data lie after the directory: without them the reading
           stops before the orientation. */
        ck_assert_int_eq(result, n < 8              ? ORIEL_EXIF_BROKEN
                                 : n < sizeof(exif) ? ORIEL_EXIF_ABSENT
                                                    : ORIEL_EXIF_FOUND);
        ck_assert_int_eq(orientation, n < sizeof(exif) ? 1 : 6);
        free(copy);
    }
}
END_TEST

START_TEST(exif_survives_any_byte)
{
    for (size_t at = 0; at < sizeof(exif); at++)
        for (int value = 0; value < 256; value++) {
            int32_t orientation = 1;
            uint8_t *copy = malloc(sizeof(exif));
            ck_assert_ptr_nonnull(copy);
            memcpy(copy, exif, sizeof(exif));
            copy[at] = (uint8_t)value;
            oriel_exif_orientation(copy, sizeof(exif), &orientation);
            ck_assert_int_ge(orientation, 1);
            ck_assert_int_le(orientation, 8);
            free(copy);
        }
}
END_TEST

static const struct {
    const char *text;
    int32_t orientation;
} packets[] = {
    {"", 1},
    {"tiff:Orientation", 1},
    {"tiff:Orientation=", 1},
    {"tiff:Orientation=\"", 1},
    {"tiff:Orientation>", 1},
    {"tiff:Orientation=\"6", 6},
    {"tiff:Orientation=\"6\"", 6},
    {"<tiff:Orientation>8</tiff:Orientation>", 8},
    {"tiff:Orientation='6'", 1},
    {"tiff:Orientation=\"9\"", 1},
    {"tiff:Orientation=\"0\" tiff:Orientation=\"6\"", 1},
    {"tiff:Orientation=\"x\" tiff:Orientation=\"6\"", 6},
    {"tiff:Orientationtiff:Orientation>7", 7},
};

START_TEST(xmp_orientation)
{
    size_t n = strlen(packets[_i].text);
    uint8_t *copy = malloc(n + 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, packets[_i].text, n);
    ck_assert_int_eq(oriel_xmp_orientation(copy, n), packets[_i].orientation);
    free(copy);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("image_parts");
    TCase *tcase = tcase_create("parts");

    tcase_add_loop_test(tcase, canvas_orients, 1, 9);
    tcase_add_test(tcase, white_is_rounded_exactly);
    tcase_add_test(tcase, cmyk_is_rounded_exactly);
    tcase_add_test(tcase, rows_convert);
    tcase_add_test(tcase, exif_survives_every_cut);
    tcase_add_test(tcase, exif_survives_any_byte);
    tcase_add_loop_test(tcase, xmp_orientation, 0, COUNT(packets));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
