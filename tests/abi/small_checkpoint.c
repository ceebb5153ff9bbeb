/* SPDX-License-Identifier: Apache-2.0 */
#include "abi/small_checkpoint.h"

#include "support/random.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char checkpoint_config[] =
    "{\"model_type\": \"qwen2_5_vl\", \"vision_config\": {"
    "\"depth\": 2, \"hidden_size\": 32, \"num_heads\": 2, "
    "\"intermediate_size\": 20, \"out_hidden_size\": 24, "
    "\"in_channels\": 3, \"patch_size\": 4, \"temporal_patch_size\": 2, "
    "\"spatial_merge_size\": 2, \"window_size\": 32, "
    "\"fullatt_block_indexes\": [1], \"hidden_act\": \"silu\"}}";

static const char preprocessor[] =
    "{\"min_pixels\": 256, \"max_pixels\": 65536, \"patch_size\": 4, "
    "\"temporal_patch_size\": 2, \"merge_size\": 2, "
    "\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5]}";

typedef struct tensor {
    const char *name;  /* behind "visual." or "visual.blocks.N." */
    const char *shape; /* as JSON */
    size_t values;
} tensor;

static const tensor first[] = {
    {"patch_embed.proj.weight", "32,3,2,4,4", 32 * 96},
};

static const tensor block[] = {
    {"norm1.weight", "32", 32},
    {"norm2.weight", "32", 32},
    {"attn.qkv.weight", "96,32", 96 * 32},
    {"attn.qkv.bias", "96", 96},
    {"attn.proj.weight", "32,32", 32 * 32},
    {"attn.proj.bias", "32", 32},
    {"mlp.gate_proj.weight", "20,32", 20 * 32},
    {"mlp.gate_proj.bias", "20", 20},
    {"mlp.up_proj.weight", "20,32", 20 * 32},
    {"mlp.up_proj.bias", "20", 20},
    {"mlp.down_proj.weight", "32,20", 32 * 20},
    {"mlp.down_proj.bias", "32", 32},
};

static const tensor last[] = {
    {"merger.ln_q.weight", "32", 32},
    {"merger.mlp.0.weight", "128,128", 128 * 128},
    {"merger.mlp.0.bias", "128", 128},
    {"merger.mlp.2.weight", "24,128", 24 * 128},
    {"merger.mlp.2.bias", "24", 24},
};

enum { MAX_HEADER = 8192, MAX_VALUES = 65536 };

typedef struct writer {
    const char *dtype;
    size_t header_bytes, values;
    char header[MAX_HEADER];
    float data[MAX_VALUES];
    random_stream random;
} writer;

static void
put(writer *w, const char *prefix, const tensor *tensors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const tensor *t = &tensors[i];
        const float centre = strstr(t->name, "norm") ? 1 : 0;

        w->header_bytes += (size_t)snprintf(
            w->header + w->header_bytes, MAX_HEADER - w->header_bytes,
            "%c\"visual.%s%s\":{\"dtype\":\"%s\",\"shape\":[%s],"
            "\"data_offsets\":[%zu,%zu]}",
            w->values ? ',' : '{', prefix, t->name, w->dtype, t->shape,
            w->values * 4, (w->values + t->values) * 4);
        ck_assert_uint_lt(w->header_bytes, MAX_HEADER - 1);
        ck_assert_uint_le(w->values + t->values, MAX_VALUES);
        for (size_t k = 0; k < t->values; k++)
            w->data[w->values++] =
                centre + 0.3f * (float)random_unit(&w->random);
    }
}

unsigned char *
checkpoint_weights(const char *dtype, size_t *bytes)
{
    writer *w = calloc(1, sizeof(*w));
    unsigned char *file;
    uint64_t header;

    w->dtype = dtype;
    w->random.state = 11;
    put(w, "", first, sizeof(first) / sizeof(first[0]));
    for (int i = 0; i < CHECKPOINT_DEPTH; i++) {
        char prefix[32];

        snprintf(prefix, sizeof(prefix), "blocks.%d.", i);
        put(w, prefix, block, sizeof(block) / sizeof(block[0]));
    }
    put(w, "", last, sizeof(last) / sizeof(last[0]));
    w->header[w->header_bytes++] = '}';

    header = w->header_bytes;
    *bytes = 8 + w->header_bytes + w->values * sizeof(float);
    file = malloc(*bytes);
    memcpy(file, &header, 8);
    memcpy(file + 8, w->header, w->header_bytes);
    memcpy(file + 8 + w->header_bytes, w->data, w->values * sizeof(float));
    free(w);
    return file;
}

char *
checkpoint_path(const char *folder, const char *name)
{
    char *path;

    ck_assert_int_gt(asprintf(&path, "%s/%s", folder, name), 0);
    return path;
}

static void
write_file(const char *folder, const char *name, const void *data, size_t bytes)
{
    char *path = checkpoint_path(folder, name);
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, bytes, file), bytes);
    ck_assert_int_eq(fclose(file), 0);
    free(path);
}

char *
checkpoint_folder(void)
{
    const char *parent = getenv("TMPDIR");
    char *folder =
        checkpoint_path(parent ? parent : "/tmp", "oriel-abi-XXXXXX");
    size_t bytes;
    unsigned char *weights = checkpoint_weights("F32", &bytes);

    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file(folder, "config.json", checkpoint_config,
               strlen(checkpoint_config));
    write_file(folder, "preprocessor_config.json", preprocessor,
               strlen(preprocessor));
    write_file(folder, "model.safetensors", weights, bytes);
    free(weights);
    return folder;
}

void
checkpoint_remove(char *folder)
{
    static const char *const names[] = {
        "config.json", "preprocessor_config.json", "model.safetensors"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = checkpoint_path(folder, names[i]);

        unlink(path);
        free(path);
    }
    rmdir(folder);
    free(folder);
}
