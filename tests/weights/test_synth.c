/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maker of checkpoints: shapes, layout, values by a formula written here
 * once more, independence of threads, and what a failure leaves.
 */
#include "weights/synth.h"

#include "base/half.h"
#include "model/safetensors.h"
#include "support/folder.h"
#include "support/networks.h"
#include "support/random.h"
#include "support/suite.h"
#include "weights/counter.h"
#include "weights/layout.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static folder home;
static oriel_error err;
static oriel_synth_config config;

static void
setup(void)
{
    home = folder_make();
}

static void
teardown(void)
{
    folder_remove(&home);
}

/* Bytes of the vision towers, as published. */
START_TEST(knows_the_published_sizes)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } published[] = {{"3b", 1337368576},
                     {"7b", 1353100288},
                     {"32b", 1377683968},
                     {"72b", 1409147392}};

    for (size_t i = 0; i < COUNT(published); i++) {
        ck_assert_int_eq(
            oriel_synth_config_init(&config, published[i].name, 0, &err),
            ORIEL_OK);
        ck_assert_uint_eq(oriel_synth_bytes(&config), published[i].bytes);
        ck_assert_int_eq(config.network.n_full_attention_blocks, 4);
        for (int k = 0; k < 4; k++)
            ck_assert_int_eq(config.network.full_attention_blocks[k],
                             8 * k + 7);
        ck_assert_int_eq(config.network.head_dim, 80);
    }
}
END_TEST

START_TEST(cuts_depth_and_keeps_full_attention)
{
    static const struct {
        int32_t depth, n_full, last;
    } cases[] = {{1, 1, 0},
                 {7, 1, 6},
                 {8, 1, 7},
                 {9, 1, 7},
                 {16, 2, 15},
                 {40, 5, 39},
                 {ORIEL_SYNTH_MAX_DEPTH, 64, 511}};
    static const int32_t some[] = {0, 2}, unordered[] = {2, 2}, beyond[] = {3};

    for (size_t i = 0; i < COUNT(cases); i++) {
        const oriel_network *net = &config.network;

        ck_assert_int_eq(
            oriel_synth_config_init(&config, "7b", cases[i].depth, &err),
            ORIEL_OK);
        ck_assert_int_eq(net->depth, cases[i].depth);
        ck_assert_int_eq(net->n_full_attention_blocks, cases[i].n_full);
        ck_assert_int_eq(net->full_attention_blocks[cases[i].n_full - 1],
                         cases[i].last);
    }
    ck_assert_int_eq(
        oriel_synth_config_init_blocks(&config, "7b", 3, some, 2, &err),
        ORIEL_OK);
    ck_assert_int_eq(config.network.full_attention_blocks[1], 2);
    ck_assert_int_eq(
        oriel_synth_config_init_blocks(&config, "7b", 3, unordered, 2, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(
        oriel_synth_config_init_blocks(&config, "7b", 3, beyond, 1, &err),
        ORIEL_ERR_ARGUMENT);
}
END_TEST

/* What `oriel synth --config tiny` makes is the network that the tests use. */
START_TEST(tiny_is_the_network_of_the_tests)
{
    const oriel_network *net = &config.network, *expected = &fixture_tiny;

    ck_assert_int_eq(oriel_synth_config_init(&config, "tiny", 0, &err),
                     ORIEL_OK);
    ck_assert_int_eq(net->depth, expected->depth);
    ck_assert_int_eq(net->hidden_size, expected->hidden_size);
    ck_assert_int_eq(net->intermediate_size, expected->intermediate_size);
    ck_assert_int_eq(net->num_heads, expected->num_heads);
    ck_assert_int_eq(net->head_dim, expected->head_dim);
    ck_assert_int_eq(net->out_hidden_size, expected->out_hidden_size);
    ck_assert_int_eq(net->in_channels, expected->in_channels);
    ck_assert_int_eq(net->patch_size, expected->patch_size);
    ck_assert_int_eq(net->temporal_patch_size, expected->temporal_patch_size);
    ck_assert_int_eq(net->spatial_merge_size, expected->spatial_merge_size);
    ck_assert_int_eq(net->window_size, expected->window_size);
    ck_assert_double_eq(net->rope_theta, expected->rope_theta);
    ck_assert_int_eq(net->n_full_attention_blocks,
                     expected->n_full_attention_blocks);
    for (int32_t i = 0; i < expected->n_full_attention_blocks; i++)
        ck_assert_int_eq(net->full_attention_blocks[i],
                         expected->full_attention_blocks[i]);
}
END_TEST

START_TEST(refuses_what_it_does_not_know)
{
    static const struct {
        const char *name, *said;
        int32_t depth;
    } cases[] = {{"8b", "8b", 0},
                 {"", "expected 3b", 0},
                 {"7B\n", "7B\\x0a", 0},
                 {"7b", "-1", -1},
                 {"7b", "513", ORIEL_SYNTH_MAX_DEPTH + 1}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(oriel_synth_config_init(&config, cases[i].name,
                                                 cases[i].depth, &err),
                         ORIEL_ERR_ARGUMENT);
        ck_assert_msg(strstr(err.message, cases[i].said), "%s", err.message);
    }
}
END_TEST

/* splitmix64 as its authors print it, advanced by single steps: the tests' own
   stream, started where value i is due. */
static float
expected_unit(uint64_t key, uint64_t i)
{
    random_stream stream = {key + i};

    return (float)((double)(random_u64(&stream) >> 40) * 0x1p-23 - 1.0);
}

START_TEST(counts_as_defined)
{
    uint64_t digest = 0xCBF29CE484222325u;
    random_stream seed = {7}, stream;
    uint64_t key;

    for (const char *c = "norm1.weight"; *c; c++)
        digest = (digest ^ (uint64_t)*c) * 0x100000001B3u;
    stream.state = random_u64(&seed) + digest;
    key = random_u64(&stream);
    ck_assert_uint_eq(oriel_counter_key(7, "norm1.weight"), key);
    for (uint64_t i = 0; i < 1000; i++)
        ck_assert_float_eq(oriel_counter_unit(key, i), expected_unit(key, i));
}
END_TEST

/* Every length and start around the widest vector, in this processor's variant
   of the code, against one value at a time; nothing beyond is touched. */
START_TEST(fills_rows_to_the_bit)
{
    static const uint64_t starts[] = {0, 1, 0xFFFFFFF0u, UINT64_MAX - 40};
    uint16_t out[80];

    for (size_t s = 0; s < COUNT(starts); s++)
        for (size_t n = 0; n <= 70; n++) {
            memset(out, 0x55, sizeof(out));
            oriel_counter_fill(out + 4, 99, starts[s], n, 0.37f, 1.25f);
            for (size_t i = 0; i < n; i++) {
                volatile float product =
                    expected_unit(99, starts[s] + i) * 0.37f;

                ck_assert_uint_eq(out[4 + i],
                                  oriel_f32_to_bf16(product + 1.25f));
            }
            ck_assert_uint_eq(out[3], 0x5555);
            ck_assert_uint_eq(out[4 + n], 0x5555);
        }
}
END_TEST

static oriel_status
make_tiny(uint64_t seed, int32_t threads, bool replace, uint64_t shard_bytes,
          const char *name)
{
    oriel_synth_options options = {.seed = seed,
                                   .threads = threads,
                                   .replace = replace,
                                   .shard_bytes = shard_bytes};

    ck_assert_int_eq(oriel_synth_config_init(&config, "tiny", 0, &err),
                     ORIEL_OK);
    return oriel_synth_write(folder_path(&home, name), &config, &options, &err);
}

static bool
same_file(const char *a, const char *b)
{
    size_t a_bytes, b_bytes;
    unsigned char *x = folder_read(&home, a, &a_bytes);
    unsigned char *y = folder_read(&home, b, &b_bytes);
    bool same = x && y && a_bytes == b_bytes && memcmp(x, y, a_bytes) == 0;

    free(x);
    free(y);
    return same;
}

START_TEST(makes_the_same_bytes_on_any_threads)
{
    static const char *const files[] = {"config.json",
                                        "preprocessor_config.json",
                                        "model.safetensors.index.json",
                                        "model-00001-of-00003.safetensors",
                                        "model-00002-of-00003.safetensors",
                                        "model-00003-of-00003.safetensors"};
    folder one = home;

    ck_assert_int_eq(make_tiny(1, 1, false, 0, "1"), ORIEL_OK);
    ck_assert_int_eq(make_tiny(1, 3, false, 0, "3"), ORIEL_OK);
    ck_assert_int_eq(make_tiny(1, 8, false, 0, "8"), ORIEL_OK);
    ck_assert_int_eq(make_tiny(2, 8, false, 0, "other"), ORIEL_OK);
    snprintf(one.path, sizeof(one.path), "%s", folder_path(&home, "1"));
    ck_assert_int_eq(folder_count(&one), COUNT(files));
    for (size_t i = 0; i < COUNT(files); i++) {
        char names[4][64];
        static const char *const folders[] = {"1", "3", "8", "other"};

        for (int k = 0; k < 4; k++)
            snprintf(names[k], sizeof(names[k]), "%s/%s", folders[k], files[i]);
        ck_assert(same_file(names[0], names[1]));
        ck_assert(same_file(names[0], names[2]));
        ck_assert_int_eq(same_file(names[0], names[3]), i < 3);
    }
}
END_TEST

/* Whatever the shard size: each tensor once, whole, where the index says. */
START_TEST(cuts_between_tensors)
{
    static const uint64_t sizes[] = {1, 5000, 20000, 0};
    oriel_layout layout;

    for (size_t s = 0; s < COUNT(sizes); s++) {
        char name[16], file[48], path[96];
        oriel_safetensors *shard = NULL;

        snprintf(name, sizeof(name), "%zu", s);
        ck_assert_int_eq(make_tiny(1, 2, false, sizes[s], name), ORIEL_OK);
        ck_assert_int_eq(oriel_layout_create(&layout, &config.network,
                                             sizes[s] ? sizes[s] : 1u << 29,
                                             NULL, &err),
                         ORIEL_OK);
        ck_assert_int_ge(layout.n_shards, 2);
        ck_assert(sizes[s] != 1 || layout.n_shards == layout.n_tensors);
        for (int32_t i = 0; i < layout.n_tensors; i++) {
            const oriel_layout_tensor *t = &layout.tensors[i];
            const oriel_stored_tensor *stored;

            oriel_layout_file_name(file, t->shard, layout.n_shards);
            snprintf(path, sizeof(path), "%s/%s", name, file);
            ck_assert_int_eq(oriel_safetensors_open(
                                 &shard, folder_path(&home, path), NULL, &err),
                             ORIEL_OK);
            stored = oriel_safetensors_find(shard, t->name);
            ck_assert_ptr_nonnull(stored);
            ck_assert_int_eq(stored->dtype, ORIEL_STORED_BF16);
            ck_assert_uint_eq(stored->bytes,
                              (uint64_t)(t->shape.rows * t->shape.columns * 2));
            ck_assert_uint_eq(stored->offset % 8 % 2, 0);
            oriel_safetensors_close(shard);
        }
        oriel_layout_destroy(&layout);
    }
}
END_TEST

/* The library opens it as it opens the official ones. */
START_TEST(opens_as_a_model)
{
    oriel_model *model;
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;

    ck_assert_int_eq(make_tiny(1, 2, false, 0, "m"), ORIEL_OK);
    ck_assert_int_eq(
        oriel_model_open(&model, folder_path(&home, "m"), NULL, &err),
        ORIEL_OK);
    ck_assert_int_eq(oriel_model_get_info(model, &info, &err), ORIEL_OK);
    ck_assert_int_eq(info.has_weights, 1);
    ck_assert_int_eq(info.depth, 4);
    ck_assert_int_eq(info.hidden_size, 32);
    ck_assert_int_eq(info.out_hidden_size, 24);
    ck_assert_int_eq(info.patch_size, 4);
    ck_assert_int_eq(info.n_full_attention_blocks, 2);
    ck_assert_int_eq(info.full_attention_blocks[1], 3);
    ck_assert_int_eq(info.weight_dtype, ORIEL_DTYPE_BF16);
    ck_assert_int_eq(info.n_tensors, 54);
    ck_assert_uint_eq(info.weight_bytes, oriel_synth_bytes(&config));
    ck_assert_int_eq((int)info.min_pixels, 3136);
    ck_assert_int_eq((int)info.max_pixels, 12845056);
    oriel_model_destroy(model);
}
END_TEST

START_TEST(replaces_only_when_asked)
{
    ck_assert_int_eq(make_tiny(1, 1, false, 0, "m"), ORIEL_OK);
    ck_assert_int_eq(make_tiny(2, 1, false, 0, "m"), ORIEL_ERR_ARGUMENT);
    ck_assert_int_eq(err.cause, EEXIST);
    ck_assert_ptr_nonnull(strstr(err.message, "config.json"));
    ck_assert_int_eq(make_tiny(1, 1, false, 0, "same"), ORIEL_OK);
    ck_assert(same_file("m/model-00001-of-00003.safetensors",
                        "same/model-00001-of-00003.safetensors"));
    ck_assert_int_eq(make_tiny(2, 1, true, 0, "m"), ORIEL_OK);
    ck_assert(!same_file("m/model-00001-of-00003.safetensors",
                         "same/model-00001-of-00003.safetensors"));
}
END_TEST

START_TEST(says_where_it_cannot_write)
{
    folder_write(&home, "file", "x", 1);
    ck_assert_int_eq(make_tiny(1, 1, false, 0, "file"), ORIEL_ERR_IO);
    ck_assert_int_eq(err.cause, EEXIST);
    ck_assert_int_eq(make_tiny(1, 1, false, 0, "no/where"), ORIEL_ERR_IO);
    ck_assert_int_eq(err.cause, ENOENT);
    ck_assert_ptr_nonnull(strstr(err.message, "no/where"));
}
END_TEST

static int polls;

static int32_t
cancel_third(void *user)
{
    (void)user;
    return ++polls >= 3;
}

START_TEST(a_cancelled_checkpoint_is_incomplete)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_synth_options options = {.seed = 1, .threads = 1, .hooks = &hooks};

    hooks.cancel = cancel_third;
    ck_assert_int_eq(make_tiny(1, 1, false, 0, "m"), ORIEL_OK);
    options.replace = true;
    ck_assert_int_eq(
        oriel_synth_write(folder_path(&home, "m"), &config, &options, &err),
        ORIEL_ERR_CANCELLED);
    ck_assert_int_eq(polls, 3);
    ck_assert(!folder_has(&home, "m/config.json"));
    ck_assert(folder_has(&home, "m/model-00003-of-00003.safetensors"));
}
END_TEST

static int failing_allocation, live;

static void *
count_alloc(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    if (failing_allocation-- == 0)
        return NULL;
    live++;
    return aligned_alloc(alignment, bytes);
}

static void
count_free(void *user, void *memory)
{
    (void)user;
    live -= memory != NULL;
    free(memory);
}

START_TEST(survives_every_failing_allocation)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_synth_options options = {.seed = 1, .threads = 1, .hooks = &hooks};
    int n = 0;

    hooks.alloc = count_alloc;
    hooks.free = count_free;
    options.replace = true;
    ck_assert_int_eq(oriel_synth_config_init(&config, "tiny", 1, &err),
                     ORIEL_OK);
    for (;; n++) {
        oriel_status status;

        failing_allocation = n;
        status =
            oriel_synth_write(folder_path(&home, "m"), &config, &options, &err);
        ck_assert_int_eq(live, 0);
        if (failing_allocation >= 0) {
            ck_assert_int_eq(status, ORIEL_OK);
            break;
        }
        ck_assert_int_eq(status, ORIEL_ERR_MEMORY);
        ck_assert(!folder_has(&home, "m/config.json"));
    }
    ck_assert_int_ge(n, 20);
}
END_TEST

/* The values are what the head of scales.h promises: centred, bounded, of the
   right size, and the same in no two tensors. */
START_TEST(values_are_spread_as_meant)
{
    const uint64_t key = oriel_counter_key(1, "some tensor");
    double sum = 0, squares = 0;
    enum { N = 1 << 16 };

    for (uint64_t i = 0; i < N; i++) {
        double u = oriel_counter_unit(key, i);

        ck_assert_double_ge(u, -1);
        ck_assert_double_lt(u, 1);
        sum += u;
        squares += u * u;
    }
    /* Six standard deviations of the mean of N. */
    ck_assert_double_lt(fabs(sum / N), 6 / sqrt(3.0 * N));
    ck_assert_double_lt(fabs(squares / N - 1 / 3.0), 6 * 0.3 / sqrt(N));
    ck_assert_uint_ne(key, oriel_counter_key(1, "some tensos"));
    ck_assert_uint_ne(key, oriel_counter_key(2, "some tensor"));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("synth");
    TCase *tc = tcase_create("synth");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, knows_the_published_sizes);
    tcase_add_test(tc, cuts_depth_and_keeps_full_attention);
    tcase_add_test(tc, tiny_is_the_network_of_the_tests);
    tcase_add_test(tc, refuses_what_it_does_not_know);
    tcase_add_test(tc, counts_as_defined);
    tcase_add_test(tc, fills_rows_to_the_bit);
    tcase_add_test(tc, makes_the_same_bytes_on_any_threads);
    tcase_add_test(tc, cuts_between_tensors);
    tcase_add_test(tc, opens_as_a_model);
    tcase_add_test(tc, replaces_only_when_asked);
    tcase_add_test(tc, says_where_it_cannot_write);
    tcase_add_test(tc, a_cancelled_checkpoint_is_incomplete);
    tcase_add_test(tc, survives_every_failing_allocation);
    tcase_add_test(tc, values_are_spread_as_meant);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
