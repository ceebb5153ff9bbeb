/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint_builder.c - building tiny checkpoints, by other code than the library's */
#include "model/checkpoint_builder.h"

#include "base/half.h"
#include "support/suite.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char tiny_config[] =
    "{\"model_type\": \"qwen2_5_vl\", \"hidden_size\": 64,\n"
    " \"vision_config\": {\"model_type\": \"qwen2_5_vl\",\n"
    "  " TINY_CONFIG_KEYS ",\n"
    "  \"hidden_act\": \"silu\", \"in_chans\": 3,\n"
    "  \"tokens_per_second\": 2}}\n";

const char tiny_preprocessor[] =
    "{\"min_pixels\": 256, \"max_pixels\": 65536,\n"
    " " TINY_PREPROCESSOR_KEYS ",\n"
    " \"image_mean\": [0.48145466, 0.4578275, 0.40821073],\n"
    " \"image_std\": [0.26862954, 0.26130258, 0.27577711],\n"
    " \"image_processor_type\": \"Qwen2VLImageProcessor\"}\n";

/* ---- Values ----------------------------------------------------------- */

float
tiny_value(oriel_tensor tensor, int32_t block, int64_t row, int64_t column)
{
    uint64_t x = ((uint64_t)tensor * 1031 + (uint64_t)block) * 65537 +
                 (uint64_t)row * 8191 + (uint64_t)column;

    x = (x ^ (x >> 17)) * 0x9E3779B97F4A7C15u;
    x ^= x >> 29;
    /* Seven bits and a power of two: exact in every dtype. */
    return (float)((int)(x % 255) - 127) / 64.0f;
}

static size_t
dtype_bytes(const char *dtype)
{
    if (strstr(dtype, "64"))
        return 8;
    if (strstr(dtype, "32"))
        return 4;
    return strstr(dtype, "16") ? 2 : 1;
}

static void
store(uint8_t *at, const char *dtype, float value)
{
    uint16_t h;

    if (strcmp(dtype, "F32") == 0) {
        memcpy(at, &value, sizeof(value));
        return;
    }
    h = strcmp(dtype, "F16") == 0 ? oriel_f32_to_f16(value)
                                  : oriel_f32_to_bf16(value);
    memcpy(at, &h, sizeof(h));
}

/* Values row by row; 'channels_last' moves the channel after the rest. */
static uint8_t *
fill(oriel_tensor tensor, int32_t block, int64_t first_row, int64_t rows,
     int64_t columns, const char *dtype, int channels_last)
{
    const size_t width = dtype_bytes(dtype);
    uint8_t *data = malloc((size_t)(rows * columns) * width);

    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            const int64_t inner = columns / 3;
            const int64_t to = channels_last ? c % inner * 3 + c / inner : c;

            store(data + (size_t)(r * columns + to) * width, dtype,
                  tiny_value(tensor, block, first_row + r, c));
        }
    return data;
}

/* ---- Bundles ---------------------------------------------------------- */

builder_tensor *
builder_add(checkpoint_builder *b, const char *name, const char *dtype,
            int n_dims, const int64_t *shape, const void *data)
{
    builder_tensor *t = &b->tensors[b->n_tensors];

    ck_assert_int_lt(b->n_tensors, (int)COUNT(b->tensors));
    t->shard = b->n_shards ? b->n_tensors % b->n_shards : 0;
    b->n_tensors++;
    snprintf(t->name, sizeof(t->name), "%s", name);
    snprintf(t->dtype, sizeof(t->dtype), "%s", dtype);
    t->n_dims = n_dims;
    t->bytes = dtype_bytes(dtype);
    for (int i = 0; i < n_dims; i++) {
        t->shape[i] = shape[i];
        t->bytes *= (size_t)shape[i];
    }
    t->data = calloc(1, t->bytes + 1);
    if (data)
        memcpy(t->data, data, t->bytes);
    return t;
}

static void
add_rows(checkpoint_builder *b, const char *name, const char *dtype,
         oriel_tensor tensor, int32_t block, int64_t first_row, int64_t rows,
         int64_t columns)
{
    const int64_t shape[2] = {rows, columns};
    uint8_t *data = fill(tensor, block, first_row, rows, columns, dtype, 0);

    builder_add(b, name, dtype, columns == 1 ? 1 : 2, shape, data);
    free(data);
}

static void
add_patch_embed(checkpoint_builder *b, const char *name, const char *dtype,
                int last)
{
    static const int64_t shapes[2][5] = {
        {TINY_HIDDEN, 3, 2, TINY_PATCH, TINY_PATCH},
        {TINY_HIDDEN, 2, TINY_PATCH, TINY_PATCH, 3}};
    uint8_t *data = fill(ORIEL_TENSOR_PATCH_EMBED, 0, 0, TINY_HIDDEN,
                         3 * 2 * TINY_PATCH * TINY_PATCH, dtype, last);

    builder_add(b, name, dtype, 5, shapes[last], data);
    free(data);
}

static void
add_tensor(checkpoint_builder *b, const char *prefix, const char *dtype,
           int flags, oriel_tensor tensor, int32_t block)
{
    const oriel_tensor_shape shape =
        oriel_tensor_get_shape(&fixture_tiny, tensor);
    const int is_qkv =
        tensor == ORIEL_TENSOR_QKV_WEIGHT || tensor == ORIEL_TENSOR_QKV_BIAS;
    char name[160];

    oriel_tensor_full_name(name, sizeof(name), prefix, tensor, block);
    if (tensor == ORIEL_TENSOR_PATCH_EMBED) {
        add_patch_embed(b, name, dtype, (flags & CHANNELS_LAST) != 0);
    } else if (is_qkv && (flags & SPLIT_QKV)) {
        for (int part = 0; part < 3; part++) {
            snprintf(name, sizeof(name), "%sblocks.%d.attn.%c.%s", prefix,
                     block, "qkv"[part],
                     shape.columns == 1 ? "bias" : "weight");
            add_rows(b, name, dtype, tensor, block, part * TINY_HIDDEN,
                     TINY_HIDDEN, shape.columns);
        }
    } else {
        add_rows(b, name, dtype, tensor, block, 0, shape.rows, shape.columns);
    }
}

checkpoint_builder *
builder_create(const char *prefix, const char *dtype, int flags, int n_shards)
{
    checkpoint_builder *b = calloc(1, sizeof(*b));

    b->n_shards = n_shards;
    for (int i = 0; i < ORIEL_N_TENSORS; i++)
        for (int block = 0; block < TINY_DEPTH; block++)
            if (block == 0 || oriel_tensor_in_block((oriel_tensor)i))
                add_tensor(b, prefix, dtype, flags, (oriel_tensor)i, block);
    return b;
}

void
builder_free(checkpoint_builder *b)
{
    for (int i = 0; i < b->n_tensors; i++)
        free(b->tensors[i].data);
    free(b);
}

builder_tensor *
builder_find(checkpoint_builder *b, const char *name)
{
    for (int i = 0; i < b->n_tensors; i++)
        if (strcmp(b->tensors[i].name, name) == 0)
            return &b->tensors[i];
    ck_abort_msg("no tensor %s in the checkpoint_builder", name);
    return NULL;
}

void
builder_remove(checkpoint_builder *b, const char *name)
{
    builder_tensor *t = builder_find(b, name);
    const int at = (int)(t - b->tensors);

    free(t->data);
    b->n_tensors--;
    memmove(t, t + 1, (size_t)(b->n_tensors - at) * sizeof(*t));
}

void
builder_reverse(checkpoint_builder *b)
{
    for (int i = 0; i < b->n_tensors / 2; i++) {
        builder_tensor t = b->tensors[i];

        b->tensors[i] = b->tensors[b->n_tensors - 1 - i];
        b->tensors[b->n_tensors - 1 - i] = t;
    }
}

/* ---- Files ------------------------------------------------------------ */

char *
builder_header(const checkpoint_builder *b, int shard)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    const char *separator = "";
    size_t at = 0;

    fputc('{', f);
    for (int i = 0; i < b->n_tensors; i++) {
        const builder_tensor *t = &b->tensors[i];

        if (t->shard != shard)
            continue;
        fprintf(f, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", separator, t->name,
                t->dtype);
        for (int d = 0; d < t->n_dims; d++)
            fprintf(f, "%s%lld", d ? "," : "", (long long)t->shape[d]);
        fprintf(f, "],\"data_offsets\":[%zu,%zu]}", at, at + t->bytes);
        at += t->bytes;
        separator = ",";
    }
    fprintf(f, "}%*s", b->padding, "");
    fclose(f);
    return text;
}

void
shard_name(char out[64], int shard, int n_shards)
{
    if (n_shards == 0)
        snprintf(out, 64, "model.safetensors");
    else
        snprintf(out, 64, "model-%05d-of-%05d.safetensors", shard + 1,
                 n_shards);
}

char *
builder_index(const checkpoint_builder *b)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    char shard[64];

    fprintf(f, "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
    for (int i = 0; i < b->n_tensors; i++) {
        shard_name(shard, b->tensors[i].shard, b->n_shards);
        fprintf(f, "%s\n \"%s\": \"%s\"", i ? "," : "", b->tensors[i].name,
                shard);
    }
    fprintf(f, "}}\n");
    fclose(f);
    return text;
}

uint8_t *
builder_file(const checkpoint_builder *b, int shard, const char *header,
             size_t *bytes)
{
    char *own = header ? NULL : builder_header(b, shard);
    const char *text = header ? header : own;
    const uint64_t length = strlen(text);
    uint8_t *file;
    size_t at;

    *bytes = 8 + length;
    for (int i = 0; i < b->n_tensors; i++)
        *bytes += b->tensors[i].shard == shard ? b->tensors[i].bytes : 0;
    file = malloc(*bytes);
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)(length >> (8 * i));
    memcpy(file + 8, text, length);
    at = 8 + length;
    for (int i = 0; i < b->n_tensors; i++)
        if (b->tensors[i].shard == shard) {
            memcpy(file + at, b->tensors[i].data, b->tensors[i].bytes);
            at += b->tensors[i].bytes;
        }
    free(own);
    return file;
}

void
builder_write(const checkpoint_builder *b, const char *folder)
{
    char *index = builder_index(b);

    for (int shard = 0; shard < (b->n_shards ? b->n_shards : 1); shard++) {
        size_t bytes;
        uint8_t *file = builder_file(b, shard, NULL, &bytes);
        char name[64];

        shard_name(name, shard, b->n_shards);
        write_file(folder, name, file, bytes);
        free(file);
    }
    if (b->n_shards)
        write_text(folder, "model.safetensors.index.json", index);
    free(index);
}

/* ---- Folders ---------------------------------------------------------- */

char *
temp_folder(void)
{
    const char *base = getenv("TMPDIR");
    char path[512];

    snprintf(path, sizeof(path), "%s/oriel-model-XXXXXX",
             base && *base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(path));
    return strdup(path);
}

static int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

void
temp_remove(char *folder)
{
    ck_assert_int_eq(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(folder);
}

const char *
in_folder(const char *folder, const char *name)
{
    static char paths[4][1024];
    static unsigned next;
    char *path = paths[next++ % COUNT(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

void
write_file(const char *folder, const char *name, const void *bytes,
           size_t n_bytes)
{
    FILE *f = fopen(in_folder(folder, name), "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n_bytes, f), n_bytes);
    ck_assert_int_eq(fclose(f), 0);
}

void
write_text(const char *folder, const char *name, const char *text)
{
    write_file(folder, name, text, strlen(text));
}

char *
temp_checkpoint(const checkpoint_builder *b)
{
    char *folder = temp_folder();

    builder_write(b, folder);
    write_text(folder, "config.json", tiny_config);
    write_text(folder, "preprocessor_config.json", tiny_preprocessor);
    return folder;
}

char *
replace(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *out = malloc(strlen(text) + strlen(to) + 1);

    ck_assert_msg(at != NULL, "nothing to replace: %s", from);
    sprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    return out;
}
