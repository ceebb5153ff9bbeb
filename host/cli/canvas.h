/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canvas.h - a picture to draw on, written as PNG
 *
 * Everything is clipped to the canvas.  'alpha' is how much of the colour is
 * seen, 0 to 1.  What is drawn depends on nothing but its arguments.
 */
#ifndef ORIEL_CLI_CANVAS_H
#define ORIEL_CLI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cli_canvas {
    int32_t width, height;
    unsigned char *rgb; /* [height, width, 3] */
} cli_canvas;

typedef struct cli_colour {
    unsigned char r, g, b;
} cli_colour;

typedef struct cli_area {
    int32_t x, y, width, height; /* in pixels */
} cli_area;

/* A picture of these pixels, each 'scale' pixels wide and high.  CLI_DONE, or
   reports and returns the exit status. */
int cli_canvas_make(cli_canvas *canvas, const unsigned char *rgb, int32_t width,
                    int32_t height, int32_t scale);

void cli_canvas_set(cli_canvas *canvas, int32_t x, int32_t y, cli_colour colour,
                    double alpha);
void cli_canvas_fill(cli_canvas *canvas, cli_area area, cli_colour colour,
                     double alpha);
/* Lines along the inside of the area's edges. */
void cli_canvas_frame(cli_canvas *canvas, cli_area area, int32_t thickness,
                      cli_colour colour, double alpha);
/* Diagonal stripes of half the 'period' each. */
void cli_canvas_hatch(cli_canvas *canvas, cli_area area, int32_t period,
                      cli_colour colour, double alpha);
/* A number in the middle of the area, digits of this height if it is as wide. */
void cli_canvas_number(cli_canvas *canvas, cli_area area, int32_t height,
                       int64_t number);

/*
 * Write the file; it appears whole or not at all, and an existing one is
 * replaced only if 'replace' says so.  CLI_DONE, or reports and returns the exit
 * status.
 */
int cli_canvas_write(const cli_canvas *canvas, const char *path, bool replace);

void cli_canvas_free(cli_canvas *canvas);

#endif /* ORIEL_CLI_CANVAS_H */
