/* SPDX-License-Identifier: Apache-2.0 */
/* test_checkpoint.c - every form in which the tower is stored */
#include "model/alloc_counter.h"
#include "model/checkpoint.h"
#include "model/checkpoint_builder.h"
#include "model/read.h"
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static oriel_checkpoint *
open_good(const char *path, const char *config_path)
{
    const oriel_checkpoint_options options = {.config_path = config_path};
    oriel_checkpoint *c;
    oriel_error err;

    ck_assert_msg(oriel_checkpoint_open(&c, path, &options, NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    return c;
}

/* All weights are the canonical ones. */
static void
check_values(const oriel_checkpoint *c)
{
    static float data[128 * 128];

    for (int i = 0; i < oriel_manifest_count(TINY_DEPTH); i++) {
        oriel_tensor tensor;
        int32_t block;
        oriel_tensor_shape shape;

        oriel_manifest_at(TINY_DEPTH, i, &tensor, &block);
        shape = oriel_tensor_get_shape(&fixture_tiny, tensor);
        ck_assert_int_le(shape.rows * shape.columns, (int)COUNT(data));
        ck_assert_int_eq(oriel_checkpoint_read(c, tensor, block, 0, shape.rows,
                                               ORIEL_DTYPE_F32, data, NULL),
                         ORIEL_OK);
        for (int64_t r = 0; r < shape.rows; r++)
            for (int64_t k = 0; k < shape.columns; k++)
                if (data[r * shape.columns + k] !=
                    tiny_value(tensor, block, r, k))
                    ck_abort_msg("%s of block %d, row %d, column %d",
                                 oriel_tensor_name(tensor), block, (int)r,
                                 (int)k);
    }
}

static void
check_network(const oriel_network *net)
{
    ck_assert_int_eq(net->depth, 4);
    ck_assert_int_eq(net->hidden_size, 32);
    ck_assert_int_eq(net->intermediate_size, 20);
    ck_assert_int_eq(net->num_heads, 2);
    ck_assert_int_eq(net->head_dim, 16);
    ck_assert_int_eq(net->out_hidden_size, 24);
    ck_assert_int_eq(net->in_channels, 3);
    ck_assert_int_eq(net->patch_size, 4);
    ck_assert_int_eq(net->temporal_patch_size, 2);
    ck_assert_int_eq(net->spatial_merge_size, 2);
    ck_assert_int_eq(net->window_size, 32);
    ck_assert_int_eq(net->n_full_attention_blocks, 2);
    ck_assert_int_eq(net->full_attention_blocks[0], 1);
    ck_assert_int_eq(net->full_attention_blocks[1], 3);
    ck_assert_double_eq(net->rope_theta, 10000.0);
}

/* Values of the tiny network: 96 x 32 + ... counted by hand from spec's shapes
   (hidden 32, intermediate 20, out 24, patch columns 96). */
enum {
    TINY_VALUES = 32 * 96 +
                  4 * (2 * 32 + 96 * 33 + 32 * 33 + 2 * 20 * 33 + 32 * 21) +
                  32 + 128 * 129 + 24 * 129
};

static const struct form {
    const char *prefix, *dtype;
    int flags, n_shards, padding;
} forms[] = {
    {"visual.", "BF16", 0, 0, 0},
    {"visual.", "F16", 0, 0, 3},
    {"visual.", "F32", 0, 0, 1},
    {"visual.", "BF16", 0, 1, 0},
    {"visual.", "BF16", 0, 5, 0},
    {"model.visual.", "BF16", 0, 2, 5},
    {"thinker.visual.", "BF16", SPLIT_QKV, 0, 0},
    {"thinker.visual.", "F32", SPLIT_QKV, 3, 7},
    {"thinker.model.visual.", "F16", SPLIT_QKV, 0, 0},
    {"model.model.visual.", "F32", 0, 0, 0},
    {"base_model.model.model.visual.", "BF16", 0, 0, 0},
    {"vision_tower.", "BF16", CHANNELS_LAST, 0, 0},
    {"vision_tower.", "F16", CHANNELS_LAST | SPLIT_QKV, 2, 1},
    {"model.vision_tower.", "F32", CHANNELS_LAST, 0, 0},
    {"", "BF16", 0, 0, 0},
    {"", "F32", SPLIT_QKV, 2, 0},
};

START_TEST(opens_every_form)
{
    const struct form *f = &forms[_i];
    checkpoint_builder *b =
        builder_create(f->prefix, f->dtype, f->flags, f->n_shards);
    char *folder;
    oriel_checkpoint *c;
    const int width = strcmp(f->dtype, "F32") == 0 ? 4 : 2;

    b->padding = f->padding;
    if (_i % 2)
        builder_reverse(b);
    folder = temp_checkpoint(b);
    c = open_good(folder, NULL);
    check_network(&c->network);
    ck_assert_str_eq(c->prefix, f->prefix);
    ck_assert_int_eq(c->n_tensors, f->flags & SPLIT_QKV ? 70 : 54);
    ck_assert_int_eq(c->weight_dtype, width == 4           ? ORIEL_DTYPE_F32
                                      : f->dtype[0] == 'B' ? ORIEL_DTYPE_BF16
                                                           : ORIEL_DTYPE_F16);
    ck_assert_uint_eq(c->weight_bytes, (uint64_t)TINY_VALUES * (uint64_t)width);
    check_values(c);
    oriel_checkpoint_close(c);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

static uint64_t
header_bytes(const oriel_checkpoint *c)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < c->n_files; i++) {
        size_t n;

        bytes += oriel_safetensors_tensors(c->files[i], &n)[0].offset;
    }
    return bytes;
}

START_TEST(reads_only_vision_bytes)
{
    static const int64_t big[] = {1024, 1024};
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, _i);
    char *folder;
    oriel_checkpoint *c;

    for (int i = 0; i < 4; i++) {
        char name[64];

        snprintf(name, sizeof(name), "model.layers.%d.mlp.weight", i);
        builder_add(b, name, "F32", 2, big, NULL);
    }
    builder_reverse(b);
    folder = temp_checkpoint(b);
    c = open_good(folder, NULL);
    ck_assert_uint_eq(oriel_checkpoint_bytes_read(c), header_bytes(c));
    check_values(c);
    ck_assert_uint_eq(oriel_checkpoint_bytes_read(c),
                      header_bytes(c) + (uint64_t)TINY_VALUES * 2);
    oriel_checkpoint_close(c);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(other_shards_need_not_exist)
{
    static const int64_t shape[] = {4};
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 3);
    char *folder;
    oriel_checkpoint *c;

    for (int i = 0; i < b->n_tensors; i++)
        b->tensors[i].shard = i % 2;
    builder_add(b, "lm_head.weight", "U8", 1, shape, NULL)->shard = 2;
    folder = temp_checkpoint(b);
    ck_assert_int_eq(
        unlink(in_folder(folder, "model-00003-of-00003.safetensors")), 0);
    c = open_good(folder, NULL);
    ck_assert_uint_eq(c->n_files, 2);
    oriel_checkpoint_close(c);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(the_single_file_goes_before_the_index)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 2);
    char *folder = temp_checkpoint(b);
    oriel_checkpoint *c;

    b->n_shards = 0;
    for (int i = 0; i < b->n_tensors; i++)
        b->tensors[i].shard = 0;
    builder_write(b, folder);
    c = open_good(folder, NULL);
    ck_assert_uint_eq(c->n_files, 1);
    oriel_checkpoint_close(c);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(a_file_takes_the_configuration_beside_it)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    char *elsewhere = temp_folder();
    char *other = replace(tiny_preprocessor, "65536", "4096");
    char here[512];
    oriel_checkpoint *c;

    c = open_good(in_folder(folder, "model.safetensors"), NULL);
    ck_assert_double_eq(c->network.max_pixels, 65536);
    oriel_checkpoint_close(c);

    /* A name without a folder: this one. */
    ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
    ck_assert_int_eq(chdir(folder), 0);
    c = open_good("model.safetensors", NULL);
    ck_assert_double_eq(c->network.max_pixels, 65536);
    oriel_checkpoint_close(c);
    c = open_good("model.safetensors", "config.json");
    ck_assert_double_eq(c->network.max_pixels, 65536);
    oriel_checkpoint_close(c);
    ck_assert_int_eq(chdir(here), 0);

    /* config_path: the processor's configuration is looked for beside it. */
    write_text(elsewhere, "c.json", tiny_config);
    write_text(elsewhere, "preprocessor_config.json", other);
    c = open_good(in_folder(folder, "model.safetensors"),
                  in_folder(elsewhere, "c.json"));
    ck_assert_double_eq(c->network.max_pixels, 4096);
    oriel_checkpoint_close(c);
    c = open_good(folder, in_folder(elsewhere, "c.json"));
    ck_assert_double_eq(c->network.max_pixels, 4096);
    oriel_checkpoint_close(c);
    free(other);
    temp_remove(elsewhere);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(finds_the_processor_as_the_reference_does)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_checkpoint *c;

    /* A nested image processor goes first, a file without one does not. */
    write_text(folder, "processor_config.json",
               "{\"image_processor\":{\"size\":{\"shortest_edge\":64,"
               "\"longest_edge\":640},\"patch_size\":4}}");
    c = open_good(folder, NULL);
    ck_assert_double_eq(c->network.min_pixels, 64);
    ck_assert_double_eq(c->network.max_pixels, 640);
    ck_assert_double_eq(c->network.video_max_pixels, 65536);
    oriel_checkpoint_close(c);

    /* Videos: a section, a file of their own, then the images' file. */
    write_text(folder, "video_preprocessor_config.json",
               "{\"size\":{\"shortest_edge\":128,\"longest_edge\":1280}}");
    c = open_good(folder, NULL);
    ck_assert_double_eq(c->network.max_pixels, 640);
    ck_assert_double_eq(c->network.video_min_pixels, 128);
    ck_assert_double_eq(c->network.video_max_pixels, 1280);
    oriel_checkpoint_close(c);
    write_text(folder, "processor_config.json",
               "{\"image_processor\":{\"size\":{\"shortest_edge\":64,"
               "\"longest_edge\":640},\"patch_size\":4},"
               "\"video_processor\":{}}");
    c = open_good(folder, NULL);
    ck_assert_double_eq(c->network.max_pixels, 640);
    ck_assert_double_eq(c->network.video_min_pixels, 100352);
    ck_assert_double_eq(c->network.video_max_pixels, 602112);
    oriel_checkpoint_close(c);
    write_text(folder, "processor_config.json", "{\"processor_class\":\"x\"}");
    c = open_good(folder, NULL);
    ck_assert_double_eq(c->network.max_pixels, 65536);
    ck_assert_double_eq(c->network.video_max_pixels, 1280);
    oriel_checkpoint_close(c);

    /* A broken one is refused, whatever the batch will hold. */
    write_text(folder, "video_preprocessor_config.json", "{\"size\":1}");
    ck_assert_int_eq(oriel_checkpoint_open(&c, folder, NULL, NULL, NULL),
                     ORIEL_ERR_MODEL);
    ck_assert_int_eq(
        unlink(in_folder(folder, "video_preprocessor_config.json")), 0);

    /* Neither: what is published, and a word about it. */
    ck_assert_int_eq(unlink(in_folder(folder, "processor_config.json")), 0);
    ck_assert_int_eq(unlink(in_folder(folder, "preprocessor_config.json")), 0);
    ck_assert_int_eq(oriel_checkpoint_open(&c, folder, NULL, &hooks, NULL),
                     ORIEL_OK);
    ck_assert_double_eq(c->network.min_pixels, 3136);
    ck_assert_double_eq(c->network.max_pixels, 12845056);
    ck_assert_double_eq(c->network.video_min_pixels, 3136);
    ck_assert_double_eq(c->network.video_max_pixels, 12845056);
    ck_assert_ptr_nonnull(strstr(l.log, "no preprocessor_config.json"));
    oriel_checkpoint_close(c);
    ck_assert_int_eq(l.live, 0);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

/* oriel_model_open has its own words for it; the tool opens checkpoints itself. */
START_TEST(an_unknown_preset_is_refused)
{
    const oriel_checkpoint_options options = {.config_preset = "8b"};
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    oriel_checkpoint *c;
    oriel_error err;

    ck_assert_int_eq(oriel_checkpoint_open(&c, folder, &options, NULL, &err),
                     ORIEL_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(
        err.message, "config_preset \"8b\": expected one of qwen2.5-vl-3b"));
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(widths_come_from_shapes)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *folder = temp_checkpoint(b);
    oriel_checkpoint *c;

    write_text(folder, "config.json",
               "{\"vision_config\":{\"depth\":4,\"num_heads\":2,"
               "\"patch_size\":4,\"window_size\":32,"
               "\"fullatt_block_indexes\":[1,3,7]}}");
    c = open_good(folder, NULL);
    check_network(&c->network);
    oriel_checkpoint_close(c);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(mixed_dtypes_and_strays)
{
    static const int64_t four[] = {4};
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    checkpoint_builder *wide = builder_create("visual.", "F32", 0, 0);
    builder_tensor *from = builder_find(wide, "visual.merger.ln_q.weight");
    char *folder;
    oriel_checkpoint *c;

    builder_remove(b, "visual.merger.ln_q.weight");
    builder_add(b, from->name, "F32", 1, from->shape, from->data);
    /* What is not ours may be quantised, and inv_freq may be there. */
    builder_add(b, "visual.rotary_pos_emb.inv_freq", "F64", 1, four, NULL);
    builder_add(b, "model.layers.0.q_proj.qweight", "I32", 1, four, NULL);
    builder_add(b, "visual", "I8", 1, four, NULL);
    folder = temp_checkpoint(b);
    c = open_good(folder, NULL);
    ck_assert_int_eq(c->n_tensors, 54);
    ck_assert_int_eq(c->weight_dtype, ORIEL_DTYPE_F32);
    ck_assert_uint_eq(c->weight_bytes, TINY_VALUES * 2 + 32 * 2);
    check_values(c);
    oriel_checkpoint_close(c);
    temp_remove(folder);
    builder_free(wide);
    builder_free(b);
}
END_TEST

/* A prefix that has no other name, beside what is of no tower. */
START_TEST(a_wrapped_tower_beside_a_language_model)
{
    static const int64_t four[] = {4};
    checkpoint_builder *b =
        builder_create("thinker.visual.", "BF16", 0, _i ? 2 : 0);
    char *folder;
    oriel_checkpoint *c;

    builder_add(b, "thinker.model.layers.0.q_proj.weight", "BF16", 1, four,
                NULL);
    builder_add(b, "visual.blocks.0.norm1.weight", "BF16", 1, four, NULL);
    folder = temp_checkpoint(b);
    c = open_good(folder, NULL);
    ck_assert_str_eq(c->prefix, "thinker.visual.");
    ck_assert_int_eq(c->notes.n_lines, 0);
    check_values(c);
    oriel_checkpoint_close(c);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

/* One tower of two names, in an index that does not sort them. */
START_TEST(both_names_of_the_tower_in_an_index)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 3);
    char *folder;
    oriel_checkpoint *c;

    for (int i = 0; i < b->n_tensors; i++) {
        char name[160];

        if (!strstr(b->tensors[i].name, ".blocks."))
            continue;
        snprintf(name, sizeof(name), "model.%.150s", b->tensors[i].name);
        memcpy(b->tensors[i].name, name, sizeof(name));
    }
    folder = temp_checkpoint(b);
    c = open_good(folder, NULL);
    ck_assert_str_eq(c->prefix, "visual.");
    check_values(c);
    oriel_checkpoint_close(c);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(a_quantised_language_model_is_no_matter)
{
    checkpoint_builder *b = builder_create("visual.", "F16", 0, 0);
    char *folder = temp_checkpoint(b);
    char *config = replace(tiny_config, "{",
                           "{\"quantization_config\":{\"bits\":4,"
                           "\"quant_method\":\"awq\","
                           "\"modules_to_not_convert\":[\"visual\"]},");
    oriel_checkpoint *c;

    write_text(folder, "config.json", config);
    c = open_good(folder, NULL);
    oriel_checkpoint_close(c);
    free(config);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(the_manifest_is_in_order)
{
    for (int32_t depth = 1; depth < 40; depth += 13) {
        const int32_t count = oriel_manifest_count(depth);

        ck_assert_int_eq(count, 6 + 12 * depth);
        for (int32_t i = 0; i < count; i++) {
            oriel_tensor tensor;
            int32_t block;

            oriel_manifest_at(depth, i, &tensor, &block);
            ck_assert_int_eq(oriel_manifest_position(depth, tensor, block), i);
            ck_assert_int_lt(block, depth);
        }
    }
    ck_assert_int_eq(oriel_manifest_count(32), 390);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("checkpoint");
    TCase *tc = tcase_create("checkpoint");

    tcase_add_loop_test(tc, opens_every_form, 0, (int)COUNT(forms));
    tcase_add_loop_test(tc, reads_only_vision_bytes, 0, 3);
    tcase_add_test(tc, other_shards_need_not_exist);
    tcase_add_test(tc, the_single_file_goes_before_the_index);
    tcase_add_test(tc, a_file_takes_the_configuration_beside_it);
    tcase_add_test(tc, finds_the_processor_as_the_reference_does);
    tcase_add_test(tc, an_unknown_preset_is_refused);
    tcase_add_test(tc, widths_come_from_shapes);
    tcase_add_test(tc, mixed_dtypes_and_strays);
    tcase_add_loop_test(tc, a_wrapped_tower_beside_a_language_model, 0, 2);
    tcase_add_test(tc, both_names_of_the_tower_in_an_index);
    tcase_add_test(tc, a_quantised_language_model_is_no_matter);
    tcase_add_test(tc, the_manifest_is_in_order);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
