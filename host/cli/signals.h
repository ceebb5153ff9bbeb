/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals.h - INT, TERM and HUP stop the tool at a clean boundary
 *
 * The first one only sets a flag, which loops poll; one that comes later, after
 * a second or two, kills.  A pipe without a reader and a file at its size limit
 * do not: there the write fails.
 */
#ifndef ORIEL_CLI_SIGNALS_H
#define ORIEL_CLI_SIGNALS_H

void cli_signals_catch(void);

/* The signal that asked us to stop, or 0. */
int cli_signal_caught(void);

#endif /* ORIEL_CLI_SIGNALS_H */
