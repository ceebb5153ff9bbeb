/* SPDX-License-Identifier: Apache-2.0 */
/* test_config.c - config.json in every layout in use, and in none */
#include "base/fail.h"
#include "model/config.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>

#define SEVEN \
    4, \
    { \
        7, 15, 23, 31 \
    }

typedef struct expected {
    const char *json;
    int32_t depth, hidden, intermediate, heads, out, patch, temporal, merge;
    int32_t window, n_full, full[6];
    double theta;
    bool depth_given;
} expected;

static const expected good[] = {
    /* Official, 7B: flat text fields, a complete vision_config. */
    {"{\"architectures\": [\"Qwen2_5_VLForConditionalGeneration\"],\n"
     "\"attention_dropout\": 0.0, \"bos_token_id\": 151643,\n"
     "\"eos_token_id\": 151645, \"vision_start_token_id\": 151652,\n"
     "\"vision_end_token_id\": 151653, \"image_token_id\": 151655,\n"
     "\"video_token_id\": 151656, \"hidden_act\": \"silu\",\n"
     "\"hidden_size\": 3584, \"intermediate_size\": 18944,\n"
     "\"model_type\": \"qwen2_5_vl\", \"num_attention_heads\": 28,\n"
     "\"num_hidden_layers\": 28, \"rms_norm_eps\": 1e-06,\n"
     "\"rope_theta\": 1000000.0, \"torch_dtype\": \"bfloat16\",\n"
     "\"vision_config\": {\"depth\": 32, \"hidden_act\": \"silu\",\n"
     "\"hidden_size\": 1280, \"intermediate_size\": 3420, \"num_heads\": 16,\n"
     "\"in_chans\": 3, \"out_hidden_size\": 3584, \"patch_size\": 14,\n"
     "\"spatial_merge_size\": 2, \"spatial_patch_size\": 14,\n"
     "\"window_size\": 112, \"fullatt_block_indexes\": [7, 15, 23, 31],\n"
     "\"tokens_per_second\": 2, \"temporal_patch_size\": 2},\n"
     "\"rope_scaling\": {\"type\": \"mrope\", \"mrope_section\": [16, 24, "
     "24]},\n"
     "\"vocab_size\": 152064}",
     32, 1280, 3420, 16, 3584, 14, 2, 2, 112, SEVEN, 10000.0, true},
    /* Re-saved by 4.49: only what differs from the class. */
    {"{\"model_type\":\"qwen2_5_vl\","
     "\"vision_config\": {\"hidden_size\":1280,\"in_chans\":3,"
     "\"model_type\":\"qwen2_5_vl\",\"spatial_patch_size\":14,"
     "\"tokens_per_second\":2,\"torch_dtype\":\"bfloat16\"}}",
     32, 1280, 0, 16, 0, 14, 2, 2, 112, SEVEN, 10000.0, false},
    /* The same of a 72B. */
    {"{\"vision_config\": {\"hidden_size\":1280,\"in_chans\":3,"
     "\"intermediate_size\":3456,\"out_hidden_size\":8192,"
     "\"model_type\":\"qwen2_5_vl\",\"spatial_patch_size\":14,"
     "\"tokens_per_second\":2,\"torch_dtype\":\"float16\"}}",
     32, 1280, 3456, 16, 8192, 14, 2, 2, 112, SEVEN, 10000.0, false},
    /* Re-saved by 5.23: everything, rope_parameters, dtype, stray keys. */
    {"{\"model_type\":\"qwen2_5_vl\",\"text_config\":{\"hidden_size\":2048,"
     "\"model_type\":\"qwen2_5_vl_text\"},\"dtype\":\"bfloat16\","
     "\"vision_config\": {\"depth\":32,\"fullatt_block_indexes\":[7,15,23,31],"
     "\"hidden_act\":\"silu\",\"hidden_size\":1280,\"in_channels\":3,"
     "\"in_chans\":3,\"initializer_range\":0.02,\"intermediate_size\":3420,"
     "\"model_type\":\"qwen2_5_vl_vision\",\"num_heads\":16,"
     "\"out_hidden_size\":2048,\"patch_size\":14,\"rope_parameters\":"
     "{\"rope_theta\":10000.0,\"rope_type\":\"axial\"},"
     "\"spatial_merge_size\":2,\"spatial_patch_size\":14,"
     "\"temporal_patch_size\":2,\"tokens_per_second\":2,"
     "\"window_size\":112}}",
     32, 1280, 3420, 16, 2048, 14, 2, 2, 112, SEVEN, 10000.0, true},
    /* Omni. */
    {"{\"model_type\":\"qwen2_5_omni\",\"thinker_config\":{"
     "\"model_type\":\"qwen2_5_omni_thinker\",\"vision_config\":{"
     "\"depth\":32,\"embed_dim\":1280,\"hidden_size\":1280,"
     "\"intermediate_size\":3420,\"out_hidden_size\":3584,"
     "\"model_type\":\"qwen2_5_omni_vision_encoder\"}},"
     "\"talker_config\":{\"vision_start_token_id\":151652}}",
     32, 1280, 3420, 16, 3584, 14, 2, 2, 112, SEVEN, 10000.0, true},
    /* A wrapper for retrieval. */
    {"{\"model_type\":\"colqwen2\",\"vlm_config\":{\"model_type\":"
     "\"qwen2_5_vl\",\"vision_config\":{\"hidden_size\":1280,"
     "\"out_hidden_size\":2048}}}",
     32, 1280, 0, 16, 2048, 14, 2, 2, 112, SEVEN, 10000.0, false},
    /* A tower saved alone. */
    {"{\"model_type\":\"qwen2_5_vl_vision\",\"hidden_size\":1280}", 32, 1280, 0,
     16, 0, 14, 2, 2, 112, SEVEN, 10000.0, false},
    /* Nothing at all but the section; null is absence. */
    {"{\"vision_config\":{\"depth\":null,\"rope_parameters\":null,"
     "\"fullatt_block_indexes\":null,\"skip_vision\":false}}",
     32, 0, 0, 16, 0, 14, 2, 2, 112, SEVEN, 10000.0, false},
    /* Blocks: unsorted, twice, beyond the depth (no effect, as there). */
    {"{\"vision_config\":{\"depth\":10,\"fullatt_block_indexes\":"
     "[9,3,3,15,4294967299,0]}}",
     10,
     0,
     0,
     16,
     0,
     14,
     2,
     2,
     112,
     3,
     {0, 3, 9},
     10000.0,
     true},
    {"{\"vision_config\":{\"depth\":8}}",
     8,
     0,
     0,
     16,
     0,
     14,
     2,
     2,
     112,
     1,
     {7},
     10000.0,
     true},
    {"{\"vision_config\":{\"fullatt_block_indexes\":[]}}",
     32,
     0,
     0,
     16,
     0,
     14,
     2,
     2,
     112,
     0,
     {0},
     10000.0,
     false},
    /* Other geometry and rope. */
    {"{\"vision_config\":{\"patch_size\":8,\"spatial_merge_size\":4,"
     "\"temporal_patch_size\":1,\"window_size\":96,\"num_heads\":8,"
     "\"rope_parameters\":{\"rope_type\":\"axial\",\"rope_theta\":500}}}",
     32, 0, 0, 8, 0, 8, 1, 4, 96, SEVEN, 500.0, false},
    {"{\"vision_config\":{\"rope_parameters\":{}}}", 32, 0, 0, 16, 0, 14, 2, 2,
     112, SEVEN, 10000.0, false},
};

START_TEST(reads_every_layout)
{
    const expected *e = &good[_i];
    oriel_config c;
    oriel_error err;

    ck_assert_msg(oriel_config_parse(&c, e->json, strlen(e->json),
                                     "config.json", NULL, &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert_int_eq(c.depth, e->depth);
    ck_assert_int_eq(c.depth_given, e->depth_given);
    ck_assert_int_eq(c.hidden_size, e->hidden);
    ck_assert_int_eq(c.intermediate_size, e->intermediate);
    ck_assert_int_eq(c.num_heads, e->heads);
    ck_assert_int_eq(c.out_hidden_size, e->out);
    ck_assert_int_eq(c.in_channels, 3);
    ck_assert_int_eq(c.patch_size, e->patch);
    ck_assert_int_eq(c.temporal_patch_size, e->temporal);
    ck_assert_int_eq(c.spatial_merge_size, e->merge);
    ck_assert_int_eq(c.window_size, e->window);
    ck_assert_int_eq(c.n_full_attention_blocks, e->n_full);
    for (int i = 0; i < e->n_full; i++)
        ck_assert_int_eq(c.full_attention_blocks[i], e->full[i]);
    ck_assert_double_eq(c.rope_theta, e->theta);
    oriel_config_free(&c, NULL);
}
END_TEST

#define VISION(fields) "{\"vision_config\":{" fields "}}"

static const struct {
    const char *json;
    oriel_status status;
    const char *says[2];
} bad[] = {
    {"", ORIEL_ERR_MODEL, {"malformed JSON"}},
    {"[]", ORIEL_ERR_MODEL, {"expected one JSON object"}},
    {"{},{}", ORIEL_ERR_MODEL, {"expected one JSON object"}},
    {"{}]", ORIEL_ERR_MODEL, {"malformed JSON"}},
    {"{}],[{}", ORIEL_ERR_MODEL, {"malformed JSON"}},
    {"{\n\"a\": x}", ORIEL_ERR_MODEL, {"malformed JSON at line 2, column 6"}},
    {"{\"a\":nan}", ORIEL_ERR_MODEL, {"malformed JSON at line 1"}},
    {"{\"a\":-NaN}", ORIEL_ERR_MODEL, {"malformed JSON at line 1, column 6"}},
    {"{\"a\":+Infinity}", ORIEL_ERR_MODEL, {"malformed JSON"}},
    {"{\"a\":Infinity1}", ORIEL_ERR_MODEL, {"malformed JSON"}},
    {"{NaN:1}", ORIEL_ERR_MODEL, {"malformed JSON", "near 'NaN'"}},
    {"{\"a\":01}", ORIEL_ERR_MODEL, {"malformed JSON"}},
    {"{\"a\":1.}", ORIEL_ERR_MODEL, {"malformed JSON"}},
    {"{\"a\":\"\\ud8\"}", ORIEL_ERR_MODEL, {"malformed JSON"}},
    {"{\"a\":\"\t\"}", ORIEL_ERR_MODEL, {"malformed JSON", "control"}},
    {"{\"a\":\"\xff\"}", ORIEL_ERR_MODEL, {"malformed JSON"}},
    {"{\"a\":1,}", ORIEL_ERR_MODEL, {"malformed JSON"}},
    {"// x\n{}", ORIEL_ERR_MODEL, {"malformed JSON at line 1"}},
    /* A replaced value moves nothing: the place is that in the file. */
    {"{\"a\":[1e999,\"\\u0000\",-Infinity,NaN],x}",
     ORIEL_ERR_MODEL,
     {"malformed JSON at line 1, column 37"}},
    {"{}", ORIEL_ERR_MODEL, {"vision_config", "found neither"}},
    {"{\"model_type\":\"qwen2_5_vl\"}", ORIEL_ERR_MODEL, {"found neither"}},
    {"{\"vision_config\":[]}",
     ORIEL_ERR_MODEL,
     {"vision_config: expected an object", "found an array of 0"}},
    {"{\"thinker_config\":{}}",
     ORIEL_ERR_MODEL,
     {"thinker_config.vision_config: expected an object", "found nothing"}},
    {"{\"vlm_config\":{\"vision_config\":{\"depth\":0}}}",
     ORIEL_ERR_MODEL,
     {"vlm_config.vision_config.depth: expected"}},
    {"{\"thinker_config\":3}",
     ORIEL_ERR_MODEL,
     {"thinker_config: expected an object, found 3"}},
    {"{\"thinker_config\":{\"vision_config\":true}}",
     ORIEL_ERR_MODEL,
     {"thinker_config.vision_config: expected an object, found true"}},
    {"{\"model_type\":\"qwen2_vl\",\"vision_config\":{}}",
     ORIEL_ERR_UNSUPPORTED,
     {"config.json: model_type \"qwen2_vl\"", "qwen2_5_vl"}},
    {"{\"model_type\":\"qwen3_vl\",\"vision_config\":{}}",
     ORIEL_ERR_UNSUPPORTED,
     {"config.json: model_type \"qwen3_vl\"", "qwen2_5_vl"}},
    {"{\"model_type\":\"qwen3_vl_moe\"}",
     ORIEL_ERR_UNSUPPORTED,
     {"config.json: model_type \"qwen3_vl_moe\""}},
    {"{\"vlm_config\":{\"model_type\":\"qwen2_vl\",\"vision_config\":{}}}",
     ORIEL_ERR_UNSUPPORTED,
     {"vlm_config.model_type \"qwen2_vl\"", "qwen2_5_vl"}},
    {VISION("\"model_type\":\"qwen2_vl\""),
     ORIEL_ERR_UNSUPPORTED,
     {"vision_config.model_type \"qwen2_vl\"", "qwen2_5_vl"}},
    {VISION("\"model_type\":\"qwen3_vl\""),
     ORIEL_ERR_UNSUPPORTED,
     {"model_type \"qwen3_vl\""}},
    {VISION("\"model_type\":5"),
     ORIEL_ERR_MODEL,
     {"vision_config.model_type: expected a string, found 5"}},
    {VISION("\"hidden_act\":\"quick_gelu\""),
     ORIEL_ERR_UNSUPPORTED,
     {"hidden_act \"quick_gelu\"", "silu"}},
    {VISION("\"depth\":0"),
     ORIEL_ERR_MODEL,
     {"vision_config.depth: expected an integer from 1 to 1024, found 0"}},
    {VISION("\"depth\":1025"), ORIEL_ERR_MODEL, {"depth", "found 1025"}},
    {VISION("\"depth\":-32"), ORIEL_ERR_MODEL, {"depth", "found -32"}},
    {VISION("\"depth\":32.0"), ORIEL_ERR_MODEL, {"depth", "an integer"}},
    {VISION("\"depth\":{}"), ORIEL_ERR_MODEL, {"depth", "found an object"}},
    {VISION("\"depth\":false"), ORIEL_ERR_MODEL, {"depth", "found false"}},
    {VISION("\"depth\":\"32\""), ORIEL_ERR_MODEL, {"depth", "found \"32\""}},
    {VISION("\"depth\":9223372036854775807"), ORIEL_ERR_MODEL, {"depth"}},
    {VISION("\"depth\":9223372036854775808"),
     ORIEL_ERR_MODEL,
     {"depth: expected an integer", "found 9223372036854775807"}},
    {VISION("\"depth\":NaN"), ORIEL_ERR_MODEL, {"depth", "found NaN"}},
    {VISION("\"depth\":-1e400"), ORIEL_ERR_MODEL, {"depth", "found -Infinity"}},
    {VISION("\"depth\":4,\"num_hidden_layers\":0"),
     ORIEL_ERR_MODEL,
     {"vision_config.num_hidden_layers: expected an integer", "found 0"}},
    {VISION("\"hidden_size\":3"), ORIEL_ERR_MODEL, {"hidden_size"}},
    {VISION("\"hidden_size\":2147483647"), ORIEL_ERR_MODEL, {"hidden_size"}},
    {VISION("\"intermediate_size\":0"), ORIEL_ERR_MODEL, {"intermediate_size"}},
    {VISION("\"out_hidden_size\":-1"), ORIEL_ERR_MODEL, {"out_hidden_size"}},
    {VISION("\"num_heads\":0"), ORIEL_ERR_MODEL, {"num_heads"}},
    {VISION("\"in_channels\":4"),
     ORIEL_ERR_MODEL,
     {"in_channels: expected 3, found 4"}},
    {VISION("\"patch_size\":0"), ORIEL_ERR_MODEL, {"patch_size"}},
    {VISION("\"patch_size\":[14,14]"),
     ORIEL_ERR_MODEL,
     {"patch_size: expected an integer", "found an array of 2"}},
    {VISION("\"temporal_patch_size\":17"),
     ORIEL_ERR_MODEL,
     {"temporal_patch_size"}},
    {VISION("\"spatial_merge_size\":0"),
     ORIEL_ERR_MODEL,
     {"spatial_merge_size"}},
    {VISION("\"window_size\":0"), ORIEL_ERR_MODEL, {"window_size"}},
    {VISION("\"window_size\":27"),
     ORIEL_ERR_MODEL,
     {"window_size: expected at least", "28, found 27"}},
    {VISION("\"fullatt_block_indexes\":7"),
     ORIEL_ERR_MODEL,
     {"fullatt_block_indexes: expected an array, found 7"}},
    {VISION("\"fullatt_block_indexes\":[\"7\"]"),
     ORIEL_ERR_MODEL,
     {"fullatt_block_indexes: expected block numbers", "found \"7\""}},
    {VISION("\"fullatt_block_indexes\":[7,7.5]"),
     ORIEL_ERR_MODEL,
     {"block numbers", "found 7.5"}},
    {VISION("\"fullatt_block_indexes\":[7,Infinity]"),
     ORIEL_ERR_MODEL,
     {"block numbers", "found Infinity"}},
    {VISION("\"rope_parameters\":{\"rope_type\":\"yarn\"}"),
     ORIEL_ERR_UNSUPPORTED,
     {"vision_config.rope_parameters.rope_type \"yarn\"", "axial"}},
    {VISION("\"rope_scaling\":{\"type\":\"mrope\"}"),
     ORIEL_ERR_UNSUPPORTED,
     {"vision_config.rope_scaling.type \"mrope\"", "axial"}},
    /* Of two refusals the first is told. */
    {VISION("\"hidden_act\":\"gelu\",\"rope_scaling\":{\"type\":\"mrope\"}"),
     ORIEL_ERR_UNSUPPORTED,
     {"vision_config.hidden_act \"gelu\""}},
    {"{\"model_type\":\"qwen2_vl\",\"vision_config\":{\"hidden_act\":\"gelu\"}"
     "}",
     ORIEL_ERR_UNSUPPORTED,
     {"config.json: model_type \"qwen2_vl\""}},
    {VISION("\"rope_theta\":0.5"),
     ORIEL_ERR_MODEL,
     {"rope_theta: expected a number from 1 to 1e12", "found 0.5"}},
    {VISION("\"rope_theta\":2e12"), ORIEL_ERR_MODEL, {"from 1 to 1e12"}},
    {VISION("\"rope_theta\":Infinity"),
     ORIEL_ERR_MODEL,
     {"vision_config.rope_theta: expected a number", "found Infinity"}},
    {VISION("\"rope_parameters\":{\"rope_theta\":0.5}"),
     ORIEL_ERR_MODEL,
     {"rope_parameters.rope_theta: expected a number from 1", "found 0.5"}},
    {VISION("\"rope_parameters\":{\"rope_theta\":\"1e4\"}"),
     ORIEL_ERR_MODEL,
     {"rope_theta: expected a number"}},
    {VISION("\"rope_parameters\":10000"),
     ORIEL_ERR_MODEL,
     {"rope_parameters: expected an object"}},
    {"{\"thinker_config\":" VISION("\"depth\":0") "}",
     ORIEL_ERR_MODEL,
     {"thinker_config.vision_config.depth: expected"}},
};

START_TEST(refuses_by_name)
{
    oriel_config c;
    oriel_error err;

    ck_assert_msg(oriel_config_parse(&c, bad[_i].json, strlen(bad[_i].json),
                                     "a/config.json", NULL,
                                     &err) == bad[_i].status,
                  "case %d: %d %s", _i, err.status, err.message);
    ck_assert_int_eq(err.status, bad[_i].status);
    ck_assert_ptr_null(c.full_attention_blocks);
    ck_assert_msg(strncmp(err.message, "a/config.json: ", 15) == 0, "%s",
                  err.message);
    for (int i = 0; i < 2 && bad[_i].says[i]; i++)
        ck_assert_msg(strstr(err.message, bad[_i].says[i]) != NULL,
                      "case %d: %s lacks %s", _i, err.message, bad[_i].says[i]);
}
END_TEST

START_TEST(bounds_the_list_of_blocks)
{
    static char json[16384];
    size_t at = (size_t)sprintf(
        json, "{\"vision_config\":{\"fullatt_block_indexes\":[0");
    oriel_config c;
    oriel_error err;

    for (int i = 0; i < 1024; i++)
        at += (size_t)sprintf(json + at, ",%d", i);
    sprintf(json + at, "]}}");
    ck_assert_int_eq(
        oriel_config_parse(&c, json, strlen(json), "c", NULL, &err),
        ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(strstr(
        err.message, "an array of at most 1024, found an array of 1025"));
}
END_TEST

START_TEST(a_long_value_does_not_hide_what_was_expected)
{
    static const char head[] = "{\"vision_config\":{\"depth\":\"";
    static char json[8192];
    static char name[4096];
    oriel_config c;
    oriel_error err;

    memset(name, 'd', sizeof(name) - 1);
    memset(json, 'x', sizeof(json) - 1);
    memcpy(json, head, sizeof(head) - 1);
    memcpy(json + sizeof(json) - 5, "\"}}", 4);
    ck_assert_int_eq(
        oriel_config_parse(&c, json, strlen(json), name, NULL, &err),
        ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(
        strstr(err.message, "depth: expected an integer from 1 to 1024"));
    ck_assert_ptr_nonnull(strstr(err.message, "xxx\""));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("config");
    TCase *tc = tcase_create("config");

    tcase_add_loop_test(tc, reads_every_layout, 0, (int)COUNT(good));
    tcase_add_loop_test(tc, refuses_by_name, 0, (int)COUNT(bad));
    tcase_add_test(tc, bounds_the_list_of_blocks);
    tcase_add_test(tc, a_long_value_does_not_hide_what_was_expected);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
