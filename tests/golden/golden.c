/* SPDX-License-Identifier: Apache-2.0 */
/* golden.c - read a golden file */
#include "golden/golden.h"

#include "model/safetensors.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct loader {
    oriel_safetensors *file;
    unsigned char *memory; /* the data of all tensors, as they lie */
    uint64_t base;         /* where it begins in the file */
} loader;

/* A tensor of this type, and how many elements it has. */
static const void *
find(const loader *l, const char *scope, const char *name, oriel_stored dtype,
     int64_t *count)
{
    const oriel_stored_tensor *t;
    char full[96];

    snprintf(full, sizeof(full), "%s%s%s", scope, *scope ? "." : "", name);
    t = oriel_safetensors_find(l->file, full);
    ck_assert_msg(t != NULL, "golden file: no tensor %s", full);
    ck_assert_msg(t->dtype == dtype, "golden file: %s has dtype %s", full,
                  t->dtype_name);
    *count = (int64_t)(t->bytes * 8 / oriel_stored_bits(dtype));
    return l->memory + (t->offset - l->base);
}

static const char *
metadata(const loader *l, const char *key)
{
    size_t n;
    const oriel_metadata_pair *pairs = oriel_safetensors_metadata(l->file, &n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    ck_abort_msg("golden file: no metadata %s", key);
    return NULL;
}

static void
load_state(const loader *l, const golden_file *file, golden_case *c, int32_t k)
{
    golden_state *s = &c->states[k];
    const int is_out = k == file->depth + 1;
    char tag[16], name[32];
    int64_t n;
    const float *numbers;

    snprintf(tag, sizeof(tag), is_out ? "out" : "h%d", k);
    snprintf(name, sizeof(name), "%s.at", is_out ? "out" : "h0");
    s->at = find(l, c->name, name, ORIEL_STORED_I32, &n);
    s->n_whole = (int32_t)n;
    snprintf(name, sizeof(name), "%s.rows", tag);
    s->whole = find(l, c->name, name, ORIEL_STORED_F32, &n);
    s->width = n / s->n_whole;
    for (int64_t i = 0; i < c->n_items; i++) {
        const int64_t *g = c->grid_thw + 3 * i;

        s->rows += g[0] * g[1] * g[2] / (is_out ? 4 : 1);
    }
    snprintf(name, sizeof(name), "%s.dots", tag);
    s->dots = find(l, c->name, name, ORIEL_STORED_F32, &n);
    s->n_vectors = (int32_t)(n / s->rows);
    ck_assert_int_le(s->n_vectors, GOLDEN_MAX_VECTORS);
    ck_assert_int_eq(s->n_vectors * s->rows, n);

    numbers = find(l, c->name, "norms", ORIEL_STORED_F32, &n);
    for (int i = 0; i < 2; i++)
        s->norms[i] = numbers[2 * k + i];
    numbers = find(l, c->name, "bf16", ORIEL_STORED_F32, &n);
    s->reference =
        (golden_error){numbers[3 * k], numbers[3 * k + 1], numbers[3 * k + 2]};
    numbers = find(l, c->name, "exact", ORIEL_STORED_F32, &n);
    for (int i = 0; i < 4; i++)
        s->exact[i] = numbers[4 * k + i];
}

static void
load_case(const loader *l, const golden_file *file, golden_case *c)
{
    int64_t n;

    c->items = find(l, c->name, "items", ORIEL_STORED_I64, &n);
    c->n_items = n / 3;
    c->grid_thw = find(l, c->name, "grid_thw", ORIEL_STORED_I64, &n);
    ck_assert_int_eq(n, 3 * c->n_items);
    c->n_states = file->depth + 2;
    for (int32_t k = 0; k < c->n_states; k++)
        load_state(l, file, c, k);
    c->token_norms = find(l, c->name, "out.norms", ORIEL_STORED_F32, &n);
    ck_assert_int_eq(n, c->states[c->n_states - 1].rows);
    c->cosine =
        ((const float *)find(l, c->name, "cosine", ORIEL_STORED_F32, &n))[1];
}

/* The comma-separated names of cases and of their sources, side by side. */
static void
name_cases(const loader *l, golden_file *file)
{
    const char *name = metadata(l, "cases"), *source = metadata(l, "sources");

    while (*name) {
        golden_case *c = &file->cases[file->n_cases++];
        int n = 0, m = 0;

        ck_assert_int_le(file->n_cases, GOLDEN_MAX_CASES);
        ck_assert_int_eq(sscanf(name, "%31[^,]%n", c->name, &n), 1);
        ck_assert_int_eq(sscanf(source, "%15[^,]%n", c->source, &m), 1);
        name += n + (name[n] == ',');
        source += m + (source[m] == ',');
    }
}

static void
open_file(loader *l, const char *config)
{
    oriel_error err;
    char path[512];
    const oriel_stored_tensor *tensors;
    size_t n;
    uint64_t end = 0;

    snprintf(path, sizeof(path), "%s/%s.safetensors", GOLDEN_FOLDER, config);
    ck_assert_msg(oriel_safetensors_open(&l->file, path, NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    tensors = oriel_safetensors_tensors(l->file, &n);
    ck_assert_uint_gt(n, 0);
    l->base = tensors[0].offset;
    end = tensors[n - 1].offset + tensors[n - 1].bytes;
    l->memory = malloc(end - l->base);
    ck_assert_ptr_nonnull(l->memory);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(
            oriel_stored_read(&tensors[i], 0,
                              l->memory + (tensors[i].offset - l->base),
                              tensors[i].bytes, &err),
            ORIEL_OK);
}

golden_file *
golden_load(const char *config)
{
    golden_file *file = calloc(1, sizeof(*file));
    loader l = {0};
    int64_t n;

    ck_assert_ptr_nonnull(file);
    open_file(&l, config);
    file->memory = l.memory;
    ck_assert_str_eq(metadata(&l, "config"), config);
    ck_assert_int_eq(atoi(metadata(&l, "seed")), GOLDEN_SEED);
    snprintf(file->config, sizeof(file->config), "%s", config);
    snprintf(file->versions, sizeof(file->versions),
             "torch %s, torchvision %s, transformers %s", metadata(&l, "torch"),
             metadata(&l, "torchvision"), metadata(&l, "transformers"));
    file->depth = atoi(metadata(&l, "depth"));
    ck_assert_int_le(file->depth, GOLDEN_MAX_DEPTH);
    file->full_blocks = find(&l, "", "full_blocks", ORIEL_STORED_I32, &n);
    file->n_full_blocks = (int32_t)n;
    file->outliers = find(&l, "", "outliers", ORIEL_STORED_I32, &n);
    file->n_outliers = (int32_t)n;
    name_cases(&l, file);
    for (int32_t i = 0; i < file->n_cases; i++)
        load_case(&l, file, &file->cases[i]);
    oriel_safetensors_close(l.file);
    return file;
}

void
golden_free(golden_file *file)
{
    if (!file)
        return;
    free(file->memory);
    free(file);
}
