/* SPDX-License-Identifier: Apache-2.0 */
/* inputs.c - the list of inputs, millions of names long if need be */
#include "cli/inputs.h"

#include "base/fail.h"
#include "cli/exits.h"
#include "cli/list.h"
#include "cli/read_file.h"
#include "cli/report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The whole text of one list; its separators become NUL bytes. */
struct cli_text_block {
    struct cli_text_block *next;
    char *text;
};

#define LIST_BYTES_MAX ((size_t)4 << 30)

/* Whether a file has this very name, be it a link to nowhere. */
static bool
is_file_name(const char *name)
{
    struct stat st;

    return lstat(name, &st) == 0;
}

static int
add(cli_inputs *inputs, const char *name)
{
    if (inputs->n == inputs->capacity) {
        size_t capacity = inputs->capacity ? 2 * inputs->capacity : 64;
        const char **names =
            reallocarray(inputs->names, capacity, sizeof(*names));

        if (!names)
            return cli_report_memory("the list of inputs");
        inputs->names = names;
        inputs->capacity = capacity;
    }
    inputs->names[inputs->n++] = name;
    return CLI_DONE;
}

static int
add_bad(cli_inputs *inputs, const char *name, const oriel_error *err)
{
    cli_bad_operand *bad =
        reallocarray(inputs->bad, inputs->n_bad + 1, sizeof(*bad));

    if (!bad)
        return cli_report_memory("the list of inputs");
    inputs->bad = bad;
    bad[inputs->n_bad].name = name;
    bad[inputs->n_bad++].err = *err;
    return CLI_DONE;
}

/* ---- Lists ------------------------------------------------------------- */

static int
add_null_ended(cli_inputs *inputs, char *text, size_t bytes)
{
    char *end = text + bytes; /* a NUL stands there */
    int failed = CLI_DONE;

    for (; text < end && !failed; text += strlen(text) + 1)
        if (*text)
            failed = add(inputs, text);
    return failed;
}

/* A line of blanks alone, or a comment, after blanks too; a file of just that
   name goes first. */
static bool
says_nothing(const char *line)
{
    const char *at = line + strspn(line, " \t");

    return (*at == '\0' || *at == '#') && !(*line && is_file_name(line));
}

static int
add_lines(cli_inputs *inputs, char *text, size_t bytes)
{
    char *end = text + bytes, *line;
    int failed = CLI_DONE;

    while (!failed && (line = cli_list_next_line(&text, end)))
        if (!says_nothing(line))
            failed = add(inputs, line);
    return failed;
}

/* The text of a list in 'block', good for add_lines if not 'null_names'. */
static oriel_status
load_list(struct cli_text_block *block, size_t *bytes, const char *name,
          bool null_names, oriel_error *err)
{
    oriel_status status =
        cli_read_file(name, LIST_BYTES_MAX, NULL, &block->text, bytes, err);

    if (status && status != ORIEL_ERR_MEMORY && status != ORIEL_ERR_CANCELLED)
        status = err->status = ORIEL_ERR_IO;
    if (status || null_names)
        return status;
    status = cli_list_decode(&block->text, bytes, err);
    /* A NUL in a list of lines would cut a name in two unnoticed. */
    if (!status && strlen(block->text) != *bytes)
        status = oriel_fail(err, ORIEL_ERR_INPUT,
                            "the list of inputs has a NUL byte at byte %zu: is "
                            "it one for --null?",
                            strlen(block->text));
    return status;
}

/* 'name' NULL: standard input. */
static int
add_list(cli_inputs *inputs, const char *operand, const char *name,
         bool null_names)
{
    struct cli_text_block *block = calloc(1, sizeof(*block));
    size_t bytes = 0;
    oriel_error err;
    oriel_status status;

    if (!block)
        return cli_report_memory("the list of inputs");
    block->next = inputs->blocks;
    inputs->blocks = block;
    status = load_list(block, &bytes, name, null_names, &err);
    if (status == ORIEL_ERR_MEMORY || status == ORIEL_ERR_CANCELLED)
        return cli_report_failure(&err, name ? name : "standard input");
    if (status)
        return add_bad(inputs, operand, &err);
    return null_names ? add_null_ended(inputs, block->text, bytes)
                      : add_lines(inputs, block->text, bytes);
}

/* ---- Operands ---------------------------------------------------------- */

static int
add_operand(cli_inputs *inputs, const char *operand, bool null_names)
{
    oriel_error err;

    if (strcmp(operand, "-") == 0)
        return add_list(inputs, operand, NULL, null_names);
    if (operand[0] == '@' && operand[1] && !is_file_name(operand))
        return add_list(inputs, operand, operand + 1, null_names);
    if (*operand)
        return add(inputs, operand);
    oriel_fail(&err, ORIEL_ERR_INPUT, "an input without a name");
    return add_bad(inputs, operand, &err);
}

/* There is nothing else to do: the first one's exit status. */
static int
report_bad(const cli_inputs *inputs)
{
    int exit_status = CLI_DONE;

    for (size_t i = 0; i < inputs->n_bad; i++) {
        const cli_bad_operand *bad = &inputs->bad[i];
        int failed =
            bad->err.status == ORIEL_ERR_IO
                ? cli_report_failure(&bad->err, bad->name)
                : cli_report_error(CLI_USAGE, "%s: %s", ORIEL_QUOTE(bad->name),
                                   bad->err.message);

        exit_status = exit_status ? exit_status : failed;
    }
    return exit_status;
}

int
cli_inputs_collect(cli_inputs *inputs, int n_operands, char **operands,
                   bool null_names)
{
    static char *from_stdin[] = {"-", NULL};
    int failed = CLI_DONE;

    if (n_operands == 0 && null_names) {
        operands = from_stdin;
        n_operands = 1;
    }
    for (int i = 0; i < n_operands && !failed; i++)
        failed = add_operand(inputs, operands[i], null_names);
    if (!failed && inputs->n == 0)
        failed = report_bad(inputs);
    return failed;
}

void
cli_inputs_free(cli_inputs *inputs)
{
    while (inputs->blocks) {
        struct cli_text_block *next = inputs->blocks->next;

        free(inputs->blocks->text);
        free(inputs->blocks);
        inputs->blocks = next;
    }
    free(inputs->names);
    free(inputs->bad);
    memset(inputs, 0, sizeof(*inputs));
}
