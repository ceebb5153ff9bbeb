/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signatures.cpp - the instructions of the hardware and their emulations agree
 *
 * Compiling is the test.  kernels/ptx.cuh and ptx_hopper.cuh are parsed as plain
 * C++, their namespace renamed; their functions are never called, so the assembly
 * is never emitted.  For each of them signatures.inc and signatures_hopper.inc
 * (made by signatures.cmake) claim a twin in ptx_sim.hpp or ptx_hopper_sim.hpp with
 * the same result and the same parameters, where the twin may take the place of the
 * call after them.
 */
#include "ptx_hopper_sim.hpp"

#include <cuda_runtime.h>

#define __shared__
#define __align__(bytes)
static const struct {
    uint32_t x;
} threadIdx = {}, blockIdx = {}, gridDim = {};
size_t __cvta_generic_to_shared(const void *pointer);
float __uint_as_float(uint32_t bits);
uint32_t __float_as_uint(float value);

#define ptx hardware
#include "../../kernels/ptx_hopper.cuh"
#undef ptx

namespace
{

template <class Function> struct Twin;

template <class Result, class... Parameters>
struct Twin<Result(Parameters...)> {
    static constexpr bool is(Result (*)(Parameters...))
    {
        return true;
    }
    static constexpr bool is(Result (*)(Parameters..., const char *, int))
    {
        return true;
    }
};

} // namespace

#define AS_MANY(name, in_hardware, in_simulator) \
    static_assert((in_hardware) == (in_simulator), \
                  #name ": the instructions and their emulations differ");
/* The first line also refuses a declaration that was misread. */
#define BARE(...) __VA_ARGS__
#define TWINS(name, ...) \
    static_assert(Twin<__VA_ARGS__>::is(hardware::BARE name), "hardware"); \
    static_assert(Twin<__VA_ARGS__>::is(ptx::BARE name), "simulated");
#include "signatures.inc"
#include "signatures_hopper.inc"
