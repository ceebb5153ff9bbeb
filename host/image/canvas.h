/* SPDX-License-Identifier: Apache-2.0 */
/*
 * canvas.h - the caller's RGB8 buffer, seen the way the file stores its pixels
 *
 * Decoders count rows and columns as stored; the canvas puts each pixel where
 * the orientation wants it, so that no second picture is ever held.
 */
#ifndef ORIEL_IMAGE_CANVAS_H
#define ORIEL_IMAGE_CANVAS_H

#include "oriel.h"

#include <stdbool.h>

typedef struct oriel_canvas {
    uint8_t *origin;          /* where stored pixel (0, 0) goes */
    ptrdiff_t step_x, step_y; /* bytes to its right and lower neighbour */
    size_t width, height;     /* as stored */
    uint8_t *band;            /* rows that wait to be turned; NULL: none do */
    size_t band_y, n_band;    /* first of them, and how many */
    const oriel_hooks *hooks;
    size_t unasked; /* pixels of work since the caller was asked to go on */
    bool cancelled; /* the caller has said no */
} oriel_canvas;

/* 'width' and 'height' as stored, both below 2^31; 'rgb' is what the caller
   gave for the turned picture.  False when memory is out. */
bool oriel_canvas_init(oriel_canvas *canvas, uint8_t *rgb, size_t pitch,
                       size_t width, size_t height, int32_t orientation,
                       const oriel_hooks *hooks);
/* The memory that such a canvas takes. */
uint64_t oriel_canvas_bytes(size_t width, int32_t orientation);
void oriel_canvas_end(
    oriel_canvas *canvas); /* frees; NULLs and zeros are fine */

/* Where to write stored row 'y', [width, 3]; rows are asked for in rising
   order.  The pointer is good until the next call. */
uint8_t *oriel_canvas_row(oriel_canvas *canvas, size_t y);
/* Stored pixel (x, y) in the caller's buffer, and 'pitch' bytes from there to
   the next row; NULL: rows are turned, or the pitch is more than an int. */
uint8_t *oriel_canvas_direct(const oriel_canvas *canvas, size_t x, size_t y,
                             int *pitch);
/* After the last row: turn the rows that still wait. */
void oriel_canvas_flush(oriel_canvas *canvas);

/* After work on 'n_pixels': whether the caller's hook wants it to stop.  It is
   asked about once a millisecond. */
bool oriel_canvas_cancelled(oriel_canvas *canvas, size_t n_pixels);

/* Pixels of one stored row, from column 'x' on, every 'every' columns. */
void oriel_canvas_scatter(oriel_canvas *canvas, size_t x, size_t y,
                          size_t every, const uint8_t *rgb, size_t count);
/* The same colour everywhere, unless the caller's hook stops it, which the
   public function turns into an error. */
void oriel_canvas_fill(oriel_canvas *canvas, const uint8_t rgb[3]);

#endif /* ORIEL_IMAGE_CANVAS_H */
