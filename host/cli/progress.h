/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - how far we are, on standard error
 *
 * On a terminal one line that is redrawn ten times a second, elsewhere a line
 * every 30 seconds, with --json an event every second, with --quiet nothing.
 */
#ifndef ORIEL_CLI_PROGRESS_H
#define ORIEL_CLI_PROGRESS_H

#include <stdint.h>

/* 'what' names the units, "images"; it must outlive the progress. */
void cli_progress_begin(const char *what, uint64_t total);

/* So many are done. */
void cli_progress_update(int64_t done);

/* Time has passed: show it. */
void cli_progress_tick(void);

/* Take the line off the terminal, so that something else can be printed. */
void cli_progress_clear(void);

void cli_progress_end(void);

/* Seconds since begin. */
double cli_progress_seconds(void);

#endif /* ORIEL_CLI_PROGRESS_H */
