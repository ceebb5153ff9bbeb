# SPDX-License-Identifier: Apache-2.0
# The installed tree: headers, libraries, the cpu backend beside them, the tool,
# and what pkg-config and find_package(oriel) read.  It may be moved as a whole:
# every path within it is relative.
include(CMakePackageConfigHelpers)

set(ORIEL_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/oriel)

install(FILES include/oriel.h include/oriel_image.h include/oriel_verify.h
    include/oriel.hpp
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)

# The numbers that bindings are tested against.
install(FILES share/oriel/abi.json
    DESTINATION ${CMAKE_INSTALL_DATADIR}/oriel COMPONENT development)

set_target_properties(oriel_image PROPERTIES EXPORT_NAME image)
install(TARGETS oriel oriel_image EXPORT orielTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        COMPONENT runtime NAMELINK_COMPONENT development
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# A backend is found beside liboriel.so, whatever the search path.
install(TARGETS oriel_cpu
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
if(TARGET oriel_cuda)
    install(TARGETS oriel_cuda
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime)
endif()

# Found beside liboriel-image.so, and a component of its own: wheels leave it
# out, since libheif brings codecs under the GPL.
if(TARGET oriel_formats)
    install(TARGETS oriel_formats
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT formats)
endif()

if(TARGET oriel_tool)
    # One run path for the build's tree and the installed one.  Two would differ
    # in length: CMake pads the first with ":", an empty entry, which stands for
    # the working folder.
    file(RELATIVE_PATH ORIEL_LIB_FROM_BIN
        ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
    set(ORIEL_RUN_PATH "$ORIGIN/../lib" "$ORIGIN/${ORIEL_LIB_FROM_BIN}")
    list(REMOVE_DUPLICATES ORIEL_RUN_PATH)
    set_target_properties(oriel_tool PROPERTIES
        INSTALL_RPATH "${ORIEL_RUN_PATH}" BUILD_WITH_INSTALL_RPATH ON)
    install(TARGETS oriel_tool
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
endif()

# ---- find_package(oriel) ---------------------------------------------------

install(EXPORT orielTargets NAMESPACE oriel::
    DESTINATION ${ORIEL_PACKAGE_DIR} COMPONENT development)
configure_package_config_file(
    cmake/orielConfig.cmake.in ${PROJECT_BINARY_DIR}/cmake/orielConfig.cmake
    INSTALL_DESTINATION ${ORIEL_PACKAGE_DIR})
# Before 1.0 a new minor version may break its callers.
write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/cmake/orielConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES
    ${PROJECT_BINARY_DIR}/cmake/orielConfig.cmake
    ${PROJECT_BINARY_DIR}/cmake/orielConfigVersion.cmake
    DESTINATION ${ORIEL_PACKAGE_DIR} COMPONENT development)

# ---- pkg-config ------------------------------------------------------------

# pkg-config knows the prefix from where its file lies.
file(RELATIVE_PATH ORIEL_PREFIX_FROM_PC
    ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" ORIEL_PREFIX_FROM_PC "${ORIEL_PREFIX_FROM_PC}")
file(RELATIVE_PATH ORIEL_LIBDIR
    ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH ORIEL_INCLUDEDIR
    ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
foreach(name oriel oriel-image)
    configure_file(cmake/${name}.pc.in
        ${PROJECT_BINARY_DIR}/cmake/${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/cmake/${name}.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endforeach()

# ---- Papers ----------------------------------------------------------------

install(FILES LICENSE
    DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
install(FILES README.md docs/model.md docs/architecture.md docs/inputs.md
    DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development OPTIONAL)
