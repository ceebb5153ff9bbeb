# SPDX-License-Identifier: Apache-2.0
# The host side of the cuda backend, for whoever compiles it: against the CUDA
# toolkit for the GPU, against the tests' stand-in for the simulated one.
set(ORIEL_CUDA_HOST_NAMES
    blocks checks context cublaslt cublaslt_choose cublaslt_load cublaslt_warm
    cuda current device errors float_frames frames graph host_pixels images job
    known_answer known_values load metadata prepare process products profile reserve ring steps store tables
    weights)
list(TRANSFORM ORIEL_CUDA_HOST_NAMES
    REPLACE "(.+)" "${CMAKE_CURRENT_LIST_DIR}/\\1.c"
    OUTPUT_VARIABLE ORIEL_CUDA_HOST_FILES)
# What images.c chooses from.
list(JOIN ORIEL_CUDA_ARCHITECTURES " " images)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/images.c PROPERTIES
    COMPILE_DEFINITIONS "ORIEL_CUDA_IMAGES=\"${images}\"")
