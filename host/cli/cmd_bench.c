/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench.c - oriel bench: single ops, checked, timed and held against limits */
#include "base/fail.h"
#include "cli/bench_programs.h"
#include "cli/bench_run.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/signals.h"
#include "files/json_text.h"
#include "files/whole_file.h"
#include "oriel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Which device ------------------------------------------------------------------ */

/* A GPU is taken where there are both it and its program. */
static cli_device
choose_device(const cli_options *options)
{
    cli_device device = cli_device_parse(options->device);
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;
    char *program;

    if (device.device != ORIEL_DEVICE_AUTO)
        return device;
    program = cli_bench_program(CLI_BENCH_GPU);
    device.device = program && oriel_device_get_info(ORIEL_DEVICE_CUDA, 0,
                                                     &info, NULL) == ORIEL_OK
                        ? ORIEL_DEVICE_CUDA
                        : ORIEL_DEVICE_CPU;
    free(program);
    return device;
}

static int
check_flags(const cli_options *o, cli_device device)
{
    const bool cuda = device.device == ORIEL_DEVICE_CUDA;

    if (!cuda && o->kernels != ORIEL_KERNELS_AUTO)
        return cli_report_error(CLI_USAGE,
                                "--kernels: the CPU has one kind; expected "
                                "--device cuda");
    if (cuda && o->precision == ORIEL_PRECISION_FP32)
        return cli_report_error(CLI_USAGE, "--precision fp32: expected bf16 "
                                           "on a GPU");
    if (cuda && o->threads)
        return cli_report_error(CLI_USAGE, "--threads: expected --device cpu");
    if ((o->once || o->list) &&
        (o->json_file || o->csv || o->html || o->compare))
        return cli_report_error(CLI_USAGE,
                                "--%s times nothing: expected no --json, "
                                "--csv, --html or --compare",
                                o->once ? "once" : "list");
    return CLI_DONE;
}

/* What says "own" and "auto" to the program is what it says here. */
static const char *
kernels_word(int64_t kernels)
{
    return cli_choice_name("kernels", (int32_t)kernels);
}

/* ---- The program's words ------------------------------------------------------------ */

/* A list with commas into --NAME each; the copy is the caller's to free(). */
static char *
add_list(cli_bench_words *w, const char *flag, const char *list)
{
    char *copy = list ? strdup(list) : NULL, *rest = copy, *word;

    while ((word = copy ? strsep(&rest, ",") : NULL)) {
        cli_bench_add(w, flag);
        cli_bench_add(w, word);
    }
    return copy;
}

static void
add_value(cli_bench_words *w, const char *flag, const char *value)
{
    if (!value)
        return;
    cli_bench_add(w, flag);
    cli_bench_add(w, value);
}

static void
add_switch(cli_bench_words *w, const char *flag, bool given)
{
    if (given)
        cli_bench_add(w, flag);
}

typedef struct command_line {
    cli_bench_words words;
    char *program, *sizes, *rows;
    char repeats[24], threads[24], device[24];
} command_line;

static void
fill_command(command_line *c, const cli_options *o, cli_device device,
             const char *json)
{
    const bool cuda = device.device == ORIEL_DEVICE_CUDA;
    cli_bench_words *w = &c->words;

    cli_bench_add(w, c->program);
    add_value(w, "--op", o->op);
    add_value(w, "--model", o->model);
    c->sizes = add_list(w, "--size", o->size);
    c->rows = add_list(w, "--rows", o->rows);
    add_switch(w, "--hot", o->hot);
    add_switch(w, "--cold", o->cold);
    add_switch(w, "--once", o->once);
    add_switch(w, "--list", o->list);
    snprintf(c->repeats, sizeof(c->repeats), "%" PRId64, o->repeats);
    add_value(w, "--repeats", o->repeats ? c->repeats : NULL);
    snprintf(c->threads, sizeof(c->threads), "%" PRId64, o->threads);
    add_value(w, "--threads", o->threads ? c->threads : NULL);
    if (!cuda && o->precision == ORIEL_PRECISION_FP32)
        add_value(w, "--precision", "fp32");
    snprintf(c->device, sizeof(c->device), "%d", (int)device.index);
    add_value(w, "--device", cuda ? c->device : NULL);
    add_value(w, "--kernels", cuda ? kernels_word(o->kernels) : NULL);
    add_value(w, "--json", json);
}

static void
free_command(command_line *c)
{
    free(c->program);
    free(c->sizes);
    free(c->rows);
}

static int
report_absent(cli_device device)
{
    const bool cuda = device.device == ORIEL_DEVICE_CUDA;

    return cli_report_error(
        CLI_DEVICE,
        "%s is not installed; to build it%s: cmake --preset release%s && cmake "
        "--build --preset release --target oriel_benchmarks",
        cuda ? CLI_BENCH_GPU : CLI_BENCH_CPU, cuda ? " for one GPU" : "",
        cuda ? " -DORIEL_CUDA_ARCHITECTURES=native" : "");
}

/* The tool's exit status for a program's; it has said why itself. */
static int
exit_of(int status, const char *program)
{
    if (status == 0 || status == CLI_USAGE)
        return status;
    if (status < 0)
        return cli_report_error(CLI_OUTPUT, "%s cannot be run: %s",
                                ORIEL_QUOTE(program), strerror(errno));
    if (status > CLI_SIGNAL)
        return cli_report_error(status, "%s was ended by signal %d",
                                ORIEL_QUOTE(program), status - CLI_SIGNAL);
    return CLI_DEVICE;
}

/* ---- What follows the program ---------------------------------------------------------- */

/* Append a line for people on what was not there. */
static void
tell_absent(json_t *run, const char *line)
{
    json_t *absent = json_object_get(run, "absent");

    if (!absent) {
        absent = json_array();
        json_object_set_new(run, "absent", absent);
    }
    json_array_append_new(absent, json_string(line));
}

/* Append the rows and the lines of 'of', and what it says of its versions. */
static void
take_more(json_t *run, json_t *of)
{
    json_t *absent = json_object_get(of, "absent"), *entry;
    size_t i;

    json_array_extend(json_object_get(run, "rows"),
                      json_object_get(of, "rows"));
    json_array_foreach(absent, i, entry)
        tell_absent(run, json_string_value(entry));
    if (json_object_get(of, "versions"))
        json_object_set(run, "peers", json_object_get(of, "versions"));
}

static bool
has_python(const char *python)
{
    cli_bench_words w = {.n = 0};

    cli_bench_add(&w, python);
    cli_bench_add(&w, "-c");
    cli_bench_add(&w, "");
    return cli_bench_run_program(&w, CLI_BENCH_NOWHERE, true) == 0;
}

/* script.py RUN OUT: what it made, or NULL with a line in the run. */
static json_t *
run_script(json_t *run, const char *python, const char *name,
           const char *repeats, bool quiet)
{
    cli_bench_file in = {.fd = -1}, out = {.fd = -1};
    cli_bench_words w = {.n = 0};
    char *script = cli_bench_program(name), line[128];
    json_t *made = NULL;

    cli_bench_add(&w, python);
    cli_bench_add(&w, script);
    if (script && cli_bench_file_open(&in) && cli_bench_file_open(&out) &&
        cli_bench_file_write(&in, run)) {
        if (strcmp(name, "peer_torch.py") == 0)
            cli_bench_add(&w, "ops");
        cli_bench_add(&w, in.path);
        cli_bench_add(&w, out.path);
        add_value(&w, "--repeats", repeats);
        if (cli_bench_run_program(
                &w, quiet ? CLI_BENCH_NOWHERE : CLI_BENCH_STDERR, false) == 0)
            made = cli_bench_file_read(&out);
    }
    if (!made) {
        snprintf(line, sizeof(line), "%s: absent, or it failed", name);
        tell_absent(run, line);
    }
    cli_bench_file_close(&in);
    cli_bench_file_close(&out);
    free(script);
    return made;
}

/* Times by the budget of kernels/resources.txt, of our own kernels. */
static void
add_predictions(json_t *run, const char *python, bool quiet)
{
    json_t *made = run_script(run, python, "model.py", NULL, quiet);
    json_t *seconds = json_object_get(made, "predicted_s"), *entry;
    json_t *rows = json_object_get(run, "rows");
    size_t i;

    json_array_foreach(seconds, i, entry) if (json_is_number(entry))
        json_object_set(json_array_get(rows, i), "predicted_s", entry);
    json_decref(made);
}

static void
add_peers(json_t *run, const cli_options *o, cli_device device)
{
    const char *python = o->python ? o->python : "python3";
    char repeats[24];
    json_t *made;

    if (strcmp(python, "none") == 0)
        return;
    if (!has_python(python)) {
        tell_absent(run, "torch: absent, as there is no such python");
        return;
    }
    if (device.device == ORIEL_DEVICE_CUDA)
        add_predictions(run, python, o->quiet);
    snprintf(repeats, sizeof(repeats), "%" PRId64, o->repeats);
    made = run_script(run, python, "peer_torch.py", o->repeats ? repeats : NULL,
                      o->quiet);
    if (made)
        take_more(run, made);
    json_decref(made);
}

/* ---- Measuring ---------------------------------------------------------------------------- */

/* Run the program; what it wrote goes to '*out', unless it writes nothing. */
static int
run_program(const cli_options *o, cli_device device, json_t **out)
{
    const bool writes = !o->list && !o->once;
    cli_bench_file file = {.fd = -1};
    command_line c = {.program = cli_bench_program(
                          device.device == ORIEL_DEVICE_CUDA ? CLI_BENCH_GPU
                                                             : CLI_BENCH_CPU)};
    int failed = c.program ? CLI_DONE : report_absent(device);

    if (!failed && writes && !cli_bench_file_open(&file))
        failed = cli_report_memory("a benchmark's result");
    if (!failed) {
        fill_command(&c, o, device, writes ? file.path : NULL);
        failed = exit_of(cli_bench_run_program(&c.words,
                                               !writes    ? CLI_BENCH_STDOUT
                                               : o->quiet ? CLI_BENCH_NOWHERE
                                                          : CLI_BENCH_STDERR,
                                               false),
                         c.program);
    }
    /* Of a run in which something was wrong the rest is shown. */
    if (writes && (!failed || failed == CLI_DEVICE)) {
        *out = c.program ? cli_bench_file_read(&file) : NULL;
        if (*out && failed)
            failed = CLI_DONE;
        else if (!*out && !failed)
            failed = cli_report_error(CLI_INTERNAL, "%s wrote no JSON",
                                      ORIEL_QUOTE(c.program));
    }
    cli_bench_file_close(&file);
    free_command(&c);
    return failed;
}

static int
measure(const cli_options *o, json_t **out)
{
    const cli_device device = choose_device(o);
    int failed = check_flags(o, device);

    *out = NULL;
    if (!failed)
        failed = run_program(o, device, out);
    if (!failed && *out)
        add_peers(*out, o, device);
    return failed;
}

/* ---- Results ------------------------------------------------------------------------------- */

static int
write_file(const char *path, const char *bytes, size_t n,
           const cli_options *options)
{
    oriel_error err;

    if (!bytes)
        return cli_report_memory("a benchmark's result");
    if (oriel_whole_file_put(path, options->force, bytes, n, &cli_output_hooks,
                             &err))
        return cli_output_report(&err, path);
    return CLI_DONE;
}

static int
write_files(const cli_bench_run *run, const cli_options *o)
{
    int failed = CLI_DONE;
    size_t n = 0;
    char *text;

    if (o->json_file) {
        text = oriel_json_text(run->json, JSON_INDENT(1));
        failed = write_file(o->json_file, text, text ? strlen(text) : 0, o);
        free(text);
    }
    if (!failed && o->csv) {
        text = cli_bench_csv(run, &n);
        failed = write_file(o->csv, text, n, o);
        free(text);
    }
    if (!failed && o->html) {
        text = cli_bench_html(run, &n);
        failed = write_file(o->html, text, n, o);
        free(text);
    }
    return failed;
}

/* Table, files and comparison; whether Oriel is slower than before. */
static int
show(const cli_bench_run *run, const cli_bench_run *old, const cli_options *o)
{
    const json_int_t wrong =
        json_integer_value(json_object_get(run->json, "wrong"));
    size_t slower = 0;
    int failed;

    cli_bench_print(run);
    if (old)
        slower = cli_bench_compare(old, run);
    failed = write_files(run, o);
    if (!failed)
        failed = cli_report_flush();
    if (!failed && wrong)
        failed = cli_report_error(CLI_INTERNAL,
                                  "ops that were wrong or failed, and were not "
                                  "timed: %" JSON_INTEGER_FORMAT,
                                  wrong);
    if (!failed && slower)
        failed =
            cli_report_error(CLI_INPUTS, "ops that are slower than in %s: %zu",
                             ORIEL_QUOTE(o->compare), slower);
    return failed;
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    cli_bench_run now = {0}, old = {0};
    json_t *json = NULL;
    int failed;

    if (n_operands > 1)
        return cli_report_error(CLI_USAGE,
                                "bench: expected at most one file of --json");
    if (options->compare) {
        failed = cli_bench_load(&old, options->compare);
        if (failed)
            return failed;
    }
    if (n_operands == 1) {
        failed = cli_bench_load(&now, operands[0]);
    } else {
        failed = measure(options, &json);
        if (!failed && json)
            failed = cli_bench_take(&now, json, "the result");
    }
    if (!failed && now.json)
        failed = show(&now, options->compare ? &old : NULL, options);
    cli_bench_free(&now);
    cli_bench_free(&old);
    return failed;
}

const cli_command cli_cmd_bench = {
    .name = "bench",
    .usage = "[RUN.json] [--op REGEX]",
    .summary = "how fast single ops are here, beside limits and peers",
    .text =
        "Runs each op of the encoder alone on random operands: first three "
        "rows of its\n"
        "result are held against double precision, then it is timed. What is "
        "wrong is\n"
        "not timed. In the same run it measures what memory and products give "
        "at best\n"
        "here; \"roof\" is the op's share of that. Beside it are oneDNN on "
        "the CPU,\n"
        "cuBLASLt on a GPU, and torch where --python has it. On a GPU "
        "\"predicted\" is\n"
        "what the kernel's count of instructions allows (bench/model.py).\n"
        "\n"
        "RUN.json is a file of --json: it is shown again, and nothing is "
        "measured.\n"
        "\n"
        "Exit status 1: with --compare, an op is slower than before. That is "
        "said only\n"
        "where nine tenths of the samples are on one side of nine tenths of "
        "the other\n"
        "run's and the medians are more than 2 % apart, of 5 samples or "
        "more.\n"
        "\n"
        "It needs the benchmarks, which are built with the tests and "
        "installed into\n"
        "libexec/oriel; where they are absent it says how to build them.\n",
    .examples = "The products of a block, at two sizes.\n"
                "oriel bench --op 'qkv|proj|gate|down' --size "
                "448x448,64x448x448\n"
                "The CPU, with a page to look at.\n"
                "oriel bench --device cpu --json cpu.json --html cpu.html\n"
                "Is it slower than it was?\n"
                "oriel bench --compare before.json\n"
                "One launch of a kernel, for a profiler.\n"
                "ncu oriel bench --device cuda --op window --size 448x448 "
                "--once\n",
    .flag = CLI_BENCH,
    .run = run,
};
