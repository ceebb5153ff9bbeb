# SPDX-License-Identifier: Apache-2.0
# From the functions of kernels/ptx.cuh and of ptx_sim.hpp, the list of claims
# that signatures.cpp holds: a twin for each, with the same parameters, and as
# many of each name on both sides.  Both files are read anew when they change.
set(ORIEL_PTX_HARDWARE ${CMAKE_CURRENT_SOURCE_DIR}/../kernels/ptx.cuh)
set(ORIEL_PTX_SIMULATED ${CMAKE_CURRENT_SOURCE_DIR}/ptx_sim.hpp)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${ORIEL_PTX_HARDWARE} ${ORIEL_PTX_SIMULATED})
# What the simulator's templates are made of has no instruction of its own.
set(ORIEL_PTX_SIMULATED_ONLY copy_wait_groups)

# The names of the functions of one file, repeated as often as they are declared.
function(oriel_ptx_names file out)
    file(READ ${file} text)
    string(REGEX REPLACE "^.*\nnamespace ptx\n" "" text "${text}")
    string(REGEX REPLACE "/\\*[^*]*(\\*[^/][^*]*)*\\*/" "" text "${text}")
    string(REGEX MATCHALL "\n([a-z0-9_]+ \\*?)?[a-z0-9_]+\\(" heads "\n${text}")
    set(names)
    foreach(head IN LISTS heads)
        string(REGEX REPLACE "^\n.*[ *]|[\n(]" "" name "${head}")
        list(APPEND names ${name})
    endforeach()
    list(REMOVE_ITEM names ${ORIEL_PTX_SIMULATED_ONLY})
    set(${out} ${names} PARENT_SCOPE)
endfunction()

oriel_ptx_names(${ORIEL_PTX_HARDWARE} hardware)
oriel_ptx_names(${ORIEL_PTX_SIMULATED} simulated)
set(claims "")
set(names ${hardware} ${simulated})
list(REMOVE_DUPLICATES names)
foreach(name IN LISTS names)
    set(both ${hardware})
    list(FILTER both INCLUDE REGEX "^${name}$")
    list(LENGTH both n_hardware)
    set(both ${simulated})
    list(FILTER both INCLUDE REGEX "^${name}$")
    list(LENGTH both n_simulated)
    string(APPEND claims "AS_MANY(${name}, ${n_hardware}, ${n_simulated})\n")
endforeach()

file(READ ${ORIEL_PTX_HARDWARE} text)
string(REGEX MATCHALL
    "(template <int [A-Z_]+>\n)?__device__ __forceinline__ [^\n]+\n[a-z0-9_]+\\([^{;]*\\)\n{"
    definitions "${text}")
list(LENGTH definitions n_definitions)
list(LENGTH hardware n_hardware)
foreach(definition IN LISTS definitions)
    string(REGEX MATCH
        "(template <int [A-Z_]+>\n)?__device__ __forceinline__ ([^\n]+)\n([a-z0-9_]+)(\\(.*\\))\n{"
        all "${definition}")
    set(result ${CMAKE_MATCH_2})
    set(name ${CMAKE_MATCH_3})
    set(parameters ${CMAKE_MATCH_4})
    if(CMAKE_MATCH_1)
        string(APPEND name "<1>")
    endif()
    string(REGEX REPLACE "[ \n]+" " " parameters "${parameters}")
    string(APPEND claims "TWINS(${name}, ${result} ${parameters})\n")
endforeach()
string(APPEND claims "AS_MANY(definitions_read, ${n_hardware}, ${n_definitions})\n")
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/signatures.inc
    CONTENT "${claims}" @ONLY)
