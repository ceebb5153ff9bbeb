/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - how far we are, on standard error
 *
 * On a terminal one line that is redrawn ten times a second, elsewhere a line
 * every 30 seconds, with --json an event every second, with --quiet nothing.
 */
#ifndef ORIEL_CLI_PROGRESS_H
#define ORIEL_CLI_PROGRESS_H

#include <jansson.h>
#include <stdint.h>

/* 'what' names the units, "images"; it must outlive the progress. */
void cli_progress_begin(const char *what, uint64_t total);

/* So many are done. */
void cli_progress_update(int64_t done);

/*
 * The next 'items' are now worked on together, in 'flops' operations, as the
 * plan counts them.  What is left is then estimated from operations: inputs that
 * were not measured yet count as the mean of those that were.
 */
void cli_progress_expect(int64_t items, int64_t flops);

/* Of what is worked on, 'done' of 'of' is done: in operations or any unit. */
void cli_progress_work(int64_t done, int64_t of);

/* How many there are in all, once that is known. */
void cli_progress_total(uint64_t total);

/* What else a line says: "12 images/s, 2 failed".  With --json the event has
   these members; 'more' is taken over, and may be NULL. */
void cli_progress_say(const char *text, json_t *more);

/* Time passes, and nothing else is known. */
void cli_progress_tick(void);

/* The estimated part of all work that is done, from 0 to 1. */
double cli_progress_part(void);

/* Take the line off the terminal, so that something else can be printed. */
void cli_progress_clear(void);

void cli_progress_end(void);

/* Seconds since begin. */
double cli_progress_seconds(void);

#endif /* ORIEL_CLI_PROGRESS_H */
