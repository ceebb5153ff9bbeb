# SPDX-License-Identifier: Apache-2.0
# oriel_build_info(TARGET): oriel_build_info() into a library, once all that it
# tells of has been added.  ORIEL_CUDA_TOOLKIT is the toolkit's version.
include(${PROJECT_SOURCE_DIR}/cmake/commit.cmake)

# "a", "b": the elements of a JSON array, escaped for a string of C.
function(oriel_json_list variable)
    list(TRANSFORM ARGN REPLACE "(.+)" [[\\"\1\\"]])
    list(JOIN ARGN ", " text)
    set(${variable} "${text}" PARENT_SCOPE)
endfunction()

function(oriel_build_info target)
    set(backends cpu)
    set(formats png jpeg pnm)
    set(architectures "")
    set(ORIEL_TOOLKIT_JSON null)
    if(TARGET oriel_cuda)
        list(APPEND backends cuda)
        set(architectures ${ORIEL_CUDA_ARCHITECTURES})
        oriel_json_list(ORIEL_TOOLKIT_JSON ${ORIEL_CUDA_TOOLKIT})
    endif()
    if(ORIEL_WEBP)
        list(APPEND formats webp)
    endif()
    if(TARGET oriel_formats)
        list(APPEND formats gif bmp tiff avif heic)
    endif()
    oriel_json_list(ORIEL_BACKENDS_JSON ${backends})
    oriel_json_list(ORIEL_ARCHITECTURES_JSON ${architectures})
    oriel_json_list(ORIEL_FORMATS_JSON ${formats})
    oriel_commit(ORIEL_COMMIT ${PROJECT_SOURCE_DIR})
    configure_file(${PROJECT_SOURCE_DIR}/host/build_info.c.in
        ${CMAKE_CURRENT_BINARY_DIR}/build_info.c @ONLY)
    target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/build_info.c)
endfunction()
