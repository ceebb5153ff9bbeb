/* SPDX-License-Identifier: Apache-2.0 */
/* preprocessor.c - reading the image processor's configuration */
#include "model/preprocessor.h"

#include "base/fail.h"
#include "model/json.h"

#include <stdio.h>
#include <string.h>

enum { BICUBIC = 3 }; /* Pillow's number */

/* Pixel counts go through doubles in smart_resize: exact below 2^53. */
#define MAX_PIXELS ((int64_t)1 << 53)

static const double clip_mean[3] = {0.48145466, 0.4578275, 0.40821073};
static const double clip_std[3] = {0.26862954, 0.26130258, 0.27577711};

void
oriel_preprocessor_published(oriel_network *network)
{
    network->min_pixels = 3136;     /* 56 x 56 */
    network->max_pixels = 12845056; /* 16384 tokens of 28 x 28 */
    network->video_min_pixels = network->min_pixels;
    network->video_max_pixels = network->max_pixels;
    network->video_tokens = 0;
    memcpy(network->image_mean, clip_mean, sizeof(clip_mean));
    memcpy(network->image_std, clip_std, sizeof(clip_std));
    network->rescale_factor = 1.0 / 255.0;
    network->do_rescale = 1;
    network->do_normalize = 1;
}

static void
refuse(oriel_fields *fields, const char *name, const char *why)
{
    if (!fields->status)
        fields->status =
            oriel_fail(fields->err, ORIEL_ERR_UNSUPPORTED, "%s: %s%s: %s",
                       ORIEL_QUOTE(fields->file), fields->path, name, why);
}

/* Flags of the steps that we do; all but two of them we always do. */
static const char *const steps[] = {"do_resize", "do_convert_rgb", "do_rescale",
                                    "do_normalize"};

static bool
is_our_step(const char *name)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        if (strcmp(name, steps[i]) == 0)
            return true;
    return false;
}

static void
read_flags(oriel_network *net, oriel_fields *fields)
{
    const char *name;
    json_t *value;
    int32_t flag;

    oriel_field_bool(fields, "do_rescale", &net->do_rescale);
    oriel_field_bool(fields, "do_normalize", &net->do_normalize);
    /* To the reference null is false: too easily meant as "the default". */
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        if (json_is_null(json_object_get(fields->object, steps[i])))
            refuse(fields, steps[i],
                   "null is not supported, only true or false");
    for (size_t i = 0; i < 2; i++)
        if (oriel_field_bool(fields, steps[i], &flag) && !flag)
            refuse(fields, steps[i], "false is not supported, only true");
    /* Cropping, padding and whatever else somebody's processor does.  Here null
       is what files have for "not done", and the reference takes it for that. */
    json_object_foreach((json_t *)fields->object, name, value)
    {
        if (strncmp(name, "do_", 3) != 0 || is_our_step(name))
            continue;
        if (json_is_true(value))
            refuse(fields, ORIEL_QUOTE(name),
                   "true is not supported, only false");
        else if (!json_is_false(value) && !json_is_null(value))
            oriel_field_fail(fields, ORIEL_QUOTE(name), value, "true or false");
    }
}

static void
read_resample(oriel_fields *fields)
{
    int32_t resample = BICUBIC;
    char why[64];

    oriel_field_i32(fields, "resample", 0, 5, &resample);
    snprintf(why, sizeof(why), "%d is not supported, only 3 (bicubic)",
             resample);
    if (resample != BICUBIC)
        refuse(fields, "resample", why);
}

/* min_pixels and max_pixels each override their half of 'size'; without it,
   *low and *high hold the class defaults. */
static void
read_limits(oriel_fields *fields, int64_t *low, int64_t *high)
{
    oriel_fields size = *fields;
    char path[64];

    size.object = oriel_field_object(fields, "size");
    snprintf(path, sizeof(path), "%ssize.", fields->path);
    size.path = path;
    size.status = fields->status;
    if (size.object) {
        *low = *high = 0;
        oriel_field_i64(&size, "shortest_edge", 1, MAX_PIXELS, low);
        oriel_field_i64(&size, "longest_edge", 1, MAX_PIXELS, high);
    }
    fields->status = size.status;
    oriel_field_i64(fields, "min_pixels", 1, MAX_PIXELS, low);
    oriel_field_i64(fields, "max_pixels", 1, MAX_PIXELS, high);
    if (*low == 0 || *high == 0)
        oriel_field_fail(fields, "size", NULL,
                         *low == 0 ? "shortest_edge, a number of pixels"
                                   : "longest_edge, a number of pixels");
    if (!fields->status && *low > *high)
        fields->status = oriel_fail(
            fields->err, ORIEL_ERR_MODEL,
            "%s: %smin_pixels: expected at most max_pixels, %lld, found %lld",
            ORIEL_QUOTE(fields->file), fields->path, (long long)*high,
            (long long)*low);
}

/* One number for all channels, or three. */
static void
read_channels(double out[3], oriel_fields *fields, const char *name)
{
    const json_t *value = oriel_field(fields, name);

    if (!value)
        return;
    for (size_t c = 0; c < 3; c++) {
        const json_t *one =
            json_is_array(value) ? json_array_get(value, c) : value;

        if (!json_is_number(one) ||
            (json_is_array(value) && json_array_size(value) != 3)) {
            oriel_field_fail(fields, name, value, "a number or three");
            return;
        }
        out[c] = json_number_value(one);
    }
}

static void
read_normalisation(oriel_network *net, oriel_fields *fields)
{
    read_channels(net->image_mean, fields, "image_mean");
    read_channels(net->image_std, fields, "image_std");
    for (int c = 0; c < 3; c++) {
        if (!(net->image_mean[c] >= -1e6 && net->image_mean[c] <= 1e6))
            oriel_field_fail(fields, "image_mean",
                             oriel_field(fields, "image_mean"),
                             "numbers within 1e6");
        if (!(net->image_std[c] >= 1e-6 && net->image_std[c] <= 1e6))
            oriel_field_fail(fields, "image_std",
                             oriel_field(fields, "image_std"),
                             "numbers from 1e-6 to 1e6");
    }
    oriel_field_double(fields, "rescale_factor", &net->rescale_factor);
    if (!(net->rescale_factor >= 1e-9 && net->rescale_factor <= 1e6))
        oriel_field_fail(fields, "rescale_factor",
                         oriel_field(fields, "rescale_factor"),
                         "a number from 1e-9 to 1e6");
}

/* The reference cuts by these and the network expects its own. */
static void
check_geometry(const oriel_network *net, oriel_fields *fields)
{
    const struct {
        const char *name, *config_name;
        int32_t absent, expected;
    } sizes[] = {
        {"patch_size", "patch_size", 14, net->patch_size},
        {"temporal_patch_size", "temporal_patch_size", 2,
         net->temporal_patch_size},
        {"merge_size", "spatial_merge_size", 2, net->spatial_merge_size},
    };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        int32_t found = sizes[i].absent;
        bool given = oriel_field_i32(fields, sizes[i].name, 1, 1 << 16, &found);

        if (!fields->status && found != sizes[i].expected)
            fields->status =
                oriel_fail(fields->err, ORIEL_ERR_MODEL,
                           "%s: %s%s is %d%s, but vision_config.%s is %d",
                           ORIEL_QUOTE(fields->file), fields->path,
                           sizes[i].name, found, given ? "" : " (absent)",
                           sizes[i].config_name, sizes[i].expected);
    }
}

oriel_status
oriel_preprocessor_parse(oriel_network *network, const char *text, size_t bytes,
                         const char *file, bool nested, bool *found,
                         oriel_error *err)
{
    oriel_fields fields = {NULL, file, "", ORIEL_OK, err};
    json_t *root;

    *found = false;
    fields.status = oriel_json_parse(&root, text, bytes, file, err);
    if (fields.status)
        return fields.status;
    fields.object = root;
    if (nested) {
        fields.object = oriel_field_object(&fields, "image_processor");
        fields.path = "image_processor.";
    }
    if (fields.object && !fields.status) {
        *found = true;
        oriel_preprocessor_published(network);
        read_flags(network, &fields);
        read_resample(&fields);
        network->min_pixels = 3136;
        network->max_pixels = 1003520; /* 1280 tokens of 28 x 28 */
        read_limits(&fields, &network->min_pixels, &network->max_pixels);
        read_normalisation(network, &fields);
        check_geometry(network, &fields);
    }
    json_decref(root);
    return fields.status;
}

/* With cap_pixels_per_frame all frames share max_video_tokens. */
static void
read_video_tokens(oriel_fields *fields, int32_t *out)
{
    int32_t capped = 0;
    int32_t tokens = 128000;

    oriel_field_bool(fields, "cap_pixels_per_frame", &capped);
    oriel_field_i32(fields, "max_video_tokens", 1, 1 << 24, &tokens);
    *out = capped ? tokens : 0;
}

oriel_status
oriel_video_preprocessor_parse(oriel_network *network, const char *text,
                               size_t bytes, const char *file, bool nested,
                               bool *found, oriel_error *err)
{
    oriel_fields fields = {NULL, file, "", ORIEL_OK, err};
    json_t *root;

    *found = false;
    fields.status = oriel_json_parse(&root, text, bytes, file, err);
    if (fields.status)
        return fields.status;
    fields.object = root;
    if (nested) {
        fields.object = oriel_field_object(&fields, "video_processor");
        fields.path = "video_processor.";
    }
    if (fields.object && !fields.status) {
        *found = true;
        network->video_min_pixels = 100352; /* 128 tokens of 28 x 28 */
        network->video_max_pixels = 602112; /* 768 */
        read_limits(&fields, &network->video_min_pixels,
                    &network->video_max_pixels);
        read_video_tokens(&fields, &network->video_tokens);
    }
    json_decref(root);
    return fields.status;
}
