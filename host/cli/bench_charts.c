/* SPDX-License-Identifier: Apache-2.0 */
/* bench_charts.c - see bench_charts.h */
#include "cli/bench_charts.h"

#include <math.h>
#include <string.h>

/* Defined in the page's head, light and dark. */
static const char *const colours[] = {"--a", "--b", "--c", "--d", "--e", "--f",
                                      "--g", "--h", "--i", "--j", "--k", "--l"};
enum { N_COLOURS = sizeof(colours) / sizeof(colours[0]) };

void
cli_bench_put_escaped(FILE *to, const char *value)
{
    for (; value && *value; value++) {
        if (*value == '<')
            fputs("&lt;", to);
        else if (*value == '>')
            fputs("&gt;", to);
        else if (*value == '&')
            fputs("&amp;", to);
        else if (*value == '"')
            fputs("&quot;", to);
        else
            fputc(*value, to);
    }
}

static bool
is_own(const cli_bench_row *row)
{
    return strcmp(row->by, "oriel") == 0;
}

/* The cache that charts show: hot, where the run has it. */
static bool
is_charted(const cli_bench_run *run, const cli_bench_row *row)
{
    cli_bench_row hot = *row;

    if (!row->cache)
        return false;
    hot.cache = "hot";
    return strcmp(row->cache, "hot") == 0 || !cli_bench_find(run, &hot);
}

/* Ops have a colour each, in the order of their first row. */
static const char *
colour_of(const cli_bench_run *run, const cli_bench_row *row)
{
    int place = 0;

    for (size_t i = 0; i < run->n; i++) {
        bool is_first = true;

        if (strcmp(run->rows[i].op, row->op) == 0)
            break;
        for (size_t k = 0; k < i && is_first; k++)
            is_first = strcmp(run->rows[k].op, run->rows[i].op) != 0;
        place += is_first;
    }
    return colours[place % N_COLOURS];
}

static bool
is_first_of_size(const cli_bench_run *run, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(run->rows[k].size, run->rows[i].size) == 0)
            return false;
    return true;
}

/* ---- Roofline ----------------------------------------------------------------------- */

enum {
    WIDTH = 960,
    HEIGHT = 380,
    LEFT = 64,
    RIGHT = 130,
    TOP = 16,
    BOTTOM = 40
};

/* Both axes are logarithmic. */
typedef struct axes {
    double low_x, high_x, low_y, high_y; /* powers of ten */
} axes;

static double
at_x(const axes *a, double intensity)
{
    return LEFT + (log10(intensity) - a->low_x) / (a->high_x - a->low_x) *
                      (WIDTH - LEFT - RIGHT);
}

static double
at_y(const axes *a, double rate)
{
    return HEIGHT - BOTTOM -
           (log10(rate) - a->low_y) / (a->high_y - a->low_y) *
               (HEIGHT - TOP - BOTTOM);
}

static bool
is_point(const cli_bench_run *run, const cli_bench_row *row)
{
    return is_own(row) && is_charted(run, row) && row->flops > 0 &&
           row->bytes > 0;
}

/* Round the axes to powers of ten around all points and the ridge. */
static axes
fit_axes(const cli_bench_run *run)
{
    const double ridge = run->flops_per_s / run->bytes_per_s;
    axes a = {log10(ridge) - 1, log10(ridge) + 1, log10(run->flops_per_s) - 1,
              log10(run->flops_per_s)};

    for (size_t i = 0; i < run->n; i++) {
        const cli_bench_row *row = &run->rows[i];

        if (!is_point(run, row))
            continue;
        a.low_x = fmin(a.low_x, log10(row->flops / row->bytes));
        a.high_x = fmax(a.high_x, log10(row->flops / row->bytes));
        a.low_y = fmin(a.low_y, log10(cli_bench_flops_per_s(row)));
        a.high_y = fmax(a.high_y, log10(cli_bench_flops_per_s(row)));
    }
    a.low_x = floor(a.low_x);
    a.high_x = ceil(a.high_x);
    a.low_y = floor(a.low_y);
    a.high_y = ceil(a.high_y + 0.05);
    return a;
}

static void
draw_grid(FILE *to, const axes *a)
{
    for (int x = (int)a->low_x; x <= (int)a->high_x; x++)
        fprintf(to,
                "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" "
                "y2=\"%d\"/><text class=\"s\" x=\"%.1f\" y=\"%d\" "
                "text-anchor=\"middle\">%g</text>\n",
                at_x(a, pow(10, x)), at_x(a, pow(10, x)), TOP, HEIGHT - BOTTOM,
                at_x(a, pow(10, x)), HEIGHT - BOTTOM + 16, pow(10, x));
    for (int y = (int)a->low_y; y <= (int)a->high_y; y++)
        fprintf(to,
                "<line class=\"g\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
                "y2=\"%.1f\"/><text class=\"s\" x=\"%d\" y=\"%.1f\" "
                "text-anchor=\"end\">%g</text>\n",
                LEFT, WIDTH - RIGHT, at_y(a, pow(10, y)), at_y(a, pow(10, y)),
                LEFT - 6, at_y(a, pow(10, y)) + 4, pow(10, y - 12));
    fprintf(to,
            "<text class=\"s\" x=\"%d\" y=\"%d\" "
            "text-anchor=\"middle\">FLOP a byte</text><text class=\"s\" "
            "x=\"4\" y=\"%d\">TFLOP/s</text>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 32, TOP - 4);
}

static void
draw_roof(FILE *to, const cli_bench_run *run, const axes *a)
{
    const double ridge = run->flops_per_s / run->bytes_per_s;
    const double lowest = pow(10, a->low_y),
                 left = fmax(pow(10, a->low_x), lowest / run->bytes_per_s);

    fprintf(to,
            "<polyline class=\"r\" points=\"%.1f,%.1f %.1f,%.1f "
            "%.1f,%.1f\"/>\n",
            at_x(a, left), at_y(a, left * run->bytes_per_s), at_x(a, ridge),
            at_y(a, run->flops_per_s), at_x(a, pow(10, a->high_x)),
            at_y(a, run->flops_per_s));
}

/* Labels stand right of the chart, kept apart; a line leads to each point. */
static void
draw_points(FILE *to, const cli_bench_run *run, const axes *a, const char *size)
{
    size_t n = 0, order[64];
    double last = TOP - 14;

    for (size_t i = 0; i < run->n && n < 64; i++)
        if (is_point(run, &run->rows[i]) &&
            strcmp(run->rows[i].size, size) == 0)
            order[n++] = i;
    for (size_t i = 1; i < n; i++) /* from above */
        for (size_t k = i;
             k > 0 && cli_bench_flops_per_s(&run->rows[order[k]]) >
                          cli_bench_flops_per_s(&run->rows[order[k - 1]]);
             k--) {
            const size_t swap = order[k];

            order[k] = order[k - 1];
            order[k - 1] = swap;
        }
    for (size_t i = 0; i < n; i++) {
        const cli_bench_row *row = &run->rows[order[i]];
        const char *colour = colour_of(run, row);
        const double x = at_x(a, row->flops / row->bytes),
                     y = at_y(a, cli_bench_flops_per_s(row)),
                     label = fmax(y, last + 14);

        last = label;
        fprintf(to,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" "
                "stroke=\"var(%s)\" stroke-width=\".6\" opacity=\".55\"/>"
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\" "
                "fill=\"var(%s)\"><title>",
                x, y, WIDTH - RIGHT + 4, label, colour, x, y, colour);
        cli_bench_put_escaped(to, row->op);
        fprintf(to, ", %s, %.0f %% of the roof</title></circle>",
                cli_bench_seconds(row->median).text, row->share * 100);
        fprintf(to, "<text x=\"%d\" y=\"%.1f\">", WIDTH - RIGHT + 8, label + 4);
        cli_bench_put_escaped(to, row->op);
        fputs("</text>\n", to);
    }
}

void
cli_bench_draw_rooflines(FILE *to, const cli_bench_run *run)
{
    axes a;

    if (run->bytes_per_s <= 0 || run->flops_per_s <= 0)
        return;
    a = fit_axes(run);
    fprintf(to,
            "<h2>Roofline</h2>\n<p>The line is what this machine gave in the "
            "same run: %.1f GB/s and %.2f TFLOP/s. A point above it had its "
            "operands in a cache, or the limit was measured while something "
            "else ran.</p>\n",
            run->bytes_per_s * 1e-9, run->flops_per_s * 1e-12);
    for (size_t i = 0; i < run->n; i++) {
        if (!is_first_of_size(run, i))
            continue;
        fputs("<h3>", to);
        cli_bench_put_escaped(to, run->rows[i].size);
        fprintf(to,
                "</h3>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" "
                "aria-label=\"roofline\">\n",
                WIDTH, HEIGHT);
        draw_grid(to, &a);
        draw_roof(to, run, &a);
        draw_points(to, run, &a, run->rows[i].size);
        fputs("</svg>\n", to);
    }
}

/* ---- An encode's time, and a block's ------------------------------------------------------ */

typedef enum part { ENCODE, WINDOW_BLOCK, FULL_BLOCK } part;

typedef struct bar {
    const char *size;
    part of;
    bool predicted;
} bar;

/* How often it runs in one block of this kind; a run that says nothing of its
   model's blocks has none. */
static double
times_a_block(const cli_bench_run *run, const cli_bench_row *row, part of)
{
    const json_t *model = json_object_get(run->json, "model");
    const double depth = json_number_value(json_object_get(model, "depth")),
                 full = json_number_value(
                     json_object_get(model, "full_attention_blocks"));

    if ((of == FULL_BLOCK ? full : depth - full) <= 0 ||
        strcmp(row->step, "EMBED") == 0 || strcmp(row->step, "MERGE") == 0)
        return 0;
    if (strstr(row->op, "window"))
        return of == WINDOW_BLOCK;
    if (row->a_call >= depth) /* the norms: two a block, and one more */
        return floor(row->a_call / depth);
    return of == FULL_BLOCK && row->a_call > 0;
}

static double
times_of(const cli_bench_run *run, const cli_bench_row *row, part of)
{
    return of == ENCODE ? row->a_call : times_a_block(run, row, of);
}

/* Seconds of the bar by this row; 0 for what is not in it. */
static double
seconds_of(const cli_bench_run *run, const cli_bench_row *row, const bar *b)
{
    if (!is_own(row) || !is_charted(run, row) ||
        strcmp(row->size, b->size) != 0)
        return 0;
    return times_of(run, row, b->of) *
           (b->predicted ? row->predicted : row->median);
}

static double
total_of(const cli_bench_run *run, const bar *b)
{
    double total = 0;

    for (size_t i = 0; i < run->n; i++)
        total += seconds_of(run, &run->rows[i], b);
    return total;
}

static void
draw_bar(FILE *to, const cli_bench_run *run, const bar *b, double scale, int y)
{
    static const char *const names[] = {"time", "window", "full"};
    double x = LEFT;

    for (size_t i = 0; i < run->n; i++) {
        const cli_bench_row *row = &run->rows[i];
        const double width = seconds_of(run, row, b) * scale;

        if (width <= 0)
            continue;
        fprintf(to,
                "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"26\" "
                "fill=\"var(%s)\"%s><title>",
                x, y, width, colour_of(run, row),
                b->predicted ? " opacity=\".5\"" : "");
        cli_bench_put_escaped(to, row->op);
        fprintf(to, ", %.0f times %s</title></rect>", times_of(run, row, b->of),
                cli_bench_seconds(b->predicted ? row->predicted : row->median)
                    .text);
        if (width > 7.0 * (double)strlen(row->op)) {
            fprintf(to,
                    "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" "
                    "style=\"fill: var(--paper)\">",
                    x + width / 2, y + 17);
            cli_bench_put_escaped(to, row->op);
            fputs("</text>", to);
        }
        fputc('\n', to);
        x += width;
    }
    fprintf(to,
            "<text class=\"s\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>"
            "<text x=\"%.1f\" y=\"%d\">%s</text>\n",
            LEFT - 6, y + 17, b->predicted ? "budget" : names[b->of], x + 6,
            y + 17, cli_bench_seconds(total_of(run, b)).text);
}

/* By time and by budget, all on one scale; nothing of what was not timed. */
static void
draw_bars(FILE *to, const cli_bench_run *run, const char *size, part first,
          part last)
{
    bar bars[4];
    double most = 0;
    int n = 0;

    for (part of = first; of <= last; of++)
        for (int predicted = 0; predicted <= 1; predicted++) {
            const bar b = {size, of, predicted};
            const double total = total_of(run, &b);

            if (total > 0)
                bars[n++] = b;
            most = fmax(most, total);
        }
    if (n == 0)
        return;
    fprintf(to,
            "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"shares of "
            "%s\">\n",
            WIDTH, 32 * n + 2, first == ENCODE ? "an encode" : "a block");
    for (int i = 0; i < n; i++)
        draw_bar(to, run, &bars[i], (WIDTH - LEFT - RIGHT) / most, 32 * i + 2);
    fputs("</svg>\n", to);
}

/* Ops with their shares, from the first to the last. */
static void
put_legend(FILE *to, const cli_bench_run *run, const bar *b)
{
    const double total = total_of(run, b);

    fputs("<p class=\"key\">", to);
    for (size_t i = 0; i < run->n; i++) {
        const cli_bench_row *row = &run->rows[i];
        const double seconds = seconds_of(run, row, b);

        if (seconds <= 0)
            continue;
        fprintf(to, "<span><i style=\"background: var(%s)\"></i>",
                colour_of(run, row));
        cli_bench_put_escaped(to, row->op);
        fprintf(to, " %.1f %%</span> ", 100 * seconds / total);
    }
    fputs("</p>\n", to);
}

void
cli_bench_draw_encode(FILE *to, const cli_bench_run *run)
{
    fputs(
        "<h2>Where the time is</h2>\n<p>Each op's median as often as one "
        "encode runs it, without what lies between them; below, on a scale of "
        "its own, one block with attention in windows and one with attention "
        "over frames.</p>\n",
        to);
    for (size_t i = 0; i < run->n; i++) {
        const bar whole = {run->rows[i].size, ENCODE, false};

        if (!is_first_of_size(run, i) || total_of(run, &whole) <= 0)
            continue;
        fputs("<h3>", to);
        cli_bench_put_escaped(to, whole.size);
        fputs("</h3>\n", to);
        draw_bars(to, run, whole.size, ENCODE, ENCODE);
        draw_bars(to, run, whole.size, WINDOW_BLOCK, FULL_BLOCK);
        put_legend(to, run, &whole);
    }
}

/* ---- Peers --------------------------------------------------------------------------------- */

static bool
is_same_work(const cli_bench_row *a, const cli_bench_row *b)
{
    return strcmp(a->size, b->size) == 0 && strcmp(a->op, b->op) == 0 &&
           strcmp(a->step, b->step) == 0;
}

/* A bar for Oriel and for whoever did the same, from the row's first. */
static void
draw_group(FILE *to, const cli_bench_run *run, const cli_bench_row *own)
{
    double slowest = own->median;
    int n = 0, y = 2;

    for (size_t i = 0; i < run->n; i++)
        if (is_same_work(&run->rows[i], own) &&
            is_charted(run, &run->rows[i])) {
            slowest = fmax(slowest, run->rows[i].median);
            n++;
        }
    if (n < 2)
        return;
    fputs("<h3>", to);
    cli_bench_put_escaped(to, own->size);
    fputs(" ", to);
    cli_bench_put_escaped(to, own->op);
    fprintf(to,
            "</h3>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" "
            "aria-label=\"peers\">\n",
            WIDTH, 20 * n + 4);
    for (size_t i = 0; i < run->n; i++) {
        const cli_bench_row *row = &run->rows[i];
        const double width = row->median / slowest * (WIDTH - 2 * RIGHT - LEFT);

        if (!is_same_work(row, own) || !is_charted(run, row))
            continue;
        fprintf(to, "<text class=\"s\" x=\"%d\" y=\"%d\" text-anchor=\"end\">",
                RIGHT - 6, y + 13);
        cli_bench_put_escaped(to, row->by);
        fprintf(to,
                "</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"16\" "
                "fill=\"var(%s)\"/><text x=\"%.1f\" y=\"%d\">%s, %.2fx</text>"
                "\n",
                RIGHT, y, width, is_own(row) ? "--a" : "--f", RIGHT + width + 6,
                y + 13, cli_bench_seconds(row->median).text,
                row->median / own->median);
        y += 20;
    }
    fputs("</svg>\n", to);
}

void
cli_bench_draw_peers(FILE *to, const cli_bench_run *run)
{
    const json_t *absent = json_object_get(run->json, "absent");
    size_t i;
    json_t *line;

    fputs("<h2>Peers</h2>\n<p>oneDNN and torch's products are the matrix "
          "products alone, without the norm, rope or activation that Oriel's "
          "step has.</p>\n",
          to);
    json_array_foreach(absent, i, line)
    {
        fputs("<p>", to);
        cli_bench_put_escaped(to, json_string_value(line));
        fputs("</p>\n", to);
    }
    for (i = 0; i < run->n; i++)
        if (is_own(&run->rows[i]) && is_charted(run, &run->rows[i]))
            draw_group(to, run, &run->rows[i]);
}
