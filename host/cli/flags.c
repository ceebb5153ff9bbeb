/* SPDX-License-Identifier: Apache-2.0 */
/* flags.c - getopt_long driven by the table */
#include "cli/flags.h"

#include "base/fail.h"
#include "cli/command.h"
#include "cli/exits.h"
#include "cli/report.h"
#include "cli/suggest.h"
#include "oriel.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FLAGS = 64, FIRST_LONG = 256 };

/* What getopt_long wants, for one subcommand. */
typedef struct parser {
    const char *command;
    const cli_flag *flags[MAX_FLAGS]; /* by value minus FIRST_LONG */
    struct option longs[MAX_FLAGS + 1];
    char letters[2 + 2 * MAX_FLAGS];
    int n;
} parser;

static void
parser_fill(parser *p, uint32_t command)
{
    char *letter = p->letters;

    memset(p, 0, sizeof(*p));
    p->command = cli_command_of(command)->name;
    *letter++ = ':'; /* tell a missing argument from an unknown flag */
    for (const cli_flag *f = cli_flags; f->name && p->n < MAX_FLAGS; f++) {
        if (!(f->commands & command))
            continue;
        p->flags[p->n] = f;
        p->longs[p->n].name = f->name;
        p->longs[p->n].has_arg =
            f->kind == CLI_SWITCH ? no_argument : required_argument;
        p->longs[p->n].val = FIRST_LONG + p->n;
        p->n++;
        if (f->letter) {
            *letter++ = f->letter;
            if (f->kind != CLI_SWITCH)
                *letter++ = ':';
        }
    }
}

static const cli_flag *
flag_by_value(const parser *p, int value)
{
    if (value >= FIRST_LONG && value < FIRST_LONG + p->n)
        return p->flags[value - FIRST_LONG];
    for (int i = 0; i < p->n; i++)
        if (p->flags[i]->letter && p->flags[i]->letter == value)
            return p->flags[i];
    return NULL;
}

static const cli_flag *
flag_by_name(const parser *p, const char *name, size_t n)
{
    for (int i = 0; i < p->n; i++)
        if (strlen(p->flags[i]->name) == n &&
            memcmp(p->flags[i]->name, name, n) == 0)
            return p->flags[i];
    return NULL;
}

/* "oriel encode: unknown flag --foo, did you mean --force?" */
static int
report_unknown(const parser *p, const char *argument, char letter)
{
    const char *equals = strchr(argument, '=');
    size_t n = equals ? (size_t)(equals - argument) : strlen(argument);
    oriel_quoted quoted = oriel_quote_bytes(argument, n);
    cli_suggestion nearest = {NULL, 0};
    char word[64];

    if (letter)
        return cli_report_error(
            CLI_USAGE, "unknown flag -%c (oriel %s --help lists what there is)",
            letter, p->command);
    if (n > 2 && n - 2 < sizeof(word)) {
        memcpy(word, argument + 2, n - 2);
        word[n - 2] = '\0';
        for (int i = 0; i < p->n; i++)
            cli_suggest(&nearest, word, p->flags[i]->name);
    }
    if (nearest.best)
        return cli_report_error(CLI_USAGE,
                                "unknown flag %s, did you mean --%s?",
                                quoted.text, nearest.best);
    return cli_report_error(
        CLI_USAGE, "unknown flag %s (oriel %s --help lists what there is)",
        quoted.text, p->command);
}

static int
report_value(const cli_flag *f, const char *text, const char *expected)
{
    return cli_report_error(CLI_USAGE, "--%s %s: expected %s", f->name,
                            ORIEL_QUOTE(text), expected);
}

static int
parse_number(const cli_flag *f, const char *text, int64_t *value)
{
    char expected[80];
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && !isspace(*text) &&
        number >= f->low && number <= f->high) {
        *value = number;
        return CLI_DONE;
    }
    snprintf(expected, sizeof(expected),
             "a whole number from %" PRId64 " to %" PRId64, f->low, f->high);
    return report_value(f, text, expected);
}

static int
parse_choice(const cli_flag *f, const char *text, int64_t *value)
{
    char expected[200] = "";
    size_t n = 0;

    for (const cli_choice *c = f->choices; c->name; c++) {
        if (strcmp(c->name, text) == 0) {
            *value = c->value;
            return CLI_DONE;
        }
        n += (size_t)snprintf(expected + n, sizeof(expected) - n, "%s%s",
                              n == 0      ? ""
                              : c[1].name ? ", "
                                          : " or ",
                              c->name);
    }
    return report_value(f, text, expected);
}

int
cli_flags_report_missing(const char *command, const char *const *what)
{
    char list[400] = "";
    size_t n = 0;

    if (!what[0])
        return CLI_DONE;
    for (size_t i = 0; what[i] && n < sizeof(list); i++)
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
                              i == 0        ? ""
                              : what[i + 1] ? ", "
                                            : " and ",
                              what[i]);
    return cli_report_error(CLI_USAGE, "%s needs %s; oriel %s --help shows how",
                            command, list, command);
}

void
cli_device_parse(const char *text, int32_t *device, int32_t *index)
{
    *index = 0;
    if (!text || strcmp(text, "auto") == 0)
        *device = ORIEL_DEVICE_AUTO;
    else if (strcmp(text, "cpu") == 0)
        *device = ORIEL_DEVICE_CPU;
    else {
        *device = ORIEL_DEVICE_CUDA;
        if (text[4] == ':')
            *index = (int32_t)strtol(text + 5, NULL, 10);
    }
}

static bool
device_is_valid(const char *text)
{
    size_t digits;

    if (strcmp(text, "auto") == 0 || strcmp(text, "cpu") == 0 ||
        strcmp(text, "cuda") == 0)
        return true;
    if (strncmp(text, "cuda:", 5) != 0)
        return false;
    digits = strspn(text + 5, "0123456789");
    return digits >= 1 && digits <= 4 && text[5 + digits] == '\0';
}

static int
store(cli_options *options, const cli_flag *f, const char *text)
{
    char *field = (char *)options + f->offset;

    switch (f->kind) {
    case CLI_SWITCH:
        *(bool *)(void *)field = true;
        return CLI_DONE;
    case CLI_NUMBER:
        return parse_number(f, text, (int64_t *)(void *)field);
    case CLI_CHOICE:
        return parse_choice(f, text, (int64_t *)(void *)field);
    case CLI_DEVICE_NAME:
        if (!device_is_valid(text))
            return report_value(f, text, "auto, cpu, cuda or cuda:N");
        break;
    case CLI_TEXT:
    case CLI_FILE:
        if (!*text)
            return report_value(f, "\"\"", "a name");
        break;
    }
    *(const char **)(void *)field = text;
    return CLI_DONE;
}

/* The word that getopt_long just took for flag 'value'. */
static const char *
flag_word(const parser *p, int value, char **args)
{
    const char *word = args[optind - 1];

    /* The last word may be the flag's argument. */
    if (p->longs[value - FIRST_LONG].has_arg &&
        (strncmp(word, "--", 2) != 0 || !strchr(word, '=')))
        word = args[optind - 2];
    return word;
}

/* getopt_long completes beginnings; scripts would break with the next flag. */
static bool
is_abbreviated(const parser *p, int value, char **args)
{
    const char *word;

    if (value < FIRST_LONG)
        return false;
    word = flag_word(p, value, args) + 2;
    return flag_by_name(p, word, strcspn(word, "=")) == NULL;
}

/* After '?' or ':': what was wrong with the word before optind. */
static int
report_mistake(const parser *p, int value, char **args)
{
    const char *word = args[optind - 1];
    const cli_flag *f = flag_by_value(p, optopt);

    if (value == ':' && f)
        return cli_report_error(CLI_USAGE, "--%s needs a value", f->name);
    if (f && strncmp(word, "--", 2) == 0 && strchr(word, '='))
        return cli_report_error(CLI_USAGE, "--%s takes no value", f->name);
    return report_unknown(
        p, word, optopt > 0 && optopt < FIRST_LONG ? (char)optopt : '\0');
}

int
cli_flags_parse(cli_options *options, uint32_t command, int n_args, char **args,
                int *first)
{
    parser p;
    int value;

    options->resample = options->sizing = options->alpha = CLI_NOT_GIVEN;
    options->layer = CLI_NOT_GIVEN;
    parser_fill(&p, command);
    opterr = 0;
    optind = 1;
    while ((value = getopt_long(n_args, args, p.letters, p.longs, NULL)) !=
           -1) {
        const cli_flag *f = flag_by_value(&p, value);
        int failed;

        if (value == '?' || value == ':' || !f)
            return report_mistake(&p, value, args);
        if (is_abbreviated(&p, value, args))
            return report_unknown(&p, flag_word(&p, value, args), '\0');
        failed = store(options, f, optarg);
        if (failed)
            return failed;
    }
    *first = optind;
    return CLI_DONE;
}
