/* SPDX-License-Identifier: Apache-2.0 */
/* canvas.c - pixels as stored into a picture as it is looked at */
#include "image/canvas.h"

#include "base/memory.h"

#include <limits.h>
#include <string.h>

/* A turned row is a column of the result: gathering this many rows makes runs
   of 96 bytes out of single pixels that each touch a cache line and a page. */
enum { BAND_ROWS = 32 };

/* Every decoder makes some 100 pixels a microsecond. */
enum { PIXELS_A_QUESTION = 65536 };

/* Columns of the result run from left to right. */
static bool
keeps_rows(int32_t orientation)
{
    return orientation == 1 || orientation == 4;
}

uint64_t
oriel_canvas_bytes(size_t width, int32_t orientation)
{
    return keeps_rows(orientation) ? 0 : (uint64_t)BAND_ROWS * width * 3;
}

bool
oriel_canvas_init(oriel_canvas *canvas, uint8_t *rgb, size_t pitch,
                  size_t width, size_t height, int32_t orientation,
                  const oriel_hooks *hooks)
{
    /* EXIF counts: 2 mirrored, 3 turned by 180 degrees, 4 upside down; from 5
       on columns and rows change places. */
    bool turned = orientation >= 5;
    bool from_right = orientation == 2 || orientation == 3 ||
                      orientation == 7 || orientation == 8;
    bool from_below = orientation == 3 || orientation == 4 ||
                      orientation == 6 || orientation == 7;

    memset(canvas, 0, sizeof(*canvas));
    canvas->hooks = hooks;
    canvas->width = width;
    canvas->height = height;
    canvas->step_x = turned ? (ptrdiff_t)pitch : 3;
    canvas->step_y = turned ? 3 : (ptrdiff_t)pitch;
    canvas->origin = rgb;
    if (from_right) {
        canvas->origin += (ptrdiff_t)(width - 1) * canvas->step_x;
        canvas->step_x = -canvas->step_x;
    }
    if (from_below) {
        canvas->origin += (ptrdiff_t)(height - 1) * canvas->step_y;
        canvas->step_y = -canvas->step_y;
    }
    if (!keeps_rows(orientation)) {
        canvas->band = oriel_alloc(hooks, BAND_ROWS * width * 3);
        return canvas->band != NULL;
    }
    return true;
}

void
oriel_canvas_end(oriel_canvas *canvas)
{
    oriel_free(canvas->hooks, canvas->band);
    canvas->band = NULL;
}

static uint8_t *
place(const oriel_canvas *canvas, size_t x, size_t y)
{
    return canvas->origin + (ptrdiff_t)x * canvas->step_x +
           (ptrdiff_t)y * canvas->step_y;
}

void
oriel_canvas_flush(oriel_canvas *canvas)
{
    size_t line = canvas->width * 3;

    for (size_t x = 0; x < canvas->width && canvas->n_band; x++) {
        uint8_t *to = place(canvas, x, canvas->band_y);
        const uint8_t *from = canvas->band + x * 3;

        for (size_t i = 0; i < canvas->n_band; i++) {
            to[0] = from[0];
            to[1] = from[1];
            to[2] = from[2];
            to += canvas->step_y;
            from += line;
        }
    }
    canvas->n_band = 0;
}

uint8_t *
oriel_canvas_row(oriel_canvas *canvas, size_t y)
{
    if (!canvas->band)
        return place(canvas, 0, y);
    if (canvas->n_band == BAND_ROWS)
        oriel_canvas_flush(canvas);
    if (canvas->n_band == 0)
        canvas->band_y = y;
    return canvas->band + canvas->n_band++ * canvas->width * 3;
}

uint8_t *
oriel_canvas_direct(const oriel_canvas *canvas, size_t x, size_t y, int *pitch)
{
    if (canvas->step_x != 3 || canvas->step_y < 0 || canvas->step_y > INT_MAX)
        return NULL;
    *pitch = (int)canvas->step_y;
    return place(canvas, x, y);
}

void
oriel_canvas_scatter(oriel_canvas *canvas, size_t x, size_t y, size_t every,
                     const uint8_t *rgb, size_t count)
{
    uint8_t *to = place(canvas, x, y);
    ptrdiff_t step = (ptrdiff_t)every * canvas->step_x;

    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            to += step;
        memcpy(to, rgb + i * 3, 3);
    }
}

bool
oriel_canvas_cancelled(oriel_canvas *canvas, size_t n_pixels)
{
    canvas->unasked += n_pixels;
    if (canvas->unasked < PIXELS_A_QUESTION)
        return false;
    canvas->unasked = 0;
    canvas->cancelled = oriel_cancelled(canvas->hooks);
    return canvas->cancelled;
}

void
oriel_canvas_fill(oriel_canvas *canvas, const uint8_t rgb[3])
{
    /* Along the lines of the result, whichever way they run. */
    bool turned = canvas->step_x != 3 && canvas->step_x != -3;
    size_t n_lines = turned ? canvas->width : canvas->height;
    size_t n_columns = turned ? canvas->height : canvas->width;

    for (size_t line = 0; line < n_lines; line++) {
        if (oriel_canvas_cancelled(canvas, n_columns))
            return;
        for (size_t column = 0; column < n_columns; column++)
            memcpy(
                place(canvas, turned ? line : column, turned ? column : line),
                rgb, 3);
    }
}
