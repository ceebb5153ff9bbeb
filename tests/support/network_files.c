/* SPDX-License-Identifier: Apache-2.0 */
/* network_files.c - a checkpoint in memory, by other code than the library's */
#include "support/networks.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_BYTES = 4096, ENTRY_BYTES = 512 };

static char *
write_config(const oriel_network *n)
{
    char *text = calloc(1, CONFIG_BYTES);
    int at;

    ck_assert_ptr_nonnull(text);
    at = snprintf(
        text, CONFIG_BYTES,
        "{\"model_type\": \"qwen2_5_vl\", \"vision_config\": {\"depth\": %d, "
        "\"hidden_size\": %d, \"intermediate_size\": %d, \"num_heads\": %d, "
        "\"out_hidden_size\": %d, \"in_channels\": 3, \"patch_size\": %d, "
        "\"temporal_patch_size\": %d, \"spatial_merge_size\": %d, "
        "\"window_size\": %d, \"hidden_act\": \"silu\", "
        "\"fullatt_block_indexes\": [",
        n->depth, n->hidden_size, n->intermediate_size, n->num_heads,
        n->out_hidden_size, n->patch_size, n->temporal_patch_size,
        n->spatial_merge_size, n->window_size);

    for (int32_t i = 0; i < n->n_full_attention_blocks; i++)
        at += snprintf(text + at, CONFIG_BYTES - (size_t)at, "%s%d",
                       i ? ", " : "", n->full_attention_blocks[i]);
    snprintf(text + at, CONFIG_BYTES - (size_t)at, "]}}");
    return text;
}

typedef struct writer {
    const oriel_network *network;
    char *header;
    size_t header_bytes;
    float *data;
    size_t values;
} writer;

static void
describe_tensor(writer *w, const char *name, oriel_tensor t,
                oriel_tensor_shape shape, size_t end)
{
    const oriel_network *net = w->network;
    char dims[96];

    if (t == ORIEL_TENSOR_PATCH_EMBED)
        snprintf(dims, sizeof(dims), "%d, 3, %d, %d, %d", net->hidden_size,
                 net->temporal_patch_size, net->patch_size, net->patch_size);
    else if (shape.columns == 1)
        snprintf(dims, sizeof(dims), "%lld", (long long)shape.rows);
    else
        snprintf(dims, sizeof(dims), "%lld, %lld", (long long)shape.rows,
                 (long long)shape.columns);
    w->header = realloc(w->header, w->header_bytes + ENTRY_BYTES);
    ck_assert_ptr_nonnull(w->header);
    w->header_bytes +=
        (size_t)snprintf(w->header + w->header_bytes, ENTRY_BYTES,
                         "%s\"%s\": {\"dtype\": \"F32\", \"shape\": [%s], "
                         "\"data_offsets\": [%zu, %zu]}",
                         w->header_bytes ? ", " : "{", name, dims,
                         w->values * sizeof(float), end * sizeof(float));
}

static void
write_tensor(writer *w, oriel_tensor t, int32_t block, network_fill *fill,
             void *user)
{
    oriel_tensor_shape shape = oriel_tensor_get_shape(w->network, t);
    size_t n = (size_t)(shape.rows * shape.columns);
    char name[160];

    w->data = realloc(w->data, (w->values + n) * sizeof(float));
    ck_assert_ptr_nonnull(w->data);
    fill(user, t, block, w->data + w->values, (int64_t)n);
    oriel_tensor_full_name(name, sizeof(name), "visual.", t, block);
    describe_tensor(w, name, t, shape, w->values + n);
    w->values += n;
}

static void
join(network_files *files, writer *w)
{
    uint64_t length;

    w->header = realloc(w->header, w->header_bytes + 16);
    ck_assert_ptr_nonnull(w->header);
    w->header[w->header_bytes++] = '}';
    while (w->header_bytes % 8)
        w->header[w->header_bytes++] = ' ';
    length = w->header_bytes;
    files->weights_bytes = 8 + w->header_bytes + w->values * sizeof(float);
    files->weights = malloc(files->weights_bytes);
    ck_assert_ptr_nonnull(files->weights);
    memcpy(files->weights, &length, 8);
    memcpy(files->weights + 8, w->header, w->header_bytes);
    memcpy(files->weights + 8 + w->header_bytes, w->data,
           w->values * sizeof(float));
    free(w->header);
    free(w->data);
}

network_files
network_files_make(const oriel_network *network, network_fill *fill, void *user)
{
    network_files files = {.config = write_config(network)};
    writer w = {.network = network};

    for (int32_t t = 0; t < ORIEL_N_TENSORS; t++) {
        bool repeats = oriel_tensor_in_block((oriel_tensor)t);

        for (int32_t b = 0; b < (repeats ? network->depth : 1); b++)
            write_tensor(&w, (oriel_tensor)t, b, fill, user);
    }
    join(&files, &w);
    return files;
}

void
network_files_free(network_files *files)
{
    free(files->config);
    free(files->weights);
}
