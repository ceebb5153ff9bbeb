/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_refusals.c - checkpoints that cannot be used, and how that is said
 *
 * Every case is a good folder with one thing spoilt: before it is written (the
 * bundle) or after (its files).  The message is one line, names file and
 * tensor or field, and what was expected.
 */
#include "model/bundle.h"
#include "model/ledger.h"
#include "oriel.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t four[] = {4};

/* ---- Spoiling bundles -------------------------------------------------- */

static void
rename_tensor(bundle *b, const char *from, const char *to)
{
    bundle_tensor *t = bundle_find(b, from);

    snprintf(t->name, sizeof(t->name), "%s", to);
}

static void
no_tower(bundle *b)
{
    rename_tensor(b, "visual.patch_embed.proj.weight", "visual.patch.weight");
}

static void
glued_prefix(bundle *b)
{
    for (int i = 0; i < b->n_tensors; i++) {
        char name[160];

        snprintf(name, sizeof(name), "audio%.150s", b->tensors[i].name);
        memcpy(b->tensors[i].name, name, sizeof(name));
    }
}

static void
two_towers(bundle *b)
{
    bundle_add(b, "teacher.visual.patch_embed.proj.weight", "BF16", 1, four,
               NULL);
}

static void
missing_bias(bundle *b)
{
    bundle_remove(b, "visual.blocks.2.mlp.up_proj.bias");
}

static void
missing_fc2(bundle *b)
{
    bundle_remove(b, "visual.merger.mlp.2.weight");
}

static void
missing_gate(bundle *b)
{
    bundle_remove(b, "visual.blocks.0.mlp.gate_proj.weight");
}

static void
missing_part(bundle *b)
{
    bundle_remove(b, "visual.blocks.1.attn.k.weight");
}

static void
both_whole_and_parts(bundle *b)
{
    static const int64_t bias[] = {32};

    bundle_add(b, "visual.blocks.3.attn.q.bias", "BF16", 1, bias, NULL);
}

static void
fewer_blocks(bundle *b)
{
    for (int i = b->n_tensors - 1; i >= 0; i--)
        if (strstr(b->tensors[i].name, "blocks.3."))
            bundle_remove(b, b->tensors[i].name);
}

static void
more_blocks(bundle *b)
{
    static const int64_t norm[] = {32};

    bundle_add(b, "visual.blocks.4.norm1.weight", "BF16", 1, norm, NULL);
}

static void
hostile_block(bundle *b)
{
    bundle_add(b, "visual.blocks.99999999999999.norm1.weight", "BF16", 1, four,
               NULL);
}

static void
padded_block(bundle *b)
{
    rename_tensor(b, "visual.blocks.1.norm1.weight",
                  "visual.blocks.01.norm1.weight");
}

static void
superfluous(bundle *b)
{
    bundle_add(b, "visual.pos_embed.weight", "BF16", 1, four, NULL);
}

static void
lora(bundle *b)
{
    bundle_add(b, "visual.blocks.0.attn.qkv.lora_A.weight", "F32", 1, four,
               NULL);
}

static void
set_dtype(bundle *b, const char *name, const char *dtype)
{
    bundle_tensor *t = bundle_find(b, name);

    snprintf(t->dtype, sizeof(t->dtype), "%s", dtype);
    /* As many values, of one byte each. */
    t->bytes /= 2;
}

static void
bnb_4bit(bundle *b)
{
    set_dtype(b, "visual.blocks.1.attn.proj.weight", "U8");
}

static void
int8(bundle *b)
{
    set_dtype(b, "visual.blocks.1.attn.proj.weight", "I8");
}

static void
fp8(bundle *b)
{
    set_dtype(b, "visual.blocks.2.mlp.down_proj.weight", "F8_E4M3");
}

static void
awq(bundle *b)
{
    bundle_remove(b, "visual.blocks.0.mlp.up_proj.weight");
    bundle_add(b, "visual.blocks.0.mlp.up_proj.qweight", "I32", 1, four, NULL);
}

static void
doubles(bundle *b)
{
    bundle_tensor *t = bundle_find(b, "visual.merger.ln_q.weight");

    snprintf(t->dtype, sizeof(t->dtype), "F64");
    t->shape[0] = 8;
}

static void
future_dtype(bundle *b)
{
    set_dtype(b, "visual.merger.mlp.0.bias", "F5\\u001b[2J");
}

static void
reshape(bundle *b, const char *name, int n_dims, int64_t d0, int64_t d1)
{
    bundle_tensor *t = bundle_find(b, name);

    t->n_dims = n_dims;
    t->shape[0] = d0;
    t->shape[1] = d1;
}

static void
transposed(bundle *b)
{
    reshape(b, "visual.blocks.3.mlp.down_proj.weight", 2, 20, 32);
}

static void
flat(bundle *b)
{
    reshape(b, "visual.blocks.0.attn.proj.weight", 1, 1024, 0);
}

static void
scalar(bundle *b)
{
    bundle_tensor *t = bundle_find(b, "visual.merger.ln_q.weight");

    t->n_dims = 0;
    t->bytes = 2;
}

static void
patch_embed_2d(bundle *b)
{
    reshape(b, "visual.patch_embed.proj.weight", 2, 32, 96);
}

static void
patch_embed_other(bundle *b)
{
    bundle_tensor *t = bundle_find(b, "visual.patch_embed.proj.weight");

    t->shape[1] = 2;
    t->shape[2] = 3;
}

static void
gate_1d(bundle *b)
{
    reshape(b, "visual.blocks.0.mlp.gate_proj.weight", 1, 640, 0);
}

static void
empty_out(bundle *b)
{
    bundle_tensor *t = bundle_find(b, "visual.merger.mlp.2.weight");

    t->shape[0] = 0;
    t->bytes = 0;
}

static void
uneven_gate(bundle *b)
{
    reshape(b, "visual.blocks.0.mlp.gate_proj.weight", 2, 32, 20);
}

/* ---- Spoiling folders -------------------------------------------------- */

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
empty_map(const char *folder)
{
    write_text(folder, "model.safetensors.index.json", "{\"weight_map\":{}}");
}

/* Names of the second shard in the index become this. */
static void
redirect(const char *folder, const char *to)
{
    static char text[65536];
    FILE *f = fopen(in_folder(folder, "model.safetensors.index.json"), "rb");
    char *spoilt;

    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
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
shard_wrong(const char *folder)
{
    redirect(folder, "\"model-00001-of-00002.safetensors\"");
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
    bundle *b = bundle_create("visual.", "BF16", 0, 2);
    size_t bytes;
    uint8_t *file;

    /* The second file holds all that the first one does, too. */
    for (int i = 0; i < b->n_tensors; i++)
        b->tensors[i].shard = 1;
    file = bundle_file(b, 1, NULL, &bytes);
    write_file(folder, "model-00002-of-00002.safetensors", file, bytes);
    free(file);
    bundle_free(b);
}

static const struct refusal {
    int n_shards, flags;
    void (*before)(bundle *b);
    void (*after)(const char *folder);
    oriel_status status;
    const char *says[3];
} refusals[] = {
    {0,
     0,
     no_tower,
     NULL,
     ORIEL_ERR_MODEL,
     {"no vision tower: expected a tensor named [...]visual.patch_embed"}},
    {2, 0, no_tower, NULL, ORIEL_ERR_MODEL, {"index.json: no vision tower"}},
    {0, 0, glued_prefix, NULL, ORIEL_ERR_MODEL, {"no vision tower"}},
    {0,
     0,
     two_towers,
     NULL,
     ORIEL_ERR_MODEL,
     {"two vision towers, expected one", "visual.patch_embed.proj.weight",
      "teacher.visual.patch_embed.proj.weight"}},
    {2,
     0,
     two_towers,
     NULL,
     ORIEL_ERR_MODEL,
     {"two vision towers", " visual.patch", "teacher.visual."}},
    {0,
     0,
     missing_bias,
     NULL,
     ORIEL_ERR_MODEL,
     {"tensor visual.blocks.2.mlp.up_proj.bias: missing", "depth is 4"}},
    {2,
     0,
     missing_bias,
     NULL,
     ORIEL_ERR_MODEL,
     {"tensor visual.blocks.2.mlp.up_proj.bias: missing"}},
    {0,
     0,
     missing_fc2,
     NULL,
     ORIEL_ERR_MODEL,
     {"visual.merger.mlp.2.weight: missing"}},
    {0,
     0,
     missing_gate,
     NULL,
     ORIEL_ERR_MODEL,
     {"visual.blocks.0.mlp.gate_proj.weight: missing"}},
    {0,
     SPLIT_QKV,
     missing_part,
     NULL,
     ORIEL_ERR_MODEL,
     {"tensor visual.blocks.1.attn.qkv.weight: missing"}},
    {0,
     0,
     both_whole_and_parts,
     NULL,
     ORIEL_ERR_MODEL,
     {"visual.blocks.3.attn.q", "expected q, k, v either as one or apart"}},
    {0,
     0,
     fewer_blocks,
     NULL,
     ORIEL_ERR_MODEL,
     {"config.json: vision_config.depth is 4, but the tensors of",
      "end with block 2"}},
    {0,
     0,
     more_blocks,
     NULL,
     ORIEL_ERR_MODEL,
     {"vision_config.depth is 4, but", "end with block 4"}},
    {0,
     0,
     hostile_block,
     NULL,
     ORIEL_ERR_UNSUPPORTED,
     {"blocks.99999999999999.norm1.weight: not a tensor of this network"}},
    {0,
     0,
     padded_block,
     NULL,
     ORIEL_ERR_UNSUPPORTED,
     {"visual.blocks.01.norm1.weight: not a tensor"}},
    {0,
     0,
     superfluous,
     NULL,
     ORIEL_ERR_UNSUPPORTED,
     {"model.safetensors: tensor visual.pos_embed.weight: not a tensor of"}},
    {0,
     0,
     lora,
     NULL,
     ORIEL_ERR_UNSUPPORTED,
     {"visual.blocks.0.attn.qkv.lora_A.weight: not a tensor"}},
    {0,
     0,
     bnb_4bit,
     NULL,
     ORIEL_ERR_UNSUPPORTED,
     {"tensor visual.blocks.1.attn.proj.weight: quantised",
      "expected F32, F16 or BF16, found U8"}},
    {0, 0, int8, NULL, ORIEL_ERR_UNSUPPORTED, {"found I8"}},
    {0,
     0,
     fp8,
     NULL,
     ORIEL_ERR_UNSUPPORTED,
     {"visual.blocks.2.mlp.down_proj.weight", "found F8_E4M3"}},
    {0,
     0,
     awq,
     NULL,
     ORIEL_ERR_UNSUPPORTED,
     {"visual.blocks.0.mlp.up_proj.qweight", "found I32"}},
    {2, 0, awq, NULL, ORIEL_ERR_UNSUPPORTED, {"qweight", "found I32"}},
    {0,
     0,
     doubles,
     NULL,
     ORIEL_ERR_UNSUPPORTED,
     {"visual.merger.ln_q.weight", "found F64"}},
    {0,
     0,
     future_dtype,
     NULL,
     ORIEL_ERR_UNSUPPORTED,
     {"visual.merger.mlp.0.bias", "found F5\\x1b[2J"}},
    {0,
     0,
     transposed,
     NULL,
     ORIEL_ERR_MODEL,
     {"model.safetensors: tensor visual.blocks.3.mlp.down_proj.weight",
      "shape [20, 32], expected [32, 20]"}},
    {0, 0, flat, NULL, ORIEL_ERR_MODEL, {"shape [1024], expected [32, 32]"}},
    {0,
     0,
     scalar,
     NULL,
     ORIEL_ERR_MODEL,
     {"visual.merger.ln_q.weight: shape [], expected [32]"}},
    {0,
     0,
     patch_embed_2d,
     NULL,
     ORIEL_ERR_MODEL,
     {"visual.patch_embed.proj.weight: shape [32, 96], expected [hidden, 3, 2, "
      "4, 4]"}},
    {0,
     0,
     patch_embed_other,
     NULL,
     ORIEL_ERR_MODEL,
     {"config.json: in_channels 3, temporal_patch_size 2, patch_size 4",
      "shape [32, 2, 3, 4, 4]"}},
    {0,
     0,
     gate_1d,
     NULL,
     ORIEL_ERR_MODEL,
     {"gate_proj.weight: shape [640], expected [intermediate_size, 32]"}},
    {0,
     0,
     empty_out,
     NULL,
     ORIEL_ERR_MODEL,
     {"merger.mlp.2.weight: shape [0, 128], expected [out_hidden_size, 128]"}},
    {0,
     0,
     uneven_gate,
     NULL,
     ORIEL_ERR_MODEL,
     {"config.json: vision_config.intermediate_size is 20",
      "visual.blocks.0.mlp.gate_proj.weight has shape [32, 20]"}},

    {0, 0, NULL, no_config, ORIEL_ERR_NOT_FOUND, {"/config.json: cannot open"}},
    {0,
     0,
     NULL,
     huge_config,
     ORIEL_ERR_MODEL,
     {"/config.json: 4194305 bytes, expected at most 4194304"}},
    {0,
     0,
     NULL,
     config_is_a_folder,
     ORIEL_ERR_IO,
     {"/config.json: expected a regular file"}},
    {0,
     0,
     NULL,
     no_weights,
     ORIEL_ERR_NOT_FOUND,
     {"expected model.safetensors or model.safetensors.index.json"}},
    {0,
     0,
     NULL,
     truncated_weights,
     ORIEL_ERR_MODEL,
     {"model.safetensors: tensor visual.", "bytes of data in the file"}},
    {0,
     0,
     NULL,
     padded_weights,
     ORIEL_ERR_MODEL,
     {"model.safetensors: ", "bytes of data, expected", "end of the last"}},
    {0,
     0,
     NULL,
     empty_weights,
     ORIEL_ERR_MODEL,
     {"model.safetensors: 0 bytes, expected a safetensors file"}},
    {0,
     0,
     NULL,
     pipe_for_weights,
     ORIEL_ERR_IO,
     {"model.safetensors: expected a regular file"}},
    {0,
     0,
     NULL,
     bad_preprocessor,
     ORIEL_ERR_UNSUPPORTED,
     {"/preprocessor_config.json: resample: 2 is not supported"}},
    {0,
     0,
     NULL,
     bad_processor,
     ORIEL_ERR_MODEL,
     {"/processor_config.json: image_processor.patch_size is 14"}},

    {2,
     0,
     NULL,
     no_shard,
     ORIEL_ERR_NOT_FOUND,
     {"model-00002-of-00002.safetensors: no such shard, expected it to hold "
      "visual."}},
    {2,
     0,
     NULL,
     no_map,
     ORIEL_ERR_MODEL,
     {"index.json: weight_map: expected an object"}},
    {2, 0, NULL, empty_map, ORIEL_ERR_MODEL, {"no vision tower"}},
    {2,
     0,
     NULL,
     shard_above,
     ORIEL_ERR_MODEL,
     {"expected a file name without '/'",
      "found \"../model-00002-of-00002.safetensors\" for tensor visual."}},
    {2, 0, NULL, shard_absolute, ORIEL_ERR_MODEL, {"found \"/etc/passwd\""}},
    {2, 0, NULL, shard_dots, ORIEL_ERR_MODEL, {"found \"..\""}},
    {2, 0, NULL, shard_empty, ORIEL_ERR_MODEL, {"found \"\""}},
    {2, 0, NULL, shard_number, ORIEL_ERR_MODEL, {"expected a file name"}},
    {2,
     0,
     NULL,
     shard_wrong,
     ORIEL_ERR_MODEL,
     {"model-00001-of-00002.safetensors: expected tensor visual.",
      "as model.safetensors.index.json says"}},
    {2,
     0,
     NULL,
     shard_truncated,
     ORIEL_ERR_MODEL,
     {"model-00001-of-00002.safetensors: tensor visual."}},
    {2,
     0,
     NULL,
     shard_overlap,
     ORIEL_ERR_MODEL,
     {"tensor visual.", "expected once, found in"}},
};

static void
check_message(int at, const oriel_error *err, oriel_status status,
              const char *const *says, int n_says)
{
    ck_assert_msg(err->status == status, "case %d: status %d: %s", at,
                  err->status, err->message);
    ck_assert_ptr_null(strchr(err->message, '\n'));
    for (int i = 0; i < n_says && says[i]; i++)
        ck_assert_msg(strstr(err->message, says[i]) != NULL,
                      "case %d: %s\nlacks %s", at, err->message, says[i]);
}

START_TEST(refuses_and_says_why)
{
    const struct refusal *r = &refusals[_i];
    bundle *b = bundle_create("visual.", "BF16", r->flags, r->n_shards);
    ledger l = {0};
    oriel_hooks hooks = ledger_hooks(&l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model = (oriel_model *)&l;
    oriel_error err;
    char *folder;

    options.hooks = &hooks;
    if (r->before)
        r->before(b);
    folder = temp_checkpoint(b);
    if (r->after)
        r->after(folder);
    ck_assert_int_eq(oriel_model_open(&model, folder, &options, &err),
                     r->status);
    ck_assert_ptr_null(model);
    check_message(_i, &err, r->status, r->says, 3);
    ck_assert_int_eq(l.live, 0);
    ck_assert_uint_le(l.largest, 8 << 20);
    temp_remove(folder);
    bundle_free(b);
}
END_TEST

/* Configuration against tensors: the text of tiny_config changed. */
static const struct {
    const char *from, *to;
    const char *says[3];
} contradictions[] = {
    {"\"hidden_size\": 32",
     "\"hidden_size\": 64",
     {"config.json: vision_config.hidden_size is 64", "patch_embed.proj.weight",
      "[32, 3, 2, 4, 4]"}},
    {"\"intermediate_size\": 20",
     "\"intermediate_size\": 3420",
     {"vision_config.intermediate_size is 3420",
      "visual.blocks.0.mlp.gate_proj.weight has shape [20, 32]"}},
    {"\"out_hidden_size\": 24",
     "\"out_hidden_size\": 3584",
     {"vision_config.out_hidden_size is 3584",
      "visual.merger.mlp.2.weight has shape [24, 128]"}},
    {"\"depth\": 4,",
     "\"depth\": 3,",
     {"vision_config.depth is 3, but", "end with block 3"}},
    {"\"depth\": 4,",
     "",
     {"vision_config.depth is 32 (absent), but", "end with block 3"}},
    {"\"patch_size\": 4",
     "\"patch_size\": 8",
     {"patch_size 8 contradict", "[32, 3, 2, 4, 4]"}},
    {"\"temporal_patch_size\": 2",
     "\"temporal_patch_size\": 1",
     {"temporal_patch_size 1", "[32, 3, 2, 4, 4]"}},
    {"\"spatial_merge_size\": 2",
     "\"spatial_merge_size\": 1",
     {"visual.merger.mlp.0.weight: shape [128, 128], expected [32, 32]"}},
    {"\"num_heads\": 2",
     "\"num_heads\": 3",
     {"vision_config.num_heads 3: expected a divisor of hidden_size 32"}},
    {"\"num_heads\": 2",
     "\"num_heads\": 16",
     {"hidden_size 32 / num_heads 16: expected a multiple of 4"}},
};

START_TEST(configuration_and_shapes_must_agree)
{
    bundle *b = bundle_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    char *config =
        replace(tiny_config, contradictions[_i].from, contradictions[_i].to);
    oriel_model *model;
    oriel_error err;

    write_text(folder, "config.json", config);
    oriel_model_open(&model, folder, NULL, &err);
    ck_assert_ptr_null(model);
    check_message(_i, &err, ORIEL_ERR_MODEL, contradictions[_i].says, 3);
    free(config);
    temp_remove(folder);
    bundle_free(b);
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
        strstr(err.message, "a\\x0ab: cannot find it, expected a folder or "));
    ck_assert_int_eq(err.cause, 2);
    ck_assert_int_eq(oriel_model_open(&model, "", NULL, &err),
                     ORIEL_ERR_NOT_FOUND);
    ck_assert_int_eq(oriel_model_open(&model, folder, NULL, &err),
                     ORIEL_ERR_NOT_FOUND);
    ck_assert_int_eq(oriel_model_open(&model, "/dev/null", NULL, &err),
                     ORIEL_ERR_IO);
    ck_assert_int_eq(oriel_model_open(&model, "/dev/null/x", NULL, &err),
                     ORIEL_ERR_NOT_FOUND);
    temp_remove(folder);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("refusals");
    TCase *tc = tcase_create("refusals");

    tcase_add_loop_test(tc, refuses_and_says_why, 0, (int)COUNT(refusals));
    tcase_add_loop_test(tc, configuration_and_shapes_must_agree, 0,
                        (int)COUNT(contradictions));
    tcase_add_test(tc, refuses_what_is_not_there);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
