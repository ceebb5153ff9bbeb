/* SPDX-License-Identifier: Apache-2.0 */
#include "report.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <unistd.h>

namespace sim
{

void abandon_launch();
std::string describe_current();
class Thread;

namespace
{

std::string report;

void
record(const char *format, va_list args)
{
    char text[4096];

    vsnprintf(text, sizeof(text), format, args);
    if (report.empty())
        report = describe_current() + text;
}

} // namespace

void
violation(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    record(format, args);
    va_end(args);
    abandon_launch();
    abort();
}

void
host_violation(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    record(format, args);
    va_end(args);
}

bool
has_report()
{
    return !report.empty();
}

std::string
take_report()
{
    std::string text;

    text.swap(report);
    return text;
}

/* Asked only when something is wrong, so a process a line does no harm. */
std::string
source_line(const void *instruction)
{
    static std::map<const void *, std::string> known;
    Dl_info info;

    if (!instruction)
        return "?";
    auto it = known.find(instruction);
    if (it != known.end())
        return it->second;
    std::string line = "?";
    if (dladdr(instruction, &info) && info.dli_fname) {
        char command[1024], text[512] = "";
        /* The call lies just before the address it returns to. */
        size_t offset =
            static_cast<size_t>(static_cast<const char *>(instruction) - 1 -
                                static_cast<const char *>(info.dli_fbase));
        snprintf(command, sizeof(command),
                 "addr2line -s -e '%s' %zx 2>/dev/null", info.dli_fname,
                 offset);
        FILE *pipe = popen(command, "r");
        if (pipe) {
            if (fgets(text, sizeof(text), pipe))
                line = std::string(text, strcspn(text, "\n"));
            pclose(pipe);
        }
    }
    return known[instruction] = line;
}

} // namespace sim
