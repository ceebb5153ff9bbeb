/* SPDX-License-Identifier: Apache-2.0 */
/* test_digest.c - the identity of a network, by its definition */
#include "model/alloc_counter.h"
#include "model/checkpoint_builder.h"
#include "oriel.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static oriel_model *
open_good(const char *path)
{
    oriel_model *model;
    oriel_error err;

    ck_assert_msg(oriel_model_open(&model, path, NULL, &err) == ORIEL_OK, "%s",
                  err.message);
    ck_assert_int_eq(err.status, ORIEL_OK);
    ck_assert_int_eq(err.item, -1);
    ck_assert_str_eq(err.message, "");
    return model;
}

static void
digest_of(const char *folder, char digest[33])
{
    oriel_model *model = open_good(folder);
    oriel_error err;
    char again[33];

    ck_assert_int_eq(oriel_model_digest(model, digest, &err), ORIEL_OK);
    ck_assert_int_eq(oriel_model_digest(model, again, NULL), ORIEL_OK);
    ck_assert_str_eq(digest, again);
    ck_assert_uint_eq(strspn(digest, "0123456789abcdef"), 32);
    ck_assert_uint_eq(strlen(digest), 32);
    oriel_model_destroy(model);
}

static void
append(FILE *f, oriel_tensor tensor, int32_t block)
{
    const oriel_tensor_shape shape =
        oriel_tensor_get_shape(&fixture_tiny, tensor);

    for (int64_t r = 0; r < shape.rows; r++)
        for (int64_t c = 0; c < shape.columns; c++) {
            const float value = tiny_value(tensor, block, r, c);

            fwrite(&value, sizeof(value), 1, f);
        }
}

/* By the definition, in one piece, from the canonical values. */
static void
expected_digest(char digest[33])
{
    char *text;
    size_t bytes;
    FILE *f = open_memstream(&text, &bytes);
    XXH128_hash_t hash;

    fputs("oriel-vision-2 tower=1 depth=4 hidden=32 intermediate=20 heads=2 "
          "out=24 "
          "channels=3 patch=4 temporal=2 merge=2 window=32 theta=10000 "
          "full=1,3\n",
          f);
    append(f, ORIEL_TENSOR_PATCH_EMBED, 0);
    for (int32_t block = 0; block < TINY_DEPTH; block++)
        for (int t = ORIEL_TENSOR_NORM1; t <= ORIEL_TENSOR_DOWN_BIAS; t++)
            append(f, (oriel_tensor)t, block);
    for (int t = ORIEL_TENSOR_MERGER_NORM; t < ORIEL_N_TENSORS; t++)
        append(f, (oriel_tensor)t, 0);
    fclose(f);
    hash = XXH3_128bits(text, bytes);
    snprintf(digest, 33, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    free(text);
}

static const struct {
    const char *prefix, *dtype;
    int flags, n_shards, padding;
} same[] = {
    {"visual.", "BF16", 0, 0, 0},
    {"visual.", "F32", 0, 0, 3},
    {"model.visual.", "F16", 0, 3, 1},
    {"thinker.visual.", "BF16", SPLIT_QKV, 2, 0},
    {"vision_tower.", "F32", CHANNELS_LAST, 0, 1},
    {"", "F16", CHANNELS_LAST | SPLIT_QKV, 0, 5},
};

START_TEST(the_digest_is_of_the_values)
{
    checkpoint_builder *b = builder_create(same[_i].prefix, same[_i].dtype,
                                           same[_i].flags, same[_i].n_shards);
    char *folder;
    char digest[33], expected[33];

    b->padding = same[_i].padding;
    if (_i % 2)
        builder_reverse(b);
    folder = temp_checkpoint(b);
    /* Limits and normalisation belong to a plan. */
    if (_i == 2)
        unlink(in_folder(folder, "preprocessor_config.json"));
    digest_of(folder, digest);
    expected_digest(expected);
    ck_assert_str_eq(digest, expected);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(another_value_or_number_is_another_digest)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    char *config = replace(tiny_config, "[1, 3]", "[1]");
    char expected[33], digest[33];

    expected_digest(expected);
    write_text(folder, "config.json", config);
    digest_of(folder, digest);
    ck_assert_str_ne(digest, expected);
    free(config);
    write_text(folder, "config.json", tiny_config);
    digest_of(folder, digest);
    ck_assert_str_eq(digest, expected);
    builder_find(b, "visual.merger.mlp.2.bias")->data[47] ^= 1;
    builder_write(b, folder);
    digest_of(folder, digest);
    ck_assert_str_ne(digest, expected);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(a_digest_can_be_cancelled_and_asked_again)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    char digest[33], expected[33];
    oriel_error err;

    options.hooks = &hooks;
    ck_assert_int_eq(oriel_model_open(&model, folder, &options, &err),
                     ORIEL_OK);
    l.cancel_after = 30;
    ck_assert_int_eq(oriel_model_digest(model, digest, &err),
                     ORIEL_ERR_CANCELLED);
    expected_digest(expected);
    ck_assert_int_eq(oriel_model_digest(model, digest, &err), ORIEL_OK);
    ck_assert_str_eq(digest, expected);
    oriel_model_destroy(model);
    ck_assert_int_eq(l.live, 0);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(a_digest_of_a_cut_file_is_an_error)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    oriel_model *model = open_good(folder);
    char digest[33];
    oriel_error err;

    ck_assert_int_eq(truncate(in_folder(folder, "model.safetensors"), 50000),
                     0);
    ck_assert_int_eq(oriel_model_digest(model, digest, &err), ORIEL_ERR_IO);
    ck_assert_int_eq(oriel_model_digest(model, digest, &err), ORIEL_ERR_IO);
    oriel_model_destroy(model);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(memory_is_as_good_as_a_file)
{
    checkpoint_builder *b = builder_create("model.visual.", "F32", 0, 0);
    size_t bytes;
    uint8_t *file = builder_file(b, 0, NULL, &bytes);
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    char digest[33], expected[33];
    oriel_model *model;
    oriel_error err;

    ck_assert_msg(oriel_model_open_memory(&model, tiny_config,
                                          strlen(tiny_config), file, bytes,
                                          NULL, &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert_int_eq(oriel_model_get_info(model, &info, NULL), ORIEL_OK);
    ck_assert_int_eq(info.has_weights, 1);
    ck_assert_int_eq(info.out_hidden_size, 24);
    /* There is no preprocessor_config.json: what is published. */
    ck_assert_int_eq(info.max_pixels, 12845056);
    ck_assert_int_eq(oriel_model_digest(model, digest, NULL), ORIEL_OK);
    expected_digest(expected);
    ck_assert_str_eq(digest, expected);
    oriel_model_destroy(model);

    ck_assert_int_eq(oriel_model_open_memory(&model, tiny_config,
                                             strlen(tiny_config), file,
                                             bytes - 1, NULL, &err),
                     ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "weights in memory: "));
    ck_assert_int_eq(
        oriel_model_open_memory(&model, "{", 1, file, bytes, NULL, &err),
        ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "config_json: malformed JSON"));
    free(file);
    builder_free(b);
}
END_TEST

START_TEST(every_allocation_from_memory_may_fail)
{
    checkpoint_builder *b = builder_create("visual.", "F16", 0, 0);
    size_t bytes;
    uint8_t *file = builder_file(b, 0, NULL, &bytes);
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    oriel_error err;
    long n;

    options.hooks = &hooks;
    options.prefix = "visual";
    alloc_counter_watch_jansson(&l);
    ck_assert_int_eq(oriel_model_open_memory(&model, tiny_config,
                                             strlen(tiny_config), file, bytes,
                                             &options, &err),
                     ORIEL_OK);
    oriel_model_destroy(model);
    n = l.asked;
    ck_assert_int_gt(n, 50);
    for (l.fail_at = 1; l.fail_at <= n; l.fail_at++) {
        l.asked = 0;
        if (oriel_model_open_memory(&model, tiny_config, strlen(tiny_config),
                                    file, bytes, &options,
                                    &err) != ORIEL_ERR_MEMORY ||
            model || l.live != 0)
            ck_abort_msg("allocation %ld of %ld: %s, %ld live", l.fail_at, n,
                         err.message, l.live);
    }
    free(file);
    builder_free(b);
}
END_TEST

/* A network of other proportions, all that is narrow 1 wide and a row of the
   convolution over a MiB: longer than what is hashed at a time. */
static const char wide_config[] =
    "{\"vision_config\":{\"depth\":1,\"hidden_size\":4,\"num_heads\":1,"
    "\"intermediate_size\":1,\"out_hidden_size\":1,\"patch_size\":256,"
    "\"temporal_patch_size\":2,\"spatial_merge_size\":1,\"window_size\":256,"
    "\"fullatt_block_indexes\":[],\"rope_parameters\":"
    "{\"rope_type\":\"axial\",\"rope_theta\":1000.5}}}";
static const oriel_network wide = {.depth = 1,
                                   .hidden_size = 4,
                                   .intermediate_size = 1,
                                   .out_hidden_size = 1,
                                   .in_channels = 3,
                                   .patch_size = 256,
                                   .temporal_patch_size = 2,
                                   .spatial_merge_size = 1};

/* All its tensors into a checkpoint_builder, and their values into a stream. */
static void
add_wide(checkpoint_builder *b, FILE *f)
{
    static const int64_t conv[] = {4, 3, 2, 256, 256};

    for (int t = 0; t < ORIEL_N_TENSORS; t++) {
        const oriel_tensor tensor = (oriel_tensor)t;
        const oriel_tensor_shape shape = oriel_tensor_get_shape(&wide, tensor);
        const int64_t dims[] = {shape.rows, shape.columns};
        const int n_dims = oriel_tensor_is_vector(tensor) ? 1 : 2;
        const size_t n = (size_t)(shape.rows * shape.columns);
        float *values = malloc(n * sizeof(*values));
        char name[64];

        for (size_t i = 0; i < n; i++)
            values[i] = (float)(i % 8191) + (float)t;
        oriel_tensor_full_name(name, sizeof(name), "visual.", tensor, 0);
        builder_add(b, name, "F32", t ? n_dims : 5, t ? dims : conv, values);
        fwrite(values, sizeof(*values), n, f);
        free(values);
    }
}

START_TEST(rows_of_any_length_are_hashed)
{
    checkpoint_builder *b = calloc(1, sizeof(*b));
    char *text, digest[33], expected[33];
    size_t bytes, file_bytes;
    FILE *f = open_memstream(&text, &bytes);
    uint8_t *file;
    oriel_model *model;
    oriel_error err;
    XXH128_hash_t hash;

    fputs(
        "oriel-vision-2 tower=1 depth=1 hidden=4 intermediate=1 heads=1 out=1 "
        "channels=3 patch=256 temporal=2 merge=1 window=256 theta=1000.5 "
        "full=\n",
        f);
    add_wide(b, f);
    fclose(f);
    hash = XXH3_128bits(text, bytes);
    snprintf(expected, 33, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    file = builder_file(b, 0, NULL, &file_bytes);
    ck_assert_msg(oriel_model_open_memory(&model, wide_config,
                                          strlen(wide_config), file, file_bytes,
                                          NULL, &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert_int_eq(oriel_model_digest(model, digest, &err), ORIEL_OK);
    ck_assert_str_eq(digest, expected);
    oriel_model_destroy(model);
    free(file);
    free(text);
    builder_free(b);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("digest");
    TCase *tc = tcase_create("digest");

    tcase_add_loop_test(tc, the_digest_is_of_the_values, 0, (int)COUNT(same));
    tcase_add_test(tc, another_value_or_number_is_another_digest);
    tcase_add_test(tc, a_digest_can_be_cancelled_and_asked_again);
    tcase_add_test(tc, a_digest_of_a_cut_file_is_an_error);
    tcase_add_test(tc, memory_is_as_good_as_a_file);
    tcase_add_test(tc, every_allocation_from_memory_may_fail);
    tcase_add_test(tc, rows_of_any_length_are_hashed);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
