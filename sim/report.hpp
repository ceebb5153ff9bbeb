/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.hpp - what a GPU would have punished, in words
 *
 * The first violation of a launch ends it; its text stays until it is taken.
 */
#pragma once

#include <string>

namespace sim
{

/* Record a violation and end the launch; from host code, only record it. */
[[noreturn]] void violation(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
void host_violation(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* The first violation since the last take; empty when there was none. */
std::string take_report();
bool has_report();

/* "file.cu:41", of an instruction of a kernel. */
std::string source_line(const void *instruction);

} // namespace sim
