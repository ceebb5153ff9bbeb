/* SPDX-License-Identifier: Apache-2.0 */
#include "abi/small_checkpoint.h"

#include "support/random.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char checkpoint_config[] =
    "{\"model_type\": \"qwen2_5_vl\", \"vision_config\": {" TINY_CONFIG_KEYS
    ", \"in_channels\": 3, \"hidden_act\": \"silu\"}}";

static const char preprocessor[] =
    "{\"min_pixels\": 256, \"max_pixels\": 65536, " TINY_PREPROCESSOR_KEYS
    ", \"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5]}";

typedef struct tensor {
    const char *name;     /* after "visual." or "visual.blocks.N." */
    size_t dimensions[5]; /* 0 after the last one */
} tensor;

enum { MERGED = TINY_HIDDEN * TINY_MERGE * TINY_MERGE };

static const tensor first[] = {
    {"patch_embed.proj.weight",
     {TINY_HIDDEN, 3, TINY_TEMPORAL_PATCH, TINY_PATCH, TINY_PATCH}},
};

static const tensor block[] = {
    {"norm1.weight", {TINY_HIDDEN}},
    {"norm2.weight", {TINY_HIDDEN}},
    {"attn.qkv.weight", {3 * TINY_HIDDEN, TINY_HIDDEN}},
    {"attn.qkv.bias", {3 * TINY_HIDDEN}},
    {"attn.proj.weight", {TINY_HIDDEN, TINY_HIDDEN}},
    {"attn.proj.bias", {TINY_HIDDEN}},
    {"mlp.gate_proj.weight", {TINY_INTERMEDIATE, TINY_HIDDEN}},
    {"mlp.gate_proj.bias", {TINY_INTERMEDIATE}},
    {"mlp.up_proj.weight", {TINY_INTERMEDIATE, TINY_HIDDEN}},
    {"mlp.up_proj.bias", {TINY_INTERMEDIATE}},
    {"mlp.down_proj.weight", {TINY_HIDDEN, TINY_INTERMEDIATE}},
    {"mlp.down_proj.bias", {TINY_HIDDEN}},
};

static const tensor last[] = {
    {"merger.ln_q.weight", {TINY_HIDDEN}},
    {"merger.mlp.0.weight", {MERGED, MERGED}},
    {"merger.mlp.0.bias", {MERGED}},
    {"merger.mlp.2.weight", {TINY_OUT, MERGED}},
    {"merger.mlp.2.bias", {TINY_OUT}},
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
put_text(writer *w, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    w->header_bytes +=
        (size_t)vsnprintf(w->header + w->header_bytes,
                          MAX_HEADER - w->header_bytes, format, arguments);
    va_end(arguments);
    ck_assert_uint_lt(w->header_bytes, MAX_HEADER - 1);
}

static void
put(writer *w, const char *prefix, const tensor *t)
{
    const float centre = strstr(t->name, "norm") ? 1 : 0;
    size_t n = 1;

    put_text(w, "%c\"visual.%s%s\":{\"dtype\":\"%s\",\"shape\":[",
             w->values ? ',' : '{', prefix, t->name, w->dtype);
    for (int i = 0; i < 5 && t->dimensions[i]; i++) {
        put_text(w, "%s%zu", i ? "," : "", t->dimensions[i]);
        n *= t->dimensions[i];
    }
    put_text(w, "],\"data_offsets\":[%zu,%zu]}", w->values * 4,
             (w->values + n) * 4);
    ck_assert_uint_le(w->values + n, MAX_VALUES);
    for (size_t k = 0; k < n; k++)
        w->data[w->values++] = centre + 0.3f * (float)random_unit(&w->random);
}

static void
put_all(writer *w, const char *prefix, const tensor *tensors, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(w, prefix, &tensors[i]);
}

unsigned char *
checkpoint_weights(const char *dtype, size_t *bytes)
{
    writer *w = calloc(1, sizeof(*w));
    unsigned char *file;
    uint64_t header;

    w->dtype = dtype;
    w->random.state = 11;
    put_all(w, "", first, sizeof(first) / sizeof(first[0]));
    for (int i = 0; i < TINY_DEPTH; i++) {
        char prefix[32];

        snprintf(prefix, sizeof(prefix), "blocks.%d.", i);
        put_all(w, prefix, block, sizeof(block) / sizeof(block[0]));
    }
    put_all(w, "", last, sizeof(last) / sizeof(last[0]));
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
