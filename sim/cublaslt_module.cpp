/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in cuBLASLt as a library that dlopen finds: programs are linked with
   dlopen and dlsym wrapped. */
#include "cublaslt_state.hpp"
#include "runtime_state.hpp"

#include <cstring>
#include <dlfcn.h>
#include <string>

namespace
{

int version = 130100;
std::string missing;
uint64_t calls, failing_call;
oriel_lt_status failing_status;

const struct {
    const char *name;
    void *function;
} functions[] = {
#define ROW(result, name, parameters) \
    {"cublasLt" #name, reinterpret_cast<void *>(&cublasLt##name)},
    ORIEL_LT_FUNCTIONS(ROW)
#undef ROW
};

} // namespace

namespace sim
{

static oriel_lt_status
status_at_entrance()
{
    calls++;
    return failing_call && calls == failing_call ? failing_status
                                                 : ORIEL_LT_SUCCESS;
}

LtEntrance::LtEntrance() : alone(runtime().lock), status(status_at_entrance())
{
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
    if (!name || strcmp(name, ORIEL_LT_MODULE) != 0)
        return __real_dlopen(name, flags);
    return version ? __real_dlopen(nullptr, RTLD_NOW)
                   : __real_dlopen(ORIEL_LT_MODULE ".absent", flags);
}

void *
__wrap_dlsym(void *module, const char *name)
{
    for (const auto &f : functions)
        if (missing != name && strcmp(f.name, name) == 0)
            return f.function;
    return __real_dlsym(module, name);
}

void
sim_lt_install(int installed)
{
    version = installed;
}

void
sim_lt_without(const char *symbol)
{
    missing = symbol ? symbol : "";
}

void
sim_lt_fail_call(uint64_t nth, oriel_lt_status status)
{
    calls = 0;
    failing_call = nth;
    failing_status = status;
}

uint64_t
sim_lt_calls(void)
{
    return calls;
}

size_t
cublasLtGetVersion(void)
{
    return static_cast<size_t>(version);
}

const char *
cublasLtGetStatusString(oriel_lt_status status)
{
#define NAME(here, there, value) \
    if (strncmp(#there, "CUBLAS_STATUS_", 14) == 0 && status == (value)) \
        return #there;
    ORIEL_LT_VALUES(NAME)
#undef NAME
    return "unknown status";
}
}
