/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - what the tool says on standard error
 *
 * Plain lines for people, or with --json one JSON object a line for machines.
 * A line stays a line: names are quoted by base/fail.h's rule.  What cannot be
 * written there, as its reader has gone, is dropped: the work goes on.
 */
#ifndef ORIEL_CLI_REPORT_H
#define ORIEL_CLI_REPORT_H

#include "oriel.h"

#include <jansson.h>
#include <stdbool.h>

void cli_report_setup(bool json, bool quiet);
bool cli_report_json(void);
bool cli_report_quiet(void);

/* "oriel: ..." and the event {"event": "error", ...}.  Returns its status. */
__attribute__((format(printf, 2, 3))) int cli_report_error(int exit_status,
                                                           const char *format,
                                                           ...);

/*
 * The same for a failure of the library, by the one table of exits.c; 'name',
 * the file it is about, is put before the message unless NULL.
 */
int cli_report_failure(const oriel_error *err, const char *name);

/* A signal came: reports that nothing was written and returns 128 + it.  When
   none came, CLI_DONE and not a word. */
int cli_report_signal(void);

/* "oriel: ..." and the event {"event": "warning", ...}, with --quiet too: the
   result is there, and something is wrong with it. */
__attribute__((format(printf, 1, 2))) void cli_report_warning(
    const char *format, ...);

/* One input that failed, while others go on. */
void cli_report_input(const char *name, const char *reason);

/* A line for people only; with --json or --quiet nothing. */
__attribute__((format(printf, 1, 2))) void cli_report_note(const char *format,
                                                           ...);

/* An event for machines only; takes over the reference. */
void cli_report_event(json_t *event);

/* A JSON document on standard output; takes over the reference, which is NULL
   when memory is out.  CLI_DONE, or reports and returns CLI_MEMORY. */
int cli_report_document(json_t *document);

/* Flush standard output: CLI_DONE, or reports and returns CLI_OUTPUT. */
int cli_report_flush(void);

/* Out of memory, while busy with 'what': reports and returns CLI_MEMORY. */
int cli_report_memory(const char *what);

#endif /* ORIEL_CLI_REPORT_H */
