/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_refused_tensors.c - towers that are not the one the configuration tells
 *
 * Every case is a good folder with one thing spoilt.  The message is one line,
 * names file and tensor or field, and what was expected.
 */
#include "model/checkpoint_builder.h"
#include "model/refusal.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t four[] = {4};

static void
rename_tensor(checkpoint_builder *b, const char *from, const char *to)
{
    builder_tensor *t = builder_find(b, from);

    snprintf(t->name, sizeof(t->name), "%s", to);
}

static void
no_tower(checkpoint_builder *b)
{
    rename_tensor(b, "visual.patch_embed.proj.weight", "visual.patch.weight");
}

static void
glued_prefix(checkpoint_builder *b)
{
    for (int i = 0; i < b->n_tensors; i++) {
        char name[160];

        snprintf(name, sizeof(name), "audio%.150s", b->tensors[i].name);
        memcpy(b->tensors[i].name, name, sizeof(name));
    }
}

/* Neither has a name that the reference would take it by. */
static void
two_towers(checkpoint_builder *b)
{
    for (int i = 0; i < b->n_tensors; i++) {
        char name[160];

        snprintf(name, sizeof(name), "student.%.150s", b->tensors[i].name);
        memcpy(b->tensors[i].name, name, sizeof(name));
    }
    builder_add(b, "teacher.visual.patch_embed.proj.weight", "BF16", 1, four,
                NULL);
}

static void
missing_bias(checkpoint_builder *b)
{
    builder_remove(b, "visual.blocks.2.mlp.up_proj.bias");
}

static void
missing_fc2(checkpoint_builder *b)
{
    builder_remove(b, "visual.merger.mlp.2.weight");
}

static void
missing_gate(checkpoint_builder *b)
{
    builder_remove(b, "visual.blocks.0.mlp.gate_proj.weight");
}

/* q and v without k. */
static void
missing_part(checkpoint_builder *b)
{
    static const int64_t shape[] = {32, 32};

    builder_remove(b, "visual.blocks.1.attn.qkv.weight");
    builder_add(b, "visual.blocks.1.attn.q.weight", "BF16", 2, shape, NULL);
    builder_add(b, "visual.blocks.1.attn.v.weight", "BF16", 2, shape, NULL);
}

static void
both_whole_and_parts(checkpoint_builder *b)
{
    static const int64_t bias[] = {32};

    builder_add(b, "visual.blocks.3.attn.q.bias", "BF16", 1, bias, NULL);
}

static void
fewer_blocks(checkpoint_builder *b)
{
    for (int i = b->n_tensors - 1; i >= 0; i--)
        if (strstr(b->tensors[i].name, "blocks.3."))
            builder_remove(b, b->tensors[i].name);
}

static void
padded_block(checkpoint_builder *b)
{
    rename_tensor(b, "visual.blocks.1.norm1.weight",
                  "visual.blocks.01.norm1.weight");
}

static void
lettered_block(checkpoint_builder *b)
{
    rename_tensor(b, "visual.blocks.1.norm1.weight",
                  "visual.blocks.1x.norm1.weight");
}

static void
reshape(checkpoint_builder *b, const char *name, int n_dims, int64_t d0,
        int64_t d1)
{
    builder_tensor *t = builder_find(b, name);

    t->n_dims = n_dims;
    t->shape[0] = d0;
    t->shape[1] = d1;
}

static void
transposed(checkpoint_builder *b)
{
    reshape(b, "visual.blocks.3.mlp.down_proj.weight", 2, 20, 32);
}

static void
flat(checkpoint_builder *b)
{
    reshape(b, "visual.blocks.0.attn.proj.weight", 1, 1024, 0);
}

static void
scalar(checkpoint_builder *b)
{
    builder_tensor *t = builder_find(b, "visual.merger.ln_q.weight");

    t->n_dims = 0;
    t->bytes = 2;
}

static void
patch_embed_2d(checkpoint_builder *b)
{
    reshape(b, "visual.patch_embed.proj.weight", 2, 32, 96);
}

static void
patch_embed_other(checkpoint_builder *b)
{
    builder_tensor *t = builder_find(b, "visual.patch_embed.proj.weight");

    t->shape[1] = 2;
    t->shape[2] = 3;
}

static void
gate_1d(checkpoint_builder *b)
{
    reshape(b, "visual.blocks.0.mlp.gate_proj.weight", 1, 640, 0);
}

/* Without columns the file need not hold what the rows promise. */
static void
wide_gate(checkpoint_builder *b)
{
    builder_tensor *t = builder_find(b, "visual.blocks.0.mlp.gate_proj.weight");

    t->shape[0] = 262145;
    t->shape[1] = 0;
    t->bytes = 0;
}

static void
narrow_gate(checkpoint_builder *b)
{
    reshape(b, "visual.blocks.0.mlp.gate_proj.weight", 2, 20, 16);
    builder_find(b, "visual.blocks.0.mlp.gate_proj.weight")->bytes /= 2;
}

static void
empty_out(checkpoint_builder *b)
{
    builder_tensor *t = builder_find(b, "visual.merger.mlp.2.weight");

    t->shape[0] = 0;
    t->bytes = 0;
}

static void
uneven_gate(checkpoint_builder *b)
{
    reshape(b, "visual.blocks.0.mlp.gate_proj.weight", 2, 32, 20);
}

static const spoilt_tower spoilt[] = {
    SPOILT(0, no_tower, MODEL,
           "no vision tower: expected a tensor named [...]visual.patch_embed"),
    SPOILT(2, no_tower, MODEL, "index.json: no vision tower"),
    SPOILT(0, glued_prefix, MODEL, "no vision tower"),
    SPOILT(0, two_towers, MODEL,
           "model.safetensors: two vision towers, expected one or a prefix",
           "student.visual.patch_embed.proj.weight",
           "teacher.visual.patch_embed.proj.weight"),
    SPOILT(2, two_towers, MODEL, "index.json: two vision towers",
           "student.visual.patch", "teacher.visual."),
    SPOILT(0, missing_bias, MODEL,
           "tensor visual.blocks.2.mlp.up_proj.bias: missing", "depth is 4"),
    SPOILT(2, missing_bias, MODEL,
           "tensor visual.blocks.2.mlp.up_proj.bias: missing"),
    SPOILT(0, missing_fc2, MODEL, "visual.merger.mlp.2.weight: missing"),
    SPOILT(0, missing_gate, MODEL,
           "visual.blocks.0.mlp.gate_proj.weight: missing"),
    SPOILT(0, missing_part, MODEL,
           "tensor visual.blocks.1.attn.qkv.weight: missing"),
    SPOILT(0, both_whole_and_parts, MODEL, "visual.blocks.3.attn.q",
           "expected q, k, v either as one or apart"),
    SPOILT(0, fewer_blocks, MODEL,
           "config.json: vision_config.depth is 4, but the tensors of",
           "end with block 2"),
    SPOILT(0, padded_block, MODEL,
           "tensor visual.blocks.1.norm1.weight: missing"),
    SPOILT(0, lettered_block, MODEL,
           "tensor visual.blocks.1.norm1.weight: missing"),
    SPOILT(0, transposed, MODEL,
           "model.safetensors: tensor visual.blocks.3.mlp.down_proj.weight",
           "shape [20, 32], expected [32, 20]"),
    SPOILT(0, flat, MODEL, "shape [1024], expected [32, 32]"),
    SPOILT(0, scalar, MODEL,
           "visual.merger.ln_q.weight: shape [], expected [32]"),
    SPOILT(0, patch_embed_2d, MODEL,
           "visual.patch_embed.proj.weight: shape [32, 96], expected [hidden, "
           "3, 2, "
           "4, 4]"),
    SPOILT(0, patch_embed_other, MODEL,
           "config.json: in_channels 3, temporal_patch_size 2, patch_size 4",
           "shape [32, 2, 3, 4, 4]"),
    SPOILT(0, gate_1d, MODEL,
           "gate_proj.weight: shape [640], expected [intermediate_size, 32]"),
    SPOILT(0, wide_gate, MODEL,
           "visual.blocks.0.mlp.gate_proj.weight: shape [262145, 0], expected "
           "[intermediate_size, 32]"),
    SPOILT(0, narrow_gate, MODEL,
           "visual.blocks.0.mlp.gate_proj.weight: shape [20, 16], expected "
           "[20, 32]"),
    SPOILT(
        0, empty_out, MODEL,
        "merger.mlp.2.weight: shape [0, 128], expected [out_hidden_size, 128]"),
    SPOILT(0, uneven_gate, MODEL,
           "config.json: vision_config.intermediate_size is 20",
           "visual.blocks.0.mlp.gate_proj.weight has shape [32, 20]"),
};

START_TEST(refuses_and_says_why)
{
    check_spoilt(&spoilt[_i], _i);
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
     "\"depth\": 5,",
     {"vision_config.depth is 5, but", "end with block 3"}},
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
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    char *config =
        replace(tiny_config, contradictions[_i].from, contradictions[_i].to);

    write_text(folder, "config.json", config);
    check_refused(folder, _i, ORIEL_ERR_MODEL, contradictions[_i].says);
    free(config);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

/* Neither of the two ways in which a convolution is stored; the limits of its
   width. */
START_TEST(other_convolutions_are_refused)
{
    static const int64_t shapes[][5] = {
        {32, 2, 3, 4, 4},     {32, 3, 4, 2, 4}, {32, 3, 2, 8, 2},
        {32, 3, 2, 4, 5},     {32, 2, 4, 3, 4}, {32, 2, 4, 4, 4},
        {32, 2, 8, 2, 3},     {3, 3, 2, 4, 4},  {32, 4, 2, 4, 3},
        {262145, 1, 1, 1, 1},
    };
    static const char *const says[3] = {"patch_embed.proj.weight"};

    for (size_t i = 0; i < COUNT(shapes); i++) {
        checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
        char *folder;

        builder_remove(b, "visual.patch_embed.proj.weight");
        builder_add(b, "visual.patch_embed.proj.weight", "BF16", 5, shapes[i],
                    NULL);
        folder = temp_checkpoint(b);
        check_refused(folder, (int)i, ORIEL_ERR_MODEL, says);
        temp_remove(folder);
        builder_free(b);
    }
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("refused_tensors");
    TCase *tc = tcase_create("refused_tensors");

    tcase_add_loop_test(tc, refuses_and_says_why, 0, (int)COUNT(spoilt));
    tcase_add_test(tc, other_convolutions_are_refused);
    tcase_add_loop_test(tc, configuration_and_shapes_must_agree, 0,
                        (int)COUNT(contradictions));
    suite_add_tcase(s, tc);
    return run_suite(s);
}
