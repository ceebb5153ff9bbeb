/* SPDX-License-Identifier: Apache-2.0 */
/* seen.c - one picture as the encoder sees it */
#include "cli/seen.h"

#include "base/checked.h"
#include "base/fail.h"
#include "cli/exits.h"
#include "cli/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SCALE = 4 };

/* What a channel of the patches holds for black and for white. */
typedef struct levels {
    double black[3], white[3];
} levels;

/* The rows of patches of one picture, for the caller to free(). */
static oriel_status
cut(float **out, const oriel_plan *plan, const void *rgb, oriel_error *err)
{
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_status status = oriel_plan_get_info(plan, &info, err);
    size_t bytes = 0;

    *out = NULL;
    if (status)
        return status;
    if (!oriel_mul_size(&bytes, (size_t)info.patches,
                        (size_t)info.patch_columns * sizeof(float)))
        bytes = SIZE_MAX;
    *out = malloc(bytes);
    if (!*out)
        return oriel_fail_memory(err, bytes, "patch rows");
    input.frames = &rgb;
    return oriel_preprocess(plan, &input, *out, bytes, err);
}

/* What becomes of one level of grey, whatever the model's normalisation is: a
   picture of nothing else stays one when it is resized. */
static oriel_status
measure_level(double out[3], int level, const cli_settings *settings,
              oriel_error *err)
{
    enum { SIDE = 64 };
    const oriel_item item = {SIDE, SIDE, 1, 0, 0, 0};
    unsigned char grey[SIDE * SIDE * 3];
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_plan *plan = NULL;
    float *rows = NULL;
    oriel_status status = oriel_plan_create(&plan, settings->model, &item, 1,
                                            &settings->plan, err);

    memset(grey, level, sizeof(grey));
    if (!status)
        status = cut(&rows, plan, grey, err);
    if (!status)
        status = oriel_plan_get_info(plan, &info, err);
    for (int c = 0; c < 3 && !status; c++)
        out[c] = (double)rows[c * info.patch_columns / 3];
    free(rows);
    oriel_plan_destroy(plan);
    return status;
}

static unsigned char
level_of(double value, double black, double white)
{
    const double level = 255.0 * (value - black) / (white - black);

    return (unsigned char)lround(fmin(255.0, fmax(0.0, level)));
}

/* One patch, whose first pixel is at (x, y). */
static void
paste(cli_seen *seen, const float *row, int32_t x, int32_t y, const levels *l)
{
    const int32_t side = seen->patch;
    const int32_t channel = seen->info.patch_columns / 3;

    for (int32_t i = 0; i < side * side; i++) {
        const size_t at = (size_t)(y + i / side) * (size_t)seen->width +
                          (size_t)(x + i % side);

        for (int c = 0; c < 3; c++)
            seen->rgb[3 * at + (size_t)c] = level_of(
                (double)row[c * channel + i], l->black[c], l->white[c]);
    }
}

/* From patch rows, which lie token by token, back to a picture. */
static void
assemble(cli_seen *seen, const float *rows, const levels *l)
{
    const int32_t merge = seen->token / seen->patch;

    for (int32_t i = 0; i < (int32_t)seen->info.patches; i++) {
        const int32_t token = i / (merge * merge);
        const int32_t part = i % (merge * merge);
        const int32_t y = token / seen->columns * merge + part / merge;
        const int32_t x = token % seen->columns * merge + part % merge;

        paste(seen, rows + (size_t)i * (size_t)seen->info.patch_columns,
              x * seen->patch, y * seen->patch, l);
    }
}

static oriel_status
resize(cli_seen *seen, const cli_settings *settings, oriel_error *err)
{
    const size_t bytes = (size_t)seen->width * (size_t)seen->height * 3;
    levels l;
    float *rows = NULL;
    oriel_status status = measure_level(l.black, 0, settings, err);

    if (!status)
        status = measure_level(l.white, 255, settings, err);
    if (!status)
        status = cut(&rows, seen->plan, seen->photo.rgb, err);
    seen->rgb = status ? NULL : malloc(bytes);
    if (!status && !seen->rgb)
        status = oriel_fail_memory(err, bytes, "a picture");
    if (!status)
        assemble(seen, rows, &l);
    free(rows);
    return status;
}

static oriel_status
make_plan(cli_seen *seen, const cli_settings *settings, oriel_error *err)
{
    oriel_model_info model = ORIEL_MODEL_INFO_INIT;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_status status =
        oriel_plan_create(&seen->plan, settings->model, &seen->photo.item, 1,
                          &settings->plan, err);

    if (!status)
        status = oriel_plan_get_info(seen->plan, &info, err);
    if (!status)
        status = oriel_model_get_info(settings->model, &model, err);
    if (status)
        return status;
    seen->info = info;
    seen->patch = model.patch_size;
    seen->token = model.patch_size * model.spatial_merge_size;
    seen->window = model.window_size / seen->token;
    seen->rows = (int32_t)info.grid_thw[1] / model.spatial_merge_size;
    seen->columns = (int32_t)info.grid_thw[2] / model.spatial_merge_size;
    seen->width = seen->columns * seen->token;
    seen->height = seen->rows * seen->token;
    return ORIEL_OK;
}

int
cli_seen_open(cli_seen *seen, const char *name, const cli_settings *settings)
{
    oriel_error err;

    memset(seen, 0, sizeof(*seen));
    seen->photo.name = name;
    cli_photo_measure(&seen->photo, settings);
    if (!seen->photo.err.status)
        cli_photo_decode(&seen->photo, settings);
    if (seen->photo.err.status)
        return cli_report_failure(&seen->photo.err, name);
    if (make_plan(seen, settings, &err) || resize(seen, settings, &err))
        return cli_report_failure(&err, name);
    return CLI_DONE;
}

int32_t
cli_seen_scale(const cli_seen *seen, int32_t longest)
{
    const int32_t side =
        seen->width > seen->height ? seen->width : seen->height;
    const int32_t scale = longest / side;

    return scale < 1 ? 1 : scale > MAX_SCALE ? MAX_SCALE : scale;
}

void
cli_seen_free(cli_seen *seen)
{
    oriel_plan_destroy(seen->plan);
    cli_photo_free(&seen->photo);
    free(seen->rgb);
    memset(seen, 0, sizeof(*seen));
}
