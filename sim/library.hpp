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
#include <string>

namespace sim
{

struct Library {
    const char *name; /* "libcublasLt.so.13" */
    bool (*is_installed)();
    void *(*find)(const char *symbol); /* nullptr: it is not one of its own */
};
extern const Library cublaslt, cudnn;

struct Function {
    const char *name;
    void *address;
};

/* What a test sets of a stand-in, and how often it was called. */
struct StandIn {
    int version;         /* 0: it is not installed */
    std::string missing; /* a function that it lacks */
    uint64_t calls = 0, failing_call = 0;
    int failing_status = 0;

    template <size_t N>
    void *find(const Function (&functions)[N], const char *symbol) const
    {
        for (const Function &f : functions)
            if (missing != symbol && f.name == std::string(symbol))
                return f.address;
        return nullptr;
    }
    /* At each call: whether it is the one that fails. */
    bool fails()
    {
        return ++calls == failing_call;
    }
    /* The nth call from now; 0: none. */
    void fail_call(uint64_t nth, int status)
    {
        calls = 0;
        failing_call = nth;
        failing_status = status;
    }
};

float from_bf16(uint16_t half);
uint16_t to_bf16(float value); /* to the nearest, of two to the even one */

/* Fill a workspace with what no other run writes, by the number that is returned;
   and whether it is there still. */
uint64_t scribble(void *workspace, size_t bytes);
bool is_as_scribbled(const void *workspace, size_t bytes, uint64_t run);

} // namespace sim
