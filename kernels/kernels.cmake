# SPDX-License-Identifier: Apache-2.0
# The kernel files, one op each, for whoever compiles them: nvcc for the GPU,
# g++ for the simulated one.
set(ORIEL_KERNEL_NAMES
    expand_plan full_attention linear linear_gelu linear_rows linear_swiglu
    patch_embed resample rms_norm rope store_bytes store_rows swiglu
    window_attention)
list(TRANSFORM ORIEL_KERNEL_NAMES
    REPLACE "(.+)" "${CMAKE_CURRENT_LIST_DIR}/\\1.cu"
    OUTPUT_VARIABLE ORIEL_KERNEL_FILES)
set(ORIEL_KERNEL_INCLUDES ${CMAKE_CURRENT_LIST_DIR})
