/* SPDX-License-Identifier: Apache-2.0 */
/* counter.c - random numbers by place instead of by turn */
#include "weights/counter.h"

#include "base/half.h"
#include "base/processor.h"

uint64_t
oriel_counter_key(uint64_t seed, const char *name)
{
    uint64_t digest = 0xCBF29CE484222325u;

    for (; *name; name++)
        digest = (digest ^ (unsigned char)*name) * 0x100000001B3u;
    return oriel_counter_mix(oriel_counter_mix(seed) + digest);
}

static inline __attribute__((always_inline)) void
fill(uint16_t *restrict out, uint64_t key, uint64_t first, size_t n,
     float scale, float offset)
{
    for (size_t i = 0; i < n; i++) {
        float value = oriel_counter_unit(key, first + i) * scale + offset;

        out[i] = oriel_f32_to_bf16(value);
    }
}

#if defined(__x86_64__)
/* Eight 64-bit products an instruction; the same operations, the same bits. */
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))) static void
fill_avx512(uint16_t *restrict out, uint64_t key, uint64_t first, size_t n,
            float scale, float offset)
{
    fill(out, key, first, n, scale, offset);
}
#endif

void
oriel_counter_fill(uint16_t *out, uint64_t key, uint64_t first, size_t n,
                   float scale, float offset)
{
#if defined(__x86_64__)
    if (oriel_processor_isa() >= ORIEL_ISA_AVX512) {
        fill_avx512(out, key, first, n, scale, offset);
        return;
    }
#endif
    fill(out, key, first, n, scale, offset);
}
