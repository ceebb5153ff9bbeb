/* SPDX-License-Identifier: Apache-2.0 */
/* md5.h - RFC 1321, to compare with digests that other programs made */
#ifndef TESTS_PLAN_MD5_H
#define TESTS_PLAN_MD5_H

#include <stddef.h>
#include <stdint.h>

typedef struct md5 {
    uint32_t state[4];
    uint64_t bytes;
    unsigned char block[64];
} md5;

void md5_start(md5 *m);
void md5_add(md5 *m, const void *data, size_t bytes);
/* 32 hexadecimal digits and a NUL. */
void md5_finish(md5 *m, char digest[33]);

#endif /* TESTS_PLAN_MD5_H */
