/* SPDX-License-Identifier: Apache-2.0 */
/* picture.h - what must hold of any bytes that are given as an image file */
#ifndef TESTS_FUZZ_PICTURE_H
#define TESTS_FUZZ_PICTURE_H

#include "oriel.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Probe and decode, with and without transparency and orientation.  A buffer of
 * the size that was probed always fits, and what is accepted with both is
 * accepted without them.  Counts the pictures that came out in fuzz_accepted.
 */
void fuzz_picture(const uint8_t *data, size_t bytes);

#endif /* TESTS_FUZZ_PICTURE_H */
