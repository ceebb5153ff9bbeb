/* SPDX-License-Identifier: Apache-2.0 */
/* suggest.h - the word that a mistyped one was probably meant to be */
#ifndef ORIEL_CLI_SUGGEST_H
#define ORIEL_CLI_SUGGEST_H

#include <stddef.h>

typedef struct cli_suggestion {
    const char *best; /* NULL: nothing is near enough */
    size_t distance;
} cli_suggestion;

/* Weigh 'candidate' against the best so far.  Start from {NULL, 0}. */
void cli_suggest(cli_suggestion *suggestion, const char *word,
                 const char *candidate);

#endif /* ORIEL_CLI_SUGGEST_H */
