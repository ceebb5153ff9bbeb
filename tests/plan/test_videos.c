/* SPDX-License-Identifier: Apache-2.0 */
/* Images and videos: which limits an item has, and what the kind changes. */
#include "oriel.h"
#include "plan/md5.h"
#include "plan/planned.h"
#include "plan/reference.h"
#include "support/fake_model.h"
#include "support/random.h"
#include "support/suite.h"

#include <string.h>

/* A model whose videos have other limits than its images. */
static oriel_network
two_limits(void)
{
    oriel_network n = network_7b;

    n.min_pixels = 3136;
    n.max_pixels = 1003520;
    n.video_min_pixels = 100352;
    n.video_max_pixels = 602112;
    return n;
}

typedef struct sized {
    oriel_item item;
    int64_t height, width;
} sized;

static void
check_size(const oriel_network *network, const oriel_plan_options *options,
           const sized *s)
{
    int64_t grid[3];
    oriel_error err;

    ck_assert_msg(!oriel_item_measure(model_of(network), &s->item, options,
                                      grid, NULL, &err),
                  "%s", err.message);
    ck_assert_msg(grid[1] * 14 == s->height && grid[2] * 14 == s->width,
                  "%d x %d, %d frames, kind %d: %lld x %lld", s->item.width,
                  s->item.height, s->item.frames, s->item.kind,
                  (long long)grid[1] * 14, (long long)grid[2] * 14);
    ck_assert_int_eq(grid[0], (s->item.frames + 1) / 2 + !s->item.frames);
}

/* transformers' smart_resize with 3136 .. 1003520 and with 100352 .. 602112. */
static const sized transformers_sizes[] = {
    {{1920, 1080, 0, 0, 0, ORIEL_KIND_BY_FRAMES}, 728, 1316},
    {{1920, 1080, 1, 0, 0, ORIEL_KIND_BY_FRAMES}, 728, 1316},
    {{1920, 1080, 0, 0, 0, ORIEL_KIND_IMAGE}, 728, 1316},
    {{1920, 1080, 1, 0, 0, ORIEL_KIND_IMAGE}, 728, 1316},
    {{1920, 1080, 2, 0, 0, ORIEL_KIND_BY_FRAMES}, 560, 1008},
    {{1920, 1080, 1, 0, 0, ORIEL_KIND_VIDEO}, 560, 1008},
    {{1920, 1080, 3, 0, 0, ORIEL_KIND_VIDEO}, 560, 1008},
    {{100, 100, 1, 0, 0, ORIEL_KIND_IMAGE}, 112, 112},
    {{100, 100, 1, 0, 0, ORIEL_KIND_VIDEO}, 336, 336},
    {{100, 100, 1, 56, 84, ORIEL_KIND_VIDEO}, 84, 56},
};

START_TEST(the_model_has_limits_for_each_kind)
{
    const oriel_network n = two_limits();

    check_size(&n, NULL, &transformers_sizes[_i]);
}
END_TEST

/* Each pair of options replaces its own pair of the model. */
START_TEST(options_are_of_one_kind)
{
    static const sized image = {{1920, 1080, 1, 0, 0, ORIEL_KIND_IMAGE}, 0, 0};
    static const sized video = {{1920, 1080, 4, 0, 0, ORIEL_KIND_VIDEO}, 0, 0};
    const oriel_network n = two_limits();
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    sized s;

    options.max_pixels = 3136;
    s = (sized){image.item, 28, 56};
    check_size(&n, &options, &s);
    s = (sized){video.item, 560, 1008};
    check_size(&n, &options, &s);

    options.max_pixels = 0;
    options.video_max_pixels = 3136;
    s = (sized){image.item, 728, 1316};
    check_size(&n, &options, &s);
    s = (sized){video.item, 28, 56};
    check_size(&n, &options, &s);

    options.video_max_pixels = 0;
    options.video_min_pixels = 602112;
    s = (sized){{100, 100, 2, 0, 0, ORIEL_KIND_VIDEO}, 784, 784};
    check_size(&n, &options, &s);
    s = (sized){{100, 100, 1, 0, 0, ORIEL_KIND_IMAGE}, 112, 112};
    check_size(&n, &options, &s);
}
END_TEST

/* The limits of the published checkpoints are the same for both kinds. */
START_TEST(published_limits_are_one)
{
    static const sized sizes[] = {
        {{1920, 1080, 1, 0, 0, ORIEL_KIND_IMAGE}, 1092, 1932},
        {{1920, 1080, 16, 0, 0, ORIEL_KIND_VIDEO}, 1092, 1932},
        {{14, 14, 16, 0, 0, ORIEL_KIND_BY_FRAMES}, 56, 56}};

    for (size_t i = 0; i < COUNT(sizes); i++)
        check_size(&network_7b, NULL, &sizes[i]);
}
END_TEST

/* The draws of make_reference.py; transformers with cap_pixels_per_frame. */
START_TEST(random_videos_match_the_reference)
{
    const struct videos_reference *r = &videos_reference[_i];
    oriel_network n = two_limits();
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    random_stream random = {3};
    int32_t refused = 0;
    char digest[33];
    md5 m;

    n.video_tokens = r->sizing == ORIEL_SIZING_TRANSFORMERS ? 128000 : 7;
    options.sizing = r->sizing;
    options.video_min_pixels = r->min_pixels;
    options.video_max_pixels = r->max_pixels;
    md5_start(&m);
    for (int k = 0; k < N_VIDEOS; k++) {
        oriel_item item = {.kind = ORIEL_KIND_VIDEO};
        int64_t grid[3], size[2];
        const int64_t most = (int64_t)1 << random_between(&random, 1, 11);

        item.frames = (int32_t)random_between(&random, 2, most);
        item.height = (int32_t)random_between(&random, 1, 2000);
        item.width = (int32_t)random_between(&random, 1, 4000);
        if (oriel_item_measure(model_of(&n), &item, &options, grid, NULL,
                               NULL)) {
            size[0] = size[1] = -1;
            refused++;
        } else {
            size[0] = grid[1] * 14;
            size[1] = grid[2] * 14;
        }
        md5_add(&m, size, sizeof(size));
    }
    md5_finish(&m, digest);
    ck_assert_int_eq(refused, r->refused);
    ck_assert_str_eq(digest, r->digest);
}
END_TEST

/* By hand, of fetch_video: 767 frames share 0.9 x 128000 tokens. */
START_TEST(many_frames_are_small)
{
    static const sized sizes[] = {
        {{1280, 720, 16, 0, 0, ORIEL_KIND_VIDEO}, 560, 1008},
        {{1920, 1080, 767, 0, 0, ORIEL_KIND_VIDEO}, 336, 644},
        {{28, 28, 3, 0, 0, ORIEL_KIND_BY_FRAMES}, 336, 336},
        {{1920, 1080, 1, 0, 0, ORIEL_KIND_BY_FRAMES}, 1092, 1932},
    };
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;

    options.sizing = ORIEL_SIZING_QWEN_VL_UTILS;
    for (size_t i = 0; i < COUNT(sizes); i++)
        check_size(&network_7b, &options, &sizes[i]);
}
END_TEST

/* Limits that cross are refused for the kind that has them, and only then. */
START_TEST(crossed_limits_of_videos)
{
    static const oriel_item image = {640, 480, 1, 0, 0, ORIEL_KIND_IMAGE};
    static const oriel_item video = {640, 480, 2, 0, 0, ORIEL_KIND_VIDEO};
    static const oriel_item fixed = {640, 480, 2, 28, 28, ORIEL_KIND_VIDEO};
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    const oriel_model *model = model_of(&network_7b);
    oriel_error err;

    options.sizing = ORIEL_SIZING_QWEN_VL_UTILS;
    options.video_max_pixels = 50000;
    ck_assert_int_eq(
        oriel_item_measure(model, &video, &options, NULL, NULL, &err),
        ORIEL_ERR_ARGUMENT);
    ck_assert_str_eq(err.message,
                     "video_min_pixels 100352 is above video_max_pixels 50000, "
                     "which qwen-vl-utils sizing refuses");
    ck_assert_int_eq(err.item, -1);
    ck_assert_int_eq(
        oriel_item_measure(model, &image, &options, NULL, NULL, &err),
        ORIEL_OK);
    ck_assert_int_eq(
        oriel_item_measure(model, &fixed, &options, NULL, NULL, &err),
        ORIEL_OK);
    options.sizing = ORIEL_SIZING_TRANSFORMERS;
    ck_assert_int_eq(
        oriel_item_measure(model, &video, &options, NULL, NULL, &err),
        ORIEL_OK);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("videos");
    TCase *tc = tcase_create("videos");

    tcase_add_loop_test(tc, the_model_has_limits_for_each_kind, 0,
                        COUNT(transformers_sizes));
    tcase_add_test(tc, options_are_of_one_kind);
    tcase_add_test(tc, published_limits_are_one);
    tcase_add_loop_test(tc, random_videos_match_the_reference, 0,
                        COUNT(videos_reference));
    tcase_add_test(tc, many_frames_are_small);
    tcase_add_test(tc, crossed_limits_of_videos);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
