/* SPDX-License-Identifier: Apache-2.0 */
/* test_layers.c - the list of layers against the list of tensors */
#include "base/layers.h"
#include "support/suite.h"

START_TEST(every_tensor_is_in_one_layer)
{
    int32_t times[ORIEL_N_TENSORS + 1] = {0};

    for (int32_t i = 0; i < ORIEL_N_LAYERS; i++)
        for (int half = 0; half < 2; half++) {
            const oriel_layer_tensors *of =
                &oriel_layer_get_tensors((oriel_layer)i)[half];

            times[of->weight]++;
            times[of->bias]++;
        }
    for (int32_t i = 0; i < ORIEL_N_TENSORS; i++)
        ck_assert_msg(times[i] == 1, "%s is in %d layers",
                      oriel_tensor_name((oriel_tensor)i), times[i]);
}
END_TEST

/* Of a layer: same scope; biases as long as the weight has rows; both halves of
   one shape; a norm is a vector without bias, a linear layer a matrix. */
START_TEST(tensors_of_a_layer_fit_each_other)
{
    static const oriel_network network = {.hidden_size = 48,
                                          .intermediate_size = 100,
                                          .num_heads = 3,
                                          .head_dim = 16,
                                          .out_hidden_size = 72,
                                          .in_channels = 3,
                                          .patch_size = 14,
                                          .temporal_patch_size = 2,
                                          .spatial_merge_size = 2};
    oriel_layer layer = (oriel_layer)_i;
    oriel_tensor_shape shape = oriel_layer_get_shape(&network, layer);

    ck_assert_int_eq(shape.columns == 1, _i >= ORIEL_N_LINEAR_LAYERS);
    ck_assert(_i < ORIEL_N_LINEAR_LAYERS || !oriel_layer_has_bias(layer));
    for (int half = 0; half < oriel_layer_halves(layer); half++) {
        oriel_layer_tensors of = oriel_layer_get_tensors(layer)[half];
        oriel_tensor_shape s = oriel_tensor_get_shape(&network, of.weight);

        ck_assert(s.rows == shape.rows && s.columns == shape.columns);
        ck_assert_int_eq(oriel_tensor_in_block(of.weight),
                         oriel_layer_in_block(layer));
        ck_assert_int_eq(of.bias != ORIEL_N_TENSORS,
                         oriel_layer_has_bias(layer));
        if (of.bias == ORIEL_N_TENSORS)
            continue;
        ck_assert_int_eq(oriel_tensor_get_shape(&network, of.bias).rows,
                         shape.rows);
        ck_assert(oriel_tensor_is_vector(of.bias));
        ck_assert_int_eq(oriel_tensor_in_block(of.bias),
                         oriel_layer_in_block(layer));
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("layers");
    TCase *tcase = tcase_create("layers");

    tcase_add_test(tcase, every_tensor_is_in_one_layer);
    tcase_add_loop_test(tcase, tensors_of_a_layer_fit_each_other, 0,
                        ORIEL_N_LAYERS);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
