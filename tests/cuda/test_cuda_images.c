/* SPDX-License-Identifier: Apache-2.0 */
/* test_cuda_images.c - which image a device takes */
#include "cuda/images.h"
#include "support/suite.h"

static const struct {
    const char *images;
    int32_t capability;
    const char *text;
} choices[] = {
    {"80-real 86-real 89-real 90a-real 100-real 120-real 80-virtual", 80,
     "sm_80 machine code"},
    {"80-real 86-real 89-real 90a-real 100-real 120-real 80-virtual", 87,
     "sm_86 machine code"},
    {"80-real 86-real 89-real 90a-real 100-real 120-real 80-virtual", 90,
     "sm_90a machine code"},
    {"80-real 86-real 89-real 90a-real 100-real 120-real 80-virtual", 103,
     "sm_100 machine code"},
    {"80-real 86-real 89-real 90a-real 100-real 120-real 80-virtual", 110,
     "compute_80 PTX"},
    {"80-virtual 86-real 90 90a", 90, "sm_90a machine code"},
    {"80-virtual 86-real 90 90a", 100, "compute_90 PTX"},
    {"80-virtual 86-real", 80, "compute_80 PTX"},
    {"90a-real 90a-virtual", 100, ""},
    {"90-real 100-virtual", 80, ""},
};

START_TEST(a_device_takes_its_image)
{
    oriel_cuda_image image =
        oriel_cuda_image_among(choices[_i].images, choices[_i].capability);

    ck_assert_str_eq(image.text, choices[_i].text);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_images");
    TCase *tc = tcase_create("images");

    tcase_add_loop_test(tc, a_device_takes_its_image, 0, (int)COUNT(choices));
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
