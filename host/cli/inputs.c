/* SPDX-License-Identifier: Apache-2.0 */
/* inputs.c - the list of inputs, millions of names long if need be */
#include "cli/inputs.h"

#include "base/fail.h"
#include "cli/exits.h"
#include "cli/read_file.h"
#include "cli/report.h"
#include "cli/signals.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The whole text of one list; its separators become NUL bytes. */
struct cli_text_block {
    struct cli_text_block *next;
    char *text;
};

#define LIST_BYTES_MAX ((size_t)4 << 30)

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
add_lines(cli_inputs *inputs, char *text, size_t bytes, char separator)
{
    char *end = text + bytes;
    int failed = CLI_DONE;

    while (text < end && !failed) {
        char *stop = memchr(text, separator, (size_t)(end - text));

        if (!stop)
            stop = end; /* a NUL stands behind the text */
        *stop = '\0';
        /* A NUL in a list of lines would cut a name in two unnoticed. */
        if (strlen(text) != (size_t)(stop - text))
            return cli_report_error(
                CLI_USAGE,
                "the list of inputs has a NUL byte after %s: is it "
                "one for --null?",
                ORIEL_QUOTE(text));
        if (*text)
            failed = add(inputs, text);
        text = stop + 1;
    }
    return failed;
}

/* 'name' NULL: standard input. */
static int
add_list(cli_inputs *inputs, const char *name, bool null_names)
{
    struct cli_text_block *block = calloc(1, sizeof(*block));
    oriel_error err;
    size_t bytes;
    char *text;

    if (!block)
        return cli_report_memory("the list of inputs");
    block->next = inputs->blocks;
    inputs->blocks = block;
    if (cli_read_file(name, LIST_BYTES_MAX, NULL, &block->text, &bytes, &err)) {
        /* A list is no input: without it nobody knows what to do. */
        if (err.status != ORIEL_ERR_MEMORY && err.status != ORIEL_ERR_CANCELLED)
            err.status = ORIEL_ERR_IO;
        return cli_report_failure(&err, name ? name : "standard input");
    }
    text = block->text;
    return add_lines(inputs, text, bytes, null_names ? '\0' : '\n');
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
    for (int i = 0; i < n_operands && !failed; i++) {
        const char *operand = operands[i];

        if (strcmp(operand, "-") == 0)
            failed = add_list(inputs, NULL, null_names);
        else if (operand[0] == '@' && operand[1])
            failed = add_list(inputs, operand + 1, null_names);
        else if (!*operand)
            failed = cli_report_error(CLI_USAGE, "an input without a name");
        else
            failed = add(inputs, operand);
    }
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
    memset(inputs, 0, sizeof(*inputs));
}
