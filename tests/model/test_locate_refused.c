/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_locate_refused.c - what people name as the model that is none: refused by
 * what it is
 */
#include "model/alloc_counter.h"
#include "model/checkpoint_builder.h"
#include "model/model_folders.h"
#include "model/refusal.h"
#include "oriel.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Refs that are no plain name are as if there was none. */
static void
odd_ref(const char *top, const char *ref)
{
    two_snapshots(top);
    write_text(top, "m/refs/main", ref);
}

static void
empty_ref(const char *top)
{
    odd_ref(top, "\n");
}

static void
hidden_ref(const char *top)
{
    odd_ref(top, ".abc");
}

static void
long_ref(const char *top)
{
    odd_ref(top, "abc/x");
}

static void
snapshots_is_a_file(const char *top)
{
    make_folders(top, "m/refs");
    write_text(top, "m/refs/main", "abc");
    write_text(top, "m/snapshots", "abc");
}

/* In the order in which the file system has them, and the first by name. */
static void
many_files(const char *top)
{
    char name[32];

    make_folders(top, "m");
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "m/q%02d.gguf", (i * 17 + 5) % 40);
        write_text(top, name, "GGUF\3");
    }
}

static void
zeros(const char *top)
{
    make_folders(top, "m");
    write_file(top, "m/3.safetensors", "\0\0", 3);
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

/* It is no shard of several, whatever lies beside it. */
static void
tower_without_a_tensor(const char *top)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);

    builder_remove(b, "visual.merger.mlp.2.weight");
    put_tower(top, b);
    write_text(top, "model.safetensors.index.json", "{}");
    builder_free(b);
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
    {empty_ref,
     "m",
     ORIEL_ERR_NOT_FOUND,
     {"with 2 snapshots, and refs/main names no one of them"}},
    {hidden_ref, "m", ORIEL_ERR_NOT_FOUND, {"with 2 snapshots"}},
    {long_ref, "m", ORIEL_ERR_NOT_FOUND, {"with 2 snapshots"}},
    {snapshots_is_a_file,
     "m",
     ORIEL_ERR_NOT_FOUND,
     {"m/snapshots: cannot list: Not a directory"}},
    {many_files, "m", ORIEL_ERR_NOT_FOUND, {"GGUF files (q00.gguf)"}},
    {zeros,
     "m/3.safetensors",
     ORIEL_ERR_MODEL,
     {"3.safetensors: 3 bytes, expected a safetensors file"}},
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
    {tower_without_a_tensor,
     "tower.safetensors",
     ORIEL_ERR_MODEL,
     {"tower.safetensors: tensor visual.merger.mlp.2.weight: missing"}},
    {nameless_shape,
     "m/model.safetensors",
     ORIEL_ERR_NOT_FOUND,
     {"no config.json beside it", "[32, 3, 2, 4, 4], expected [1280, 3",
      "--config FILE"}},
    {leaving, "m", ORIEL_ERR_MODEL, {"expected a file name within the folder"}},
};

START_TEST(says_what_it_is)
{
    char *top = temp_folder();

    refused[_i].make(top);
    check_refused(in_folder(top, refused[_i].path), _i, refused[_i].status,
                  refused[_i].says);
    temp_remove(top);
}
END_TEST

/* What is said is either why it is refused, whole, or that memory is out. */
START_TEST(refusals_may_run_out_of_memory)
{
    char *top = temp_folder();
    const char *path;
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    oriel_error err;
    long n, passed_over = 0;

    options.hooks = &hooks;
    refused[_i].make(top);
    path = in_folder(top, refused[_i].path);
    alloc_counter_watch_jansson(&l);
    ck_assert_int_eq(oriel_model_open(&model, path, &options, &err),
                     refused[_i].status);
    n = l.asked;
    for (l.fail_at = 1; l.fail_at <= n; l.fail_at++) {
        oriel_status status;

        l.asked = 0;
        status = oriel_model_open(&model, path, &options, &err);
        passed_over += status != ORIEL_ERR_MEMORY;
        if ((status != ORIEL_ERR_MEMORY && status != refused[_i].status) ||
            model || l.live != 0)
            ck_abort_msg("allocation %ld of %ld: %s, %ld live", l.fail_at, n,
                         err.message, l.live);
    }
    /* The hint that it is one shard of several is left out. */
    ck_assert_int_eq(passed_over, refused[_i].make == one_shard);
    temp_remove(top);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("locate_refused");
    TCase *tc = tcase_create("locate_refused");

    tcase_add_loop_test(tc, says_what_it_is, 0, (int)COUNT(refused));
    tcase_add_loop_test(tc, refusals_may_run_out_of_memory, 0,
                        (int)COUNT(refused));
    suite_add_tcase(s, tc);
    return run_suite(s);
}
