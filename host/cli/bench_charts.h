/* SPDX-License-Identifier: Apache-2.0 */
/* bench_charts.h - the charts of a run's page, as SVG inside of HTML */
#ifndef ORIEL_CLI_BENCH_CHARTS_H
#define ORIEL_CLI_BENCH_CHARTS_H

#include "cli/bench_run.h"

#include <stdio.h>

/* Text as HTML shows it; NULL is none. */
void cli_bench_put_escaped(FILE *to, const char *value);

/* One for each size; nothing where the run measured no roofline. */
void cli_bench_draw_rooflines(FILE *to, const cli_bench_run *run);
/* Oriel's ops as shares of an encode and of a block of each kind, and the same by
   the budget. */
void cli_bench_draw_encode(FILE *to, const cli_bench_run *run);
/* Each op beside those who did the same. */
void cli_bench_draw_peers(FILE *to, const cli_bench_run *run);

#endif /* ORIEL_CLI_BENCH_CHARTS_H */
