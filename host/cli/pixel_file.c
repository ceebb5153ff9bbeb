/* SPDX-License-Identifier: Apache-2.0 */
/* pixel_file.c - pixel_values and image_grid_thw from a safetensors file */
#include "cli/pixel_file.h"

#include "base/checked.h"
#include "base/fail.h"
#include "base/retry.h"
#include "cli/settings.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
cli_pixel_file_is(const char *path)
{
    unsigned char head[9];
    struct stat st;
    uint64_t length = 0;
    bool good = false;
    ssize_t bytes;
    int fd;

    /* Only ask what answers at once. */
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    ORIEL_RETRY(fd, open(path, O_RDONLY | O_CLOEXEC));
    if (fd < 0)
        return false;
    ORIEL_RETRY(bytes, read(fd, head, sizeof(head)));
    if (bytes == (ssize_t)sizeof(head)) {
        for (int i = 7; i >= 0; i--)
            length = length << 8 | head[i];
        good = length <= ORIEL_SAFETENSORS_MAX_HEADER && head[8] == '{';
    }
    close(fd);
    return good;
}

static oriel_quoted
name_of(const cli_pixel_file *file)
{
    return oriel_quote(oriel_file_name(oriel_safetensors_file(file->file)));
}

static oriel_status
fail_tensor(oriel_error *err, const cli_pixel_file *file,
            const oriel_stored_tensor *tensor, const char *name,
            const char *expected)
{
    char shape[ORIEL_SHAPE_TEXT];

    if (!tensor)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "%s: has no tensor %s, expected %s",
                          name_of(file).text, name, expected);
    oriel_shape_text(shape, tensor->shape, tensor->n_dims);
    return oriel_fail(err, ORIEL_ERR_INPUT, "%s: %s is %s %s, expected %s",
                      name_of(file).text, name, ORIEL_QUOTE(tensor->dtype_name),
                      shape, expected);
}

static oriel_status
find_values(cli_pixel_file *file, int32_t columns, oriel_error *err)
{
    const oriel_stored_tensor *t =
        oriel_safetensors_find(file->file, "pixel_values");
    char expected[96];

    snprintf(expected, sizeof(expected),
             "F32, BF16 or F16 [patches, %" PRId32 "]", columns);
    if (t && t->dtype == ORIEL_STORED_F32)
        file->dtype = ORIEL_DTYPE_F32;
    else if (t && t->dtype == ORIEL_STORED_BF16)
        file->dtype = ORIEL_DTYPE_BF16;
    else if (t && t->dtype == ORIEL_STORED_F16)
        file->dtype = ORIEL_DTYPE_F16;
    else
        return fail_tensor(err, file, t, "pixel_values", expected);
    if (t->n_dims != 2 || t->shape[1] != columns)
        return fail_tensor(err, file, t, "pixel_values", expected);
    file->values = t;
    file->row_bytes =
        (size_t)columns * (file->dtype == ORIEL_DTYPE_F32 ? 4 : 2);
    return ORIEL_OK;
}

static oriel_status
read_grids(cli_pixel_file *file, const oriel_stored_tensor *t, oriel_error *err)
{
    size_t values = 3 * file->n;
    int32_t *narrow;
    oriel_status status;

    file->grids = calloc(values, sizeof(*file->grids));
    if (!file->grids)
        return oriel_fail_memory(err, values * sizeof(*file->grids),
                                 "image_grid_thw");
    if (t->dtype == ORIEL_STORED_I64)
        return oriel_stored_read(t, 0, file->grids, (size_t)t->bytes, err);
    /* I32: into the upper half, then widened from the front. */
    narrow = (int32_t *)(void *)file->grids + values;
    status = oriel_stored_read(t, 0, narrow, (size_t)t->bytes, err);
    for (size_t i = 0; !status && i < values; i++) {
        int32_t value;

        memcpy(&value, narrow + i, sizeof(value));
        file->grids[i] = value;
    }
    return status;
}

static oriel_status
find_grids(cli_pixel_file *file, oriel_error *err)
{
    const oriel_stored_tensor *t =
        oriel_safetensors_find(file->file, "image_grid_thw");

    if (!t || (t->dtype != ORIEL_STORED_I64 && t->dtype != ORIEL_STORED_I32) ||
        t->n_dims != 2 || t->shape[1] != 3 || t->shape[0] < 1)
        return fail_tensor(err, file, t, "image_grid_thw", "I64 or I32 [n, 3]");
    file->n = (size_t)t->shape[0]; /* its bytes are in the file: no giant */
    return read_grids(file, t, err);
}

static oriel_status
sum_rows(cli_pixel_file *file, oriel_error *err)
{
    file->first_row = calloc(file->n + 1, sizeof(*file->first_row));
    if (!file->first_row)
        return oriel_fail_memory(err, (file->n + 1) * sizeof(int64_t),
                                 "the table of items");
    for (size_t i = 0; i < file->n; i++) {
        const int64_t *g = file->grids + 3 * i;
        int64_t rows;

        if (g[0] < 1 || g[1] < 1 || g[2] < 1 ||
            !oriel_mul_i64(&rows, g[0], g[1]) ||
            !oriel_mul_i64(&rows, rows, g[2]) || rows > ORIEL_MAX_PATCHES)
            return oriel_fail_item(
                err, ORIEL_ERR_INPUT, (int64_t)i,
                "%s: image_grid_thw[%zu] is %" PRId64 " x %" PRId64
                " x %" PRId64 ", expected 1 to %d patches",
                name_of(file).text, i, g[0], g[1], g[2], ORIEL_MAX_PATCHES);
        if (!oriel_add_i64(&file->first_row[i + 1], file->first_row[i], rows))
            return oriel_fail(err, ORIEL_ERR_INPUT,
                              "%s: image_grid_thw: its sum overflows",
                              name_of(file).text);
    }
    if (file->first_row[file->n] == file->values->shape[0])
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_INPUT,
                      "%s: pixel_values has %" PRId64
                      " rows, but image_grid_thw stands for %" PRId64,
                      name_of(file).text, file->values->shape[0],
                      file->first_row[file->n]);
}

static void
find_metadata(cli_pixel_file *file)
{
    size_t n;
    const oriel_metadata_pair *pairs =
        oriel_safetensors_metadata(file->file, &n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(pairs[i].key, "sources") == 0)
            file->sources = pairs[i].value;
        else if (strcmp(pairs[i].key, "failed") == 0)
            file->failed = pairs[i].value;
        else if (strcmp(pairs[i].key, "padded") == 0)
            file->padded = pairs[i].value;
        else if (strcmp(pairs[i].key, "preprocessing") == 0)
            file->preprocessing = pairs[i].value;
    }
}

/* Grids that no plan takes are refused before anything is encoded. */
static oriel_status
check_grids(const cli_pixel_file *file, const oriel_model *model,
            oriel_error *err)
{
    for (size_t i = 0; i < file->n; i++) {
        oriel_plan *plan;
        oriel_error why;
        oriel_status status = oriel_plan_create_from_grids(
            &plan, model, file->grids + 3 * i, 1, NULL, &why);

        oriel_plan_destroy(plan);
        if (status)
            return oriel_fail_item(err, status, (int64_t)i,
                                   "%s: image_grid_thw[%zu]: %.300s",
                                   name_of(file).text, i, why.message);
    }
    return ORIEL_OK;
}

oriel_status
cli_pixel_file_open(cli_pixel_file *out, const char *path,
                    const oriel_model *model, oriel_error *err)
{
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_status status;

    memset(out, 0, sizeof(*out));
    status = oriel_model_get_info(model, &info, err);
    if (!status)
        status = oriel_safetensors_open(&out->file, path, &cli_hooks, err);
    if (!status)
        status = find_values(out,
                             info.in_channels * info.temporal_patch_size *
                                 info.patch_size * info.patch_size,
                             err);
    if (!status)
        status = find_grids(out, err);
    if (!status)
        status = sum_rows(out, err);
    if (!status)
        status = check_grids(out, model, err);
    if (status) {
        cli_pixel_file_close(out);
        return status;
    }
    find_metadata(out);
    return ORIEL_OK;
}

oriel_status
cli_pixel_file_read(const cli_pixel_file *file, size_t first, size_t n,
                    void *rows, oriel_error *err)
{
    uint64_t begin = (uint64_t)file->first_row[first];
    uint64_t end = (uint64_t)file->first_row[first + n];

    return oriel_stored_read(file->values, begin * file->row_bytes, rows,
                             (size_t)(end - begin) * file->row_bytes, err);
}

void
cli_pixel_file_close(cli_pixel_file *file)
{
    oriel_safetensors_close(file->file);
    free(file->grids);
    free(file->first_row);
    memset(file, 0, sizeof(*file));
}
