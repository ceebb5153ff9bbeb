/* SPDX-License-Identifier: Apache-2.0 */
/* model_folders.c - making folders with the tiny checkpoint in them */
#include "model/model_folders.h"

#include "model/checkpoint_builder.h"

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
