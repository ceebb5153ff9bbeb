/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/md5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const int rotations[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

/* Which word of the block step i mixes in, by round. */
static int
word(int i)
{
    switch (i / 16) {
    case 0:
        return i;
    case 1:
        return (5 * i + 1) % 16;
    case 2:
        return (3 * i + 5) % 16;
    default:
        return (7 * i) % 16;
    }
}

static uint32_t
mix(int i, uint32_t b, uint32_t c, uint32_t d)
{
    switch (i / 16) {
    case 0:
        return (b & c) | (~b & d);
    case 1:
        return (d & b) | (~d & c);
    case 2:
        return b ^ c ^ d;
    default:
        return c ^ (b | ~d);
    }
}

static void
compress(md5 *m)
{
    uint32_t x[16], a = m->state[0], b = m->state[1], c = m->state[2],
                    d = m->state[3];

    memcpy(x, m->block, sizeof(x));
    for (int i = 0; i < 64; i++) {
        /* The constants are defined as these sines. */
        const uint32_t k = (uint32_t)(fabs(sin(i + 1.0)) * 0x1p32);
        const int s = rotations[i / 16][i % 4];
        const uint32_t f = a + mix(i, b, c, d) + k + x[word(i)];

        a = d;
        d = c;
        c = b;
        b += f << s | f >> (32 - s);
    }
    m->state[0] += a;
    m->state[1] += b;
    m->state[2] += c;
    m->state[3] += d;
}

void
md5_start(md5 *m)
{
    *m = (md5){.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void
md5_add(md5 *m, const void *data, size_t bytes)
{
    const unsigned char *from = data;

    while (bytes) {
        const size_t used = m->bytes % 64;
        const size_t take = bytes < 64 - used ? bytes : 64 - used;

        memcpy(m->block + used, from, take);
        m->bytes += take;
        from += take;
        bytes -= take;
        if (m->bytes % 64 == 0)
            compress(m);
    }
}

void
md5_finish(md5 *m, char digest[33])
{
    const uint64_t bits = m->bytes * 8;

    md5_add(m, "\x80", 1);
    while (m->bytes % 64 != 56)
        md5_add(m, "", 1);
    md5_add(m, &bits, sizeof(bits));
    for (int i = 0; i < 16; i++)
        sprintf(digest + 2 * i, "%02x",
                (unsigned)(m->state[i / 4] >> (i % 4 * 8) & 0xff));
}
