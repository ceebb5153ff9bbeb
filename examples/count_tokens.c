/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count_tokens.c - what pictures will cost, without decoding or weights
 *
 *   cc count_tokens.c $(pkg-config --cflags --libs oriel oriel-image)
 *   ./a.out photo.jpg scan.png
 *
 * A server admits or refuses a request this way: only headers are read, and no
 * plan is made.  oriel_plan_split then cuts the queue into batches.
 */
#include <oriel.h>
#include <oriel_image.h>

#include <stdio.h>
#include <stdlib.h>

/* All of a file; NULL if it cannot be read.  To be given to free(). */
static void *
read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    long size;

    if (!file)
        return NULL;
    if (!fseek(file, 0, SEEK_END) && (size = ftell(file)) > 0 &&
        !fseek(file, 0, SEEK_SET) && (data = malloc((size_t)size)) != NULL &&
        fread(data, 1, (size_t)size, file) != (size_t)size) {
        free(data);
        data = NULL;
    } else {
        *bytes = data ? (size_t)size : 0;
    }
    fclose(file);
    return data;
}

static int
count(const char *path)
{
    oriel_image_info image = ORIEL_IMAGE_INFO_INIT;
    const oriel_model *model = oriel_model_preset("qwen2.5-vl-7b");
    oriel_item item = {0, 0, 1, 0, 0, ORIEL_KIND_IMAGE};
    int64_t grid_thw[3], tokens;
    oriel_error err;
    size_t bytes;
    void *data = read_file(path, &bytes);

    if (!data) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return 1;
    }
    if (!oriel_image_probe(data, bytes, NULL, &image, &err)) {
        item.width = image.width;
        item.height = image.height;
        if (!oriel_item_measure(model, &item, NULL, grid_thw, &tokens, &err))
            printf("%s: %d x %d, %d tokens of %d x %d patches\n", path,
                   image.width, image.height, (int)tokens, (int)grid_thw[2],
                   (int)grid_thw[1]);
    }
    if (err.status)
        fprintf(stderr, "%s: %s\n", path, err.message);
    free(data);
    return err.status != ORIEL_OK;
}

int
main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++)
        failed |= count(argv[i]);
    return failed;
}
