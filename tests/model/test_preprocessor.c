/* SPDX-License-Identifier: Apache-2.0 */
/* test_preprocessor.c - limits, mean, std and flags of the image processor */
#include "model/preprocessor.h"

#include "model/alloc_counter.h"
#include "support/suite.h"

#include <stdio.h>
#include <string.h>

static const double clip_mean[3] = {0.48145466, 0.4578275, 0.40821073};
static const double clip_std[3] = {0.26862954, 0.26130258, 0.27577711};

static oriel_network
geometry(void)
{
    oriel_network net;

    memset(&net, 0, sizeof(net));
    net.patch_size = 14;
    net.temporal_patch_size = 2;
    net.spatial_merge_size = 2;
    return net;
}

static oriel_status
parse(oriel_network *net, const char *json, bool nested, bool *found,
      oriel_error *err)
{
    oriel_notes notes = {{NULL}, 0};
    oriel_status status;

    *net = geometry();
    status = oriel_preprocessor_parse(net, json, strlen(json), "p.json", nested,
                                      found, &notes, NULL, err);

    oriel_notes_free(&notes, NULL);
    return status;
}

static const struct {
    const char *json;
    double min, max;
} limits[] = {
    /* Official. */
    {"{\"min_pixels\": 3136, \"max_pixels\": 12845056, \"patch_size\": 14,"
     "\"temporal_patch_size\": 2, \"merge_size\": 2, \"image_mean\": "
     "[0.48145466, 0.4578275, 0.40821073], \"image_std\": [0.26862954,"
     "0.26130258, 0.27577711], \"image_processor_type\": "
     "\"Qwen2VLImageProcessor\", \"processor_class\": "
     "\"Qwen2_5_VLProcessor\"}",
     3136, 12845056},
    /* Re-saved by 4.5x: both, and everything else. */
    {"{\"do_convert_rgb\": true, \"do_normalize\": true, \"do_rescale\": true,"
     "\"do_resize\": true, \"image_mean\": [0.48145466, 0.4578275, 0.40821073],"
     "\"image_processor_type\": \"Qwen2VLImageProcessor\", \"image_std\": "
     "[0.26862954, 0.26130258, 0.27577711], \"max_pixels\": 12845056,"
     "\"merge_size\": 2, \"min_pixels\": 3136, \"patch_size\": 14,"
     "\"resample\": 3, \"rescale_factor\": 0.00392156862745098, \"size\": "
     "{\"longest_edge\": 12845056, \"shortest_edge\": 3136},"
     "\"temporal_patch_size\": 2}",
     3136, 12845056},
    /* Re-saved by 5.23: only size; nulls of unused options. */
    {"{\"crop_size\": null, \"data_format\": \"channels_first\","
     "\"default_to_square\": true, \"device\": null, \"do_center_crop\": null,"
     "\"do_pad\": false, \"do_other\": false, \"do_resize\": true, "
     "\"resample\": null, \"size\": "
     "{\"longest_edge\": 12845056, \"shortest_edge\": 3136}}",
     3136, 12845056},
    /* Nothing: the class default, not the checkpoints'. */
    {"{}", 3136, 1003520},
    /* Each overrides its half on its own. */
    {"{\"max_pixels\": 401408}", 3136, 401408},
    {"{\"min_pixels\": 6272}", 6272, 1003520},
    {"{\"min_pixels\": 6272, \"size\": {\"longest_edge\": 50176,"
     "\"shortest_edge\": 1}}",
     6272, 50176},
    {"{\"max_pixels\": 6272, \"size\": {\"shortest_edge\": 100}}", 100, 6272},
    {"{\"min_pixels\": null, \"size\": {\"longest_edge\": 784,"
     "\"shortest_edge\": 784}}",
     784, 784},
    {"{\"max_pixels\": 9007199254740992}", 3136, 9007199254740992},
};

START_TEST(reads_limits)
{
    oriel_network net;
    oriel_error err;
    bool found;

    ck_assert_msg(parse(&net, limits[_i].json, false, &found, &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert(found);
    ck_assert_double_eq(net.min_pixels, limits[_i].min);
    ck_assert_double_eq(net.max_pixels, limits[_i].max);
    ck_assert_mem_eq(net.image_mean, clip_mean, sizeof(clip_mean));
    ck_assert_mem_eq(net.image_std, clip_std, sizeof(clip_std));
    ck_assert_double_eq(net.rescale_factor, 1.0 / 255.0);
    ck_assert_int_eq(net.do_rescale, 1);
    ck_assert_int_eq(net.do_normalize, 1);
}
END_TEST

START_TEST(reads_normalisation)
{
    oriel_network net;
    oriel_error err;
    bool found;

    ck_assert_int_eq(parse(&net,
                           "{\"image_mean\":[0,0.25,1],\"image_std\":0.5,"
                           "\"rescale_factor\":0.0625,\"do_rescale\":false,"
                           "\"do_normalize\":false}",
                           false, &found, &err),
                     ORIEL_OK);
    ck_assert_double_eq(net.image_mean[0], 0.0);
    ck_assert_double_eq(net.image_mean[1], 0.25);
    ck_assert_double_eq(net.image_mean[2], 1.0);
    for (int c = 0; c < 3; c++)
        ck_assert_double_eq(net.image_std[c], 0.5);
    ck_assert_double_eq(net.rescale_factor, 0.0625);
    ck_assert_int_eq(net.do_rescale, 0);
    ck_assert_int_eq(net.do_normalize, 0);
}
END_TEST

START_TEST(reads_the_nested_form)
{
    oriel_network net;
    oriel_error err;
    bool found;

    ck_assert_int_eq(parse(&net,
                           "{\"image_processor\":{\"max_pixels\":5000},"
                           "\"max_pixels\":7000,\"video_processor\":{}}",
                           true, &found, &err),
                     ORIEL_OK);
    ck_assert(found);
    ck_assert_double_eq(net.max_pixels, 5000);

    ck_assert_int_eq(
        parse(&net, "{\"processor_class\":\"x\"}", true, &found, &err),
        ORIEL_OK);
    ck_assert(!found);
    ck_assert_double_eq(net.max_pixels, 0);

    ck_assert_int_eq(parse(&net, "{\"image_processor\":{\"resample\":2}}", true,
                           &found, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "image_processor.resample: 2"));
    ck_assert_int_eq(
        parse(&net, "{\"image_processor\":[]}", true, &found, &err),
        ORIEL_ERR_MODEL);
}
END_TEST

static const struct {
    const char *json;
    oriel_status status;
    const char *says;
} bad[] = {
    {"", ORIEL_ERR_MODEL, "malformed JSON"},
    {"{\"do_resize\":false}", ORIEL_ERR_UNSUPPORTED, "do_resize: false"},
    {"{\"do_resize\":null}", ORIEL_ERR_UNSUPPORTED,
     "do_resize: null is not supported, only true or false"},
    {"{\"do_rescale\":null}", ORIEL_ERR_UNSUPPORTED, "do_rescale: null"},
    {"{\"do_normalize\":null}", ORIEL_ERR_UNSUPPORTED, "do_normalize: null"},
    {"{\"do_resize\":null,\"do_rescale\":null}", ORIEL_ERR_UNSUPPORTED,
     "do_resize: null"},
    {"{\"do_convert_rgb\":1}", ORIEL_ERR_MODEL,
     "do_convert_rgb: expected true or false, found 1"},
    {"{\"do_rescale\":1}", ORIEL_ERR_MODEL,
     "do_rescale: expected true or false, found 1"},
    {"{\"resample\":2}", ORIEL_ERR_UNSUPPORTED,
     "resample: 2 is not supported, only 3 (bicubic)"},
    {"{\"resample\":\"bilinear\"}", ORIEL_ERR_MODEL,
     "resample: expected an integer from 0 to 5, found \"bilinear\""},
    {"{\"resample\":3.0}", ORIEL_ERR_MODEL,
     "resample: expected an integer from 0 to 5, found 3.0"},
    {"{\"resample\":6}", ORIEL_ERR_MODEL, "resample: expected"},
    {"{\"min_pixels\":0}", ORIEL_ERR_MODEL,
     "min_pixels: expected a number of pixels, found 0"},
    {"{\"max_pixels\":0}", ORIEL_ERR_MODEL, "max_pixels: expected"},
    {"{\"max_pixels\":-5}", ORIEL_ERR_MODEL,
     "max_pixels: expected a number of pixels, found -5"},
    {"{\"max_pixels\":-Infinity}", ORIEL_ERR_MODEL, ", found -Infinity"},
    {"{\"max_pixels\":\"20480\"}", ORIEL_ERR_MODEL, ", found \"20480\""},
    {"{\"rescale_factor\":NaN}", ORIEL_ERR_MODEL,
     "rescale_factor: expected a number, found NaN"},
    {"{\"size\":448}", ORIEL_ERR_MODEL, "size: expected an object, found 448"},
    {"{\"size\":{\"height\":448,\"width\":448}}", ORIEL_ERR_MODEL,
     "size: expected shortest_edge"},
    {"{\"size\":{\"shortest_edge\":448}}", ORIEL_ERR_MODEL,
     "size: expected longest_edge"},
    {"{\"size\":{\"shortest_edge\":0,\"longest_edge\":9}}", ORIEL_ERR_MODEL,
     "size.shortest_edge: expected a number of pixels, found 0"},
    {"{\"image_mean\":[0.5,0.5]}", ORIEL_ERR_MODEL,
     "image_mean: expected a number or three, found an array of 2"},
    {"{\"image_mean\":[]}", ORIEL_ERR_MODEL,
     "image_mean: expected a number or three, found an array of 0"},
    {"{\"image_mean\":[0.5,0.5,\"x\"]}", ORIEL_ERR_MODEL, "image_mean"},
    {"{\"image_mean\":[0.5,0.5,0.5,0.5]}", ORIEL_ERR_MODEL, "image_mean"},
    {"{\"image_mean\":[1e300,0,0]}", ORIEL_ERR_MODEL, "within 1e6"},
    {"{\"image_mean\":-2e6}", ORIEL_ERR_MODEL, "within 1e6"},
    {"{\"image_mean\":{}}", ORIEL_ERR_MODEL,
     "image_mean: expected a number or three, found an object"},
    {"{\"image_std\":2e6}", ORIEL_ERR_MODEL, "image_std: expected numbers"},
    {"{\"rescale_factor\":2e6}", ORIEL_ERR_MODEL, "rescale_factor: expected"},
    {"{\"image_std\":0}", ORIEL_ERR_MODEL, "image_std: expected numbers from"},
    {"{\"image_std\":[1,1,-1]}", ORIEL_ERR_MODEL, "image_std"},
    {"{\"rescale_factor\":0}", ORIEL_ERR_MODEL, "rescale_factor: expected"},
    {"{\"rescale_factor\":1e308}", ORIEL_ERR_MODEL, "rescale_factor: expected"},
    {"{\"patch_size\":16}", ORIEL_ERR_MODEL,
     "patch_size is 16, but vision_config.patch_size is 14"},
    {"{\"merge_size\":4}", ORIEL_ERR_MODEL,
     "merge_size is 4, but vision_config.spatial_merge_size is 2"},
    {"{\"temporal_patch_size\":1}", ORIEL_ERR_MODEL,
     "temporal_patch_size is 1, but vision_config.temporal_patch_size is 2"},
    {"{\"patch_size\":\"14\"}", ORIEL_ERR_MODEL, "patch_size: expected"},
};

START_TEST(refuses_by_name)
{
    oriel_network net;
    oriel_error err;
    bool found;

    ck_assert_msg(parse(&net, bad[_i].json, false, &found, &err) ==
                      bad[_i].status,
                  "case %d: %d %s", _i, err.status, err.message);
    ck_assert_msg(strncmp(err.message, "p.json: ", 8) == 0, "%s", err.message);
    ck_assert_msg(strstr(err.message, bad[_i].says) != NULL,
                  "case %d: %s lacks %s", _i, err.message, bad[_i].says);
}
END_TEST

/* The log has them all, and what is kept for `oriel inspect` ends. */
START_TEST(notes_beyond_the_kept_ones_are_logged)
{
    char json[1024] = "{\"do_zoom_0\":true";
    oriel_network net = geometry();
    oriel_notes notes = {{NULL}, 0};
    alloc_counter l = {0};
    oriel_hooks hooks = alloc_counter_hooks(&l);
    oriel_error err;
    bool found;

    for (int i = 1; i <= ORIEL_MAX_NOTES; i++)
        sprintf(json + strlen(json), ",\"do_zoom_%d\":true", i);
    strcat(json, "}");
    ck_assert_msg(oriel_preprocessor_parse(&net, json, strlen(json), "p.json",
                                           false, &found, &notes, &hooks,
                                           &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert_int_eq(notes.n_lines, ORIEL_MAX_NOTES);
    ck_assert_str_eq(notes.lines[15],
                     "p.json: do_zoom_15: no step of this image processor, "
                     "ignored");
    ck_assert_str_eq(
        l.log, "p.json: do_zoom_16: no step of this image processor, ignored");
    oriel_notes_free(&notes, &hooks);
    ck_assert_int_eq(l.live, 0);
}
END_TEST

START_TEST(an_absent_size_is_the_class_default)
{
    oriel_network net = geometry();
    oriel_notes notes = {{NULL}, 0};
    oriel_error err;
    bool found;

    net.patch_size = 4;
    ck_assert_int_eq(oriel_preprocessor_parse(&net, "{}", 2, "p.json", false,
                                              &found, &notes, NULL, &err),
                     ORIEL_ERR_MODEL);
    ck_assert_ptr_nonnull(
        strstr(err.message,
               "patch_size is 14 (absent), but vision_config.patch_size is 4"));
}
END_TEST

static const struct {
    const char *json;
    bool nested;
    oriel_status status;
    double min, max; /* 0, 0: no section */
    const char *says;
    int32_t tokens;
} videos[] = {
    /* Qwen2VLVideoProcessor's class default, and halves of it replaced. */
    {"{}", false, ORIEL_OK, 100352, 602112, "", 0},
    {"{\"min_pixels\": 3136}", false, ORIEL_OK, 3136, 602112, "", 0},
    {"{\"max_pixels\": 200704}", false, ORIEL_OK, 100352, 200704, "", 0},
    /* As published, in preprocessor_config.json. */
    {"{\"min_pixels\": 3136, \"max_pixels\": 12845056, \"patch_size\": 14}",
     false, ORIEL_OK, 3136, 12845056, "", 0},
    {"{\"size\": {\"shortest_edge\": 784, \"longest_edge\": 7840}, "
     "\"max_pixels\": 9000}",
     false, ORIEL_OK, 784, 9000, "", 0},
    {"{\"image_processor\": {\"max_pixels\": 5000}, \"video_processor\": "
     "{\"size\": {\"shortest_edge\": 100352, \"longest_edge\": 602112}}}",
     true, ORIEL_OK, 100352, 602112, "", 0},
    {"{\"image_processor\": {\"max_pixels\": 5000}}", true, ORIEL_OK, 0, 0, "",
     0},
    {"{\"video_processor\": 3}", true, ORIEL_ERR_MODEL, 0, 0,
     "p.json: video_processor: expected an object", 0},
    /* Limits may cross: shrinking comes first. */
    {"{\"video_processor\": {\"max_pixels\": 1}}", true, ORIEL_OK, 100352, 1,
     "", 0},
    {"{\"size\": {\"longest_edge\": 9}}", false, ORIEL_ERR_MODEL, 0, 0,
     "p.json: size: expected shortest_edge", 0},
    {"[", false, ORIEL_ERR_MODEL, 0, 0, "malformed JSON", 0},
    {"{\"cap_pixels_per_frame\": true}", false, ORIEL_OK, 100352, 602112, "",
     128000},
    {"{\"cap_pixels_per_frame\": true, \"max_video_tokens\": 32000}", false,
     ORIEL_OK, 100352, 602112, "", 32000},
    {"{\"cap_pixels_per_frame\": false, \"max_video_tokens\": 32000}", false,
     ORIEL_OK, 100352, 602112, "", 0},
    {"{\"cap_pixels_per_frame\": null}", false, ORIEL_OK, 100352, 602112, "",
     0},
    {"{\"cap_pixels_per_frame\": 1}", false, ORIEL_ERR_MODEL, 0, 0,
     "p.json: cap_pixels_per_frame: expected true or false", 0},
    {"{\"max_video_tokens\": 0}", false, ORIEL_ERR_MODEL, 0, 0,
     "p.json: max_video_tokens: expected an integer from 1", 0},
};

START_TEST(reads_limits_of_videos)
{
    oriel_network net = geometry();
    oriel_error err = {0};
    bool found;

    ck_assert_int_eq(oriel_video_preprocessor_parse(
                         &net, videos[_i].json, strlen(videos[_i].json),
                         "p.json", videos[_i].nested, &found, NULL, &err),
                     videos[_i].status);
    ck_assert_msg(strstr(err.message, videos[_i].says) != NULL, "%s",
                  err.message);
    ck_assert_double_eq(net.min_pixels, 0); /* which are of images */
    ck_assert_double_eq(net.max_pixels, 0);
    if (videos[_i].status)
        return;
    ck_assert_int_eq(found, videos[_i].max > 0);
    ck_assert_double_eq(net.video_min_pixels, videos[_i].min);
    ck_assert_double_eq(net.video_max_pixels, videos[_i].max);
    ck_assert_int_eq(net.video_tokens, videos[_i].tokens);
}
END_TEST

START_TEST(knows_what_is_published)
{
    oriel_network net = geometry();

    oriel_preprocessor_published(&net);
    ck_assert_double_eq(net.min_pixels, 3136);
    ck_assert_double_eq(net.max_pixels, 12845056);
    ck_assert_double_eq(net.video_min_pixels, 3136);
    ck_assert_double_eq(net.video_max_pixels, 12845056);
    ck_assert_int_eq(net.video_tokens, 0);
    ck_assert_mem_eq(net.image_mean, clip_mean, sizeof(clip_mean));
    ck_assert_mem_eq(net.image_std, clip_std, sizeof(clip_std));
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("preprocessor");
    TCase *tc = tcase_create("preprocessor");

    tcase_add_loop_test(tc, reads_limits, 0, (int)COUNT(limits));
    tcase_add_loop_test(tc, reads_limits_of_videos, 0, (int)COUNT(videos));
    tcase_add_test(tc, reads_normalisation);
    tcase_add_test(tc, reads_the_nested_form);
    tcase_add_loop_test(tc, refuses_by_name, 0, (int)COUNT(bad));
    tcase_add_test(tc, notes_beyond_the_kept_ones_are_logged);
    tcase_add_test(tc, an_absent_size_is_the_class_default);
    tcase_add_test(tc, knows_what_is_published);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
