/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail_alloc.c - preloaded into the tool: allocation number FAIL_AT fails
 *
 * Counts malloc, calloc, realloc and the aligned ones from the start of the
 * process.  FAIL_AT 0 or absent: none fails.  FAIL_FROM instead: this one and
 * all after it.  FAIL_COUNT names a file that is told how many there were.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_long count;
static long fail_at, fail_from;

static long
number(const char *name)
{
    const char *text = getenv(name);

    return text ? strtol(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void
begin(void)
{
    fail_at = number("FAIL_AT");
    fail_from = number("FAIL_FROM");
    atomic_store(&count, 0);
}

__attribute__((destructor)) static void
end(void)
{
    const char *name = getenv("FAIL_COUNT");
    long n = atomic_load(&count);
    FILE *file = name ? fopen(name, "w") : NULL;

    if (file) {
        fprintf(file, "%ld\n", n);
        fclose(file);
    }
}

static int
fails(void)
{
    long n = atomic_fetch_add(&count, 1) + 1;

    if (n != fail_at && (fail_from == 0 || n < fail_from))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *
malloc(size_t bytes)
{
    return fails() ? NULL : __libc_malloc(bytes);
}

void *
calloc(size_t n, size_t bytes)
{
    return fails() ? NULL : __libc_calloc(n, bytes);
}

void *
realloc(void *memory, size_t bytes)
{
    return fails() ? NULL : __libc_realloc(memory, bytes);
}

void *
reallocarray(void *memory, size_t n, size_t bytes)
{
    size_t product;

    if (__builtin_mul_overflow(n, bytes, &product)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, product);
}

void *
aligned_alloc(size_t alignment, size_t bytes)
{
    return fails() ? NULL : __libc_memalign(alignment, bytes);
}

int
posix_memalign(void **out, size_t alignment, size_t bytes)
{
    void *memory = aligned_alloc(alignment, bytes);

    if (memory)
        *out = memory;
    return memory ? 0 : ENOMEM;
}
