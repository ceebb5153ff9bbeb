/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_layout.c - sizes and offsets of every public struct, for LP64
 *
 * These numbers are the ABI: a line may be added where a struct grows at its
 * end, none may change.
 */
#include "oriel.h"
#include "oriel_image.h"
#include "support/suite.h"

#include <stddef.h>

typedef struct place {
    const char *name;
    size_t actual, pinned;
} place;

#define SIZE(type, pinned) \
    { \
        "sizeof " #type, sizeof(type), pinned \
    }
#define AT(type, field, pinned) \
    { \
#type "." #field, offsetof(type, field), pinned \
    }

static const place places[] = {
    SIZE(oriel_error, 512),
    AT(oriel_error, status, 0),
    AT(oriel_error, item, 4),
    AT(oriel_error, cause, 8),
    AT(oriel_error, reserved, 12),
    AT(oriel_error, message, 16),

    SIZE(oriel_hooks, 72),
    AT(oriel_hooks, struct_size, 0),
    AT(oriel_hooks, reserved, 4),
    AT(oriel_hooks, user, 8),
    AT(oriel_hooks, alloc, 16),
    AT(oriel_hooks, free, 24),
    AT(oriel_hooks, device_alloc, 32),
    AT(oriel_hooks, device_free, 40),
    AT(oriel_hooks, log, 48),
    AT(oriel_hooks, cancel, 56),
    AT(oriel_hooks, progress, 64),

    SIZE(oriel_model_options, 24),
    AT(oriel_model_options, struct_size, 0),
    AT(oriel_model_options, reserved, 4),
    AT(oriel_model_options, config_path, 8),
    AT(oriel_model_options, hooks, 16),

    SIZE(oriel_model_info, 144),
    AT(oriel_model_info, struct_size, 0),
    AT(oriel_model_info, tower, 4),
    AT(oriel_model_info, has_weights, 8),
    AT(oriel_model_info, depth, 12),
    AT(oriel_model_info, hidden_size, 16),
    AT(oriel_model_info, intermediate_size, 20),
    AT(oriel_model_info, num_heads, 24),
    AT(oriel_model_info, head_dim, 28),
    AT(oriel_model_info, out_hidden_size, 32),
    AT(oriel_model_info, in_channels, 36),
    AT(oriel_model_info, patch_size, 40),
    AT(oriel_model_info, temporal_patch_size, 44),
    AT(oriel_model_info, spatial_merge_size, 48),
    AT(oriel_model_info, window_size, 52),
    AT(oriel_model_info, reserved, 56),
    AT(oriel_model_info, n_full_attention_blocks, 60),
    AT(oriel_model_info, full_attention_blocks, 64),
    AT(oriel_model_info, min_pixels, 72),
    AT(oriel_model_info, max_pixels, 80),
    AT(oriel_model_info, video_min_pixels, 88),
    AT(oriel_model_info, video_max_pixels, 96),
    AT(oriel_model_info, image_mean, 104),
    AT(oriel_model_info, image_std, 116),
    AT(oriel_model_info, weight_dtype, 128),
    AT(oriel_model_info, n_tensors, 132),
    AT(oriel_model_info, weight_bytes, 136),

    SIZE(oriel_plan_options, 56),
    AT(oriel_plan_options, struct_size, 0),
    AT(oriel_plan_options, resample, 4),
    AT(oriel_plan_options, sizing, 8),
    AT(oriel_plan_options, reserved, 12),
    AT(oriel_plan_options, min_pixels, 16),
    AT(oriel_plan_options, max_pixels, 24),
    AT(oriel_plan_options, video_min_pixels, 32),
    AT(oriel_plan_options, video_max_pixels, 40),
    AT(oriel_plan_options, hooks, 48),

    SIZE(oriel_item, 24),
    AT(oriel_item, width, 0),
    AT(oriel_item, height, 4),
    AT(oriel_item, frames, 8),
    AT(oriel_item, resized_width, 12),
    AT(oriel_item, resized_height, 16),
    AT(oriel_item, kind, 20),

    SIZE(oriel_budget, 32),
    AT(oriel_budget, struct_size, 0),
    AT(oriel_budget, reserved, 4),
    AT(oriel_budget, max_patches, 8),
    AT(oriel_budget, max_tokens, 16),
    AT(oriel_budget, max_flops, 24),

    SIZE(oriel_plan_info, 120),
    AT(oriel_plan_info, struct_size, 0),
    AT(oriel_plan_info, n_items, 4),
    AT(oriel_plan_info, n_frames, 8),
    AT(oriel_plan_info, n_windows, 12),
    AT(oriel_plan_info, longest_frame, 16),
    AT(oriel_plan_info, longest_window, 20),
    AT(oriel_plan_info, patch_columns, 24),
    AT(oriel_plan_info, out_hidden_size, 28),
    AT(oriel_plan_info, patches, 32),
    AT(oriel_plan_info, tokens, 40),
    AT(oriel_plan_info, flops, 48),
    AT(oriel_plan_info, grid_thw, 56),
    AT(oriel_plan_info, offsets, 64),
    AT(oriel_plan_info, flops_per_item, 72),
    AT(oriel_plan_info, cu_seqlens, 80),
    AT(oriel_plan_info, cu_window_seqlens, 88),
    AT(oriel_plan_info, window_index, 96),
    AT(oriel_plan_info, window_inverse, 104),
    AT(oriel_plan_info, positions, 112),

    SIZE(oriel_device_info, 416),
    AT(oriel_device_info, struct_size, 0),
    AT(oriel_device_info, device, 4),
    AT(oriel_device_info, device_index, 8),
    AT(oriel_device_info, precision, 12),
    AT(oriel_device_info, threads, 16),
    AT(oriel_device_info, reserved, 20),
    AT(oriel_device_info, memory_bytes, 24),
    AT(oriel_device_info, description, 32),
    AT(oriel_device_info, reason, 160),

    SIZE(oriel_encoder_options, 56),
    AT(oriel_encoder_options, struct_size, 0),
    AT(oriel_encoder_options, device, 4),
    AT(oriel_encoder_options, device_index, 8),
    AT(oriel_encoder_options, precision, 12),
    AT(oriel_encoder_options, threads, 16),
    AT(oriel_encoder_options, kernels, 20),
    AT(oriel_encoder_options, graphs, 24),
    AT(oriel_encoder_options, checks, 28),
    AT(oriel_encoder_options, workspace_bytes, 32),
    AT(oriel_encoder_options, hooks, 40),
    AT(oriel_encoder_options, grow, 48),
    AT(oriel_encoder_options, profile, 52),

    SIZE(oriel_encoder_info, 48),
    AT(oriel_encoder_info, struct_size, 0),
    AT(oriel_encoder_info, device, 4),
    AT(oriel_encoder_info, device_index, 8),
    AT(oriel_encoder_info, precision, 12),
    AT(oriel_encoder_info, threads, 16),
    AT(oriel_encoder_info, reserved, 20),
    AT(oriel_encoder_info, workspace_bytes, 24),
    AT(oriel_encoder_info, weight_bytes, 32),
    AT(oriel_encoder_info, description, 40),

    SIZE(oriel_input, 48),
    AT(oriel_input, struct_size, 0),
    AT(oriel_input, pixels_memory, 4),
    AT(oriel_input, frames, 8),
    AT(oriel_input, pitches, 16),
    AT(oriel_input, pixel_values, 24),
    AT(oriel_input, pixel_values_bytes, 32),
    AT(oriel_input, dtype, 40),
    AT(oriel_input, no_wait, 44),

    SIZE(oriel_result, 40),
    AT(oriel_result, kind, 0),
    AT(oriel_result, index, 4),
    AT(oriel_result, dtype, 8),
    AT(oriel_result, reserved, 12),
    AT(oriel_result, data, 16),
    AT(oriel_result, bytes, 24),
    AT(oriel_result, row_bytes, 32),

    SIZE(oriel_output, 48),
    AT(oriel_output, struct_size, 0),
    AT(oriel_output, results_memory, 4),
    AT(oriel_output, results, 8),
    AT(oriel_output, n_results, 16),
    AT(oriel_output, row_index_memory, 20),
    AT(oriel_output, row_index, 24),
    AT(oriel_output, workspace, 32),
    AT(oriel_output, workspace_bytes, 40),

    SIZE(oriel_image_options, 32),
    AT(oriel_image_options, struct_size, 0),
    AT(oriel_image_options, alpha, 4),
    AT(oriel_image_options, ignore_orientation, 8),
    AT(oriel_image_options, reserved, 12),
    AT(oriel_image_options, max_pixels, 16),
    AT(oriel_image_options, hooks, 24),

    SIZE(oriel_image_info, 40),
    AT(oriel_image_info, struct_size, 0),
    AT(oriel_image_info, format, 4),
    AT(oriel_image_info, width, 8),
    AT(oriel_image_info, height, 12),
    AT(oriel_image_info, orientation, 16),
    AT(oriel_image_info, channels, 20),
    AT(oriel_image_info, bit_depth, 24),
    AT(oriel_image_info, has_alpha, 28),
    AT(oriel_image_info, decode_bytes, 32),
};

START_TEST(place_is_pinned)
{
    ck_assert_msg(places[_i].actual == places[_i].pinned, "%s: %zu, pinned %zu",
                  places[_i].name, places[_i].actual, places[_i].pinned);
}
END_TEST

typedef struct constant {
    const char *name;
    int64_t actual, pinned;
} constant;

#define IS(name, pinned) \
    { \
#name, name, pinned \
    }

static const constant constants[] = {
    IS(ORIEL_OK, 0),
    IS(ORIEL_ERR_INPUT, 1),
    IS(ORIEL_ERR_ARGUMENT, 2),
    IS(ORIEL_ERR_CAPACITY, 3),
    IS(ORIEL_ERR_MEMORY, 4),
    IS(ORIEL_ERR_NOT_FOUND, 5),
    IS(ORIEL_ERR_IO, 6),
    IS(ORIEL_ERR_MODEL, 7),
    IS(ORIEL_ERR_UNSUPPORTED, 8),
    IS(ORIEL_ERR_DEVICE, 9),
    IS(ORIEL_ERR_FAULT, 10),
    IS(ORIEL_ERR_CANCELLED, 11),
    IS(ORIEL_ERR_INTERNAL, 12),
    IS(ORIEL_ERR_BUSY, 13),
    IS(ORIEL_LOG_WARNING, 1),
    IS(ORIEL_LOG_INFO, 2),
    IS(ORIEL_LOG_DEBUG, 3),
    IS(ORIEL_PROGRESS_LOADING, 1),
    IS(ORIEL_PROGRESS_ENCODING, 2),
    IS(ORIEL_DTYPE_F32, 1),
    IS(ORIEL_DTYPE_BF16, 2),
    IS(ORIEL_DTYPE_F16, 3),
    IS(ORIEL_RESAMPLE_TORCHVISION, 0),
    IS(ORIEL_RESAMPLE_PILLOW, 1),
    IS(ORIEL_RESAMPLE_PILLOW12, 2),
    IS(ORIEL_RESAMPLE_FLOAT, 3),
    IS(ORIEL_SIZING_TRANSFORMERS, 0),
    IS(ORIEL_SIZING_QWEN_VL_UTILS, 1),
    IS(ORIEL_MAX_PATCHES, 16777216),
    IS(ORIEL_DEVICE_AUTO, 0),
    IS(ORIEL_DEVICE_CPU, 1),
    IS(ORIEL_DEVICE_CUDA, 2),
    IS(ORIEL_PRECISION_AUTO, 0),
    IS(ORIEL_PRECISION_BF16, 1),
    IS(ORIEL_PRECISION_FP32, 2),
    IS(ORIEL_MEMORY_HOST, 0),
    IS(ORIEL_MEMORY_DEVICE, 1),
    IS(ORIEL_IMAGE_PNG, 1),
    IS(ORIEL_IMAGE_JPEG, 2),
    IS(ORIEL_IMAGE_WEBP, 3),
    IS(ORIEL_IMAGE_PNM, 4),
    IS(ORIEL_IMAGE_GIF, 5),
    IS(ORIEL_IMAGE_BMP, 6),
    IS(ORIEL_IMAGE_TIFF, 7),
    IS(ORIEL_IMAGE_AVIF, 8),
    IS(ORIEL_IMAGE_HEIC, 9),
    IS(ORIEL_ALPHA_WHITE, 0),
    IS(ORIEL_ALPHA_DROP, 1),
    IS(ORIEL_IMAGE_MAX_PIXELS, 178956970),
};

START_TEST(constant_is_pinned)
{
    ck_assert_msg(constants[_i].actual == constants[_i].pinned,
                  "%s: %lld, pinned %lld", constants[_i].name,
                  (long long)constants[_i].actual,
                  (long long)constants[_i].pinned);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("abi_layout");
    TCase *tc = tcase_create("layout");

    tcase_add_loop_test(tc, place_is_pinned, 0, COUNT(places));
    tcase_add_loop_test(tc, constant_is_pinned, 0, COUNT(constants));
    suite_add_tcase(s, tc);
    return run_suite(s);
}
