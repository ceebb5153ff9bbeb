/* SPDX-License-Identifier: Apache-2.0 */
/* help.c - the help texts and the man page, made from the two tables */
#include "cli/help.h"

#include "cli/exits.h"

#include <stdio.h>
#include <string.h>

enum { HELP_COLUMN = 8, LINE_COLUMNS = 78 };

/* Words of 'text', wrapped, each line starting at 'column'. */
static void
print_wrapped(const char *text, int column)
{
    int at = column;

    printf("%*s", column, "");
    while (*text) {
        int n = (int)strcspn(text, " ");

        if (at > column && at + 1 + n > LINE_COLUMNS) {
            printf("\n%*s", column, "");
            at = column;
        }
        at += printf("%s%.*s", at > column ? " " : "", n, text);
        text += n;
        text += *text == ' ';
    }
    putchar('\n');
}

/* "--precision auto|bf16|fp32"; 'mark' is put round the flag's own name. */
static void
print_flag(const cli_flag *flag, const char *mark)
{
    if (flag->letter)
        printf("%s-%c%s, ", mark, flag->letter, mark);
    printf("%s--%s%s", mark, flag->name, mark);
    if (flag->argument)
        printf(" %s", flag->argument);
    if (flag->choices)
        for (const cli_choice *c = flag->choices; c->name; c++)
            printf("%c%s", c == flag->choices ? ' ' : '|', c->name);
}

/* What for, then the command below it. */
static void
print_examples(const char *examples, const char *before_text,
               const char *before_command)
{
    for (int line = 0; *examples; line++) {
        int n = (int)strcspn(examples, "\n");

        printf("%s%.*s\n", line % 2 ? before_command : before_text, n,
               examples);
        if (line % 2 && examples[n + 1])
            putchar('\n');
        examples += n + 1;
    }
}

static const char *const group_names[CLI_GROUPS] = {
    [CLI_GROUP_INPUT] = "Input",     [CLI_GROUP_SIZE] = "Size",
    [CLI_GROUP_COMPUTE] = "Compute", [CLI_GROUP_GPU] = "GPU",
    [CLI_GROUP_OUTPUT] = "Output",
};

/* The command's next flag in this group after 'flag', from the first if that is
   NULL; NULL: there is none. */
static const cli_flag *
next_flag(const cli_command *command, cli_flag_group group,
          const cli_flag *flag)
{
    for (flag = flag ? flag + 1 : cli_flags; flag->name; flag++)
        if ((flag->commands & command->flag) && flag->group == group)
            return flag;
    return NULL;
}

/* Whether the command's flags are of more than one group. */
static bool
has_groups(const cli_command *command)
{
    int n = 0;

    for (int group = 0; group < CLI_GROUPS; group++)
        n += next_flag(command, (cli_flag_group)group, NULL) != NULL;
    return n > 1;
}

static void
print_flags(const cli_command *command, cli_flag_group group)
{
    const cli_flag *flag = next_flag(command, group, NULL);

    if (!flag)
        return;
    if (has_groups(command))
        printf("%s flags:\n", group_names[group]);
    else
        puts("Flags:");
    for (; flag; flag = next_flag(command, group, flag)) {
        printf("  ");
        print_flag(flag, "");
        putchar('\n');
        print_wrapped(flag->help, HELP_COLUMN);
    }
    putchar('\n');
}

void
cli_help_command(const cli_command *command)
{
    printf("oriel %s - %s\n\nusage: oriel %s %s\n\n%s\n", command->name,
           command->summary, command->name, command->usage, command->text);
    for (int group = 0; group < CLI_GROUPS; group++)
        print_flags(command, (cli_flag_group)group);
    puts("Examples:");
    print_examples(command->examples, "  # ", "  ");
}

static const char tool_text[] =
    "Oriel runs the vision encoder of Qwen2.5-VL: photographs in, embeddings\n"
    "out, on any machine.\n";

static const char tool_examples[] =
    "How many tokens would these pictures cost? No model needed.\n"
    "oriel plan photo.jpg 1280x960\n"
    "Make a checkpoint with random weights to try things with (1.4 GB).\n"
    "oriel synth --config 7b --seed 1 model/\n"
    "Encode photographs.\n"
    "oriel encode *.jpg --model model/ -o embeddings.safetensors\n"
    "What does this machine offer?\n"
    "oriel doctor\n";

void
cli_help_tool(void)
{
    printf("usage: oriel COMMAND [ARGUMENT...]\n\n%s\nCommands:\n", tool_text);
    for (const cli_command *const *c = cli_commands; *c; c++)
        printf("  %-12s%s\n", (*c)->name, (*c)->summary);
    puts("\noriel COMMAND --help explains a command, with examples.\n");
    puts("Examples:");
    print_examples(tool_examples, "  # ", "  ");
    puts("\nExit status:");
    for (int i = 0; cli_exit_meaning(i); i++) {
        printf("  %d  ", i);
        printf("%s\n", cli_exit_meaning(i));
    }
    puts("  130, 143  stopped by INT or TERM, at a clean boundary");
}

/* scdoc gives _, * and \ a meaning of their own, and others at a line's
   beginning. */
static void
print_man_character(char c, bool literal)
{
    if (!literal && strchr("_*\\#<>[]|~", c))
        putchar('\\');
    putchar(c);
}

static void
print_man_text(const char *text)
{
    while (*text)
        print_man_character(*text++, false);
}

/* Lines that begin with a space are a table: shown as they are. */
static void
print_man_paragraphs(const char *text)
{
    bool literal = false;

    while (*text) {
        size_t n = strcspn(text, "\n");

        if (n > 0 && (*text == ' ') != literal) {
            puts("```");
            literal = !literal;
        }
        if (!literal && *text == '-')
            putchar('\\'); /* no entry of a list */
        for (size_t i = 0; i < n; i++)
            print_man_character(text[i], literal);
        putchar('\n');
        text += n + (text[n] == '\n');
    }
    if (literal)
        puts("```");
}

static void
print_man_flags(const cli_command *command, cli_flag_group group)
{
    const cli_flag *flag = next_flag(command, group, NULL);

    if (flag && has_groups(command))
        printf("%s flags:\n\n", group_names[group]);
    for (; flag; flag = next_flag(command, group, flag)) {
        if (flag->offset == offsetof(cli_options, help))
            continue;
        print_flag(flag, "*");
        printf("\n\t");
        print_man_text(flag->help);
        printf("\n\n");
    }
}

static void
print_man_command(const cli_command *command)
{
    /* scdoc passes headings on as they are, backslashes included. */
    printf("## oriel %s %s\n\n", command->name, command->usage);
    print_man_paragraphs(command->text);
    putchar('\n');
    for (int group = 0; group < CLI_GROUPS; group++)
        print_man_flags(command, (cli_flag_group)group);
    puts("Examples:\n");
    puts("```");
    print_examples(command->examples, "# ", "");
    puts("```\n");
}

void
cli_help_man(void)
{
    puts("ORIEL(1)\n\n# NAME\n\n"
         "oriel - the Qwen2.5-VL vision encoder: photographs in, embeddings "
         "out\n\n# SYNOPSIS\n");
    for (const cli_command *const *c = cli_commands; *c; c++) {
        printf("*oriel %s* ", (*c)->name);
        print_man_text((*c)->usage);
        puts(c[1] ? "++" : "");
    }
    puts("\n# DESCRIPTION\n");
    print_man_text(tool_text);
    puts("\n# COMMANDS\n");
    for (const cli_command *const *c = cli_commands; *c; c++)
        print_man_command(*c);
    puts("# EXIT STATUS\n");
    for (int i = 0; cli_exit_meaning(i); i++) {
        printf("*%d*\n\t", i);
        print_man_text(cli_exit_meaning(i));
        puts("\n");
    }
    puts("*130*, *143*\n\tstopped by INT or TERM, at a clean boundary\n\n"
         "# SIGNALS\n\n"
         "INT, TERM and HUP stop the tool before its next step; a later "
         "one kills\nit. Either way no output appears, and none is left "
         "half-written; only extract\nkeeps what is done, and says how to "
         "go on.");
}
