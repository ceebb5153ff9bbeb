# SPDX-License-Identifier: Apache-2.0
# The kernel files of list.h, one op each, for whoever compiles them: nvcc for
# the GPU, g++ for the simulated one.
set(ORIEL_KERNEL_INCLUDES ${CMAKE_CURRENT_LIST_DIR})

# ORIEL_<KIND>_NAMES and _FILES: what each X() of a header lists.
macro(oriel_read_kernel_list kind header)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
        ${CMAKE_CURRENT_LIST_DIR}/${header})
    file(READ ${CMAKE_CURRENT_LIST_DIR}/${header} text)
    string(REGEX MATCHALL "X\\([a-z0-9_]+\\)" ORIEL_${kind}_NAMES "${text}")
    list(TRANSFORM ORIEL_${kind}_NAMES REPLACE "X\\((.+)\\)" "\\1")
    list(TRANSFORM ORIEL_${kind}_NAMES
        REPLACE "(.+)" "${CMAKE_CURRENT_LIST_DIR}/\\1.cu"
        OUTPUT_VARIABLE ORIEL_${kind}_FILES)
endmacro()

oriel_read_kernel_list(KERNEL list.h)
# Those for sm_90a alone, and what describes their operands.
oriel_read_kernel_list(HOPPER hopper_list.h)
list(APPEND ORIEL_HOPPER_FILES ${CMAKE_CURRENT_LIST_DIR}/hopper_maps.cu)
