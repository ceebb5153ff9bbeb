/* SPDX-License-Identifier: Apache-2.0 */
/* model_folders.c - making folders with the tiny checkpoint in them */
#include "model/model_folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *
make_folders(const char *top, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s/", top, name);
    for (char *at = path + strlen(top) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    return in_folder(top, name);
}

void
put_model(const char *top, const char *name, int n_shards, bool limits)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, n_shards);
    char *folder = strdup(make_folders(top, name));

    builder_write(b, folder);
    write_text(folder, "config.json", tiny_config);
    if (limits)
        write_text(folder, "preprocessor_config.json", tiny_preprocessor);
    free(folder);
    builder_free(b);
}

/* A text as a string of JSON. */
static void
put_string(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('\\', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

void
put_tower(const char *top, const checkpoint_builder *b)
{
    static const char config[] =
        "{\"vision_config\": {" TINY_CONFIG_KEYS ", \"in_channels\": 3, "
        "\"rope_theta\": 10000.0}}";
    static const char preprocessor[] =
        "{\"min_pixels\": 256, \"max_pixels\": 65536, " TINY_PREPROCESSOR_KEYS
        ", \"do_rescale\": true, \"rescale_factor\": 0.00392156862745098, "
        "\"do_normalize\": true, \"image_mean\": [0.5, 0.5, 0.5], "
        "\"image_std\": [0.5, 0.5, 0.5]}";
    static const char videos[] =
        "{\"min_pixels\": 256, \"max_pixels\": 65536, "
        "\"cap_pixels_per_frame\": false, \"max_video_tokens\": 128000}";
    char *plain = builder_header(b, 0);
    char *header = NULL;
    size_t size;
    FILE *f = open_memstream(&header, &size);
    uint8_t *file;

    fprintf(f, "{\"__metadata__\": {\"format\": \"oriel.tower\", "
               "\"format_version\": \"1\", \"config.json\": ");
    put_string(f, config);
    fprintf(f, ", \"preprocessor_config.json\": ");
    put_string(f, preprocessor);
    fprintf(f, ", \"video_preprocessor_config.json\": ");
    put_string(f, videos);
    fprintf(f, "}, %s", plain + 1);
    fclose(f);
    file = builder_file(b, 0, header, &size);
    write_file(top, "tower.safetensors", file, size);
    free(file);
    free(header);
    free(plain);
}
