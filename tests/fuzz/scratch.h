/* SPDX-License-Identifier: Apache-2.0 */
/* scratch.h - what targets share: an input taken apart, and files on the disk */
#ifndef TESTS_FUZZ_SCRATCH_H
#define TESTS_FUZZ_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

/* What is left of an input. */
typedef struct fuzz_input {
    const uint8_t *at;
    size_t bytes;
} fuzz_input;

/* The next 'bytes' of it, zeros after its end. */
void fuzz_take(fuzz_input *input, void *out, size_t bytes);
uint8_t fuzz_take_u8(fuzz_input *input);
uint16_t fuzz_take_u16(fuzz_input *input);
/* Up to the next NUL, which is skipped, or to the end. */
fuzz_input fuzz_take_text(fuzz_input *input);
/* At most so many bytes. */
fuzz_input fuzz_take_bytes(fuzz_input *input, size_t bytes);

/*
 * The path of 'name' in a folder of this process, in memory where there is one;
 * in one of a few static buffers.  The folder and its files are removed when the
 * process exits.
 */
const char *fuzz_path(const char *name);
/* The same, after these bytes were written into it. */
const char *fuzz_file(const char *name, const void *data, size_t bytes);

#endif /* TESTS_FUZZ_SCRATCH_H */
