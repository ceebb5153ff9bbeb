# SPDX-License-Identifier: Apache-2.0
"""What every mutated file includes, and what its test programs link with."""

SUPPORT_HEADER = """
#pragma once
extern "C" bool oriel_mutant_on(int mutant);
#define MUTANT_INLINE inline __attribute__((always_inline))
namespace mutant {
#define ORIEL_OPERATOR(NAME, OP, ELSE)                                    \\
    struct NAME { int k; };                                               \\
    template <class T> struct Held##NAME { T left; int k; };              \\
    template <class T> MUTANT_INLINE Held##NAME<T> operator OP(T left, NAME m)   \\
    { return {left, m.k}; }                                               \\
    template <class T, class U>                                           \\
    MUTANT_INLINE auto operator OP(Held##NAME<T> h, U right)                     \\
    { using R = decltype(h.left OP right);                                \\
      return oriel_mutant_on(h.k) ? (R)(ELSE) : (R)(h.left OP right); }
template <class T, class U> MUTANT_INLINE auto modulo(T a, U b)
{ if constexpr (__is_same(T, float)) return a * b; else return a % b; }
template <class T, class U> MUTANT_INLINE auto sum(T a, U b) { return a + b; }
template <class T> MUTANT_INLINE auto sum(const T *a, const T *b) { return b - a; }
ORIEL_OPERATOR(Plus, +, h.left - right)
ORIEL_OPERATOR(Minus, -, sum(h.left, right))
ORIEL_OPERATOR(Times, *, h.left + right)
ORIEL_OPERATOR(Over, /, modulo(h.left, right))
ORIEL_OPERATOR(Modulo, %, h.left / right)
ORIEL_OPERATOR(And, &, h.left)
ORIEL_OPERATOR(Or, |, h.left)
ORIEL_OPERATOR(Xor, ^, h.left)
ORIEL_OPERATOR(Left, <<, h.left >> right)
ORIEL_OPERATOR(Right, >>, h.left << right)
ORIEL_OPERATOR(Less, <, h.left <= right)
ORIEL_OPERATOR(LessEqual, <=, h.left < right)
ORIEL_OPERATOR(Greater, >, h.left >= right)
ORIEL_OPERATOR(GreaterEqual, >=, h.left > right)
ORIEL_OPERATOR(Equal, ==, h.left != right)
ORIEL_OPERATOR(Unequal, !=, h.left == right)
}
"""

SUPPORT = """
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>
static const char *const chosen_text = getenv("ORIEL_MUTANT");
static const int chosen = chosen_text ? atoi(chosen_text) : -1;
static unsigned char reached[65536];
extern "C" bool oriel_mutant_on(int k)
{
    reached[k] = 1;
    return k == chosen;
}
/* The first failure is enough. */
extern "C" void __wrap__ck_assert_failed(const char *file, int line,
                                         const char *expression,
                                         const char *message, ...)
{
    va_list arguments;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, message);
    if (message)
        vfprintf(stderr, message, arguments);
    else
        fputs(expression, stderr);
    va_end(arguments);
    fputc('\\n', stderr);
    _exit(1);
}
__attribute__((destructor)) static void say_reached()
{
    const char *path = getenv("ORIEL_MUTANT_REACHED");
    FILE *file = path ? fopen(path, "wb") : nullptr;
    if (file) {
        fwrite(reached, 1, sizeof(reached), file);
        fclose(file);
    }
}
"""
