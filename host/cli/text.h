/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - names of files in JSON, numbers for people */
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
