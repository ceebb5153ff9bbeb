/* SPDX-License-Identifier: Apache-2.0 */
/* scales.c - how large the values of a synthetic tensor are, row by row */
#include "weights/scales.h"

#include <math.h>

#define OUTLIER_PER 320 /* one channel in so many */
#define HEAVY_PER 512   /* one neuron of the MLP in so many */
#define HEAVY_AT 500
#define SHARP_PER 8 /* one head in so many */
#define SHARP_AT 3

static const double factors[] = {2.5, -1.5, 1.0, -0.5};

static int32_t
n_outliers(const oriel_network *network)
{
    return network->hidden_size < OUTLIER_PER
               ? 1
               : network->hidden_size / OUTLIER_PER;
}

/* Which outlier a channel is, or -1: each in the middle of its share. */
static int32_t
outlier_at(const oriel_network *network, int64_t channel)
{
    const int32_t n = n_outliers(network);

    for (int32_t k = 0; k < n; k++)
        if (channel ==
            (2 * (int64_t)k + 1) * network->hidden_size / (2 * n) + k)
            return k;
    return -1;
}

oriel_synth_schedule
oriel_synth_schedule_at(const oriel_network *network, int32_t block)
{
    oriel_synth_schedule s = {.before_attention = 1.0};

    for (int32_t k = 0; k < n_outliers(network); k++)
        s.energy += factors[k % 4] * factors[k % 4];
    s.energy /= network->hidden_size;
    for (int32_t b = 0;; b++) {
        /* The first two blocks lift the stream, the others let it grow. */
        double gain = b == 0 ? 1.5 : 0.75;
        double after, grown;

        s.attention_rms = (b < 2 ? gain : 0.1875) * s.before_attention;
        s.before_mlp = sqrt(s.before_attention * s.before_attention +
                            s.attention_rms * s.attention_rms);
        s.mlp_rms = (b < 2 ? gain : 0.21875) * s.before_mlp;
        after = sqrt(s.before_mlp * s.before_mlp + s.mlp_rms * s.mlp_rms);
        grown = b == 0 ? 0.0 : 1.5 * after / sqrt(s.energy);
        s.step = grown - s.outlier;
        if (b == block)
            return s;
        s.before_attention = after;
        s.outlier = grown;
    }
}

static oriel_synth_row
make_row(double scale, double offset)
{
    oriel_synth_row row = {(float)scale, (float)offset};

    return row;
}

/* The norm gives the calm channels back what the outliers take from them. */
static oriel_synth_row
norm_row(const oriel_network *network, const oriel_synth_schedule *s,
         double calm, int64_t row)
{
    double gain =
        sqrt(calm * calm + s->energy * s->outlier * s->outlier) / calm;

    if (s->outlier > 0 && outlier_at(network, row) >= 0)
        return make_row(0.02, 0.05);
    return make_row(0.4 * gain, gain);
}

/* The variance of a sum of n products is then that of the other factor. */
static double
unit(int64_t n)
{
    return sqrt(3.0 / (double)n);
}

static oriel_synth_row
qkv_row(const oriel_network *network, int64_t row)
{
    const int64_t hidden = network->hidden_size;
    int64_t head = row % hidden / network->head_dim;
    double scale = unit(hidden);

    if (row < 2 * hidden) {
        scale *= 1.125;
        if (head % SHARP_PER == SHARP_AT)
            scale *= 1.5;
    }
    return make_row(scale, 0.0);
}

static oriel_synth_row
neuron_row(double scale, int64_t row)
{
    return make_row(row % HEAVY_PER == HEAVY_AT ? scale * 3.0 : scale, 0.0);
}

static oriel_synth_row
down_row(const oriel_network *network, const oriel_synth_schedule *s,
         int64_t row)
{
    double scale = unit(network->intermediate_size) * s->mlp_rms / 1.25;

    return make_row(outlier_at(network, row) >= 0 ? scale * 8.0 : scale, 0.0);
}

static oriel_synth_row
down_bias_row(const oriel_network *network, const oriel_synth_schedule *s,
              int64_t row)
{
    int32_t k = outlier_at(network, row);

    return make_row(0.125 * s->before_mlp,
                    k >= 0 ? factors[k % 4] * s->step : 0.0);
}

oriel_synth_row
oriel_synth_row_at(const oriel_network *network, const oriel_synth_schedule *s,
                   oriel_tensor tensor, int64_t row)
{
    const int64_t hidden = network->hidden_size;
    oriel_tensor_shape shape = oriel_tensor_get_shape(network, tensor);

    switch (tensor) {
    case ORIEL_TENSOR_PATCH_EMBED:
        return make_row(unit(shape.columns) * 0.875, 0.0);
    case ORIEL_TENSOR_NORM1:
    case ORIEL_TENSOR_MERGER_NORM:
        return norm_row(network, s, s->before_attention, row);
    case ORIEL_TENSOR_NORM2:
        return norm_row(network, s, s->before_mlp, row);
    case ORIEL_TENSOR_QKV_WEIGHT:
        return qkv_row(network, row);
    case ORIEL_TENSOR_QKV_BIAS:
        return make_row(0.5, 0.0);
    case ORIEL_TENSOR_PROJ_WEIGHT:
        return make_row(unit(hidden) * s->attention_rms / 0.375, 0.0);
    case ORIEL_TENSOR_PROJ_BIAS:
        return make_row(0.125 * s->before_attention, 0.0);
    case ORIEL_TENSOR_GATE_WEIGHT:
        return neuron_row(unit(hidden) * 1.5, row);
    case ORIEL_TENSOR_UP_WEIGHT:
        return neuron_row(unit(hidden), row);
    case ORIEL_TENSOR_DOWN_WEIGHT:
        return down_row(network, s, row);
    case ORIEL_TENSOR_DOWN_BIAS:
        return down_bias_row(network, s, row);
    case ORIEL_TENSOR_MERGER_FC1_WEIGHT:
        return make_row(unit(shape.columns), 0.0);
    case ORIEL_TENSOR_MERGER_FC2_WEIGHT:
        return make_row(unit(shape.columns) * 1.5, 0.0);
    case ORIEL_TENSOR_MERGER_FC2_BIAS:
        return make_row(0.125, 0.0);
    default: /* biases of gate, up and the merger's first linear */
        return make_row(0.25, 0.0);
    }
}
