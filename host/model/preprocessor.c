/* SPDX-License-Identifier: Apache-2.0 */
/* preprocessor.c - reading the image processor's configuration */
#include "model/preprocessor.h"

#include "base/fail.h"
#include "model/json.h"

#include <stdio.h>
#include <string.h>

enum { BICUBIC = 3 }; /* Pillow's number */

/* No picture has as many pixels: a larger limit is this one. */
#define MAX_PIXELS 0x1p53

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

/* Flags of the steps that we do.  One of them we always do; what goes in is
   RGB in any case, so that do_convert_rgb changes nothing. */
static const char *const steps[] = {"do_resize", "do_rescale", "do_normalize",
                                    "do_convert_rgb"};

enum { N_STEPS_WITHOUT_NULL = 3 };

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
    int32_t flag;

    oriel_field_bool(fields, "do_rescale", &net->do_rescale);
    oriel_field_bool(fields, "do_normalize", &net->do_normalize);
    oriel_field_bool(fields, "do_convert_rgb", &flag);
    /* To the reference null is false: too easily meant as "the default". */
    for (size_t i = 0; i < N_STEPS_WITHOUT_NULL; i++)
        if (json_is_null(json_object_get(fields->object, steps[i])))
            refuse(fields, steps[i],
                   "null is not supported, only true or false");
    if (oriel_field_bool(fields, "do_resize", &flag) && !flag)
        refuse(fields, "do_resize", "false is not supported, only true");
}

/* Cropping, padding and what else other processors do: the reference keeps such
   a flag, and its processor for this model never looks at it. */
static void
note_other_steps(oriel_fields *fields, oriel_notes *notes,
                 const oriel_hooks *hooks)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)fields->object, name, value)
    {
        if (fields->status || strncmp(name, "do_", 3) != 0 ||
            is_our_step(name) || json_is_false(value) || json_is_null(value))
            continue;
        fields->status = oriel_note(
            notes, hooks, fields->err,
            "%s: %s%s: no step of this image processor, ignored",
            ORIEL_QUOTE(fields->file), fields->path, ORIEL_QUOTE(name));
    }
}

static void
read_resample(oriel_fields *fields)
{
    const json_t *value = oriel_field(fields, "resample");
    int32_t resample = BICUBIC;
    char why[64];

    if (json_is_string(value) &&
        strcmp(json_string_value(value), "bicubic") == 0)
        return; /* the other spelling that the reference takes */
    oriel_field_i32(fields, "resample", 0, 5, &resample);
    snprintf(why, sizeof(why), "%d is not supported, only 3 (bicubic)",
             resample);
    if (resample != BICUBIC)
        refuse(fields, "resample", why);
}

/*
 * A limit as smart_resize compares with it: one that is NaN is never met.
 * 'absent' is what no limit at all amounts to.  0 counts as missing there.
 */
static bool
read_limit(oriel_fields *fields, const char *name, double absent, double *out)
{
    const json_t *value = oriel_field(fields, name);
    double limit;

    if (!value)
        return false;
    limit = oriel_json_is_nan(value) ? absent : oriel_json_double(value);
    if ((!json_is_number(value) && !oriel_json_is_nan(value)) || limit == 0.0) {
        oriel_field_fail(fields, name, value, "a number of pixels");
        return false;
    }
    *out = limit < MAX_PIXELS ? limit : MAX_PIXELS;
    return true;
}

static void
read_lower(oriel_fields *fields, const char *name, double *out)
{
    /* No picture is smaller than one pixel. */
    if (read_limit(fields, name, 1.0, out) && *out < 1.0)
        *out = 1.0;
}

static void
read_upper(oriel_fields *fields, const char *name, double *out)
{
    if (read_limit(fields, name, MAX_PIXELS, out) && *out < 0.0)
        oriel_field_fail(fields, name, oriel_field(fields, name),
                         "a number of pixels");
}

/* min_pixels and max_pixels each override their half of 'size'; without it,
   *low and *high hold the class defaults. */
static void
read_limits(oriel_fields *fields, double *low, double *high)
{
    oriel_fields size = *fields;
    char path[64];

    size.object = oriel_field_object(fields, "size");
    snprintf(path, sizeof(path), "%ssize.", fields->path);
    size.path = path;
    size.status = fields->status;
    if (size.object) {
        *low = *high = 0.0;
        read_lower(&size, "shortest_edge", low);
        read_upper(&size, "longest_edge", high);
    }
    fields->status = size.status;
    read_lower(fields, "min_pixels", low);
    read_upper(fields, "max_pixels", high);
    if (*low == 0.0 || *high == 0.0)
        oriel_field_fail(fields, "size", NULL,
                         *low == 0.0 ? "shortest_edge, a number of pixels"
                                     : "longest_edge, a number of pixels");
}

/* One number for all channels, alone or in an array, or three. */
static void
read_channels(double out[3], oriel_fields *fields, const char *name)
{
    const json_t *value = oriel_field(fields, name);

    if (!value)
        return;
    const size_t n = json_array_size(value);

    for (size_t c = 0; c < 3; c++) {
        const json_t *one = json_is_array(value)
                                ? json_array_get(value, n == 1 ? 0 : c)
                                : value;

        if (!json_is_number(one) ||
            (json_is_array(value) && n != 1 && n != 3)) {
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

/* The fields of the whole text or, where it is named, of an object in it.  The
   caller releases what comes back; NULL when the text is refused. */
static json_t *
parse_fields(oriel_fields *fields, const char *text, size_t bytes,
             const char *object, const char *path, const oriel_hooks *hooks)
{
    json_t *root = NULL;

    fields->status = oriel_json_parse_python(&root, text, bytes, fields->file,
                                             hooks, fields->err);
    if (fields->status)
        return NULL;
    fields->object = root;
    if (object) {
        fields->object = oriel_field_object(fields, object);
        fields->path = path;
    }
    return root;
}

oriel_status
oriel_preprocessor_parse(oriel_network *network, const char *text, size_t bytes,
                         const char *file, bool nested, bool *found,
                         oriel_notes *notes, const oriel_hooks *hooks,
                         oriel_error *err)
{
    oriel_fields fields = {NULL, file, "", ORIEL_OK, err};
    json_t *root =
        parse_fields(&fields, text, bytes, nested ? "image_processor" : NULL,
                     "image_processor.", hooks);

    *found = fields.object != NULL;
    if (*found) {
        oriel_preprocessor_published(network);
        read_flags(network, &fields);
        note_other_steps(&fields, notes, hooks);
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

/* Python's min(NaN, share) is NaN, and no size is above it. */
static bool
upper_is_nan(const oriel_fields *fields)
{
    const json_t *limit = oriel_field(fields, "max_pixels");

    if (!limit)
        limit = json_object_get(oriel_field(fields, "size"), "longest_edge");
    return oriel_json_is_nan(limit);
}

/* With cap_pixels_per_frame all frames share max_video_tokens. */
static void
read_video_tokens(oriel_fields *fields, int32_t *out)
{
    int32_t capped = 0;
    int32_t tokens = 128000;

    oriel_field_bool(fields, "cap_pixels_per_frame", &capped);
    oriel_field_i32(fields, "max_video_tokens", 1, 1 << 24, &tokens);
    *out = capped && !upper_is_nan(fields) ? tokens : 0;
}

oriel_status
oriel_video_preprocessor_parse(oriel_network *network, const char *text,
                               size_t bytes, const char *file, bool nested,
                               bool *found, const oriel_hooks *hooks,
                               oriel_error *err)
{
    oriel_fields fields = {NULL, file, "", ORIEL_OK, err};
    json_t *root =
        parse_fields(&fields, text, bytes, nested ? "video_processor" : NULL,
                     "video_processor.", hooks);

    *found = fields.object != NULL;
    if (*found) {
        network->video_min_pixels = 100352; /* 128 tokens of 28 x 28 */
        network->video_max_pixels = 602112; /* 768 */
        read_limits(&fields, &network->video_min_pixels,
                    &network->video_max_pixels);
        read_video_tokens(&fields, &network->video_tokens);
    }
    json_decref(root);
    return fields.status;
}
