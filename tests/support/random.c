/* SPDX-License-Identifier: Apache-2.0 */
#include "support/random.h"

uint64_t
random_u64(random_stream *stream)
{
    uint64_t x = stream->state += 0x9E3779B97F4A7C15u;

    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

int64_t
random_between(random_stream *stream, int64_t low, int64_t high)
{
    return low + (int64_t)(random_u64(stream) % (uint64_t)(high - low + 1));
}

double
random_unit(random_stream *stream)
{
    return (double)(random_u64(stream) >> 11) * 0x1p-52 - 1.0;
}
