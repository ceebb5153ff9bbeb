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
#include <check.h>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>
static const char *const chosen_text = getenv("ORIEL_MUTANT");
static const int chosen = chosen_text ? atoi(chosen_text) : -1;
static unsigned char reached[65536];
extern "C" bool oriel_mutant_on(int k)
{
    reached[k] = 1;
    return k == chosen;
}
/* One turn of one test alone, "NAME TURN"; or all of them into a file, a line
   each, and none is run. */
extern "C" void __real__tcase_add_test(TCase *tcase, const TTest *test,
                                       int signal, int allowed, int start,
                                       int end);
extern "C" void __wrap__tcase_add_test(TCase *tcase, const TTest *test,
                                       int signal, int allowed, int start,
                                       int end)
{
    const char *listed = getenv("ORIEL_MUTANT_LIST");
    const char *only = getenv("ORIEL_MUTANT_TEST");
    FILE *list = listed ? fopen(listed, "a") : nullptr;
    for (int i = start; i < end; i++) {
        char name[256];
        snprintf(name, sizeof(name), "%s %d", test->name, i);
        if (list)
            fprintf(list, "%s\\n", name);
        else if (only && !strcmp(name, only))
            __real__tcase_add_test(tcase, test, signal, allowed, i, i + 1);
    }
    if (list)
        fclose(list);
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
