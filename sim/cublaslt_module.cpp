/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in cuBLASLt as a library that dlopen finds, with what tests set. */
#include "cublaslt_state.hpp"
#include "library.hpp"
#include "runtime_state.hpp"

#include <cstring>
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

bool
is_installed()
{
    return version != 0;
}

void *
find(const char *symbol)
{
    for (const auto &f : functions)
        if (missing != symbol && strcmp(f.name, symbol) == 0)
            return f.function;
    return nullptr;
}

} // namespace

namespace sim
{

const Library cublaslt = {ORIEL_LT_MODULE, is_installed, find};

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
