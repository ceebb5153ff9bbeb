/* SPDX-License-Identifier: Apache-2.0 */
/* suggest.c - edit distance with transpositions */
#include "cli/suggest.h"

#include <string.h>

enum { LONGEST = 32 }; /* no word of ours is longer */

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours each cost 1. */
static size_t
edit_distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t cost[LONGEST + 1][LONGEST + 1];

    for (size_t i = 0; i <= n_a; i++)
        cost[i][0] = i;
    for (size_t j = 0; j <= n_b; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= n_a; i++)
        for (size_t j = 1; j <= n_b; j++) {
            size_t replace = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

            cost[i][j] =
                least(replace, least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                cost[i][j] = least(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    return cost[n_a][n_b];
}

void
cli_suggest(cli_suggestion *suggestion, const char *word, const char *candidate)
{
    size_t n_word = strlen(word);
    size_t n_candidate = strlen(candidate);
    size_t distance;

    if (n_word == 0 || n_word > LONGEST || n_candidate > LONGEST)
        return;
    if (n_word >= 3 && strncmp(word, candidate, n_word) == 0)
        distance = 1; /* the beginning of it */
    else
        distance = edit_distance(word, n_word, candidate, n_candidate);
    /* --foo is near enough to --force, --bar is not. */
    if (distance > 1 + n_candidate / 2)
        return;
    if (!suggestion->best || distance < suggestion->distance) {
        suggestion->best = candidate;
        suggestion->distance = distance;
    }
}
