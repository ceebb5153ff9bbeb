/* SPDX-License-Identifier: Apache-2.0 */
/*
 * normalise.c - the value of each 8-bit level, by the reference's own steps
 *
 * transformers' two processors order the same arithmetic differently, so their
 * fp32 values differ in the last bit; each flavour follows the processor that
 * resamples its way.
 */
#include "pixels/pixels.h"

/* The torchvision processor: mean and deviation are scaled, not the level. */
static float
fast(const oriel_network *net, int32_t channel, float level)
{
    float unscale = (float)(1.0 / net->rescale_factor);
    float mean = (float)net->image_mean[channel];
    float deviation = (float)net->image_std[channel];

    if (!net->do_normalize)
        return net->do_rescale ? level * (float)net->rescale_factor : level;
    if (net->do_rescale) {
        mean *= unscale;
        deviation *= unscale;
    }
    return (level - mean) / deviation;
}

/* The PIL processor: scaled in double, stored as fp32, then normalised. */
static float
slow(const oriel_network *net, int32_t channel, float level)
{
    float mean = (float)net->image_mean[channel];
    float deviation = (float)net->image_std[channel];

    if (net->do_rescale)
        level = (float)((double)level * net->rescale_factor);
    return net->do_normalize ? (level - mean) / deviation : level;
}

void
oriel_normalise_table(const oriel_network *network, int32_t resample,
                      float table[3][256])
{
    int32_t pillow = resample == ORIEL_RESAMPLE_PILLOW ||
                     resample == ORIEL_RESAMPLE_PILLOW12;

    for (int32_t c = 0; c < 3; c++)
        for (int32_t p = 0; p < 256; p++)
            table[c][p] = pillow ? slow(network, c, (float)p)
                                 : fast(network, c, (float)p);
}
