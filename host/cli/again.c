/* SPDX-License-Identifier: Apache-2.0 */
/* again.c - the command line, for a line that says how to go on */
#include "cli/again.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static char **kept; /* flags first once getopt has sorted them */
static int n_kept;

void
cli_again_keep(int n_args, char **args)
{
    kept = args;
    n_kept = n_args;
}

static char *
put_bytes(char *out, const char *bytes, size_t n)
{
    memcpy(out, bytes, n);
    return out + n;
}

/* Append " WORD", in quotes if a shell would see more in it than a word. */
static char *
put_word(char *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "@%+=:,./-_";
    const size_t n = strlen(word);

    *out++ = ' ';
    if (n > 0 && strspn(word, plain) == n)
        return put_bytes(out, word, n);
    *out++ = '\'';
    for (size_t i = 0; i < n; i++)
        out = word[i] == '\'' ? put_bytes(out, "'\\''", 4)
                              : put_bytes(out, word + i, 1);
    *out++ = '\'';
    return out;
}

char *
cli_again_text(const char *flag)
{
    size_t room = strlen("oriel") + strlen(flag) + 4;
    bool said = false;
    char *text, *out;

    for (int i = 0; i < n_kept; i++) {
        room += 4 * strlen(kept[i]) + 3;
        said = said || strcmp(kept[i], flag) == 0;
    }
    text = malloc(room);
    if (!text)
        return NULL;
    out = put_bytes(text, "oriel", 5);
    for (int i = 0; i < n_kept; i++) {
        out = put_word(out, kept[i]);
        if (i == 0 && !said) /* before any "--" */
            out = put_word(out, flag);
    }
    *out = '\0';
    return text;
}
