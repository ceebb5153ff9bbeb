/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - how far we are, on standard error */
#include "cli/progress.h"

#include "cli/report.h"
#include "cli/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_SECONDS 0.1
#define EVENT_SECONDS 1.0
#define LINE_SECONDS 30.0

static struct {
    const char *what;
    uint64_t total, done;
    double began, shown;
    bool active, on_terminal, drawn;
} state;

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void
cli_progress_begin(const char *what, uint64_t total)
{
    memset(&state, 0, sizeof(state));
    state.what = what;
    state.total = total;
    state.began = state.shown = now();
    state.on_terminal = isatty(STDERR_FILENO) != 0;
    state.active = !cli_report_quiet();
}

double
cli_progress_seconds(void)
{
    return now() - state.began;
}

static void
describe(char *line, size_t bytes, double seconds)
{
    double done = (double)state.done;
    int n =
        snprintf(line, bytes, "%" PRIu64 " of %" PRIu64 " %s, %s", state.done,
                 state.total, state.what, cli_text_seconds(seconds).text);

    if (done > 0 && done < (double)state.total && n > 0 && (size_t)n < bytes)
        snprintf(line + n, bytes - (size_t)n, ", about %s left",
                 cli_text_seconds(seconds / done * ((double)state.total - done))
                     .text);
}

static void
draw_bar(const char *line)
{
    enum { WIDTH = 24 };
    char bar[WIDTH + 1];
    double total = state.total ? (double)state.total : 1;
    size_t full = (size_t)((double)state.done / total * WIDTH);

    full = full < WIDTH ? full : WIDTH;
    memset(bar, '.', WIDTH);
    memset(bar, '#', full);
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %s\033[K", bar, line);
    fflush(stderr);
    state.drawn = true;
}

static void
show(void)
{
    double t = now();
    double pause = cli_report_json()   ? EVENT_SECONDS
                   : state.on_terminal ? REDRAW_SECONDS
                                       : LINE_SECONDS;
    char line[160];

    if (!state.active || t - state.shown < pause)
        return;
    state.shown = t;
    if (cli_report_json()) {
        cli_report_event(json_pack(
            "{s:s, s:s, s:I, s:I}", "event", "progress", "unit", state.what,
            "done", (json_int_t)state.done, "total", (json_int_t)state.total));
        return;
    }
    describe(line, sizeof(line), t - state.began);
    if (state.on_terminal)
        draw_bar(line);
    else
        cli_report_note("%s", line);
}

void
cli_progress_update(int64_t done)
{
    state.done = (uint64_t)done;
    show();
}

void
cli_progress_tick(void)
{
    show();
}

void
cli_progress_clear(void)
{
    if (!state.drawn)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    state.drawn = false;
}

void
cli_progress_end(void)
{
    cli_progress_clear();
    state.active = false;
}
