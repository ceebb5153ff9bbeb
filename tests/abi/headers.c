/* SPDX-License-Identifier: Apache-2.0 */
/* headers.c - a caller that only includes, for headers.sh; C and C++ */
#include "oriel.h"
#include "oriel_image.h"
#include "oriel_verify.h"

static int
uses(void)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_model_options model_options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_model_info model_info = ORIEL_MODEL_INFO_INIT;
    oriel_plan_options plan_options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_budget budget = ORIEL_BUDGET_INIT;
    oriel_plan_info plan_info = ORIEL_PLAN_INFO_INIT;
    oriel_device_info device_info = ORIEL_DEVICE_INFO_INIT;
    oriel_encoder_options encoder_options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_encoder_info encoder_info = ORIEL_ENCODER_INFO_INIT;
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_image_options image_options = ORIEL_IMAGE_OPTIONS_INIT;
    oriel_image_info image_info = ORIEL_IMAGE_INFO_INIT;
    oriel_verify_options verify_options = ORIEL_VERIFY_OPTIONS_INIT;
    oriel_verify_info verify_info = ORIEL_VERIFY_INFO_INIT;

    return hooks.struct_size + model_options.struct_size +
                       model_info.struct_size + plan_options.struct_size +
                       budget.struct_size + plan_info.struct_size +
                       device_info.struct_size + encoder_options.struct_size +
                       encoder_info.struct_size + input.struct_size +
                       output.struct_size + image_options.struct_size +
                       image_info.struct_size + verify_options.struct_size +
                       verify_info.struct_size >
                   0
               ? ORIEL_OK
               : ORIEL_ERR_INTERNAL;
}

int
main(void)
{
    return uses();
}
