/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail.h - how every function of the library says what went wrong
 *
 * A message names the file, the field or tensor, and what was expected.  Text
 * from outside goes through oriel_quote first: it is escaped and shortened
 * there, so that the expectation after it always fits.
 */
#ifndef ORIEL_BASE_FAIL_H
#define ORIEL_BASE_FAIL_H

#include "oriel.h"

/* Store success in 'err' (NULL is fine) and return ORIEL_OK. */
oriel_status oriel_ok(oriel_error *err);

/* Store a status and its message; return the status. */
__attribute__((format(printf, 3, 4))) oriel_status oriel_fail(
    oriel_error *err, oriel_status status, const char *format, ...);

/* The same for item 'item' of a batch.  The message does not repeat the number:
   err->item has it, and a caller may know the item by another name. */
__attribute__((format(printf, 4, 5))) oriel_status oriel_fail_item(
    oriel_error *err, oriel_status status, int64_t item, const char *format,
    ...);

/* The same with an errno or cudaError_t; ": <strerror>" is not added. */
__attribute__((format(printf, 4, 5))) oriel_status oriel_fail_cause(
    oriel_error *err, oriel_status status, int32_t cause, const char *format,
    ...);

/* "out of memory: wanted N bytes for WHAT" */
oriel_status oriel_fail_memory(oriel_error *err, size_t bytes,
                               const char *what);

/*
 * Whose fault an errno is: ORIEL_ERR_MEMORY, or ORIEL_ERR_IO for what would befall
 * any other file as well (no more files can be opened, a disk fails), else
 * 'otherwise'.
 */
oriel_status oriel_errno_status(int error, oriel_status otherwise);

/* The same of what dlerror() says, which ends with an errno's text if it was one:
   dlopen itself does not keep errno. */
oriel_status oriel_load_status(const char *reason, oriel_status otherwise);

/*
 * Text from a file or a command line, made fit for one line of UTF-8: control
 * characters and broken sequences become \xNN, what is longer than the buffer
 * keeps both of its ends around "...".
 */
typedef struct oriel_quoted {
    char text[160];
} oriel_quoted;
oriel_quoted oriel_quote(const char *text);
oriel_quoted oriel_quote_bytes(const char *text, size_t n_bytes);
#define ORIEL_QUOTE(string) (oriel_quote(string).text)

#endif /* ORIEL_BASE_FAIL_H */
