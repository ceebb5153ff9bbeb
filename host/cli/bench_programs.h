/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_programs.h - the programs of libexec/oriel, found and run
 *
 * They lie in ../libexec/oriel of the tool's own folder, or beside the tool in a
 * build folder. No shell is between.
 */
#ifndef ORIEL_CLI_BENCH_PROGRAMS_H
#define ORIEL_CLI_BENCH_PROGRAMS_H

#include <jansson.h>
#include <stdbool.h>

#define CLI_BENCH_CPU "oriel_bench_cpu_ops"
#define CLI_BENCH_GPU "oriel_gpu_ops"

/* The path of a program or script for the caller to free(); NULL: absent, or
   memory is out. */
char *cli_bench_program(const char *name);

/* Words of a command line; 'full' once there were too many. */
enum { CLI_BENCH_WORDS = 64 };
typedef struct cli_bench_words {
    const char *words[CLI_BENCH_WORDS + 1]; /* ends with NULL */
    int n;
    bool full;
} cli_bench_words;
void cli_bench_add(cli_bench_words *w, const char *word);

/* Where the lines go that a program prints. */
typedef enum cli_bench_lines {
    CLI_BENCH_STDOUT,
    CLI_BENCH_STDERR,
    CLI_BENCH_NOWHERE
} cli_bench_lines;

/*
 * Run it to its end: its exit status, 128 + the signal that ended it, or -1 with
 * errno where it did not start.  With 'silent' its standard error is dropped.
 */
int cli_bench_run_program(const cli_bench_words *w, cli_bench_lines lines,
                          bool silent);

/* A file in memory that a child can open by this name. */
typedef struct cli_bench_file {
    int fd; /* -1: none */
    char path[32];
} cli_bench_file;
/* false with errno. */
bool cli_bench_file_open(cli_bench_file *f);
/* What it holds as JSON; NULL when that is none. */
json_t *cli_bench_file_read(const cli_bench_file *f);
bool cli_bench_file_write(const cli_bench_file *f, const json_t *json);
void cli_bench_file_close(cli_bench_file *f);

#endif /* ORIEL_CLI_BENCH_PROGRAMS_H */
