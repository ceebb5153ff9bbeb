/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library.hpp - what the stand-ins of NVIDIA's libraries share
 *
 * Each is a library that dlopen finds under its name, computes on bf16, and has a
 * workspace that others must leave alone while it runs.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace sim
{

struct Library {
    const char *name; /* "libcublasLt.so.13" */
    bool (*is_installed)();
    void *(*find)(const char *symbol); /* nullptr: it is not one of its own */
};
extern const Library cublaslt, cudnn;

float from_bf16(uint16_t half);
uint16_t to_bf16(float value); /* to the nearest, of two to the even one */

/* Fill a workspace with what no other run writes, by the number that is returned;
   and whether it is there still. */
uint64_t scribble(void *workspace, size_t bytes);
bool is_as_scribbled(const void *workspace, size_t bytes, uint64_t run);

} // namespace sim
