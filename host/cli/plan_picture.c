/* SPDX-License-Identifier: Apache-2.0 */
/* plan_picture.c - a plan, drawn over its picture */
#include "cli/plan_picture.h"

#include "base/fail.h"
#include "cli/canvas.h"
#include "cli/exits.h"
#include "cli/report.h"
#include "cli/seen.h"

/* So that grids can be told apart. */
enum { LONGEST_SIDE = 1000 };

/* Okabe and Ito's, which colour-blind people tell apart too. */
static const cli_colour palette[] = {
    {230, 159, 0}, {86, 180, 233}, {0, 158, 115},   {240, 228, 66},
    {0, 114, 178}, {213, 94, 0},   {204, 121, 167},
};

/* A window in tokens. */
typedef struct window {
    int32_t row, column, rows, columns;
} window;

static window
window_at(const cli_seen *seen, int32_t which)
{
    const int32_t merge = seen->token / seen->patch;
    const int32_t *cu = seen->info.cu_window_seqlens + which;
    const int32_t first = cu[0] / (merge * merge);
    const int32_t last = cu[1] / (merge * merge) - 1;
    const int32_t a = seen->info.window_index[first];
    const int32_t b = seen->info.window_index[last];

    /* Its tokens are listed row by row: from one corner to the other. */
    return (window){a / seen->columns, a % seen->columns,
                    b / seen->columns - a / seen->columns + 1,
                    b % seen->columns - a % seen->columns + 1};
}

static void
draw_grid(cli_canvas *canvas, int32_t step, int32_t thickness, double alpha)
{
    static const cli_colour white = {255, 255, 255};

    for (int32_t x = step; x < canvas->width; x += step)
        cli_canvas_fill(canvas, (cli_area){x, 0, thickness, canvas->height},
                        white, alpha);
    for (int32_t y = step; y < canvas->height; y += step)
        cli_canvas_fill(canvas, (cli_area){0, y, canvas->width, thickness},
                        white, alpha);
}

/* Neighbours differ in colour; one that an edge cuts is hatched.  'token' is a
   side in pixels, 'whole' one of a window in tokens. */
static bool
draw_window(cli_canvas *canvas, const window *w, int32_t whole, int32_t token,
            int32_t order)
{
    static const cli_colour black = {0, 0, 0};
    const int32_t side = token * whole;
    const cli_area area = {w->column * token, w->row * token,
                           w->columns * token, w->rows * token};
    const int32_t across = w->column / whole;
    const int32_t down = w->row / whole;
    const size_t n = sizeof(palette) / sizeof(*palette);
    const cli_colour colour = palette[(size_t)(3 * down + across) % n];
    const bool is_cut = w->rows < whole || w->columns < whole;

    cli_canvas_fill(canvas, area, colour, 0.25);
    if (is_cut)
        cli_canvas_hatch(canvas, area, token / 3 + 2, black, 0.22);
    cli_canvas_frame(canvas, area, side / 48 + 1, colour, 1.0);
    cli_canvas_number(canvas, area, side / 4, order);
    return is_cut;
}

static int
draw(const cli_seen *seen, const char *path, bool replace)
{
    const int32_t scale = cli_seen_scale(seen, LONGEST_SIDE);
    int32_t n_cut = 0;
    cli_canvas canvas;
    int failed =
        cli_canvas_make(&canvas, seen->rgb, seen->width, seen->height, scale);

    if (failed)
        return failed;
    draw_grid(&canvas, seen->patch * scale, 1, 0.25);
    draw_grid(&canvas, seen->token * scale, (scale + 1) / 2, 0.60);
    for (int32_t i = 0; i < seen->info.n_windows; i++) {
        const window w = window_at(seen, i);

        n_cut +=
            draw_window(&canvas, &w, seen->window, seen->token * scale, i + 1);
    }
    failed = cli_canvas_write(&canvas, path, replace);
    cli_canvas_free(&canvas);
    if (!failed)
        cli_report_note("%s: %d x %d pixels in %d x %d tokens; %d windows, "
                        "numbered as they are computed, %d of them cut by an "
                        "edge (hatched)",
                        ORIEL_QUOTE(path), seen->width, seen->height,
                        seen->columns, seen->rows, seen->info.n_windows, n_cut);
    return failed;
}

int
cli_plan_picture(const char *name, const cli_settings *settings,
                 const char *path, bool replace)
{
    cli_seen seen;
    int failed = cli_seen_open(&seen, name, settings);

    if (!failed)
        failed = draw(&seen, path, replace);
    cli_seen_free(&seen);
    return failed;
}
