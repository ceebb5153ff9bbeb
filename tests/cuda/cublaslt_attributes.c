/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda/cublaslt_attributes.h"

#include "support/suite.h"

typedef struct attribute {
    int32_t number;
    size_t bytes;
} attribute;

static const attribute of_layout[] = {
    {ORIEL_LT_LAYOUT_TYPE, 4}, {ORIEL_LT_LAYOUT_ORDER, 4},
    {ORIEL_LT_LAYOUT_ROWS, 8}, {ORIEL_LT_LAYOUT_COLS, 8},
    {ORIEL_LT_LAYOUT_LD, 8},   {ORIEL_LT_LAYOUT_BATCH_COUNT, 4}};
static const attribute of_desc[] = {
    {ORIEL_LT_DESC_COMPUTE_TYPE, 4},  {ORIEL_LT_DESC_SCALE_TYPE, 4},
    {ORIEL_LT_DESC_POINTER_MODE, 4},  {ORIEL_LT_DESC_TRANSA, 4},
    {ORIEL_LT_DESC_TRANSB, 4},        {ORIEL_LT_DESC_TRANSC, 4},
    {ORIEL_LT_DESC_EPILOGUE, 4},      {ORIEL_LT_DESC_BIAS_POINTER, 8},
    {ORIEL_LT_DESC_BIAS_DATA_TYPE, 4}};
static const attribute of_preference[] = {
    {ORIEL_LT_PREF_WORKSPACE_BYTES, 8}, {ORIEL_LT_PREF_REDUCTION_MASK, 4},
    {ORIEL_LT_PREF_ALIGNMENT_A, 4},     {ORIEL_LT_PREF_ALIGNMENT_B, 4},
    {ORIEL_LT_PREF_ALIGNMENT_C, 4},     {ORIEL_LT_PREF_ALIGNMENT_D, 4}};
static const attribute of_config[] = {
    {ORIEL_LT_CONFIG_ID, 4},      {ORIEL_LT_CONFIG_TILE, 4},
    {ORIEL_LT_CONFIG_SPLITK, 4},  {ORIEL_LT_CONFIG_REDUCTION, 4},
    {ORIEL_LT_CONFIG_SWIZZLE, 4}, {ORIEL_LT_CONFIG_CUSTOM, 4},
    {ORIEL_LT_CONFIG_STAGES, 4},  {ORIEL_LT_CONFIG_INNER, 2},
    {ORIEL_LT_CONFIG_CLUSTER, 2}};

static const size_t sizes[] = {1, 2, 4, 8};

static void
expect(oriel_lt_status status, attribute a, size_t bytes, const char *what)
{
    oriel_lt_status expected =
        a.bytes == bytes ? ORIEL_LT_SUCCESS : ORIEL_LT_INVALID_VALUE;

    ck_assert_msg(status == expected, "%s attribute %d of %zu bytes: %d", what,
                  a.number, bytes, status);
}

static void
check_descriptors(const oriel_lt_library *l)
{
    const uint64_t zero = 0;
    oriel_lt_layout layout;
    oriel_lt_desc desc;
    oriel_lt_preference preference;

    ck_assert_int_eq(
        l->MatrixLayoutCreate(&layout, ORIEL_LT_R_16BF, 1280, 3840, 1280), 0);
    ck_assert_int_eq(
        l->MatmulDescCreate(&desc, ORIEL_LT_COMPUTE_32F, ORIEL_LT_R_32F), 0);
    ck_assert_int_eq(l->MatmulPreferenceCreate(&preference), 0);
    for (size_t s = 0; s < COUNT(sizes); s++) {
        for (size_t i = 0; i < COUNT(of_layout); i++)
            expect(l->MatrixLayoutSetAttribute(layout, of_layout[i].number,
                                               &zero, sizes[s]),
                   of_layout[i], sizes[s], "layout");
        for (size_t i = 0; i < COUNT(of_desc); i++)
            expect(l->MatmulDescSetAttribute(desc, of_desc[i].number, &zero,
                                             sizes[s]),
                   of_desc[i], sizes[s], "descriptor");
        for (size_t i = 0; i < COUNT(of_preference); i++)
            expect(l->MatmulPreferenceSetAttribute(
                       preference, of_preference[i].number, &zero, sizes[s]),
                   of_preference[i], sizes[s], "preference");
    }
    ck_assert_int_eq(l->MatrixLayoutDestroy(layout), 0);
    ck_assert_int_eq(l->MatmulDescDestroy(desc), 0);
    ck_assert_int_eq(l->MatmulPreferenceDestroy(preference), 0);
}

void
check_attributes(const oriel_lt_library *l)
{
    const uint16_t cluster = ORIEL_LT_CLUSTER_1X1X1;
    oriel_lt_algo algo = {{0}};
    uint64_t value;
    size_t written;

    check_descriptors(l);
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (size_t i = 0; i < COUNT(of_config); i++)
            expect(l->MatmulAlgoConfigGetAttribute(&algo, of_config[i].number,
                                                   &value, sizes[s], &written),
                   of_config[i], sizes[s], "configuration");
    ck_assert_int_eq(l->MatmulAlgoConfigSetAttribute(
                         &algo, ORIEL_LT_CONFIG_CLUSTER, &cluster, 2),
                     0);
}
