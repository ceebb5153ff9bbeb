/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - lines for people or events for machines, on standard error */
#include "cli/report.h"

#include "base/fail.h"
#include "cli/exits.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

static bool as_json, is_quiet, in_colour;

void
cli_report_setup(bool json, bool quiet)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    as_json = json;
    is_quiet = quiet;
    in_colour = isatty(STDERR_FILENO) && !(no_colour && *no_colour) &&
                terminal && strcmp(terminal, "dumb") != 0;
}

bool
cli_report_json(void)
{
    return as_json;
}

bool
cli_report_quiet(void)
{
    return is_quiet;
}

void
cli_report_event(json_t *event)
{
    char *text;

    /* A lost event must not look like one that never happened. */
    text = cli_text_json(event, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (as_json)
        fprintf(stderr, "%s\n",
                text ? text : "{\"event\":\"lost\",\"message\":\"no memory\"}");
    free(text);
    json_decref(event);
}

static void
print_line(bool is_error, const char *line)
{
    const char *before = is_error && in_colour ? "\033[1;31m" : "";
    const char *after = is_error && in_colour ? "\033[0m" : "";

    cli_progress_clear();
    fprintf(stderr, "%soriel:%s %s\n", before, after, line);
}

static int
report(int exit_status, const char *status_name, const char *line)
{
    if (as_json)
        cli_report_event(json_pack("{s:s, s:s, s:i, s:s}", "event", "error",
                                   "status", status_name, "exit", exit_status,
                                   "message", line));
    else
        print_line(true, line);
    return exit_status;
}

int
cli_report_error(int exit_status, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    return report(exit_status, "", line);
}

int
cli_report_failure(const oriel_error *err, const char *name)
{
    char line[LINE_BYTES];
    const char *message =
        *err->message ? err->message : oriel_status_name(err->status);
    int exit_status = cli_exit_of(err->status);

    if (err->status == ORIEL_ERR_CANCELLED)
        message = "stopped by a signal: nothing is written";
    if (name)
        snprintf(line, sizeof(line), "%s: %s", ORIEL_QUOTE(name), message);
    else
        snprintf(line, sizeof(line), "%s", message);
    return report(exit_status, oriel_status_name(err->status), line);
}

int
cli_report_signal(void)
{
    oriel_error err = {.status = ORIEL_ERR_CANCELLED};

    return cli_signal_caught() ? cli_report_failure(&err, NULL) : CLI_DONE;
}

void
cli_report_input(const char *name, const char *reason)
{
    char line[LINE_BYTES];

    if (as_json) {
        cli_report_event(json_pack("{s:s, s:o, s:s}", "event", "failed",
                                   "source", cli_text_name(name), "error",
                                   reason));
        return;
    }
    snprintf(line, sizeof(line), "%s: %s", ORIEL_QUOTE(name), reason);
    print_line(true, line);
}

void
cli_report_warning(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (as_json)
        cli_report_event(
            json_pack("{s:s, s:s}", "event", "warning", "message", line));
    else
        print_line(true, line);
}

void
cli_report_note(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;

    if (as_json || is_quiet)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    print_line(false, line);
}

int
cli_report_document(json_t *document)
{
    char *text;

    text = cli_text_json(document, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(document);
    if (!text)
        return cli_report_memory("the JSON document");
    puts(text);
    free(text);
    return CLI_DONE;
}

int
cli_report_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CLI_DONE;
    return cli_report_error(errno == ENOMEM ? CLI_MEMORY : CLI_OUTPUT,
                            "standard output: cannot write: %s",
                            strerror(errno ? errno : EIO));
}

int
cli_report_memory(const char *what)
{
    return cli_report_error(CLI_MEMORY, "out of memory for %s", what);
}
