# SPDX-License-Identifier: Apache-2.0
# The host side of the cuda backend, for whoever compiles it: against the CUDA
# toolkit for the GPU, against the tests' stand-in for the simulated one.
set(ORIEL_CUDA_HOST_NAMES
    attention blocks checks context cublaslt cublaslt_choose cublaslt_load cublaslt_warm
    cuda cudnn_load cudnn_pack cudnn_plan cudnn_run current device driver errors float_frames frames graph hopper host_pixels images job
    known_answer known_values load metadata pointers prepare process products profile
    reserve ring staging steps store tables
    weights)
list(TRANSFORM ORIEL_CUDA_HOST_NAMES
    REPLACE "(.+)" "${CMAKE_CURRENT_LIST_DIR}/\\1.c"
    OUTPUT_VARIABLE ORIEL_CUDA_HOST_FILES)
# The checks of oriel_device_verify, beside them: cases, oracles and instructions are
# those of the tests.  A module of its own would have kernels of its own, and prove
# those.
set(tests ${CMAKE_CURRENT_LIST_DIR}/../../tests)
set(ORIEL_CUDA_VERIFY_FILES)
foreach(name verify verify_exact verify_implementations verify_kernels verify_occupancy verify_support)
    list(APPEND ORIEL_CUDA_VERIFY_FILES ${CMAKE_CURRENT_LIST_DIR}/${name}.c)
endforeach()
include(${tests}/ops/ops.cmake)
list(APPEND ORIEL_CUDA_VERIFY_FILES ${ORIEL_OPS_FILES} ${tests}/ops/library.c
    ${tests}/ops/cudnn.c ${tests}/ops/hopper.c
    ${tests}/kernels/instructions_check.c)
foreach(name bf16 random segments)
    list(APPEND ORIEL_CUDA_VERIFY_FILES ${tests}/support/${name}.c)
endforeach()
foreach(name attention_row gelu linear patch_embed rms_norm rope swiglu)
    list(APPEND ORIEL_CUDA_VERIFY_FILES ${tests}/oracle/${name}.c)
endforeach()
set(resources ${CMAKE_CURRENT_LIST_DIR}/../../kernels/resources.txt)
set_source_files_properties(
    ${CMAKE_CURRENT_LIST_DIR}/verify_occupancy.c PROPERTIES
    COMPILE_DEFINITIONS "ORIEL_CUDA_RESOURCES=\"${resources}\""
    OBJECT_DEPENDS ${resources})
set(recorded ${tests}/kernels/instructions)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/verify.c PROPERTIES
    COMPILE_DEFINITIONS "ORIEL_CUDA_RECORDED=\"${recorded}\""
    OBJECT_DEPENDS "${recorded}.bin;${recorded}_hopper.bin")

# What images.c chooses from.
list(JOIN ORIEL_CUDA_ARCHITECTURES " " images)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/images.c PROPERTIES
    COMPILE_DEFINITIONS "ORIEL_CUDA_IMAGES=\"${images}\"")
