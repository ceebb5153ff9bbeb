# SPDX-License-Identifier: Apache-2.0
# The kernel files of list.h, one op each, for whoever compiles them: nvcc for
# the GPU, g++ for the simulated one.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${CMAKE_CURRENT_LIST_DIR}/list.h)
file(READ ${CMAKE_CURRENT_LIST_DIR}/list.h list)
string(REGEX MATCHALL "X\\([a-z0-9_]+\\)" ORIEL_KERNEL_NAMES "${list}")
list(TRANSFORM ORIEL_KERNEL_NAMES REPLACE "X\\((.+)\\)" "\\1")
list(TRANSFORM ORIEL_KERNEL_NAMES
    REPLACE "(.+)" "${CMAKE_CURRENT_LIST_DIR}/\\1.cu"
    OUTPUT_VARIABLE ORIEL_KERNEL_FILES)
set(ORIEL_KERNEL_INCLUDES ${CMAKE_CURRENT_LIST_DIR})

# Those of hopper_list.h, for sm_90a alone, and what describes their operands.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${CMAKE_CURRENT_LIST_DIR}/hopper_list.h)
file(READ ${CMAKE_CURRENT_LIST_DIR}/hopper_list.h list)
string(REGEX MATCHALL "X\\([a-z0-9_]+\\)" ORIEL_HOPPER_NAMES "${list}")
list(TRANSFORM ORIEL_HOPPER_NAMES REPLACE "X\\((.+)\\)" "\\1")
list(TRANSFORM ORIEL_HOPPER_NAMES
    REPLACE "(.+)" "${CMAKE_CURRENT_LIST_DIR}/\\1.cu"
    OUTPUT_VARIABLE ORIEL_HOPPER_FILES)
list(APPEND ORIEL_HOPPER_FILES ${CMAKE_CURRENT_LIST_DIR}/hopper_maps.cu)
