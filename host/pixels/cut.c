/* SPDX-License-Identifier: Apache-2.0 */
/* cut.c - patches to rows in plain C: the baseline */
#include "pixels/cut.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* 'side' is a constant where the published one is inlined. */
INLINE void
cut_f32(const oriel_patch *p, size_t side, const float table[3][256],
        float *row)
{
    size_t plane = side * side;

    for (int32_t c = 0; c < 3; c++)
        for (int32_t f = 0; f < p->n_frames; f++, row += plane) {
            const uint8_t *line = p->frames[f] + p->offset + c;

            if (f > 0 && p->frames[f] == p->frames[f - 1]) {
                memcpy(row, row - plane, plane * sizeof(*row));
                continue;
            }
            for (size_t y = 0; y < side; y++, line += p->pitch)
                for (size_t x = 0; x < side; x++)
                    row[y * side + x] = table[c][line[x * 3]];
        }
}

INLINE void
cut_bf16(const oriel_patch *p, size_t side, const uint16_t table[3][256],
         uint16_t *row)
{
    size_t plane = side * side;

    for (int32_t c = 0; c < 3; c++)
        for (int32_t f = 0; f < p->n_frames; f++, row += plane) {
            const uint8_t *line = p->frames[f] + p->offset + c;

            if (f > 0 && p->frames[f] == p->frames[f - 1]) {
                memcpy(row, row - plane, plane * sizeof(*row));
                continue;
            }
            for (size_t y = 0; y < side; y++, line += p->pitch)
                for (size_t x = 0; x < side; x++)
                    row[y * side + x] = table[c][line[x * 3]];
        }
}

static void
plain_f32(const oriel_patch *patch, const oriel_levels *levels, float *row)
{
    if (patch->side == 14)
        cut_f32(patch, 14, levels->f32, row);
    else
        cut_f32(patch, (size_t)patch->side, levels->f32, row);
}

static void
plain_bf16(const oriel_patch *patch, const oriel_levels *levels, uint16_t *row)
{
    if (patch->side == 14)
        cut_bf16(patch, 14, levels->bf16, row);
    else
        cut_bf16(patch, (size_t)patch->side, levels->bf16, row);
}

static void
plain_prepare(oriel_levels *levels)
{
    (void)levels;
}

static const oriel_cutter plain = {plain_prepare, plain_f32, plain_bf16,
                                   INT32_MAX};

const oriel_cutter *
oriel_cutter_choose(oriel_isa isa, int32_t side)
{
#if defined(__x86_64__)
    oriel_isa most = oriel_processor_isa();

    isa = isa < most ? isa : most;
    if (isa >= ORIEL_ISA_AVX512 && __builtin_cpu_supports("avx512vbmi") &&
        side <= oriel_cutter_avx512.longest_side)
        return &oriel_cutter_avx512;
#else
    (void)isa;
    (void)side;
#endif
    return &plain;
}
