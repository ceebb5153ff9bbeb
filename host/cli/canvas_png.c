/* SPDX-License-Identifier: Apache-2.0 */
/* canvas_png.c - a canvas as a PNG file */
#include "cli/canvas.h"

#include "cli/exits.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "files/whole_file.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

typedef struct buffer {
    unsigned char *bytes;
    size_t n, capacity;
} buffer;

static void
append(png_structp png, png_bytep data, size_t n)
{
    buffer *out = png_get_io_ptr(png);

    if (out->capacity - out->n < n) {
        const size_t capacity = 2 * out->capacity + n;
        unsigned char *bytes = realloc(out->bytes, capacity);

        if (!bytes)
            png_error(png, "memory is out");
        out->bytes = bytes;
        out->capacity = capacity;
    }
    memcpy(out->bytes + out->n, data, n);
    out->n += n;
}

static void
flush(png_structp png)
{
    (void)png;
}

/* libpng jumps back out of it: there is nothing to say, memory is out. */
static _Noreturn void
give_up(png_structp png, png_const_charp message)
{
    (void)message;
    png_longjmp(png, 1);
}

static void
ignore(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* Whether there was memory for it. */
static bool
compress(png_structp png, png_infop info, const cli_canvas *canvas)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_set_IHDR(png, info, (png_uint_32)canvas->width,
                 (png_uint_32)canvas->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
    png_set_compression_level(png, 9);
    png_write_info(png, info);
    for (int32_t y = 0; y < canvas->height; y++)
        png_write_row(png, canvas->rgb + (size_t)y * (size_t)canvas->width * 3);
    png_write_end(png, info);
    return true;
}

static bool
encode(buffer *out, const cli_canvas *canvas)
{
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, give_up, ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool done = false;

    if (info) {
        /* Wider and higher pictures are in order. */
        png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
        png_set_write_fn(png, out, append, flush);
        done = compress(png, info, canvas);
    }
    png_destroy_write_struct(&png, &info);
    return done;
}

int
cli_canvas_write(const cli_canvas *canvas, const char *path, bool replace)
{
    buffer out = {NULL, 0, 0};
    oriel_error err;
    int failed = CLI_DONE;

    if (!encode(&out, canvas))
        failed = cli_report_memory("a PNG file");
    else if (oriel_whole_file_put(path, replace, out.bytes, out.n,
                                  &cli_output_hooks, &err))
        failed = cli_output_report(&err, path);
    free(out.bytes);
    return failed;
}
