/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_layout.c - share/oriel/abi.json has the numbers of the headers
 *
 * CMake makes the rows of both tables from that file: the size of every public
 * struct, the place of every field, the number of every enum constant, for LP64.
 * They are the ABI.  The test abi_json finds what the file lacks.
 */
#include "oriel.h"
#include "oriel_image.h"
#include "oriel_verify.h"
#include "support/suite.h"

#include <stddef.h>
#include <stdint.h>

typedef struct place {
    const char *name;
    size_t offset, promised_offset;
    size_t bytes, promised_bytes;
} place;

#define SIZE(type, promised) \
    { \
        "sizeof " #type, 0, 0, sizeof(type), promised \
    }
#define AT(type, field, promised_offset, promised_bytes) \
    { \
#type "." #field, offsetof(type, field), promised_offset, \
            sizeof(((type *)0)->field), promised_bytes \
    }

static const place places[] = {
#include "promised_places.h"
};

START_TEST(place_is_the_promised)
{
    const place *p = &places[_i];

    ck_assert_msg(p->offset == p->promised_offset &&
                      p->bytes == p->promised_bytes,
                  "%s: %zu bytes at %zu, promised %zu bytes at %zu", p->name,
                  p->bytes, p->offset, p->promised_bytes, p->promised_offset);
}
END_TEST

typedef struct constant {
    const char *name;
    int64_t actual, promised;
} constant;

#define IS(name, promised) \
    { \
#name, name, promised \
    }

static const constant constants[] = {
#include "promised_constants.h"
    IS(ORIEL_ABI_VERSION, 0),
    IS(ORIEL_MAX_PATCHES, 16777216),
    IS(ORIEL_MAX_RESULTS, 1024),
    IS(ORIEL_IMAGE_MAX_PIXELS, 178956970),
};

START_TEST(constant_is_the_promised)
{
    const constant *c = &constants[_i];

    ck_assert_msg(c->actual == c->promised, "%s: %lld, promised %lld", c->name,
                  (long long)c->actual, (long long)c->promised);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("abi_layout");
    TCase *tc = tcase_create("layout");

    tcase_add_loop_test(tc, place_is_the_promised, 0, COUNT(places));
    tcase_add_loop_test(tc, constant_is_the_promised, 0, COUNT(constants));
    suite_add_tcase(s, tc);
    return run_suite(s);
}
