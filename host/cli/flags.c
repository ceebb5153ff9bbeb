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

/* ---- Devices ---------------------------------------------------------------- */

/* The 'n' bytes at 'text' name one. */
static bool
take_device(cli_device *out, const char *text, size_t n)
{
    static const struct {
        const char *name;
        int32_t device;
    } names[] = {
        {"auto", ORIEL_DEVICE_AUTO},
        {"cpu", ORIEL_DEVICE_CPU},
        {"cuda", ORIEL_DEVICE_CUDA},
    };
    const size_t digits = n > 5 ? strspn(text + 5, "0123456789") : 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strlen(names[i].name) == n &&
            strncmp(text, names[i].name, n) == 0) {
            *out = (cli_device){names[i].device, 0};
            return true;
        }
    if (strncmp(text, "cuda:", 5) != 0 || digits == 0 || digits > 4 ||
        5 + digits != n)
        return false;
    *out = (cli_device){ORIEL_DEVICE_CUDA, (int32_t)strtol(text + 5, NULL, 10)};
    return true;
}

cli_device
cli_device_parse(const char *text)
{
    cli_device device = {ORIEL_DEVICE_AUTO, 0};

    if (text)
        (void)take_device(&device, text, strlen(text));
    return device;
}

static bool
has_device(const cli_device_list *list, cli_device device)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->devices[i].device == device.device &&
            list->devices[i].index == device.index)
            return true;
    return false;
}

bool
cli_device_list_parse(cli_device_list *list, const char *text)
{
    cli_device device;

    *list = (cli_device_list){.n = 0};
    if (!text)
        text = "auto";
    list->all = strcmp(text, "cuda:all") == 0;
    if (list->all)
        return true;
    for (;;) {
        const size_t n = strcspn(text, ",");

        if (list->n == CLI_DEVICES_MOST || !take_device(&device, text, n) ||
            has_device(list, device))
            return false;
        list->devices[list->n++] = device;
        if (text[n] == '\0')
            break;
        text += n + 1;
    }
    /* Which one auto is, nobody knows before. */
    return list->n == 1 ||
           !has_device(list, (cli_device){ORIEL_DEVICE_AUTO, 0});
}

/* ---- Parsing ---------------------------------------------------------------- */

static int
store(cli_options *options, const cli_flag *f, const char *text)
{
    char *field = (char *)options + f->offset;
    cli_device_list devices;
    cli_device device;

    switch (f->kind) {
    case CLI_SWITCH:
        *(bool *)(void *)field = true;
        return CLI_DONE;
    case CLI_NUMBER:
        return parse_number(f, text, (int64_t *)(void *)field);
    case CLI_CHOICE:
        return parse_choice(f, text, (int64_t *)(void *)field);
    case CLI_DEVICE_NAME:
        if (!take_device(&device, text, strlen(text)))
            return report_value(f, text, "auto, cpu, cuda or cuda:N");
        break;
    case CLI_DEVICE_NAMES:
        if (!cli_device_list_parse(&devices, text))
            return report_value(f, text,
                                "auto, cpu, cuda, cuda:N, cuda:all, or a list "
                                "of different ones such as cuda:0,cuda:1");
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
