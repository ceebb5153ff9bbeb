# SPDX-License-Identifier: Apache-2.0
# The cases of ops, which are compiled for the tests on the simulated GPU, for
# those on hardware, and for the benchmarks.
set(ORIEL_OPS_FILES
    attention full_attention linear linear_gelu linear_rows linear_swiglu op
    patch_embed rms_norm rope swiglu window_attention)
# By wgmma, with the kernels of sm_90a.
set(ORIEL_OPS_HOPPER ${CMAKE_CURRENT_LIST_DIR}/hopper.c)
# For programs that may print.
set(ORIEL_OPS_COMPLAIN ${CMAKE_CURRENT_LIST_DIR}/complain.c)
list(TRANSFORM ORIEL_OPS_FILES
    REPLACE "(.+)" "${CMAKE_CURRENT_LIST_DIR}/\\1.c")
