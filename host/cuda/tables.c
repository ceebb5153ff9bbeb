/* SPDX-License-Identifier: Apache-2.0 */
/* tables.c - angles and levels, written straight into pinned slots */
#include "cuda/tables.h"

#include "base/half.h"
#include "cuda/ring.h"
#include "pixels/pixels.h"

#include <math.h>

/*
 * The reference multiplies an fp32 position by an fp32 frequency; the product's
 * cosine is then as good as fp32 can hold.
 */
void
oriel_cuda_put_rope(oriel_cuda_upload *u, const oriel_network *net,
                    int32_t n_positions)
{
    float frequencies[32]; /* head_dim / 4 at most: shapes.c */
    int32_t quarter = net->head_dim / 4;

    for (int32_t j = 0; j < quarter; j++)
        frequencies[j] =
            (float)(1.0 / pow(net->rope_theta, 4.0 * j / net->head_dim));
    for (int32_t p = 0; p < n_positions; p++) {
        float row[32][2];

        for (int32_t j = 0; j < quarter; j++) {
            double angle = (double)((float)p * frequencies[j]);

            row[j][0] = (float)cos(angle);
            row[j][1] = (float)sin(angle);
        }
        oriel_cuda_upload_put(u, row,
                              (size_t)oriel_cuda_rope_row(net->head_dim));
    }
}

void
oriel_cuda_put_levels(oriel_cuda_upload *u, const oriel_network *net,
                      int32_t resample)
{
    float levels[3][256];

    oriel_normalise_table(net, resample, levels);
    for (int c = 0; c < 3; c++)
        for (int level = 0; level < 256; level++) {
            uint16_t value = oriel_f32_to_bf16(levels[c][level]);

            oriel_cuda_upload_put(u, &value, sizeof(value));
        }
}
