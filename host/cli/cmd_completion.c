/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_completion.c - oriel completion bash|man: texts for other programs */
#include "base/fail.h"
#include "cli/exits.h"
#include "cli/help.h"
#include "cli/report.h"

#include <stdio.h>
#include <string.h>

/* "auto|cpu|cuda[:N]" as words; what stands for something else is left out. */
static void
print_words(const char *argument)
{
    while (*argument) {
        size_t n = strcspn(argument, "|");
        size_t word = strcspn(argument, "|[");

        if (argument[0] < 'A' || argument[0] > 'Z')
            printf("%.*s ", (int)word, argument);
        argument += n + (argument[n] == '|');
    }
}

/* The values of the flag before the cursor, one case a flag. */
static void
print_values(const cli_command *command)
{
    for (const cli_flag *f = cli_flags; f->name; f++) {
        if (!(f->commands & command->flag) || f->kind == CLI_SWITCH)
            continue;
        printf("    %s:--%s", command->name, f->name);
        if (f->letter)
            printf("|%s:-%c", command->name, f->letter);
        printf(") value=%s words=\"", f->kind == CLI_FILE ? "file" : "word");
        if (f->argument)
            print_words(f->argument);
        for (const cli_choice *c = f->choices; c && c->name; c++)
            printf("%s ", c->name);
        puts("\" ;;");
    }
}

static void
print_flags(const cli_command *command)
{
    printf("        %s) words=\"", command->name);
    for (const cli_flag *f = cli_flags; f->name; f++)
        if (f->commands & command->flag)
            printf("--%s ", f->name);
    puts("\" ;;");
}

static void
print_bash(void)
{
    puts("# bash completion for oriel: eval \"$(oriel completion bash)\"\n"
         "_oriel()\n{\n"
         "    local current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
         "    local previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
         "    local command=\"${COMP_WORDS[1]}\" words=\"\" value=\"\"\n"
         "    COMPREPLY=()\n"
         "    if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("        words=\"");
    for (const cli_command *const *c = cli_commands; *c; c++)
        printf("%s ", (*c)->name);
    puts("--help --version\"\n"
         "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "        return\n"
         "    fi\n"
         "    case \"$command:$previous\" in");
    for (const cli_command *const *c = cli_commands; *c; c++)
        print_values(*c);
    puts("    completion:completion) value=word words=\"bash man\" ;;");
    puts("    esac\n"
         "    if [ -z \"$value\" ] && [ \"${current:0:1}\" = - ]; then\n"
         "        case \"$command\" in");
    for (const cli_command *const *c = cli_commands; *c; c++)
        print_flags(*c);
    puts("        esac\n"
         "        value=word\n"
         "    fi\n"
         "    [ \"$value\" = word ] &&\n"
         "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "}\n"
         "complete -o default -F _oriel oriel");
}

static int
run(const cli_options *options, int n_operands, char **operands)
{
    (void)options;
    if (n_operands != 1)
        return cli_report_error(CLI_USAGE, "completion: expected bash or man");
    if (strcmp(operands[0], "bash") == 0)
        print_bash();
    else if (strcmp(operands[0], "man") == 0)
        cli_help_man();
    else
        return cli_report_error(CLI_USAGE,
                                "completion %s: expected bash or man",
                                ORIEL_QUOTE(operands[0]));
    return CLI_DONE;
}

const cli_command cli_cmd_completion = {
    .name = "completion",
    .usage = "bash|man",
    .summary = "print the completion script for bash, or the man page",
    .text = "bash prints a script that completes commands, flags and their\n"
            "values.  man prints the man page in scdoc's language.\n",
    .examples = "Complete in this shell.\n"
                "eval \"$(oriel completion bash)\"\n"
                "Complete in every shell to come.\n"
                "oriel completion bash > "
                "~/.local/share/bash-completion/completions/oriel\n"
                "Read the manual.\n"
                "oriel completion man | scdoc > oriel.1; man ./oriel.1\n",
    .flag = CLI_COMPLETION,
    .run = run,
};
