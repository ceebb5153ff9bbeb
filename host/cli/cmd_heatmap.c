/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_heatmap.c - oriel heatmap: a picture's embeddings, as colours over it */
#include "base/fail.h"
#include "cli/canvas.h"
#include "cli/command.h"
#include "cli/engine.h"
#include "cli/exits.h"
#include "cli/nonfinite.h"
#include "cli/output.h"
#include "cli/principal.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/seen.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_SIDE = 400 }; /* up to which small pictures are enlarged */

typedef struct heatmap {
    const cli_options *options;
    const char *name;
    bool of_token;       /* --token */
    int32_t column, row; /* that it names */
    cli_settings settings;
    cli_seen seen;
    cli_engine engine;
    double *colours; /* [tokens, 3], 0 to 1 */
} heatmap;

/* ---- Values to colours ------------------------------------------------- */

/* Nine colours of matplotlib's magma. */
static const unsigned char magma[][3] = {
    {0, 0, 4},      {28, 16, 68},    {79, 18, 123},
    {129, 37, 129}, {181, 54, 122},  {229, 80, 100},
    {251, 135, 97}, {254, 194, 135}, {252, 253, 191},
};

static void
magma_at(double at, double colour[3])
{
    const int last = (int)(sizeof(magma) / sizeof(*magma)) - 1;
    const double place = fmin(1.0, fmax(0.0, at)) * last;
    const int i = place < last ? (int)place : last - 1;

    for (int c = 0; c < 3; c++)
        colour[c] =
            (magma[i][c] + (place - i) * (magma[i + 1][c] - magma[i][c])) /
            255.0;
}

static int
compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

/*
 * Spread one channel over 0 to 1.  Two of a hundred values at either end are
 * cut off: one token of its own would take all contrast from the others.
 */
static int
spread(double *values, size_t n)
{
    double *sorted = malloc(n * sizeof(*sorted));
    double low, high;

    if (!sorted)
        return cli_report_memory("colours");
    for (size_t i = 0; i < n; i++)
        sorted[i] = values[i * CLI_COMPONENTS];
    qsort(sorted, n, sizeof(*sorted), compare_numbers);
    low = sorted[n / 50];
    high = sorted[n - 1 - n / 50];
    free(sorted);
    for (size_t i = 0; i < n; i++) {
        double *value = &values[i * CLI_COMPONENTS];

        *value = high > low
                     ? fmin(1.0, fmax(0.0, (*value - low) / (high - low)))
                     : 0.5;
    }
    return CLI_DONE;
}

static int
colour_by_components(heatmap *job, size_t n, size_t d)
{
    oriel_error err;
    double share;
    int failed = CLI_DONE;

    if (cli_principal(job->colours, &share, job->engine.result, n, d, &err))
        return cli_report_failure(&err, NULL);
    for (int c = 0; c < CLI_COMPONENTS && !failed; c++)
        failed = spread(job->colours + c, n);
    if (!failed)
        cli_report_note("red, green and blue are the first three principal "
                        "components of %zu tokens, %.0f %% of their variance",
                        n, 100.0 * share);
    return failed;
}

static double
cosine(const float *a, const float *b, size_t d)
{
    double ab = 0.0;
    double aa = 0.0;
    double bb = 0.0;

    for (size_t i = 0; i < d; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0.0 && bb > 0.0 ? ab / sqrt(aa * bb) : 0.0;
}

/* Dark is the least similar of the picture's tokens, bright the most similar
   but for the token itself. */
static int
colour_by_similarity(heatmap *job, size_t n, size_t d)
{
    const float *rows = job->engine.result;
    const size_t token =
        (size_t)job->row * (size_t)job->seen.columns + (size_t)job->column;
    double low = 1.0;
    double high = -1.0;

    for (size_t i = 0; i < n; i++) {
        const double value = cosine(rows + i * d, rows + token * d, d);

        job->colours[i * CLI_COMPONENTS] = value;
        low = fmin(low, value);
        if (i != token)
            high = fmax(high, value);
    }
    for (size_t i = 0; i < n; i++) {
        double *colour = job->colours + i * CLI_COMPONENTS;

        magma_at(high > low ? (*colour - low) / (high - low) : 1.0, colour);
    }
    cli_report_note("cosine similarity to token %d,%d: from %.3f (dark) to "
                    "%.3f (bright)",
                    job->column, job->row, low, fmax(low, high));
    return CLI_DONE;
}

/* ---- Colours to a picture ---------------------------------------------- */

/* A place between the centres of tokens, in one direction. */
typedef struct between {
    int32_t low, high;
    double part; /* of the higher one */
} between;

static between
between_tokens(int32_t pixel, int32_t side, int32_t n)
{
    const double at = fmin(n - 1.0, fmax(0.0, (pixel + 0.5) / side - 0.5));
    const int32_t low = (int32_t)at;

    return (between){low, low + 1 < n ? low + 1 : low, at - low};
}

static double
mix(const heatmap *job, between x, between y, int channel)
{
    const size_t columns = (size_t)job->seen.columns;
    const double *row0 = job->colours + (size_t)y.low * columns * 3;
    const double *row1 = job->colours + (size_t)y.high * columns * 3;
    const double a = row0[3 * x.low + channel];
    const double b = row0[3 * x.high + channel];
    const double c = row1[3 * x.low + channel];
    const double d = row1[3 * x.high + channel];
    const double upper = a + x.part * (b - a);
    const double lower = c + x.part * (d - c);

    return upper + y.part * (lower - upper);
}

/* The colour, darkened where the picture is dark. */
static void
tint(const heatmap *job, cli_canvas *canvas, int32_t side)
{
    for (int32_t py = 0; py < canvas->height; py++)
        for (int32_t px = 0; px < canvas->width; px++) {
            unsigned char *pixel =
                canvas->rgb +
                ((size_t)py * (size_t)canvas->width + (size_t)px) * 3;
            const double grey =
                (0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]) /
                255.0;
            const between x = between_tokens(px, side, job->seen.columns);
            const between y = between_tokens(py, side, job->seen.rows);

            for (int c = 0; c < 3; c++)
                pixel[c] = (unsigned char)lround(255.0 * mix(job, x, y, c) *
                                                 (0.35 + 0.65 * grey));
        }
}

static int
draw(const heatmap *job)
{
    static const cli_colour white = {255, 255, 255};
    static const cli_colour black = {0, 0, 0};
    const cli_seen *seen = &job->seen;
    const int32_t scale = cli_seen_scale(seen, LONGEST_SIDE);
    const int32_t side = seen->token * scale;
    const cli_area token = {job->column * side, job->row * side, side, side};
    cli_canvas canvas;
    int failed =
        cli_canvas_make(&canvas, seen->rgb, seen->width, seen->height, scale);

    if (failed)
        return failed;
    tint(job, &canvas, side);
    if (job->of_token) {
        const int32_t t = side / 16 + 1;
        const cli_area around = {token.x - t, token.y - t, side + 2 * t,
                                 side + 2 * t};

        cli_canvas_frame(&canvas, around, t, black, 1.0);
        cli_canvas_frame(&canvas, token, t, white, 1.0);
    }
    failed =
        cli_canvas_write(&canvas, job->options->output, job->options->force);
    cli_canvas_free(&canvas);
    return failed;
}

/* ---- The command ------------------------------------------------------- */

/* A number from 0 on, after which *text points. */
static bool
parse_number(const char **text, int32_t *number)
{
    const size_t digits = strspn(*text, "0123456789");

    if (digits < 1 || digits > 9)
        return false;
    *number = (int32_t)strtol(*text, NULL, 10);
    *text += digits;
    return true;
}

static int
parse_token(heatmap *job)
{
    const char *text = job->options->token;

    if (!text)
        return CLI_DONE;
    job->of_token = true;
    if (parse_number(&text, &job->column) && *text++ == ',' &&
        parse_number(&text, &job->row) && !*text)
        return CLI_DONE;
    return cli_report_error(CLI_USAGE,
                            "--token %s: expected a column and a row, such as "
                            "3,0",
                            ORIEL_QUOTE(job->options->token));
}

static int
check_token(const heatmap *job)
{
    if (job->column < job->seen.columns && job->row < job->seen.rows)
        return CLI_DONE;
    return cli_report_error(CLI_USAGE,
                            "--token %d,%d: %s has tokens 0,0 to %d,%d",
                            job->column, job->row, ORIEL_QUOTE(job->name),
                            job->seen.columns - 1, job->seen.rows - 1);
}

static int
encode(heatmap *job)
{
    const void *frame = job->seen.photo.rgb;
    oriel_input input = ORIEL_INPUT_INIT;
    int failed =
        cli_engine_choose(&job->engine, job->settings.model, job->options,
                          cli_device_parse(job->options->device));

    if (failed)
        return failed;
    job->engine.dtype = ORIEL_DTYPE_F32;
    input.frames = &frame;
    cli_progress_begin("images", 1);
    failed = cli_engine_encode(&job->engine, job->seen.plan, &input, job->name);
    cli_progress_end();
    return failed ? failed : cli_report_signal();
}

static int
colour(heatmap *job)
{
    const size_t n = (size_t)job->seen.info.tokens;
    const size_t d = (size_t)job->seen.info.out_hidden_size;

    uint64_t infinite = 0;
    uint64_t nan = 0;

    cli_nonfinite_count(job->engine.result, job->engine.result_bytes,
                        ORIEL_DTYPE_F32, &infinite, &nan);
    if (infinite + nan > 0)
        return cli_report_error(CLI_MODEL,
                                "%s: %" PRIu64 " infinite and %" PRIu64
                                " NaN values in the embeddings: expected "
                                "numbers to draw",
                                ORIEL_QUOTE(job->name), infinite, nan);
    job->colours = calloc(n, CLI_COMPONENTS * sizeof(*job->colours));
    if (!job->colours)
        return cli_report_memory("colours");
    return job->of_token ? colour_by_similarity(job, n, d)
                         : colour_by_components(job, n, d);
}

static int
check_usage(heatmap *job, int n_operands)
{
    const char *missing[4] = {NULL};
    size_t n = 0;
    int failed;

    if (n_operands == 0)
        missing[n++] = "an image";
    if (!job->options->output)
        missing[n++] = "-o FILE";
    if (!job->options->model)
        missing[n++] = "--model DIR";
    if (n > 0)
        return cli_flags_report_missing("heatmap", missing);
    if (n_operands > 1)
        return cli_report_error(CLI_USAGE, "heatmap needs one image");
    failed = cli_output_check_name("-o", job->options->output, "png");
    if (!failed)
        failed = cli_output_check_not(job->options->output, job->name);
    return failed ? failed : parse_token(job);
}

static void
report_done(const heatmap *job)
{
    if (cli_report_json())
        cli_report_event(json_pack("{s:s, s:i, s:i, s:i}", "event", "done",
                                   "columns", job->seen.columns, "rows",
                                   job->seen.rows, "exit", CLI_DONE));
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    heatmap job = {.options = options, .name = operands[0]};
    int failed = check_usage(&job, n_operands);

    if (!failed)
        failed = cli_settings_open(&job.settings, options, true);
    if (!failed)
        failed = cli_seen_open(&job.seen, job.name, &job.settings);
    if (!failed)
        failed = check_token(&job);
    if (!failed)
        failed = encode(&job);
    if (!failed)
        failed = colour(&job);
    if (!failed)
        failed = draw(&job);
    if (!failed)
        report_done(&job);
    free(job.colours);
    cli_engine_free(&job.engine);
    cli_seen_free(&job.seen);
    cli_settings_close(&job.settings);
    return failed;
}

const cli_command cli_cmd_heatmap = {
    .name = "heatmap",
    .usage = "IMAGE --model DIR -o FILE",
    .summary = "a picture's embeddings, as colours over the picture",
    .text =
        "Encodes one image and writes a PNG file of it in which colours stand "
        "for\n"
        "the embeddings: red, green and blue are their first three principal\n"
        "components, so that what is alike to the model has like colours. "
        "With\n"
        "--token the colour says how similar each token is to one of them, by "
        "the\n"
        "cosine of their embeddings: bright is similar, and a white square "
        "marks the\n"
        "token. oriel plan --picture shows the grid of tokens.\n",
    .examples =
        "What does the model tell apart?\n"
        "oriel heatmap photo.jpg --model Qwen2.5-VL-7B-Instruct -o map.png\n"
        "What is similar to the token in column 5 of row 4?\n"
        "oriel heatmap photo.jpg --model Qwen2.5-VL-7B-Instruct --token 5,4 "
        "-o map.png\n",
    .flag = CLI_HEATMAP,
    .run = run,
};
