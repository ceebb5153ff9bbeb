/* SPDX-License-Identifier: Apache-2.0 */
/* canvas.c - a picture to draw on */
#include "cli/canvas.h"

#include "base/checked.h"
#include "base/fail.h"
#include "cli/exits.h"
#include "cli/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int
cli_canvas_make(cli_canvas *canvas, const unsigned char *rgb, int32_t width,
                int32_t height, int32_t scale)
{
    const size_t s = (size_t)scale;
    const size_t row_bytes = (size_t)width * s * 3;
    size_t bytes;
    oriel_error err;

    *canvas = (cli_canvas){width * scale, height * scale, NULL};
    if (!oriel_mul_size(&bytes, row_bytes, (size_t)height * s))
        bytes = SIZE_MAX;
    canvas->rgb = malloc(bytes);
    if (!canvas->rgb) {
        oriel_fail_memory(&err, bytes, "a picture");
        return cli_report_failure(&err, NULL);
    }
    for (size_t y = 0; y < (size_t)height; y++) {
        unsigned char *row = canvas->rgb + y * s * row_bytes;

        for (size_t x = 0; x < (size_t)canvas->width; x++)
            memcpy(row + 3 * x, rgb + (y * (size_t)width + x / s) * 3, 3);
        for (size_t i = 1; i < s; i++)
            memcpy(row + i * row_bytes, row, row_bytes);
    }
    return CLI_DONE;
}

void
cli_canvas_free(cli_canvas *canvas)
{
    free(canvas->rgb);
    *canvas = (cli_canvas){0, 0, NULL};
}

static void
blend(unsigned char *under, unsigned char over, double alpha)
{
    *under =
        (unsigned char)lround((1.0 - alpha) * (double)*under + alpha * over);
}

void
cli_canvas_set(cli_canvas *canvas, int32_t x, int32_t y, cli_colour colour,
               double alpha)
{
    unsigned char *pixel;

    if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height)
        return;
    pixel = canvas->rgb + ((size_t)y * (size_t)canvas->width + (size_t)x) * 3;
    blend(&pixel[0], colour.r, alpha);
    blend(&pixel[1], colour.g, alpha);
    blend(&pixel[2], colour.b, alpha);
}

void
cli_canvas_fill(cli_canvas *canvas, cli_area area, cli_colour colour,
                double alpha)
{
    for (int32_t y = area.y; y < area.y + area.height; y++)
        for (int32_t x = area.x; x < area.x + area.width; x++)
            cli_canvas_set(canvas, x, y, colour, alpha);
}

void
cli_canvas_frame(cli_canvas *canvas, cli_area area, int32_t thickness,
                 cli_colour colour, double alpha)
{
    const int32_t t = thickness;
    const int32_t inner = area.height - 2 * t;

    cli_canvas_fill(canvas, (cli_area){area.x, area.y, area.width, t}, colour,
                    alpha);
    cli_canvas_fill(canvas,
                    (cli_area){area.x, area.y + area.height - t, area.width, t},
                    colour, alpha);
    cli_canvas_fill(canvas, (cli_area){area.x, area.y + t, t, inner}, colour,
                    alpha);
    cli_canvas_fill(canvas,
                    (cli_area){area.x + area.width - t, area.y + t, t, inner},
                    colour, alpha);
}

void
cli_canvas_hatch(cli_canvas *canvas, cli_area area, int32_t period,
                 cli_colour colour, double alpha)
{
    for (int32_t y = 0; y < area.height; y++)
        for (int32_t x = 0; x < area.width; x++)
            if ((area.x + x + area.y + y) % period < period / 2)
                cli_canvas_set(canvas, area.x + x, area.y + y, colour, alpha);
}

/* ---- Digits ------------------------------------------------------------ */

/*
 * A digit is at most four arcs of ellipses and straight lines, in hundredths of
 * its height; it is 60 wide.  An arc runs from one angle to another, in
 * degrees, 0 to the right and 90 upwards.
 */
typedef struct stroke {
    bool is_arc;
    int16_t a, b, c, d; /* line: from (a, b) to (c, d); arc: centre, radii */
    int16_t from, to;
} stroke;

enum { STROKES = 4, ARC_STEPS = 24, DIGIT_WIDTH = 60, DIGIT_STEP = 76 };

#define LINE(x0, y0, x1, y1) \
    { \
        false, x0, y0, x1, y1, 0, 0 \
    }
#define ARC(x, y, rx, ry, from, to) \
    { \
        true, x, y, rx, ry, from, to \
    }

static const stroke digits[10][STROKES] = {
    {ARC(30, 50, 26, 46, 0, 360)},
    {LINE(12, 20, 34, 4), LINE(34, 4, 34, 96)},
    {ARC(30, 30, 24, 26, 170, -35), LINE(50, 45, 6, 96), LINE(6, 96, 56, 96)},
    {ARC(29, 27, 22, 23, 160, -90), ARC(29, 73, 25, 23, 90, -160)},
    {LINE(42, 96, 42, 4), LINE(42, 4, 4, 68), LINE(4, 68, 58, 68)},
    {LINE(52, 4, 14, 4), LINE(14, 4, 10, 46), ARC(28, 67, 26, 29, 128, -150)},
    {ARC(30, 68, 25, 28, 0, 360), ARC(58, 68, 53, 64, 180, 108)},
    {LINE(5, 4, 55, 4), LINE(55, 4, 22, 96)},
    {ARC(30, 27, 21, 23, 0, 360), ARC(30, 73, 25, 23, 0, 360)},
    {ARC(30, 32, 25, 28, 0, 360), ARC(2, 32, 53, 64, 0, -72)},
};

typedef struct point {
    double x, y;
} point;

static double
segment_distance(point p, point a, point b)
{
    const double dx = b.x - a.x;
    const double dy = b.y - a.y;
    const double squared = dx * dx + dy * dy;
    double t =
        squared > 0.0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / squared : 0.0;
    double x, y;

    t = t < 0.0 ? 0.0 : t > 1.0 ? 1.0 : t;
    x = p.x - a.x - t * dx;
    y = p.y - a.y - t * dy;
    /* hypot has a new version in glibc 2.35, which a wheel would then need. */
    return sqrt(x * x + y * y);
}

/* The 'i'th of the points that an arc is cut into. */
static point
arc_point(const stroke *s, int i)
{
    const double degrees = s->from + (double)(s->to - s->from) * i / ARC_STEPS;
    const double angle = degrees * acos(-1.0) / 180.0;

    return (point){s->a + s->c * cos(angle), s->b - s->d * sin(angle)};
}

/* Of a point from a digit's nearest stroke; all in hundredths. */
static double
digit_distance(const stroke *strokes, point p)
{
    double least = HUGE_VAL;

    for (int i = 0; i < STROKES && (strokes[i].c || strokes[i].d); i++) {
        const stroke *s = &strokes[i];

        if (!s->is_arc) {
            const point from = {s->a, s->b};
            const point to = {s->c, s->d};

            least = fmin(least, segment_distance(p, from, to));
            continue;
        }
        for (int k = 0; k < ARC_STEPS; k++)
            least = fmin(least, segment_distance(p, arc_point(s, k),
                                                 arc_point(s, k + 1)));
    }
    return least;
}

/* White on a dark edge, so that it is read on any ground. */
static void
draw_digit(cli_canvas *canvas, const stroke *strokes, double left, double top,
           double height)
{
    static const cli_colour white = {255, 255, 255};
    static const cli_colour dark = {20, 20, 20};
    const double unit = height / 100.0;
    const double radius = 7.0 * unit;
    const double edge = radius + fmax(1.5, 6.0 * unit);
    const int32_t x0 = (int32_t)floor(left - edge);
    const int32_t y0 = (int32_t)floor(top - edge);
    const int32_t x1 = (int32_t)ceil(left + DIGIT_WIDTH * unit + edge);
    const int32_t y1 = (int32_t)ceil(top + height + edge);

    for (int32_t y = y0; y <= y1; y++)
        for (int32_t x = x0; x <= x1; x++) {
            const point p = {(x + 0.5 - left) / unit, (y + 0.5 - top) / unit};
            const double d = digit_distance(strokes, p) * unit;
            const double inner = fmin(1.0, fmax(0.0, 0.5 + radius - d));
            const double outer = fmin(1.0, fmax(0.0, 0.5 + edge - d));

            if (outer > 0.0)
                cli_canvas_set(canvas, x, y, dark, 0.8 * outer);
            if (inner > 0.0)
                cli_canvas_set(canvas, x, y, white, inner);
        }
}

void
cli_canvas_number(cli_canvas *canvas, cli_area area, int32_t height,
                  int64_t number)
{
    char text[24];
    int n = 0;
    double size = height;
    double width, left, top;

    do {
        text[n++] = (char)(number % 10);
        number /= 10;
    } while (number > 0 && n < (int)sizeof(text));
    width = (n - 1) * DIGIT_STEP + DIGIT_WIDTH;
    size = fmin(size, fmin(0.8 * area.width / width * 100.0,
                           0.8 * (double)area.height));
    left = area.x + (area.width - width * size / 100.0) / 2.0;
    top = area.y + (area.height - size) / 2.0;
    for (int i = n - 1; i >= 0; i--) {
        draw_digit(canvas, digits[(int)text[i]], left, top, size);
        left += DIGIT_STEP * size / 100.0;
    }
}
