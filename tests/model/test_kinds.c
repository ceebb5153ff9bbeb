/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kinds.c - what people's folders hold, read as the reference reads it
 *
 * kinds.json is what make_kinds.py saw transformers make of these texts; the
 * folders below are of the kinds that it loaded, with the values of the plain
 * folder as the result.
 */
#include "model/alloc_counter.h"
#include "model/checkpoint_builder.h"
#include "model/config.h"
#include "model/preprocessor.h"
#include "model/state.h"
#include "support/suite.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Texts ------------------------------------------------------------ */

static json_t *kinds;

static const char *
text_of(const json_t *kind, const char *field)
{
    return json_string_value(json_object_get(kind, field));
}

static int
number_of(const json_t *kind, const char *field)
{
    return (int)json_integer_value(json_object_get(kind, field));
}

static void
check_config(const json_t *kind)
{
    const char *text = text_of(kind, "text");
    const json_t *full = json_object_get(kind, "full");
    oriel_config c;
    oriel_error err;

    ck_assert_msg(oriel_config_parse(&c, text, strlen(text), "config.json",
                                     NULL, &err) == ORIEL_OK,
                  "%s: %s", text_of(kind, "name"), err.message);
    ck_assert_int_eq(c.depth, number_of(kind, "depth"));
    ck_assert_int_eq(c.num_heads, number_of(kind, "num_heads"));
    ck_assert_int_eq(c.hidden_size, 32);
    ck_assert_int_eq(c.window_size, 8 * number_of(kind, "window_tokens"));
    ck_assert_double_eq(c.rope_theta,
                        json_number_value(json_object_get(kind, "theta")));
    ck_assert_uint_eq((size_t)c.n_full_attention_blocks, json_array_size(full));
    for (int i = 0; i < c.n_full_attention_blocks; i++)
        ck_assert_int_eq(c.full_attention_blocks[i],
                         json_integer_value(json_array_get(full, (size_t)i)));
    oriel_config_free(&c, NULL);
}

START_TEST(configurations_are_read_as_by_the_reference)
{
    const json_t *all = json_object_get(kinds, "configs");

    ck_assert_uint_gt(json_array_size(all), 45);
    for (size_t i = 0; i < json_array_size(all); i++)
        check_config(json_array_get(all, i));
}
END_TEST

/* A model without weights, to measure items with. */
static const struct oriel_model blank = {.network = {.patch_size = 4,
                                                     .temporal_patch_size = 2,
                                                     .spatial_merge_size = 2,
                                                     .window_size = 32}};

static void
check_grids(const json_t *kind, const oriel_model *model, int32_t frames)
{
    const json_t *sizes = json_object_get(kinds, "sizes");
    const json_t *grids = json_object_get(kind, "grids");
    oriel_error err;

    for (size_t i = 0; i < json_array_size(sizes); i++) {
        const json_t *size = json_array_get(sizes, i);
        const json_t *grid = json_array_get(grids, i);
        const oriel_item item = {
            .width = (int32_t)json_integer_value(json_array_get(size, 0)),
            .height = (int32_t)json_integer_value(json_array_get(size, 1)),
            .frames = frames};
        int64_t thw[3];

        ck_assert_msg(!oriel_item_measure(model, &item, NULL, thw, NULL, &err),
                      "%s: size %zu: %s", text_of(kind, "name"), i,
                      err.message);
        ck_assert_msg(thw[1] == json_integer_value(json_array_get(grid, 0)) &&
                          thw[2] == json_integer_value(json_array_get(grid, 1)),
                      "%s: size %zu: %lld x %lld", text_of(kind, "name"), i,
                      (long long)thw[2], (long long)thw[1]);
    }
}

static void
check_processor(const json_t *kind)
{
    const char *text = text_of(kind, "text");
    const double red = json_number_value(json_object_get(kind, "red"));
    struct oriel_model model = blank;
    const oriel_network *net = &model.network;
    oriel_notes notes = {{NULL}, 0};
    oriel_error err;
    bool found;

    ck_assert_msg(oriel_preprocessor_parse(&model.network, text, strlen(text),
                                           "p.json", false, &found, &notes,
                                           NULL, &err) == ORIEL_OK,
                  "%s: %s", text_of(kind, "name"), err.message);
    ck_assert_int_eq(notes.n_lines,
                     strncmp(text_of(kind, "name"), "do_pad", 6) == 0 ||
                         strncmp(text_of(kind, "name"), "do_sample", 9) == 0);
    oriel_notes_free(&notes, NULL);
    check_grids(kind, &model, 1);
    ck_assert_double_lt(fabs((51 * net->rescale_factor - net->image_mean[0]) /
                                 net->image_std[0] -
                             red),
                        1e-6);
}

START_TEST(processors_are_read_as_by_the_reference)
{
    const json_t *all = json_object_get(kinds, "processors");

    ck_assert_uint_gt(json_array_size(all), 30);
    for (size_t i = 0; i < json_array_size(all); i++)
        check_processor(json_array_get(all, i));
}
END_TEST

static void
check_video(const json_t *kind)
{
    const char *text = text_of(kind, "text");
    struct oriel_model model = blank;
    oriel_error err;
    bool found;

    ck_assert_msg(oriel_video_preprocessor_parse(
                      &model.network, text, strlen(text), "v.json", false,
                      &found, NULL, &err) == ORIEL_OK,
                  "%s: %s", text_of(kind, "name"), err.message);
    check_grids(kind, &model, number_of(kinds, "frames"));
}

START_TEST(video_processors_are_read_as_by_the_reference)
{
    const json_t *all = json_object_get(kinds, "videos");

    ck_assert_uint_gt(json_array_size(all), 30);
    for (size_t i = 0; i < json_array_size(all); i++)
        check_video(json_array_get(all, i));
}
END_TEST

/* Not even the reference reads this, but editors write it. */
START_TEST(a_byte_order_mark_is_passed_over)
{
    char text[1024];
    oriel_config c;
    oriel_error err;

    snprintf(text, sizeof(text), "\xEF\xBB\xBF%s", tiny_config);
    ck_assert_msg(oriel_config_parse(&c, text, strlen(text), "c", NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    ck_assert_int_eq(c.depth, 4);
    oriel_config_free(&c, NULL);
    memmove(text + 1, text, strlen(text) + 1);
    text[0] = ' ';
    ck_assert_int_eq(
        oriel_config_parse(&c, text, strlen(text), "c", NULL, &err),
        ORIEL_ERR_MODEL);
}
END_TEST

/* ---- Folders ---------------------------------------------------------- */

static void
digest_of(const char *path, const char *prefix, alloc_counter *l,
          char digest[33])
{
    oriel_hooks hooks = alloc_counter_hooks(l);
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model *model;
    oriel_error err;

    options.hooks = &hooks;
    options.prefix = prefix;
    ck_assert_msg(oriel_model_open(&model, path, &options, &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert_int_eq(oriel_model_digest(model, digest, NULL), ORIEL_OK);
    oriel_model_destroy(model);
    ck_assert_int_eq(l->live, 0);
}

static void
digest_of_builder(const checkpoint_builder *b, const char *config,
                  char digest[33])
{
    char *folder = temp_checkpoint(b);
    alloc_counter l = {0};

    write_text(folder, "config.json", config);
    digest_of(folder, NULL, &l, digest);
    temp_remove(folder);
}

static void
rename_all(checkpoint_builder *b, int first, int step, const char *before)
{
    for (int i = first; i < b->n_tensors; i += step) {
        char name[160];

        snprintf(name, sizeof(name), "%s%.140s", before, b->tensors[i].name);
        memcpy(b->tensors[i].name, name, sizeof(name));
    }
}

/* Another tower, of other values, after the first one. */
static void
add_tower(checkpoint_builder *b, const char *prefix)
{
    checkpoint_builder *other = builder_create(prefix, "BF16", 0, 0);

    for (int i = 0; i < other->n_tensors; i++) {
        builder_tensor *t = &other->tensors[i];

        for (size_t k = 0; k < t->bytes; k++)
            t->data[k] = (uint8_t)(t->data[k] & 0x3f);
        builder_add(b, t->name, t->dtype, t->n_dims, t->shape, t->data);
    }
    builder_free(other);
}

static void
new_and_old(checkpoint_builder *b)
{
    rename_all(b, 0, 1, "model.");
    add_tower(b, "visual.");
}

static void
old_before_new(checkpoint_builder *b)
{
    new_and_old(b);
    builder_reverse(b);
}

static void
teacher_before(checkpoint_builder *b)
{
    add_tower(b, "teacher.visual.");
    builder_reverse(b);
}

static void
thinker_beside(checkpoint_builder *b)
{
    add_tower(b, "thinker.visual.");
}

static void
half_new(checkpoint_builder *b)
{
    rename_all(b, 1, 2, "model.");
}

static void
foreign(checkpoint_builder *b)
{
    static const struct {
        const char *name, *dtype;
        int n_dims;
        int64_t shape[2];
    } all[] = {
        {"blocks.0.attn.qkv._extra_state", "U8", 1, {0}},
        {"blocks.1.attn.k_scale", "F32", 1, {1}},
        {"blocks.1.attn.v_scale", "F8_E4M3", 0, {0}},
        {"merger.head.weight", "I64", 1, {2}},
        {"blocks.0.norm1.bias", "BF16", 1, {32}},
        {"blocks.0.attn.qkv.lora_A.weight", "F16", 2, {4, 32}},
        {"blocks.01.norm1.weight", "F64", 1, {4}},
        {"blocks.99999999999999.norm1.weight", "BF16", 1, {4}},
        {"pos_embed.weight", "BOOL", 1, {3}},
    };
    char name[160];

    for (size_t i = 0; i < COUNT(all); i++) {
        snprintf(name, sizeof(name), "visual.%s", all[i].name);
        builder_add(b, name, all[i].dtype, all[i].n_dims, all[i].shape, NULL);
    }
    builder_add(b, "visual.rotary_pos_emb.inv_freq", "F32", 1, all[0].shape,
                NULL);
}

static void
one_foreign(checkpoint_builder *b)
{
    static const int64_t shape[] = {3};

    builder_add(b, "visual.pos_embed.weight", "BOOL", 1, shape, NULL);
}

static void
three_towers(checkpoint_builder *b)
{
    add_tower(b, "thinker.visual.");
    add_tower(b, "teacher.visual.");
}

static void
more_blocks(checkpoint_builder *b)
{
    static const int64_t norm[] = {32};

    builder_add(b, "visual.blocks.4.norm1.weight", "I8", 1, norm, NULL);
}

static const struct {
    void (*change)(checkpoint_builder *b);
    const char *note; /* the last one; NULL: none */
} towers[] = {
    {new_and_old, "two vision towers: \"model.visual.\" is used"},
    {old_before_new, "two vision towers: \"model.visual.\" is used"},
    {teacher_before, "not that of teacher.visual.patch_embed.proj.weight"},
    {thinker_beside, "two vision towers: \"visual.\" is used"},
    {half_new, NULL},
    {foreign, "9 tensors under \"visual.\" ignored, not of this network: "},
    {one_foreign, "1 tensor under \"visual.\" ignored, not of this network: "},
    {three_towers, "two vision towers: \"visual.\" is used"},
    {more_blocks, "depth is 4: of the 5 stored blocks the others are not"},
};

START_TEST(towers_are_those_of_the_reference)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char base[33], digest[33];
    alloc_counter l = {0};
    char *folder;

    digest_of_builder(b, tiny_config, base);
    towers[_i].change(b);
    folder = temp_checkpoint(b);
    digest_of(folder, NULL, &l, digest);
    ck_assert_str_eq(digest, base);
    ck_assert_msg(towers[_i].note ? strstr(l.log, towers[_i].note) != NULL
                                  : l.log[0] == '\0',
                  "%s", l.log);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

START_TEST(a_smaller_depth_cuts_the_tower_short)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 0);
    char *config = replace(tiny_config, "\"depth\": 4", "\"depth\": 3");
    char cut[33], truth[33];

    digest_of_builder(b, config, cut);
    for (int i = b->n_tensors - 1; i >= 0; i--)
        if (strstr(b->tensors[i].name, ".blocks.3."))
            builder_remove(b, b->tensors[i].name);
    digest_of_builder(b, config, truth);
    ck_assert_str_eq(cut, truth);
    free(config);
    builder_free(b);
}
END_TEST

START_TEST(a_prefix_chooses)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 2);
    alloc_counter l = {0};
    char base[33], digest[33];
    char *folder;

    digest_of_builder(b, tiny_config, base);
    add_tower(b, "model.visual.");
    add_tower(b, "student.vit.");
    folder = temp_checkpoint(b);
    digest_of(folder, NULL, &l, digest);
    ck_assert_str_ne(digest, base);
    digest_of(folder, "student.vit", &l, digest);
    ck_assert_str_ne(digest, base);
    l.log[0] = '\0';
    digest_of(folder, "visual.", &l, digest);
    ck_assert_str_eq(digest, base);
    ck_assert_str_eq(l.log, "");
    digest_of(folder, "visual", &l, digest);
    ck_assert_str_eq(digest, base);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

/* A tower that was saved alone, whose tensors have no prefix. */
START_TEST(an_empty_prefix_chooses)
{
    checkpoint_builder *b = builder_create("", "BF16", 0, 0);
    alloc_counter l = {0};
    char base[33], digest[33];
    char *folder;

    digest_of_builder(b, tiny_config, base);
    add_tower(b, "student.vit.");
    folder = temp_checkpoint(b);
    digest_of(folder, "", &l, digest);
    ck_assert_str_eq(digest, base);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

/* ---- Indexes ---------------------------------------------------------- */

/* Two shards of these names, and an index that says 'a' and 'b' of them. */
static const struct {
    const char *files[2], *says[2];
    const char *from, *to; /* replaced in the index's text, or NULL */
    const char *in_files;  /* before each name in the shards */
} indexes[] = {
    {{"a.st", "b.st"}, {"./a.st", "././b.st"}, NULL, NULL, ""},
    {{"s/a.st", "s/t/b.st"}, {"s/a.st", "s//t/./b.st"}, NULL, NULL, ""},
    {{"s/a.st", "b.st"}, {"s/a.st", "s/../b.st"}, NULL, NULL, ""},
    {{"a.st", "b.st"}, {"b.st", "a.st"}, NULL, NULL, ""},
    {{"a.st", "b.st"}, {"a.st", "b.st"}, NULL, NULL, "model."},
    /* One tensor in the other shard; the index knows it by no name. */
    {{"a.st", "b.st"},
     {"a.st", "b.st"},
     "visual.blocks.1.norm1.weight",
     "visual.ghost",
     ""},
    {{"a.st", "b.st"},
     {"a.st", "b.st"},
     "{\"visual.patch_embed.proj.weight",
     "{\"x\": \"b.st\", \"visual.patch_embed.proj.weights",
     ""},
};

static char *
index_text(const checkpoint_builder *b, int at)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    char *changed;

    fprintf(f, "{\"weight_map\": {");
    for (int i = 0; i < b->n_tensors; i++)
        fprintf(f, "%s\"%s\": \"%s\"", i ? ", " : "", b->tensors[i].name,
                indexes[at].says[b->tensors[i].shard]);
    fprintf(f, "}}");
    fclose(f);
    if (!indexes[at].from)
        return text;
    changed = replace(text, indexes[at].from, indexes[at].to);
    free(text);
    return changed;
}

START_TEST(an_index_only_says_where_to_look)
{
    checkpoint_builder *b = builder_create("visual.", "BF16", 0, 2);
    char *folder = temp_folder();
    alloc_counter l = {0};
    char base[33], digest[33];
    char *index = index_text(b, _i);

    digest_of_builder(b, tiny_config, base);
    rename_all(b, 0, 1, indexes[_i].in_files);
    mkdir(in_folder(folder, "s"), 0700);
    mkdir(in_folder(folder, "s/t"), 0700);
    for (int shard = 0; shard < 2; shard++) {
        size_t bytes;
        uint8_t *file = builder_file(b, shard, NULL, &bytes);

        write_file(folder, indexes[_i].files[shard], file, bytes);
        free(file);
    }
    write_text(folder, "config.json", tiny_config);
    write_text(folder, "preprocessor_config.json", tiny_preprocessor);
    write_text(folder, "model.safetensors.index.json", index);
    digest_of(folder, NULL, &l, digest);
    ck_assert_str_eq(digest, base);
    free(index);
    temp_remove(folder);
    builder_free(b);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("kinds");
    TCase *tc = tcase_create("kinds");

    kinds = json_load_file(ORIEL_KINDS, 0, NULL);
    tcase_add_test(tc, configurations_are_read_as_by_the_reference);
    tcase_add_test(tc, processors_are_read_as_by_the_reference);
    tcase_add_test(tc, video_processors_are_read_as_by_the_reference);
    tcase_add_test(tc, a_byte_order_mark_is_passed_over);
    tcase_add_loop_test(tc, towers_are_those_of_the_reference, 0,
                        (int)COUNT(towers));
    tcase_add_test(tc, a_smaller_depth_cuts_the_tower_short);
    tcase_add_test(tc, a_prefix_chooses);
    tcase_add_test(tc, an_empty_prefix_chooses);
    tcase_add_loop_test(tc, an_index_only_says_where_to_look, 0,
                        (int)COUNT(indexes));
    suite_add_tcase(s, tc);
    return run_suite(s);
}
