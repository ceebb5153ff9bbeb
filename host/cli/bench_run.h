/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_run.h - one run of the benchmarks: rows, and what they are held against
 *
 * Its JSON is what "oriel bench --json" writes and what the programs under
 * libexec/oriel give (bench/README.md).  Rates and shares follow from it, so a
 * file that lacks them shows the same as the run that wrote it.
 */
#ifndef ORIEL_CLI_BENCH_RUN_H
#define ORIEL_CLI_BENCH_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define CLI_BENCH_FORMAT "oriel bench 1"

/* Texts belong to the run's JSON. */
typedef struct cli_bench_row {
    const char *size, *step, *op, *by;
    const char *cache; /* NULL: checked, not timed */
    double a_call;     /* how often one encode runs it */
    double rows, columns, depth, bytes, flops;
    double median, p10, p90; /* seconds */
    double n;                /* samples */
    double predicted;        /* seconds by the budget; 0: there is none */
    double sm_mhz;           /* 0: not known */
    const char *throttled;   /* NULL: not known; "": nothing held it back */
    double share;            /* of the roofline; 0: not known */
} cli_bench_row;

typedef struct cli_bench_run {
    json_t *json;                    /* the whole of it */
    const char *name;                /* of the device */
    double bytes_per_s, flops_per_s; /* the roofline; 0: not measured */
    cli_bench_row *rows;
    size_t n;
} cli_bench_run;

/*
 * Take 'json' (its reference too) apart.  CLI_DONE; or reports, with 'file' and
 * the field that is wrong, and returns CLI_INPUTS or CLI_MEMORY.
 */
int cli_bench_take(cli_bench_run *run, json_t *json, const char *file);
/* The same from a file that --json wrote. */
int cli_bench_load(cli_bench_run *run, const char *file);
void cli_bench_free(cli_bench_run *run);

/* The row of 'run' that has the size, step, op, by and cache of 'like'; NULL:
   none was timed. */
const cli_bench_row *cli_bench_find(const cli_bench_run *run,
                                    const cli_bench_row *like);

/* ---- What can be made of it --------------------------------------------------- */

/* On standard output. */
void cli_bench_print(const cli_bench_run *run);

/* Text for the caller to free(); NULL when memory is out. */
char *cli_bench_csv(const cli_bench_run *run, size_t *bytes);
char *cli_bench_html(const cli_bench_run *run, size_t *bytes);

/*
 * Faster or slower only where nine tenths of one run's samples are on one side of
 * nine tenths of the other's and the medians are more than 2 % apart; with fewer
 * than five samples nobody can tell.
 */
typedef enum cli_bench_verdict {
    CLI_BENCH_NOISE,
    CLI_BENCH_FASTER,
    CLI_BENCH_SLOWER,
    CLI_BENCH_UNKNOWN
} cli_bench_verdict;
cli_bench_verdict cli_bench_judge(const cli_bench_row *old,
                                  const cli_bench_row *now);

/* Print each row of 'now' that 'old' has too; how many of Oriel's are slower. */
size_t cli_bench_compare(const cli_bench_run *old, const cli_bench_run *now);

/* ---- Numbers for people --------------------------------------------------------- */

typedef struct cli_bench_text {
    char text[32];
} cli_bench_text;
/* "12.3 us", "1.23 ms" */
cli_bench_text cli_bench_seconds(double seconds);
/* What memory and tensor cores give for this row, in one second. */
double cli_bench_bytes_per_s(const cli_bench_row *row);
double cli_bench_flops_per_s(const cli_bench_row *row);

#endif /* ORIEL_CLI_BENCH_RUN_H */
