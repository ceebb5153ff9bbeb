/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_locate.c - what people name as the model besides its folder: followed
 * where it is clear, else refused by what it is
 */
#include "model/alloc_counter.h"
#include "model/checkpoint_builder.h"
#include "model/refusal.h"
#include "oriel.h"
#include "support/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "TOP/NAME" and all folders on the way to it. */
static const char *
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

/* The tiny checkpoint at TOP/NAME, with limits of its own if 'limits'. */
static void
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

static void
config_file(const char *top)
{
    put_model(top, "m", 0, true);
}

static void
index_file(const char *top)
{
    put_model(top, "m", 2, true);
    /* It is not the one that was named. */
    write_text(top, "m/model.safetensors", "other");
}

static void
cache_with_ref(const char *top)
{
    put_model(top, "models--A--B/snapshots/abc", 2, true);
    make_folders(top, "models--A--B/snapshots/def");
    make_folders(top, "models--A--B/refs");
    write_text(top, "models--A--B/refs/main", "abc\n");
}

static void
cache_with_one(const char *top)
{
    put_model(top, "models--A--B/snapshots/abc", 0, true);
    make_folders(top, "models--A--B/blobs");
}

static void
cache_root(const char *top)
{
    cache_with_ref(top);
    make_folders(top, ".locks/models--A--B");
    write_text(top, "version.txt", "1");
}

static void
cache_home(const char *top)
{
    put_model(top, "hub/models--A--B/snapshots/abc", 0, true);
}

static void
pipeline(const char *top)
{
    put_model(top, "p/text_encoder", 2, false);
    make_folders(top, "p/processor");
    write_text(top, "p/model_index.json",
               "{\"_class_name\": \"QwenImageEditPipeline\","
               " \"_diffusers_version\": \"0.36.0\"}");
    write_text(top, "p/processor/preprocessor_config.json", tiny_preprocessor);
}

static void
pipeline_without_version(const char *top)
{
    pipeline(top);
    write_text(top, "p/model_index.json", "{\"_class_name\": \"A\"}");
}

static void
pipeline_in_cache(const char *top)
{
    put_model(top, "models--A--B/snapshots/abc/text_encoder", 0, true);
    write_text(top, "models--A--B/snapshots/abc/model_index.json", "{}");
}

/* What is noted takes memory, too. */
static void
with_notes(const char *top)
{
    static const int64_t norm[] = {32};
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 2);
    char *folder = strdup(make_folders(top, "m"));

    builder_add(b, "visual.blocks.4.norm1.weight", "BF16", 1, norm, NULL);
    builder_add(b, "visual.pos_embed.weight", "BF16", 1, norm, NULL);
    builder_write(b, folder);
    write_text(folder, "config.json", tiny_config);
    write_text(folder, "preprocessor_config.json", tiny_preprocessor);
    free(folder);
    builder_free(b);
}

/* As editors write it. */
static void
config_with_mark(const char *top)
{
    char *text = malloc(strlen(tiny_config) + 16);

    put_model(top, "m", 0, true);
    ck_assert_ptr_nonnull(text);
    sprintf(text, "\xEF\xBB\xBF \t\r\n%s", tiny_config);
    write_text(top, "m/config.json", text);
    free(text);
}

static const struct {
    void (*make)(const char *top);
    const char *path;
} followed[] = {
    {with_notes, "m"},
    {config_with_mark, "m/config.json"},
    {cache_with_one, "models--A--B/snapshots//"},
    {config_file, "m/config.json"},
    {config_file, "m/model.safetensors"},
    {index_file, "m/model.safetensors.index.json"},
    {cache_with_ref, "models--A--B"},
    {cache_with_one, "models--A--B"},
    {cache_with_one, "models--A--B/snapshots/abc"},
    {cache_with_one, "models--A--B/snapshots"},
    {cache_with_ref, "models--A--B/snapshots/"},
    {cache_root, ""},
    {cache_home, ""},
    {pipeline, "p"},
    {pipeline, "p/model_index.json"},
    {pipeline_in_cache, "models--A--B"},
    {pipeline_without_version, "p/model_index.json"},
};

START_TEST(follows_what_is_clear)
{
    char *top = temp_folder();
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    oriel_model *model;
    oriel_error err;

    followed[_i].make(top);
    ck_assert_msg(oriel_model_open(&model, in_folder(top, followed[_i].path),
                                   NULL, &err) == ORIEL_OK,
                  "case %d: %s", _i, err.message);
    ck_assert_int_eq(oriel_model_get_info(model, &info, NULL), ORIEL_OK);
    ck_assert_int_eq(info.hidden_size, 32);
    ck_assert_int_eq(info.max_pixels, 65536);
    oriel_model_destroy(model);
    temp_remove(top);
}
END_TEST

/* Also in jansson: no text is ever called malformed for want of memory. */
START_TEST(every_allocation_may_fail)
{
    char *top = temp_folder();
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    oriel_error err;
    long n;

    options.hooks = &hooks;
    options.prefix = "visual";
    followed[_i].make(top);
    alloc_counter_watch_jansson(&l);
    ck_assert_int_eq(oriel_model_open(&model, in_folder(top, followed[_i].path),
                                      &options, &err),
                     ORIEL_OK);
    oriel_model_destroy(model);
    n = l.asked;
    ck_assert_int_gt(n, 50);
    for (l.fail_at = 1; l.fail_at <= n; l.fail_at++) {
        l.asked = 0;
        if (oriel_model_open(&model, in_folder(top, followed[_i].path),
                             &options, &err) != ORIEL_ERR_MEMORY ||
            model || l.live != 0)
            ck_abort_msg("allocation %ld of %ld: %s, %ld live", l.fail_at, n,
                         err.message, l.live);
    }
    temp_remove(top);
}
END_TEST

/* ---- Refused ---------------------------------------------------------- */

static const char lfs[] = "version https://git-lfs.github.com/spec/v1\n"
                          "oid sha256:0\nsize 4000000000\n";

static void
lfs_weights(const char *top)
{
    put_model(top, "m", 0, true);
    write_text(top, "m/model.safetensors", lfs);
}

static void
lfs_shard(const char *top)
{
    put_model(top, "m", 2, true);
    write_text(top, "m/model-00002-of-00002.safetensors", lfs);
}

static void
lfs_config(const char *top)
{
    put_model(top, "m", 0, true);
    write_text(top, "m/config.json", lfs);
}

static void
lfs_index(const char *top)
{
    put_model(top, "m", 2, true);
    write_text(top, "m/model.safetensors.index.json", lfs);
}

static void
lfs_processor(const char *top)
{
    put_model(top, "m", 0, true);
    write_text(top, "m/preprocessor_config.json", lfs);
}

static void
lora(const char *top)
{
    make_folders(top, "m");
    write_text(top, "m/adapter_config.json", "{\"peft_type\": \"LORA\"}");
    write_text(top, "m/adapter_model.safetensors", "x");
}

/* The factors alone, with no word of a tower. */
static void
lora_file(const char *top)
{
    static const int64_t shape[] = {1};
    checkpoint_builder *b = calloc(1, sizeof(*b));
    uint8_t *file;
    size_t bytes;

    builder_add(b, "base_model.model.visual.blocks.0.attn.qkv.lora_A.weight",
                "F32", 1, shape, NULL);
    file = builder_file(b, 0, NULL, &bytes);
    write_file(make_folders(top, "m"), "adapter_model.safetensors", file,
               bytes);
    free(file);
    builder_free(b);
}

static void
link_to_nowhere(const char *top)
{
    put_model(top, "m", 0, true);
    unlink(in_folder(top, "m/model.safetensors"));
    ck_assert_int_eq(
        symlink("../blobs/0", in_folder(top, "m/model.safetensors")), 0);
}

static void
picture(const char *top)
{
    make_folders(top, "m");
    write_text(top, "m/photo.jpg", "\xff\xd8\xff\xe0 and so on");
}

static void
empty_config(const char *top)
{
    put_model(top, "m", 0, true);
    write_text(top, "m/config.json", "");
}

static void
gguf(const char *top)
{
    make_folders(top, "m");
    write_text(top, "m/model.safetensors", "GGUF\3");
    write_text(top, "m/config.json", tiny_config);
}

static void
gguf_folder(const char *top)
{
    make_folders(top, "m");
    write_text(top, "m/q4.gguf", "GGUF\3");
}

static void
pytorch(const char *top)
{
    make_folders(top, "m");
    write_text(top, "m/config.json", tiny_config);
    write_text(top, "m/pytorch_model.bin", "PK\3\4");
}

static void
html(const char *top)
{
    put_model(top, "m", 0, true);
    write_text(top, "m/model.safetensors", "<!DOCTYPE html>\n<html>");
}

static void
two_snapshots(const char *top)
{
    make_folders(top, "m/snapshots/abc");
    make_folders(top, "m/snapshots/def");
    make_folders(top, "m/refs");
    write_text(top, "m/refs/main", "../../etc");
}

static void
two_models(const char *top)
{
    make_folders(top, "m/models--A--B/snapshots/abc");
    make_folders(top, "m/models--A--A/snapshots/abc");
}

static void
empty_pipeline(const char *top)
{
    make_folders(top, "m/transformer");
    write_text(top, "m/model_index.json", "{}");
}

static void
processor(const char *top)
{
    put_model(top, "m", 0, true);
    write_text(top, "m/preprocessor_config.json",
               "{\"image_processor_type\": \"Qwen2VLImageProcessor\"}");
}

static void
json_files(const char *top)
{
    put_model(top, "m", 0, true);
    write_text(top, "m/empty.json", "{}");
    write_text(top, "m/blank.json", " \n");
    write_text(top, "m/processor.json", "{\"image_processor\": {}}");
    write_text(top, "m/map.json", "{\"weight_map\": []}");
    write_text(top, "m/typed.json", "{\"model_type\": \"bert\"}");
    write_text(top, "m/thinker.json", "{\"thinker_config\": {}}");
    write_text(top, "m/vlm.json", "{\"vlm_config\": {}}");
}

/* The folder of a model's snapshots has this name alone. */
static void
other_snapshots(const char *top)
{
    make_folders(top, "models--A--B/my_snapshots/abc");
    make_folders(top, "snapshot");
}

static void
one_shard(const char *top)
{
    put_model(top, "m", 2, true);
}

static void
nameless_shape(const char *top)
{
    put_model(top, "m", 0, false);
    unlink(in_folder(top, "m/config.json"));
}

static void
leaving(const char *top)
{
    put_model(top, "m", 2, true);
    write_text(top, "m/model.safetensors.index.json",
               "{\"weight_map\": {\"visual.patch_embed.proj.weight\":"
               " \"a/../../m/model-00001-of-00002.safetensors\"}}");
}

static const struct {
    void (*make)(const char *top);
    const char *path;
    oriel_status status;
    const char *says[3];
} refused[] = {
    {lfs_weights,
     "m",
     ORIEL_ERR_UNSUPPORTED,
     {"m/model.safetensors: a Git LFS pointer", "`git lfs pull`"}},
    {lfs_weights,
     "m/model.safetensors",
     ORIEL_ERR_UNSUPPORTED,
     {"a Git LFS pointer"}},
    {lfs_shard,
     "m",
     ORIEL_ERR_UNSUPPORTED,
     {"model-00002-of-00002.safetensors: a Git LFS pointer"}},
    {lfs_config,
     "m",
     ORIEL_ERR_UNSUPPORTED,
     {"m/config.json: a Git LFS pointer"}},
    {lfs_index, "m", ORIEL_ERR_UNSUPPORTED, {"index.json: a Git LFS pointer"}},
    {lfs_processor,
     "m",
     ORIEL_ERR_UNSUPPORTED,
     {"m/preprocessor_config.json: a Git LFS pointer"}},
    {lora,
     "m",
     ORIEL_ERR_NOT_FOUND,
     {"a LoRA adapter (adapter_config.json)", "merged into"}},
    {lora,
     "m/adapter_config.json",
     ORIEL_ERR_MODEL,
     {"the configuration of a LoRA adapter", "merged into"}},
    {lora_file,
     "m/adapter_model.safetensors",
     ORIEL_ERR_MODEL,
     {"a LoRA adapter (tensor base_model.", "merged into"}},
    {link_to_nowhere,
     "m",
     ORIEL_ERR_NOT_FOUND,
     {"model.safetensors is a link to a file that is not there",
      "complete the download"}},
    {picture,
     "m/photo.jpg",
     ORIEL_ERR_UNSUPPORTED,
     {"a JPEG picture, not a checkpoint"}},
    {empty_config,
     "m",
     ORIEL_ERR_MODEL,
     {"m/config.json: malformed JSON: the file is empty"}},
    {gguf,
     "m",
     ORIEL_ERR_UNSUPPORTED,
     {"m/model.safetensors: a GGUF file", "safetensors checkpoint"}},
    {gguf_folder, "m", ORIEL_ERR_NOT_FOUND, {"GGUF files (q4.gguf)"}},
    {gguf_folder, "m/q4.gguf", ORIEL_ERR_UNSUPPORTED, {"a GGUF file"}},
    {pytorch,
     "m",
     ORIEL_ERR_NOT_FOUND,
     {"found neither; this holds PyTorch files (pytorch_model.bin)",
      "save_pretrained"}},
    {pytorch,
     "m/pytorch_model.bin",
     ORIEL_ERR_UNSUPPORTED,
     {"a PyTorch file", "as safetensors"}},
    {html, "m", ORIEL_ERR_UNSUPPORTED, {"an HTML page"}},
    {two_snapshots,
     "m",
     ORIEL_ERR_NOT_FOUND,
     {"a Hugging Face cache folder with 2 snapshots", "snapshots/"}},
    {two_models,
     "m",
     ORIEL_ERR_NOT_FOUND,
     {"a Hugging Face cache of 2 models", "such as models--A--A"}},
    {empty_pipeline,
     "m",
     ORIEL_ERR_MODEL,
     {"a diffusers pipeline", "without text_encoder/config.json"}},
    {processor,
     "m/preprocessor_config.json",
     ORIEL_ERR_MODEL,
     {"of an image processor; give the model's folder"}},
    {json_files,
     "m/empty.json",
     ORIEL_ERR_MODEL,
     {"JSON, but neither a config.json nor an index of shards"}},
    {json_files,
     "m/map.json",
     ORIEL_ERR_MODEL,
     {"JSON, but neither a config.json nor an index of shards"}},
    {json_files, "m/blank.json", ORIEL_ERR_MODEL, {"blank.json"}},
    {json_files,
     "m/processor.json",
     ORIEL_ERR_MODEL,
     {"the configuration of a processor; give the model's folder"}},
    {json_files,
     "m/typed.json",
     ORIEL_ERR_MODEL,
     {"typed.json: expected vision_config or thinker_config"}},
    {json_files, "m/thinker.json", ORIEL_ERR_MODEL, {"thinker.json"}},
    {json_files, "m/vlm.json", ORIEL_ERR_MODEL, {"vlm.json"}},
    {other_snapshots,
     "models--A--B/my_snapshots",
     ORIEL_ERR_NOT_FOUND,
     {"no config.json"}},
    {other_snapshots, "snapshot", ORIEL_ERR_NOT_FOUND, {"no config.json"}},
    {one_shard,
     "m/model-00001-of-00002.safetensors",
     ORIEL_ERR_MODEL,
     {"one shard of several: give its folder"}},
    {nameless_shape,
     "m/model.safetensors",
     ORIEL_ERR_NOT_FOUND,
     {"no config.json beside it", "[32, 3, 2, 4, 4], expected [1280, 3",
      "--config FILE"}},
    {leaving, "m", ORIEL_ERR_MODEL, {"expected a file name within the folder"}},
};

/* With a configuration that is given, the folder needs none. */
START_TEST(a_given_configuration_is_enough)
{
    static const char *const paths[] = {"m", "m/model.safetensors.index.json",
                                        "m/other.json"};
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    char *top = temp_folder();
    oriel_model *model;
    oriel_error err;

    put_model(top, "m", 2, true);
    unlink(in_folder(top, "m/config.json"));
    write_text(top, "m/other.json", tiny_config);
    for (size_t i = 0; i < COUNT(paths); i++) {
        options.config_path = in_folder(top, "m/other.json");
        options.config_preset = NULL;
        ck_assert_msg(oriel_model_open(&model, in_folder(top, paths[i]),
                                       &options, &err) == ORIEL_OK,
                      "%s: %s", paths[i], err.message);
        oriel_model_destroy(model);
        /* Shapes of another network. */
        options.config_path = NULL;
        options.config_preset = "qwen2.5-vl-7b";
        ck_assert_int_eq(
            oriel_model_open(&model, in_folder(top, paths[i]), &options, &err),
            ORIEL_ERR_MODEL);
        ck_assert_msg(strstr(err.message, "vision_config.depth is 32") != NULL,
                      "%s", err.message);
    }
    temp_remove(top);
}
END_TEST

START_TEST(says_what_it_is)
{
    char *top = temp_folder();

    refused[_i].make(top);
    check_refused(in_folder(top, refused[_i].path), _i, refused[_i].status,
                  refused[_i].says);
    temp_remove(top);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("locate");
    TCase *tc = tcase_create("locate");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, follows_what_is_clear, 0, (int)COUNT(followed));
    tcase_add_loop_test(tc, every_allocation_may_fail, 0, (int)COUNT(followed));
    tcase_add_test(tc, a_given_configuration_is_enough);
    tcase_add_loop_test(tc, says_what_it_is, 0, (int)COUNT(refused));
    suite_add_tcase(s, tc);
    return run_suite(s);
}
