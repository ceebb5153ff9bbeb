# SPDX-License-Identifier: Apache-2.0
# What the compiler and the linker can do against a bug that is not yet
# yet.  tests/abi/hardening.sh checks each shipped object for it.
#
# oriel_hardening (in oriel_flags): what our own code is compiled with.
# oriel_harden(TARGET...): how a shipped object is linked.
include(CheckPIESupported)
check_pie_supported() # then -pie is passed where code is position-independent

add_library(oriel_hardening INTERFACE)
set(ORIEL_HARDENING "")
set(ORIEL_HARDENING_LINK -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

# A sanitizer sees more without them, and some of them hinder it.
if(NOT ORIEL_SANITIZE)
    list(APPEND ORIEL_HARDENING -fstack-protector-strong -fstack-clash-protection)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        # A landing pad at each target of an indirect call, and a shadow stack.
        # Debian's start files do not carry the note that says so, and the linker
        # would leave it out: it is told to write it, and the test looks at
        # every object file of ours instead.
        list(APPEND ORIEL_HARDENING -fcf-protection=full)
        set(ORIEL_HARDENING_PADS -Wl,-z,ibt)
        list(APPEND ORIEL_HARDENING_LINK -Wl,-z,shstk)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
        list(APPEND ORIEL_HARDENING -mbranch-protection=standard)
        set(ORIEL_HARDENING_PADS -Wl,-z,force-bti)
    endif()
    # The C library's checks of sizes need an optimising compiler.
    set(ORIEL_FORTIFY -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    target_compile_options(oriel_hardening INTERFACE
        "$<$<COMPILE_LANGUAGE:C,CXX>:${ORIEL_HARDENING}>"
        "$<$<AND:$<COMPILE_LANGUAGE:C,CXX>,$<NOT:$<CONFIG:Debug>>>:${ORIEL_FORTIFY}>")
endif()

function(oriel_harden)
    foreach(target IN LISTS ARGN)
        target_link_options(${target} PRIVATE
            ${ORIEL_HARDENING_LINK} ${ORIEL_HARDENING_PADS})
    endforeach()
endfunction()

# oriel_harden_cuda(MODULE KERNELS...): nvcc passes the flags on to the compiler of
# its host code.  NVIDIA's libcudart_static.a has no landing pads, so the module
# does not promise them.
function(oriel_harden_cuda module)
    foreach(kernels IN LISTS ARGN)
        foreach(flag IN LISTS ORIEL_HARDENING)
            target_compile_options(${kernels} PRIVATE "SHELL:-Xcompiler ${flag}")
        endforeach()
    endforeach()
    target_link_options(${module} PRIVATE ${ORIEL_HARDENING_LINK})
endfunction()
