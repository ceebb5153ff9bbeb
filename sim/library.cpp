/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-ins as libraries: programs are linked with dlopen and dlsym wrapped. */
#include "library.hpp"

#include <cstring>
#include <dlfcn.h>
#include <string>

namespace
{

const sim::Library *const libraries[] = {&sim::cublaslt, &sim::cudnn};

/* Something that no other run writes. */
unsigned char
scribble_byte(uint64_t run, size_t i)
{
    return static_cast<unsigned char>(
        (run * 0x9e3779b97f4a7c15u + i * 0xbf58476d1ce4e5b9u) >> 56);
}

} // namespace

namespace sim
{

float
from_bf16(uint16_t half)
{
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

uint16_t
to_bf16(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    if (value != value)
        return 0x7fff;
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

uint64_t
scribble(void *workspace, size_t bytes)
{
    static uint64_t runs;

    runs++;
    for (size_t i = 0; i < bytes; i++)
        static_cast<unsigned char *>(workspace)[i] = scribble_byte(runs, i);
    return runs;
}

bool
is_as_scribbled(const void *workspace, size_t bytes, uint64_t run)
{
    for (size_t i = 0; i < bytes; i++)
        if (static_cast<const unsigned char *>(workspace)[i] !=
            scribble_byte(run, i))
            return false;
    return true;
}

} // namespace sim

extern "C" {

void *__real_dlopen(const char *name, int flags);
void *__real_dlsym(void *module, const char *name);
void *__wrap_dlopen(const char *name, int flags);
void *__wrap_dlsym(void *module, const char *name);

/* The program itself stands for the module; what is absent is looked for under
   a name that does not exist, so that dlerror() is the loader's. */
void *
__wrap_dlopen(const char *name, int flags)
{
    for (const sim::Library *library : libraries)
        if (name && strcmp(name, library->name) == 0)
            return library->is_installed()
                       ? __real_dlopen(nullptr, RTLD_NOW)
                       : __real_dlopen((std::string(name) + ".absent").c_str(),
                                       flags);
    return __real_dlopen(name, flags);
}

void *
__wrap_dlsym(void *module, const char *name)
{
    for (const sim::Library *library : libraries)
        if (void *function = library->find(name))
            return function;
    return __real_dlsym(module, name);
}
}
