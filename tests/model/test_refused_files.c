/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_refused_files.c - folders whose files are missing, damaged, or lead out
 * of the folder
 */
#include "model/checkpoint_builder.h"
#include "model/refusal.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
no_config(const char *folder)
{
    unlink(in_folder(folder, "config.json"));
}

static void
huge_config(const char *folder)
{
    ck_assert_int_eq(truncate(in_folder(folder, "config.json"), 4194305), 0);
}

static void
config_is_a_folder(const char *folder)
{
    no_config(folder);
    mkdir(in_folder(folder, "config.json"), 0700);
}

static void
no_weights(const char *folder)
{
    unlink(in_folder(folder, "model.safetensors"));
}

static void
truncated_weights(const char *folder)
{
    ck_assert_int_eq(truncate(in_folder(folder, "model.safetensors"), 20000),
                     0);
}

static void
padded_weights(const char *folder)
{
    ck_assert_int_eq(truncate(in_folder(folder, "model.safetensors"), 2000000),
                     0);
}

static void
empty_weights(const char *folder)
{
    ck_assert_int_eq(truncate(in_folder(folder, "model.safetensors"), 0), 0);
}

static void
pipe_for_weights(const char *folder)
{
    no_weights(folder);
    ck_assert_int_eq(mkfifo(in_folder(folder, "model.safetensors"), 0600), 0);
}

static void
bad_preprocessor(const char *folder)
{
    write_text(folder, "preprocessor_config.json", "{\"resample\": 2}");
}

static void
bad_processor(const char *folder)
{
    write_text(folder, "processor_config.json",
               "{\"image_processor\":{\"merge_size\":2,\"patch_size\":14}}");
}

static void
no_shard(const char *folder)
{
    unlink(in_folder(folder, "model-00002-of-00002.safetensors"));
}

static void
no_map(const char *folder)
{
    write_text(folder, "model.safetensors.index.json", "{\"metadata\":{}}");
}

static void
listed_map(const char *folder)
{
    write_text(folder, "model.safetensors.index.json", "{\"weight_map\":[]}");
}

static void
empty_map(const char *folder)
{
    write_text(folder, "model.safetensors.index.json", "{\"weight_map\":{}}");
}

static void
read_index(const char *folder, char text[65536])
{
    FILE *f = fopen(in_folder(folder, "model.safetensors.index.json"), "rb");

    text[fread(text, 1, 65535, f)] = '\0';
    fclose(f);
}

/* The first of the names of the second shard in the index becomes this. */
static void
redirect(const char *folder, const char *to)
{
    static char text[65536];
    char *spoilt;

    read_index(folder, text);
    spoilt = replace(text, "\"model-00002-of-00002.safetensors\"", to);
    write_text(folder, "model.safetensors.index.json", spoilt);
    free(spoilt);
}

static void
shard_above(const char *folder)
{
    redirect(folder, "\"../model-00002-of-00002.safetensors\"");
}

static void
shard_absolute(const char *folder)
{
    redirect(folder, "\"/etc/passwd\"");
}

static void
shard_dots(const char *folder)
{
    redirect(folder, "\"..\"");
}

static void
shard_empty(const char *folder)
{
    redirect(folder, "\"\"");
}

static void
shard_number(const char *folder)
{
    redirect(folder, "2");
}

static void
shard_of_a_long_name(const char *folder)
{
    char name[5000];

    memset(name, 'x', sizeof(name));
    name[0] = name[sizeof(name) - 2] = '"';
    name[sizeof(name) - 1] = '\0';
    redirect(folder, name);
}

static void
shard_is_a_pipe(const char *folder)
{
    no_shard(folder);
    ck_assert_int_eq(
        mkfifo(in_folder(folder, "model-00002-of-00002.safetensors"), 0600), 0);
}

static void
shard_is_a_folder(const char *folder)
{
    no_shard(folder);
    mkdir(in_folder(folder, "model-00002-of-00002.safetensors"), 0700);
}

static void
shard_is_a_device(const char *folder)
{
    no_shard(folder);
    ck_assert_int_eq(
        symlink("/dev/zero",
                in_folder(folder, "model-00002-of-00002.safetensors")),
        0);
}

static void
shard_turns_in_a_circle(const char *folder)
{
    no_shard(folder);
    ck_assert_int_eq(
        symlink("model-00002-of-00002.safetensors",
                in_folder(folder, "model-00002-of-00002.safetensors")),
        0);
}

/* The index knows nothing of the second shard. */
static void
shard_unknown(const char *folder)
{
    static char text[65536];

    read_index(folder, text);
    for (char *at = text; (at = strstr(at, "model-00002-of")); at++)
        memcpy(at, "model-00001-of", 14);
    write_text(folder, "model.safetensors.index.json", text);
}

/* Nor does it name another than the first for a tensor of the tower; the other
   one, which is looked into for what is missing, is damaged. */
static void
shard_unknown_and_damaged(const char *folder)
{
    static char text[65536];
    char *more;

    shard_unknown(folder);
    read_index(folder, text);
    more = replace(text, "\"weight_map\": {",
                   "\"weight_map\": {\"lm_head.weight\": "
                   "\"model-00002-of-00002.safetensors\",");
    write_text(folder, "model.safetensors.index.json", more);
    free(more);
    ck_assert_int_eq(
        truncate(in_folder(folder, "model-00002-of-00002.safetensors"), 9000),
        0);
}

static void
shard_truncated(const char *folder)
{
    ck_assert_int_eq(
        truncate(in_folder(folder, "model-00001-of-00002.safetensors"), 9000),
        0);
}

static void
shard_overlap(const char *folder)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 2);
    size_t bytes;
    uint8_t *file;

    /* The second file holds all that the first one does, too. */
    for (int i = 0; i < b->n_tensors; i++)
        b->tensors[i].shard = 1;
    file = builder_file(b, 1, NULL, &bytes);
    write_file(folder, "model-00002-of-00002.safetensors", file, bytes);
    free(file);
    builder_free(b);
}

/* Each tensor in a shard of its own, one shard too many. */
static void
too_many_shards(const char *folder)
{
    static const int64_t one[] = {1};
    char *index = NULL;
    size_t size;
    FILE *f = open_memstream(&index, &size);

    fprintf(f, "{\"weight_map\":{");
    for (int i = 0; i <= 256; i++) {
        checkpoint_builder *b = calloc(1, sizeof(*b));
        char name[64], file[64];
        size_t bytes;
        uint8_t *data;

        snprintf(name, sizeof(name), "visual.%d", i);
        if (i == 0)
            strcpy(name, "visual.patch_embed.proj.weight");
        snprintf(file, sizeof(file), "%d.safetensors", i);
        builder_add(b, name, "F32", 1, one, NULL);
        data = builder_file(b, 0, NULL, &bytes);
        write_file(folder, file, data, bytes);
        fprintf(f, "%s\"%s\":\"%s\"", i ? "," : "", name, file);
        free(data);
        builder_free(b);
    }
    fprintf(f, "}}");
    fclose(f);
    write_text(folder, "model.safetensors.index.json", index);
    free(index);
}

static const struct {
    int n_shards;
    void (*spoil)(const char *folder);
    oriel_status status;
    const char *says[3];
} spoilt[] = {
#define SPOILT(n_shards, spoil, status, ...) \
    { \
        n_shards, spoil, ORIEL_ERR_##status, \
        { \
            __VA_ARGS__ \
        } \
    }
    SPOILT(0, no_config, NOT_FOUND, ": no config.json: expected it beside",
           "--config 7b", "there is model.safetensors; name that file itself"),
    SPOILT(0, huge_config, MODEL,
           "/config.json: 4194305 bytes, expected at most 4194304"),
    SPOILT(0, config_is_a_folder, MODEL,
           "/config.json: expected a regular file"),
    SPOILT(0, no_weights, NOT_FOUND,
           "expected model.safetensors or model.safetensors.index.json"),
    SPOILT(0, truncated_weights, MODEL, "model.safetensors: tensor visual.",
           "bytes of data in the file"),
    SPOILT(0, padded_weights, MODEL,
           "model.safetensors: ", "bytes of data, expected", "end of the last"),
    SPOILT(0, empty_weights, MODEL,
           "model.safetensors: 0 bytes, expected a safetensors file"),
    SPOILT(0, pipe_for_weights, MODEL,
           "model.safetensors: expected a regular file"),
    SPOILT(0, bad_preprocessor, UNSUPPORTED,
           "/preprocessor_config.json: resample: 2 is not supported"),
    SPOILT(0, bad_processor, MODEL,
           "/processor_config.json: image_processor.patch_size is 14"),
    SPOILT(
        2, no_shard, NOT_FOUND,
        "model-00002-of-00002.safetensors: no such shard, expected it to hold "
        "visual."),
    SPOILT(2, no_map, MODEL, "index.json: weight_map: expected an object"),
    SPOILT(2, listed_map, MODEL, "index.json: weight_map: expected an object"),
    SPOILT(2, empty_map, MODEL, "no vision tower"),
    SPOILT(2, shard_above, MODEL, "expected a file name within the folder",
           "found \"../model-00002-of-00002.safetensors\" for tensor visual."),
    SPOILT(2, shard_absolute, MODEL, "found \"/etc/passwd\""),
    SPOILT(2, shard_dots, MODEL, "found \"..\""),
    SPOILT(2, shard_empty, MODEL, "found \"\""),
    SPOILT(2, shard_number, MODEL, "expected a file name"),
    SPOILT(2, shard_of_a_long_name, MODEL, "xxx: cannot open: File name too "),
    SPOILT(2, shard_is_a_pipe, MODEL,
           "model-00002-of-00002.safetensors: expected a regular file"),
    SPOILT(2, shard_is_a_folder, MODEL,
           "model-00002-of-00002.safetensors: expected a regular file"),
    SPOILT(2, shard_is_a_device, MODEL,
           "model-00002-of-00002.safetensors: expected a regular file"),
    SPOILT(2, shard_turns_in_a_circle, MODEL,
           "model-00002-of-00002.safetensors: cannot open: Too many levels"),
    SPOILT(2, shard_unknown, MODEL, ": tensor visual.",
           ": missing, expected as"),
    SPOILT(2, shard_unknown_and_damaged, MODEL,
           "model-00002-of-00002.safetensors: tensor visual.",
           "bytes of data in the file"),
    SPOILT(2, shard_truncated, MODEL,
           "model-00001-of-00002.safetensors: tensor visual."),
    SPOILT(2, shard_overlap, MODEL, "tensor visual.",
           "expected once, found in"),
    SPOILT(2, too_many_shards, MODEL,
           "vision tensors in more shards than the 256 expected"),
#undef SPOILT
};

START_TEST(refuses_and_says_why)
{
    checkpoint_builder *b =
        builder_create("visual.", "BF16", 0, spoilt[_i].n_shards);
    char *folder = temp_checkpoint(b);

    spoilt[_i].spoil(folder);
    check_refused(folder, _i, spoilt[_i].status, spoilt[_i].says);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(refuses_what_is_not_there)
{
    char *folder = temp_folder();
    oriel_model *model;
    oriel_error err;

    ck_assert_int_eq(
        oriel_model_open(&model, in_folder(folder, "a\nb"), NULL, &err),
        ORIEL_ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(
        strstr(err.message, "a\\x0ab: cannot find a folder or .safetensors"));
    ck_assert_int_eq(err.cause, 2);
    ck_assert_int_eq(oriel_model_open(&model, "", NULL, &err),
                     ORIEL_ERR_NOT_FOUND);
    ck_assert_int_eq(oriel_model_open(&model, folder, NULL, &err),
                     ORIEL_ERR_NOT_FOUND);
    ck_assert_int_eq(oriel_model_open(&model, "/dev/null", NULL, &err),
                     ORIEL_ERR_MODEL);
    ck_assert_int_eq(oriel_model_open(&model, "/dev/null/x", NULL, &err),
                     ORIEL_ERR_NOT_FOUND);
    temp_remove(folder);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("refused_files");
    TCase *tc = tcase_create("refused_files");

    tcase_add_loop_test(tc, refuses_and_says_why, 0, (int)COUNT(spoilt));
    tcase_add_test(tc, refuses_what_is_not_there);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
