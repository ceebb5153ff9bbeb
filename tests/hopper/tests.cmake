# SPDX-License-Identifier: Apache-2.0
# The tests of the kernels of sm_90a, which are compiled for the simulated GPU and for
# hardware: every test_NAME.c but that of the counters, which only the simulator has,
# and in ORIEL_SOURCES_NAME what a test needs besides.
file(GLOB ORIEL_HOPPER_TESTS RELATIVE ${CMAKE_CURRENT_LIST_DIR} CONFIGURE_DEPENDS
    ${CMAKE_CURRENT_LIST_DIR}/test_*.c)
list(TRANSFORM ORIEL_HOPPER_TESTS REPLACE "test_(.+)\\.c" "\\1")
list(REMOVE_ITEM ORIEL_HOPPER_TESTS counters)
set(ORIEL_SOURCES_far ${PROJECT_SOURCE_DIR}/tests/kernels/row_case.c)
