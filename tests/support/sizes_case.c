/* SPDX-License-Identifier: Apache-2.0 */
#include "support/sizes_case.h"

#include "support/random_network.h"
#include "support/suite.h"

const oriel_network *
sizes_network(int which)
{
    static const oriel_network *const fixtures[] = {
        &fixture_tiny, &fixture_wide, &fixture_broad, &fixture_narrow,
        &fixture_single};
    static random_network any;

    if ((size_t)which < COUNT(fixtures))
        return fixtures[which];
    random_network_draw(&any, (uint64_t)which);
    return &any.network;
}

uint64_t
sizes_check_model(const oriel_network *network, int32_t precision)
{
    static const int64_t grids[][3] = {{1, 2, 2}};
    static const oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {
        .precision = precision, .hooks = &hooks, .call = &hooks};
    fixture_model m = fixture_model_make(network, 3);
    oriel_plan *plan = fixture_plan(&m, grids, COUNT(grids));
    oriel_encoder *encoder = fixture_encoder(&m, plan, precision, 2);
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    uint64_t bytes = 0;
    oriel_error err;

    ck_assert_int_eq(oriel_encoder_get_info(encoder, &info, &err), ORIEL_OK);
    ck_assert_msg(
        !fixture_backend()->model_bytes(network, &config, &bytes, &err), "%s",
        err.message);
    ck_assert_uint_eq(bytes, info.weight_bytes);
    oriel_encoder_destroy(encoder);
    oriel_plan_destroy(plan);
    fixture_model_free(&m);
    return bytes;
}
