/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in cuDNN as a library that dlopen finds, with what tests set. */
#include "cudnn_state.hpp"

#include "library.hpp"
#include "runtime_state.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>

namespace
{

sim::StandIn library = {91900, ""};
int64_t missing_engine = -1, more_workspace;
thread_local std::string last_error;

const sim::Function functions[] = {
#define ROW(name, result, parameters) \
    {"cudnn" #name, reinterpret_cast<void *>(&cudnn##name)},
    ORIEL_CUDNN_FUNCTIONS(ROW)
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

oriel_cudnn_status
status_at_entrance()
{
    return library.fails() ? sim::cudnn_refuse(static_cast<oriel_cudnn_status>(
                                                   library.failing_status),
                                               "as the test said")
                           : ORIEL_CUDNN_SUCCESS;
}

} // namespace

namespace sim
{

const Library cudnn = {ORIEL_CUDNN_MODULE, is_installed, find};

CudnnEntrance::CudnnEntrance()
    : alone(runtime().lock), status(status_at_entrance())
{
}

bool
cudnn_lacks_engine(int64_t engine)
{
    return engine == missing_engine;
}

int64_t
cudnn_more_workspace()
{
    return more_workspace;
}

oriel_cudnn_status
cudnn_refuse(oriel_cudnn_status status, const char *format, ...)
{
    char text[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    last_error = text;
    return status;
}

} // namespace sim

extern "C" {

void
sim_cudnn_install(int installed)
{
    library.version = installed;
}

void
sim_cudnn_without(const char *symbol)
{
    library.missing = symbol ? symbol : "";
}

void
sim_cudnn_without_engine(int64_t engine)
{
    missing_engine = engine;
}

void
sim_cudnn_wants_more(int64_t bytes)
{
    more_workspace = bytes;
}

void
sim_cudnn_fail_call(uint64_t nth, oriel_cudnn_status status)
{
    library.fail_call(nth, static_cast<int>(status));
}

uint64_t
sim_cudnn_calls(void)
{
    return library.calls;
}

size_t
cudnnGetVersion(void)
{
    return static_cast<size_t>(library.version);
}

const char *
cudnnGetErrorString(oriel_cudnn_status status)
{
#define NAME(here, there, value) \
    if (strncmp(#there, "CUDNN_STATUS_", 13) == 0 && status == (value)) \
        return #there;
    ORIEL_CUDNN_VALUES(NAME)
#undef NAME
    return "unknown status";
}

/* It tells an error once. */
void
cudnnGetLastErrorString(char *message, size_t bytes)
{
    snprintf(message, bytes, "%s", last_error.c_str());
    last_error.clear();
}
}
