# SPDX-License-Identifier: Apache-2.0
# The tests of kernels, which are compiled for the simulated GPU and for hardware:
# every test_NAME.c but that of the counters, which only the simulator has, and in
# ORIEL_SOURCES_NAME what a test needs besides.
file(GLOB ORIEL_KERNEL_TESTS RELATIVE ${CMAKE_CURRENT_LIST_DIR} CONFIGURE_DEPENDS
    ${CMAKE_CURRENT_LIST_DIR}/test_*.c)
list(TRANSFORM ORIEL_KERNEL_TESTS REPLACE "test_(.+)\\.c" "\\1")
list(REMOVE_ITEM ORIEL_KERNEL_TESTS counters)
foreach(name far invariance)
    set(ORIEL_SOURCES_${name} ${CMAKE_CURRENT_LIST_DIR}/row_case.c)
endforeach()
set(ORIEL_SOURCES_resample ${CMAKE_CURRENT_LIST_DIR}/resample_case.c)
set(ORIEL_SOURCES_expand_plan ${PROJECT_SOURCE_DIR}/host/cuda/records.c)
