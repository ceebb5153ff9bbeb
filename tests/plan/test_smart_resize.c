/* SPDX-License-Identifier: Apache-2.0 */
/* The size rule: known rows, the float trap, hostile limits, random sizes. */
#include "oriel.h"
#include "plan/md5.h"
#include "plan/plan.h"
#include "plan/reference.h"
#include "support/random.h"
#include "support/suite.h"

#define OFFICIAL 12845056 /* the checkpoints' max_pixels */
#define DEFAULT 1003520   /* the reference's class default */
#define LEAST 3136        /* min_pixels of both */

typedef struct row {
    int64_t height, width;
    int64_t hf[2], utils[2], small[2]; /* small: hf with DEFAULT */
} row;

static const row rows[] = {
    {1, 1, {56, 56}, {56, 56}, {56, 56}},
    {14, 14, {56, 56}, {56, 56}, {56, 56}},
    {28, 28, {56, 56}, {56, 56}, {56, 56}},
    {42, 42, {56, 56}, {56, 56}, {56, 56}},
    {70, 70, {56, 56}, {56, 56}, {56, 56}},
    {98, 98, {112, 112}, {112, 112}, {112, 112}},
    {13, 100, {28, 168}, {28, 112}, {28, 168}},
    {14, 600, {28, 392}, {28, 588}, {28, 392}},
    {10, 2000, {28, 812}, {28, 1988}, {28, 812}},
    {480, 640, {476, 644}, {476, 644}, {476, 644}},
    {720, 1280, {728, 1288}, {728, 1288}, {728, 1288}},
    {1036, 1036, {1036, 1036}, {1036, 1036}, {980, 980}},
    {1080, 1920, {1092, 1932}, {1092, 1932}, {728, 1316}},
    {1365, 2048, {1372, 2044}, {1372, 2044}, {812, 1204}},
    {3000, 4000, {2996, 4004}, {2996, 4004}, {840, 1148}},
    {6000, 8000, {3080, 4116}, {3080, 4116}, {840, 1148}},
    {28, 5600, {28, 5600}, {28, 5600}, {28, 5600}},
    {100, 20000, {112, 19992}, {112, 19992}, {56, 14140}},
    /* Doubles give 127 x 28; exact integers would give 128 x 28. */
    {4867, 4867, {3556, 3556}, {3556, 3556}, {980, 980}},
};

/* The function with its limits apart. */
static const char *
resize(int64_t height, int64_t width, int64_t factor, double min_pixels,
       double max_pixels, int32_t sizing, int64_t *h, int64_t *w)
{
    const oriel_pixel_range range = {min_pixels, max_pixels};

    return oriel_smart_resize(height, width, factor, &range, sizing, h, w);
}

static void
check_row(int64_t height, int64_t width, int64_t max_pixels, int32_t sizing,
          const int64_t expected[2])
{
    int64_t h = -1, w = -1;

    ck_assert_ptr_null(
        resize(height, width, 28, LEAST, (double)max_pixels, sizing, &h, &w));
    ck_assert_msg(h == expected[0] && w == expected[1],
                  "%lld x %lld, max %lld, sizing %d: %lld x %lld, expected "
                  "%lld x %lld",
                  (long long)height, (long long)width, (long long)max_pixels,
                  sizing, (long long)h, (long long)w, (long long)expected[0],
                  (long long)expected[1]);
}

START_TEST(known_rows)
{
    const row *r = &rows[_i];

    check_row(r->height, r->width, OFFICIAL, ORIEL_SIZING_TRANSFORMERS, r->hf);
    check_row(r->height, r->width, OFFICIAL, ORIEL_SIZING_QWEN_VL_UTILS,
              r->utils);
    check_row(r->height, r->width, DEFAULT, ORIEL_SIZING_TRANSFORMERS,
              r->small);
}
END_TEST

typedef struct refusal {
    int64_t height, width;
    double min_pixels, max_pixels;
    int32_t sizing;
    const char *complaint;
} refusal;

#define RATIO "aspect ratio above 200"
#define NO_ROOM "the pixel limits leave no room for its shorter side"
#define TOO_LARGE "the pixel limits ask for a side above 2^31 - 1"

static const refusal refusals[] = {
    {0, 5, LEAST, OFFICIAL, 0, "a side is below 1"},
    {5, 0, LEAST, OFFICIAL, 1, "a side is below 1"},
    {-1, 5, LEAST, OFFICIAL, 0, "a side is below 1"},
    {INT64_MIN, INT64_MAX, LEAST, OFFICIAL, 0, "a side is below 1"},
    {INT64_MAX, INT64_MAX, LEAST, OFFICIAL, 0, "a side is above 2^31 - 1"},
    {1, 201, LEAST, OFFICIAL, 0, RATIO},
    {201, 1, LEAST, OFFICIAL, 1, RATIO},
    {100, 20001, LEAST, OFFICIAL, 0, RATIO},
    {INT32_MAX, 10737418, LEAST, OFFICIAL, 0, RATIO},
    {10, 2000, LEAST, LEAST, 1, NO_ROOM},
    {4, 4, 0, OFFICIAL, 0, NO_ROOM},
    {4, 4, 0, 0, 1, NO_ROOM},
    {200, 1, 0x1p63, 0x1p63, 0, TOO_LARGE},
    {1, 1, 0x1p63, 0x1p63, 1, TOO_LARGE},
    {INT32_MAX, INT32_MAX, 0x1p63, 0x1p63, 0, TOO_LARGE},
};

START_TEST(refused_sizes)
{
    const refusal *r = &refusals[_i];
    int64_t h = -7, w = -7;

    ck_assert_pstr_eq(resize(r->height, r->width, 28, r->min_pixels,
                             r->max_pixels, r->sizing, &h, &w),
                      r->complaint);
    ck_assert_int_eq(h, -7);
    ck_assert_int_eq(w, -7);
}
END_TEST

START_TEST(ratio_of_200_is_allowed)
{
    int64_t h, w;

    ck_assert_ptr_null(
        resize(1, 200, 28, LEAST, OFFICIAL, ORIEL_SIZING_TRANSFORMERS, &h, &w));
    ck_assert_ptr_null(resize(2000000000, 10000000, 28, LEAST, OFFICIAL,
                              ORIEL_SIZING_TRANSFORMERS, &h, &w));
    ck_assert_int_ge(h, 28);
    ck_assert_int_ge(w, 28);
}
END_TEST

/* Equal, enormous limits make a two-pixel image enormous; they are obeyed
   here, and the plan refuses what comes out. */
START_TEST(limits_apply_after_the_formula)
{
    const double limit = 46340.0 * 46340.0;
    int64_t h, w;

    ck_assert_ptr_null(
        resize(2, 2, 28, limit, limit, ORIEL_SIZING_TRANSFORMERS, &h, &w));
    ck_assert_int_eq(h, 46340);
    ck_assert_int_eq(w, 46340);
    ck_assert_ptr_null(
        resize(2, 3, 28, limit, limit, ORIEL_SIZING_TRANSFORMERS, &h, &w));
    ck_assert_double_ge((double)(h * w), limit);
}
END_TEST

/* The draws of make_reference.py. */
static int64_t
draw_side(random_stream *random)
{
    const int64_t bits = random_between(random, 1, 31);

    return random_between(random, 1, ((int64_t)1 << bits) - 1);
}

static void
draw_size(random_stream *random, int64_t *height, int64_t *width)
{
    const int64_t a = draw_side(random);
    int64_t b;

    if (random_between(random, 0, 7) == 0) {
        b = draw_side(random);
    } else {
        b = a * random_between(random, 1, 1000) / 201000;
        b *= random_between(random, 1, 201);
        b = b < 1 ? 1 : b > INT32_MAX ? INT32_MAX : b;
    }
    if (random_between(random, 0, 1)) {
        *height = a;
        *width = b;
    } else {
        *height = b;
        *width = a;
    }
}

START_TEST(random_sizes_match_the_reference)
{
    const struct sizes_reference *r = &sizes_reference[_i];
    random_stream random = {1};
    int32_t refused = 0;
    char digest[33];
    md5 m;

    md5_start(&m);
    for (int k = 0; k < N_SIZES; k++) {
        int64_t height, width, out[2];

        draw_size(&random, &height, &width);
        if (resize(height, width, r->factor, (double)r->min_pixels,
                   (double)r->max_pixels, r->sizing, &out[0], &out[1])) {
            out[0] = out[1] = -1;
            refused++;
        }
        md5_add(&m, out, sizeof(out));
    }
    md5_finish(&m, digest);
    ck_assert_int_eq(refused, r->refused);
    ck_assert_str_eq(digest, r->digest);
}
END_TEST

START_TEST(md5_is_md5)
{
    char digest[33];
    md5 m;

    md5_start(&m);
    md5_finish(&m, digest);
    ck_assert_str_eq(digest, "d41d8cd98f00b204e9800998ecf8427e");
    md5_start(&m);
    for (int i = 0; i < 8; i++)
        md5_add(&m, "1234567890", 10);
    md5_finish(&m, digest);
    ck_assert_str_eq(digest, "57edf4a22be3c955ac49da2e2107b67a");
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("smart_resize");
    TCase *tc = tcase_create("sizes");

    tcase_add_test(tc, md5_is_md5);
    tcase_add_loop_test(tc, known_rows, 0, COUNT(rows));
    tcase_add_loop_test(tc, refused_sizes, 0, COUNT(refusals));
    tcase_add_test(tc, ratio_of_200_is_allowed);
    tcase_add_test(tc, limits_apply_after_the_formula);
    tcase_add_loop_test(tc, random_sizes_match_the_reference, 0,
                        COUNT(sizes_reference));
    suite_add_tcase(s, tc);
    return run_suite(s);
}
