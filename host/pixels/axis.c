/* SPDX-License-Identifier: Apache-2.0 */
/* axis.c - bicubic weights of one axis, each flavour by its own arithmetic */
#include "pixels/axis.h"

#include "base/checked.h"
#include "base/memory.h"
#include "base/processor.h"
#include "oriel.h"

#include <math.h>

#define INLINE static inline __attribute__((always_inline))

#define SUPPORT 2.0 /* the cubic's reach in output samples */
#define PILLOW_BITS 22
#define TORCH_BITS 22 /* the most that torch tries */

int32_t
oriel_axis_max_taps(int32_t source, int32_t size)
{
    double scale = (double)source / (double)size;
    double taps = ceil(SUPPORT * (scale < 1.0 ? 1.0 : scale)) * 2.0 + 1.0;

    return taps < (double)source ? (int32_t)taps : source;
}

/* Offsets of the arrays one after another, and the end of all. */
typedef struct axis_layout {
    size_t first, count, weights, line, end;
} axis_layout;

static bool
lay_out(axis_layout *at, int32_t source, int32_t size)
{
    size_t taps = (size_t)oriel_axis_max_taps(source, size);
    size_t index_bytes = oriel_round_up((size_t)size * 4, ORIEL_ALIGNMENT);
    size_t line_bytes = oriel_round_up(taps * sizeof(double), ORIEL_ALIGNMENT);
    size_t weight_bytes;

    *at = (axis_layout){0};
    if (!oriel_mul_size(&weight_bytes, taps * 4, (size_t)size) ||
        weight_bytes > SIZE_MAX - ORIEL_ALIGNMENT)
        return false;
    weight_bytes = oriel_round_up(weight_bytes, ORIEL_ALIGNMENT);
    at->count = index_bytes;
    at->weights = 2 * index_bytes;
    return oriel_add_size(&at->line, at->weights, weight_bytes) &&
           oriel_add_size(&at->end, at->line, line_bytes);
}

bool
oriel_axis_bytes(int32_t source, int32_t size, size_t *bytes)
{
    axis_layout at;

    if (!lay_out(&at, source, size))
        return false;
    *bytes = at.end;
    return true;
}

/* Where output i looks, before zero weights are dropped. */
typedef struct window {
    int32_t first, count;
} window;

/* Keys' cubic with a = -1/2, as Pillow evaluates it. */
INLINE double
cubic_pillow(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

/* As torch does: another order, and its AVX2 and AVX-512 builds fuse. */
INLINE double
cubic_torch(double x)
{
    const double a = -0.5;

    x = fabs(x);
    if (x < 1.0)
        return fma(fma(a + 2.0, x, -(a + 3.0)) * x, x, 1.0);
    if (x < 2.0)
        return fma(fma(fma(a, x, -5.0 * a), x, 8.0 * a), x, -4.0 * a);
    return 0.0;
}

static window
clip_window(double low, double high, const oriel_axis *axis)
{
    int64_t first = (int64_t)low, end = (int64_t)high;

    if (first < 0)
        first = 0;
    if (end > axis->source)
        end = axis->source;
    if (end - first > axis->max_taps)
        end = first + axis->max_taps;
    if (end <= first) { /* fp32 has lost the place: stay inside the source */
        first = first < axis->source ? first : axis->source - 1;
        end = first + 1;
    }
    return (window){(int32_t)first, (int32_t)(end - first)};
}

/* Normalised weights of output i into 'line', in double. */
INLINE window
weigh(const oriel_axis *axis, int32_t i, bool torch, double *line)
{
    double scale = (double)axis->source / (double)axis->size;
    double stretch = scale < 1.0 ? 1.0 : scale;
    double support = SUPPORT * stretch, inverse = 1.0 / stretch;
    double center = ((double)i + 0.5) * scale, sum = 0.0;
    window w =
        clip_window(center - support + 0.5, center + support + 0.5, axis);

    for (int32_t j = 0; j < w.count; j++) {
        double x = ((double)(j + w.first) - center + 0.5) * inverse;

        line[j] = torch ? cubic_torch(x) : cubic_pillow(x);
        sum += line[j];
    }
    for (int32_t j = 0; j < w.count && sum != 0.0; j++)
        line[j] /= sum;
    return w;
}

static window
weigh_pillow(const oriel_axis *axis, int32_t i, double *line)
{
    return weigh(axis, i, false, line);
}

static window
weigh_torch(const oriel_axis *axis, int32_t i, double *line)
{
    return weigh(axis, i, true, line);
}

#if defined(__x86_64__)
/* The same bits without a call for every fused operation. */
__attribute__((target("fma"))) static window
weigh_torch_fma(const oriel_axis *axis, int32_t i, double *line)
{
    return weigh(axis, i, true, line);
}
#endif

typedef window weigher(const oriel_axis *axis, int32_t i, double *line);

static weigher *
choose_weigher(int32_t resample)
{
    if (resample != ORIEL_RESAMPLE_TORCHVISION)
        return weigh_pillow;
#if defined(__x86_64__)
    if (oriel_processor_isa() >= ORIEL_ISA_AVX2)
        return weigh_torch_fma;
#endif
    return weigh_torch;
}

/* The largest shift, 22 at most, at which the axis's largest weight is still
   an int16. */
static int32_t
torch_shift(const oriel_axis *axis, weigher *weigh_output, double *line)
{
    double most = 0.0;
    int32_t shift = 0;

    for (int32_t i = 0; i < axis->size; i++) {
        window w = weigh_output(axis, i, line);

        for (int32_t j = 0; j < w.count; j++)
            most = line[j] > most ? line[j] : most;
    }
    while (shift < TORCH_BITS &&
           (int32_t)(0.5 + most * (double)(1 << (shift + 1))) < 1 << 15)
        shift++;
    return shift;
}

/* Round the line half away from zero; drop zeros at both ends. */
static void
store_fixed(oriel_axis *axis, int32_t i, window w, const double *line)
{
    int32_t *weights = axis->weights.fixed + (size_t)i * (size_t)axis->max_taps;
    double unit = (double)(1 << axis->shift);
    int32_t begin = w.count, end = 0;

    for (int32_t j = 0; j < w.count; j++) {
        int32_t q = (int32_t)(line[j] * unit + (line[j] < 0 ? -0.5 : 0.5));

        if (q != 0 && begin == w.count)
            begin = j;
        if (q != 0)
            end = j + 1;
        if (begin < w.count)
            weights[j - begin] = q;
    }
    if (end == 0) { /* so many taps that every weight vanishes */
        begin = 0;
        end = 1;
        weights[0] = 0;
    }
    axis->first[i] = w.first + begin;
    axis->count[i] = end - begin;
    for (int32_t j = end - begin; j < axis->max_taps; j++)
        weights[j] = 0;
}

static void
fill_fixed(oriel_axis *axis, int32_t resample, double *line)
{
    weigher *weigh_output = choose_weigher(resample);

    axis->shift = resample == ORIEL_RESAMPLE_TORCHVISION
                      ? torch_shift(axis, weigh_output, line)
                      : PILLOW_BITS;
    for (int32_t i = 0; i < axis->size; i++)
        store_fixed(axis, i, weigh_output(axis, i, line), line);
}

static float
cubic_float(float x)
{
    const float a = -0.5f;

    x = fabsf(x);
    if (x < 1.0f)
        return fmaf(fmaf(a + 2.0f, x, -(a + 3.0f)) * x, x, 1.0f);
    if (x < 2.0f)
        return fmaf(fmaf(fmaf(a, x, -5.0f * a), x, 8.0f * a), x, -4.0f * a);
    return 0.0f;
}

/* torch's fp32 weights: which steps are fp32 and which double is its own. */
static void
weigh_float(oriel_axis *axis, int32_t i)
{
    float scale = (float)axis->source / (float)axis->size;
    float support = scale >= 1.0f ? (float)(SUPPORT * (double)scale) : 2.0f;
    float inverse = scale >= 1.0f ? (float)(1.0 / (double)scale) : 1.0f;
    float center = (float)((double)scale * ((double)i + 0.5)), sum = 0.0f;
    float *weights = axis->weights.real + (size_t)i * (size_t)axis->max_taps;
    window w = clip_window((double)(center - support) + 0.5,
                           (double)(center + support) + 0.5, axis);

    for (int32_t j = 0; j < w.count; j++) {
        double x = (double)((float)(j + w.first) - center) + 0.5;

        weights[j] = cubic_float((float)(x * (double)inverse));
        sum += weights[j];
    }
    for (int32_t j = 0; j < w.count && sum != 0.0f; j++)
        weights[j] /= sum;
    for (int32_t j = w.count; j < axis->max_taps; j++)
        weights[j] = 0.0f;
    axis->first[i] = w.first;
    axis->count[i] = w.count;
}

void
oriel_axis_init(oriel_axis *axis, int32_t resample, int32_t source,
                int32_t size, void *memory)
{
    axis_layout at;
    char *base = memory;

    lay_out(&at, source, size); /* was counted before memory was made */
    axis->source = source;
    axis->size = size;
    axis->max_taps = oriel_axis_max_taps(source, size);
    axis->shift = 0;
    axis->first = (int32_t *)(void *)(base + at.first);
    axis->count = (int32_t *)(void *)(base + at.count);
    if (resample == ORIEL_RESAMPLE_FLOAT) {
        axis->weights.real = (float *)(void *)(base + at.weights);
        for (int32_t i = 0; i < size; i++)
            weigh_float(axis, i);
    } else {
        axis->weights.fixed = (int32_t *)(void *)(base + at.weights);
        fill_fixed(axis, resample, (double *)(void *)(base + at.line));
    }
}
