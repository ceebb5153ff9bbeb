/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_list.c - any bytes as a list of names: the lines, put together again, are
 * the text, and UTF-16 gives UTF-8
 */
#include "base/utf8.h"
#include "cli/inputs.h"
#include "cli/list.h"
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"

#include <stdlib.h>
#include <string.h>

static bool
is_utf16(const uint8_t *data, size_t bytes)
{
    return bytes >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 ||
                          memcmp(data, "\xfe\xff", 2) == 0);
}

/* 'text' is taken apart; 'whole' is what it was. */
static void
check_lines(char *text, const char *whole, size_t bytes)
{
    char *const end = text + bytes;
    size_t at = 0;
    char *line;

    while ((line = cli_list_next_line(&text, end)) != NULL) {
        const size_t n = strlen(line);
        const size_t stop = (size_t)(text - 1 - (end - bytes));

        /* Names with a NUL are refused by inputs.c before. */
        FUZZ_CHECK(!memchr(line, '\n', n) && at + n <= bytes);
        FUZZ_CHECK(memcmp(line, whole + at, n) == 0);
        FUZZ_CHECK(stop == bytes || whole[stop] == '\n');
        at = stop + 1;
    }
    FUZZ_CHECK(at >= bytes);
}

static void
try_text(const uint8_t *data, size_t bytes)
{
    char *text = malloc(bytes + 1), *whole;
    oriel_status status;
    oriel_error err;
    size_t n = bytes;

    FUZZ_CHECK(text);
    if (bytes > 0)
        memcpy(text, data, bytes);
    text[bytes] = '\0';
    status = cli_list_decode(&text, &n, &err);
    FUZZ_CHECK(status == err.status);
    FUZZ_CHECK(status == ORIEL_OK || (status == ORIEL_ERR_INPUT && n == bytes &&
                                      is_utf16(data, bytes)));
    FUZZ_CHECK(text[n] == '\0');
    if (!status && is_utf16(data, bytes))
        FUZZ_CHECK(oriel_utf8_is_valid(text, n));
    if (!status) {
        whole = malloc(n + 1);
        FUZZ_CHECK(whole);
        memcpy(whole, text, n + 1);
        check_lines(text, whole, n);
        free(whole);
    }
    free(text);
}

/* As the tool reads it. */
static void
try_inputs(const uint8_t *data, size_t bytes, bool null_names)
{
    const char *path = fuzz_file("list", data, bytes);
    char operand[600] = "@";
    char *operands[] = {"first", operand};
    cli_inputs inputs;

    strncat(operand, path, sizeof(operand) - 2);
    memset(&inputs, 0, sizeof(inputs));
    FUZZ_CHECK(cli_inputs_collect(&inputs, 2, operands, null_names) == 0);
    FUZZ_CHECK(inputs.n >= 1 && inputs.n_bad <= 1);
    FUZZ_CHECK(strcmp(inputs.names[0], "first") == 0);
    FUZZ_CHECK(inputs.n_bad == 0 || inputs.n == 1);
    for (size_t i = 0; i < inputs.n; i++)
        FUZZ_CHECK(inputs.names[i][0] &&
                   (null_names || !strchr(inputs.names[i], '\n')));
    fuzz_accepted += inputs.n > 1;
    cli_inputs_free(&inputs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    try_text(data, bytes);
    try_inputs(data, bytes, false);
    try_inputs(data, bytes, true);
    return 0;
}
