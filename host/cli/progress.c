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
    double flops;       /* of what is done; 0 where nothing counts them */
    double items, work; /* worked on together, and their operations */
    double part;        /* of that work that is done, 0 to 1 */
    double began, shown;
    bool active, on_terminal, drawn;
    char text[160]; /* after all that, "" or ", ..." */
    json_t *more;
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
    json_decref(state.more);
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

double
cli_progress_part(void)
{
    double measured = (double)state.done + state.items;
    double known = state.flops + state.work;
    double unmeasured = (double)state.total - measured;
    double all;

    if (state.total == 0) /* not known yet */
        return 0;
    if (known <= 0)
        return state.total ? (double)state.done / (double)state.total : 0;
    all = known + (unmeasured > 0 ? unmeasured * known / measured : 0);
    return (state.flops + state.part * state.work) / all;
}

static void
describe(char *line, size_t bytes, double seconds)
{
    double part = cli_progress_part();
    int n;

    if (state.total > 0)
        n = snprintf(line, bytes, "%" PRIu64 " of %" PRIu64 " %s, %s",
                     state.done, state.total, state.what,
                     cli_text_seconds(seconds).text);
    else
        n = snprintf(line, bytes, "%" PRIu64 " %s, %s", state.done, state.what,
                     cli_text_seconds(seconds).text);

    if (part > 0 && part < 1 && n > 0 && (size_t)n < bytes)
        n += snprintf(line + n, bytes - (size_t)n, ", about %s left",
                      cli_text_seconds(seconds / part * (1 - part)).text);
    if (n > 0 && (size_t)n < bytes)
        snprintf(line + n, bytes - (size_t)n, "%s", state.text);
}

static void
draw_bar(const char *line)
{
    enum { WIDTH = 24 };
    char bar[WIDTH + 1];
    size_t full = (size_t)(cli_progress_part() * WIDTH);

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
    char line[320];

    if (!state.active || t - state.shown < pause)
        return;
    state.shown = t;
    if (cli_report_json()) {
        json_t *event =
            json_pack("{s:s, s:s, s:I, s:I, s:f}", "event", "progress", "unit",
                      state.what, "done", (json_int_t)state.done, "total",
                      (json_int_t)state.total, "part", cli_progress_part());

        if (event && state.more)
            json_object_update(event, state.more);
        cli_report_event(event);
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
    state.flops += state.work;
    state.items = state.work = state.part = 0;
    show();
}

void
cli_progress_expect(int64_t items, int64_t flops)
{
    state.items = (double)items;
    state.work = (double)flops;
    state.part = 0;
}

void
cli_progress_work(int64_t done, int64_t of)
{
    double part = of > 0 ? (double)done / (double)of : 0;

    state.part = part < 1 ? part : 1;
    show();
}

void
cli_progress_total(uint64_t total)
{
    state.total = total;
}

void
cli_progress_say(const char *text, json_t *more)
{
    snprintf(state.text, sizeof(state.text), ", %s", text);
    json_decref(state.more);
    state.more = more;
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
    json_decref(state.more);
    state.more = NULL;
    state.active = false;
}
