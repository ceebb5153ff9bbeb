/* SPDX-License-Identifier: Apache-2.0 */
/* photo.c - one image file on its way to the encoder */
#include "cli/photo.h"

#include "base/checked.h"
#include "base/fail.h"
#include "cli/read_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The largest picture that Pillow accepts, with 16 bits and alpha, unpacked. */
#define FILE_BYTES_MAX ((size_t)ORIEL_IMAGE_MAX_PIXELS * 8 + (1 << 20))

static size_t
file_bytes_max(const cli_settings *settings)
{
    size_t bytes;

    if (settings->image.max_pixels <= ORIEL_IMAGE_MAX_PIXELS)
        return FILE_BYTES_MAX;
    if (!oriel_mul_size(&bytes, (size_t)settings->image.max_pixels, 8))
        return SIZE_MAX / 2;
    return bytes;
}

/* The decoders look closer; this only spares them an endless device. */
static bool
may_be_picture(const char *head, size_t n_bytes)
{
    static const struct {
        size_t at;
        const char *text;
    } magics[] = {{0, "\xff\xd8\xff"}, {0, "\211PNG"}, {0, "RIFF"}, {0, "P"},
                  {0, "GIF8"},         {0, "BM"},      {0, "II"},   {0, "MM"},
                  {4, "ftyp"}};

    for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++) {
        const size_t n = strlen(magics[i].text);

        if (n_bytes >= magics[i].at + n &&
            memcmp(head + magics[i].at, magics[i].text, n) == 0)
            return true;
    }
    return false;
}

static void
let_go(cli_photo *photo)
{
    free(photo->bytes);
    photo->bytes = NULL;
    photo->n_bytes = 0;
}

/* What a file that waits may take. */
enum { WAITING_BYTES_MAX = 4 << 20 };

/* Not a pipe, whose bytes are gone once they were read. */
static bool
can_be_read_again(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 && S_ISREG(st.st_mode);
}

void
cli_photo_read(cli_photo *photo, const cli_settings *settings)
{
    cli_read_file(photo->name, file_bytes_max(settings), may_be_picture,
                  &photo->bytes, &photo->n_bytes, &photo->err);
}

void
cli_photo_look(cli_photo *photo, const cli_settings *settings)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    int64_t grid[3] = {0};
    oriel_status status = oriel_image_probe(
        photo->bytes, photo->n_bytes, &settings->image, &info, &photo->err);

    photo->item.width = info.width;
    photo->item.height = info.height;
    photo->rgb_bytes = (size_t)info.width * (size_t)info.height * 3;
    photo->decode_bytes = (size_t)info.decode_bytes;
    if (!status)
        status = oriel_item_measure(settings->model, &photo->item,
                                    &settings->plan, grid, NULL, &photo->err);
    photo->patches = grid[0] * grid[1] * grid[2];
    if (status || (photo->n_bytes > WAITING_BYTES_MAX && !photo->is_member &&
                   can_be_read_again(photo->name)))
        let_go(photo);
}

void
cli_photo_measure(cli_photo *photo, const cli_settings *settings)
{
    cli_photo_read(photo, settings);
    if (!photo->err.status)
        cli_photo_look(photo, settings);
}

bool
cli_photo_has_head(const cli_photo *photo)
{
    return photo->bytes && may_be_picture(photo->bytes, photo->n_bytes);
}

/* The log hook of a decode: that the picture is padded, and why. */
static void
keep_padded(void *user, int32_t level, const char *line)
{
    cli_photo *photo = user;

    if (level == ORIEL_LOG_WARNING)
        snprintf(photo->padded, sizeof(photo->padded), "%s", line);
}

/* The pixels of a file that is there. */
static void
decode(cli_photo *photo, const cli_settings *settings)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_image_options options = settings->image;
    oriel_hooks hooks = cli_hooks;

    if (oriel_image_probe(photo->bytes, photo->n_bytes, &settings->image, &info,
                          &photo->err))
        return;
    if (info.width != photo->item.width || info.height != photo->item.height) {
        oriel_fail(&photo->err, ORIEL_ERR_INPUT,
                   "changed between two reads: %d x %d, expected %d x %d",
                   info.width, info.height, photo->item.width,
                   photo->item.height);
        return;
    }
    hooks.user = photo;
    hooks.log = keep_padded;
    options.hooks = &hooks;
    photo->rgb = malloc(photo->rgb_bytes);
    if (!photo->rgb)
        oriel_fail_memory(&photo->err, photo->rgb_bytes, "a picture");
    else
        oriel_image_decode(photo->bytes, photo->n_bytes, &options, photo->rgb,
                           photo->rgb_bytes, 0, &photo->err);
}

void
cli_photo_decode(cli_photo *photo, const cli_settings *settings)
{
    if (!photo->bytes)
        cli_photo_read(photo, settings);
    if (!photo->err.status)
        decode(photo, settings);
    let_go(photo);
    if (photo->err.status) {
        free(photo->rgb);
        photo->rgb = NULL;
    }
}

bool
cli_photo_is_at_fault(const cli_photo *photo)
{
    return photo->err.status == ORIEL_ERR_INPUT ||
           photo->err.status == ORIEL_ERR_CAPACITY ||
           photo->err.status == ORIEL_ERR_UNSUPPORTED;
}

void
cli_photo_free(cli_photo *photo)
{
    let_go(photo);
    free(photo->rgb);
    photo->rgb = NULL;
}

oriel_status
cli_photo_probe(const char *name, const cli_settings *settings,
                oriel_image_info *info, oriel_error *err)
{
    char *bytes;
    size_t n_bytes;
    oriel_status status = cli_read_file(name, file_bytes_max(settings),
                                        may_be_picture, &bytes, &n_bytes, err);

    if (!status)
        status = oriel_image_probe(bytes, n_bytes, &settings->image, info, err);
    free(bytes);
    return status;
}
