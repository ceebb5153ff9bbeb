# SPDX-License-Identifier: Apache-2.0
# From the functions of a header of kernels/ and of its twin here, the list of
# claims that signatures.cpp holds: a twin for each, with the same parameters, and
# as many of each name on both sides.  The files are read anew when they change.
#
# What the simulator's templates are made of has no instruction of its own.
set(ORIEL_PTX_SIMULATED_ONLY
    copy_wait_groups registers_change wgmma_issue wgmma_touch wgmma_wait_groups)

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

# A template is compared by one instance: 64 for a number, true for a switch.
function(oriel_ptx_instance head parameters arguments instance)
    set(values)
    string(REGEX MATCHALL "(int|bool) [A-Z_]+" declared "${head}")
    foreach(each IN LISTS declared)
        string(REGEX REPLACE "^(int|bool) " "" name "${each}")
        set(value 64)
        if(each MATCHES "^bool")
            set(value true)
        endif()
        list(APPEND values ${value})
        string(REGEX REPLACE "([^A-Z_])${name}([^A-Z_])" "\\1${value}\\2"
            parameters "${parameters}")
    endforeach()
    list(JOIN values ", " values)
    if(values)
        set(values "<${values}>")
    endif()
    set(${arguments} "${values}" PARENT_SCOPE)
    set(${instance} "${parameters}" PARENT_SCOPE)
endfunction()

# The claims about a pair of files, to be written to 'out' in the build folder.
function(oriel_ptx_claims hardware_file simulated_file out)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
        ${hardware_file} ${simulated_file})
    oriel_ptx_names(${hardware_file} hardware)
    oriel_ptx_names(${simulated_file} simulated)
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

    set(head "(template <[^>]*>\n)?__device__ __forceinline__ ")
    file(READ ${hardware_file} text)
    string(REGEX MATCHALL "${head}[^\n]+\n[a-z0-9_]+\\([^{;]*\\)\n{"
        definitions "${text}")
    list(LENGTH definitions n_definitions)
    list(LENGTH hardware n_hardware)
    foreach(definition IN LISTS definitions)
        string(REGEX MATCH "${head}([^\n]+)\n([a-z0-9_]+)(\\(.*\\))\n{"
            all "${definition}")
        set(template "${CMAKE_MATCH_1}")
        set(result ${CMAKE_MATCH_2})
        set(name ${CMAKE_MATCH_3})
        string(REGEX REPLACE "[ \n]+" " " parameters "${CMAKE_MATCH_4}")
        oriel_ptx_instance("${template}" "${parameters}" arguments parameters)
        string(APPEND claims
            "TWINS((${name}${arguments}), ${result} ${parameters})\n")
    endforeach()
    string(APPEND claims
        "AS_MANY(definitions_read, ${n_hardware}, ${n_definitions})\n")
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${out}
        CONTENT "${claims}" @ONLY)
endfunction()

set(kernels ${CMAKE_CURRENT_SOURCE_DIR}/../kernels)
oriel_ptx_claims(${kernels}/ptx.cuh ${CMAKE_CURRENT_SOURCE_DIR}/ptx_sim.hpp
    signatures.inc)
oriel_ptx_claims(${kernels}/ptx_hopper.cuh
    ${CMAKE_CURRENT_SOURCE_DIR}/ptx_hopper_sim.hpp signatures_hopper.inc)
