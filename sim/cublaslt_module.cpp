/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in cuBLASLt as a library that dlopen finds, with what tests set. */
#include "cublaslt_state.hpp"
#include "library.hpp"
#include "runtime_state.hpp"

#include <cstring>

namespace
{

sim::StandIn library = {130100, ""};

const sim::Function functions[] = {
#define ROW(result, name, parameters) \
    {"cublasLt" #name, reinterpret_cast<void *>(&cublasLt##name)},
    ORIEL_LT_FUNCTIONS(ROW)
#undef ROW
};

bool
is_installed()
{
    return library.version != 0;
}

void *
find(const char *symbol)
{
    return library.find(functions, symbol);
}

} // namespace

namespace sim
{

const Library cublaslt = {ORIEL_LT_MODULE, is_installed, find};

static oriel_lt_status
status_at_entrance()
{
    return library.fails()
               ? static_cast<oriel_lt_status>(library.failing_status)
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
    library.version = installed;
}

void
sim_lt_without(const char *symbol)
{
    library.missing = symbol ? symbol : "";
}

void
sim_lt_fail_call(uint64_t nth, oriel_lt_status status)
{
    library.fail_call(nth, static_cast<int>(status));
}

uint64_t
sim_lt_calls(void)
{
    return library.calls;
}

size_t
cublasLtGetVersion(void)
{
    return static_cast<size_t>(library.version);
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
