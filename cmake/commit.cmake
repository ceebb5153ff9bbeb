# SPDX-License-Identifier: Apache-2.0
# oriel_commit(VARIABLE FOLDER): the commit that is checked out in FOLDER, or
# "unknown" where FOLDER is not the top of a repository: an unpacked archive may
# lie inside a repository of others.  As a script, with -D FOLDER=..., it prints it.
function(oriel_commit variable folder)
    set(${variable} unknown PARENT_SCOPE)
    find_program(ORIEL_GIT git)
    if(NOT ORIEL_GIT)
        return()
    endif()
    execute_process(COMMAND ${ORIEL_GIT} rev-parse --show-toplevel HEAD
        WORKING_DIRECTORY ${folder} RESULT_VARIABLE failed
        OUTPUT_VARIABLE lines ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REGEX MATCH "^([^\n]*)\n([0-9a-f]+)$" matched "${lines}")
    file(REAL_PATH ${folder} top)
    if(NOT failed AND matched AND CMAKE_MATCH_1 STREQUAL top)
        set(${variable} ${CMAKE_MATCH_2} PARENT_SCOPE)
    endif()
endfunction()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
    oriel_commit(commit ${FOLDER})
    message(STATUS "${commit}")
endif()
