/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - JSON, names of files in it, numbers for people */
#ifndef ORIEL_CLI_TEXT_H
#define ORIEL_CLI_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A file name as a JSON string, reversibly: a backslash becomes two, a byte
 * that is not part of valid UTF-8 becomes \xNN.  NULL when memory is out.
 */
json_t *cli_text_name(const char *name);

/* An upper bound of its bytes inside JSON text that is itself a JSON string. */
size_t cli_text_name_bound(const char *name);

/*
 * JSON as text for a terminal, for the caller to free(): whatever characters
 * plain messages escape (base/fail.h) are written \uXXXX.  NULL when memory is
 * out or 'json' is NULL.
 */
char *cli_text_json(const json_t *json, size_t flags);

/* "11.2 MiB" */
typedef struct cli_amount {
    char text[32];
} cli_amount;
cli_amount cli_text_bytes(uint64_t bytes);
/* "1.35 TFLOP" */
cli_amount cli_text_flops(double flops);
/* "4.2 s", "3 min 20 s" */
cli_amount cli_text_seconds(double seconds);

#endif /* ORIEL_CLI_TEXT_H */
