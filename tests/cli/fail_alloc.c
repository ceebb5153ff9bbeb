/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail_alloc.c - preloaded into the tool: allocation number FAIL_AT fails
 *
 * Counts malloc, calloc, realloc and the aligned ones from the start of the
 * process.  FAIL_AT 0 or absent: none fails.  FAIL_FROM instead: this one and
 * all after it.  FAIL_COUNT names a file that is told how many there were.
 *
 * FAIL_SITE instead: the first allocation at this place of the program, which is
 * the offset of the innermost call in the program's own code, from which it or a
 * library asks for memory.  FAIL_SITES names a file that is told all of them.
 */
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unwind.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_long count;
static long fail_at, fail_from;

enum { SITES = 4096, DEPTH = 64 };
static struct {
    bool asked;             /* one of the two variables is set */
    long fail;              /* FAIL_SITE */
    atomic_bool failed;     /* it did */
    uintptr_t base;         /* where the program lies */
    uintptr_t begin, end;   /* its code */
    atomic_bool met[SITES]; /* by hash of 'at' */
    atomic_long at[SITES];
} sites;
static __thread bool in_walk; /* whoever allocates here is not looked at */

static long
number(const char *name)
{
    const char *text = getenv(name);

    return text ? strtol(text, NULL, 10) : 0;
}

/* The program is the first object, and its name is empty. */
static int
find_program(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)bytes, (void)unused;
    sites.base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD &&
            info->dlpi_phdr[i].p_flags & PF_X) {
            sites.begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            sites.end = sites.begin + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

__attribute__((constructor)) static void
begin(void)
{
    sites.asked = getenv("FAIL_SITE") || getenv("FAIL_SITES");
    sites.fail = number("FAIL_SITE");
    dl_iterate_phdr(find_program, NULL);
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
    name = getenv("FAIL_SITES");
    file = name ? fopen(name, "w") : NULL;
    for (int i = 0; file && i < SITES; i++)
        if (atomic_load(&sites.met[i]))
            fprintf(file, "%ld\n", atomic_load(&sites.at[i]));
    if (file)
        fclose(file);
}

typedef struct walk {
    long site; /* 0: none of the program's */
    int depth;
} walk;

static _Unwind_Reason_Code
look(struct _Unwind_Context *context, void *data)
{
    walk *w = data;
    const uintptr_t at = (uintptr_t)_Unwind_GetIP(context);

    if (at >= sites.begin && at < sites.end) {
        w->site = (long)(at - sites.base);
        return _URC_END_OF_STACK;
    }
    return ++w->depth == DEPTH ? _URC_END_OF_STACK : _URC_NO_REASON;
}

/* Keep the place, and say whether it is the one that fails. */
static bool
site_fails(void)
{
    walk w = {0, 0};
    size_t i;

    if (in_walk)
        return false;
    in_walk = true;
    _Unwind_Backtrace(look, &w);
    in_walk = false;
    if (w.site == 0)
        return false;
    for (i = (size_t)w.site * 2654435761u % SITES;
         atomic_exchange(&sites.met[i], true) &&
         atomic_load(&sites.at[i]) != w.site;
         i = (i + 1) % SITES)
        ;
    atomic_store(&sites.at[i], w.site);
    return w.site == sites.fail && !atomic_exchange(&sites.failed, true);
}

static int
fails(void)
{
    long n = atomic_fetch_add(&count, 1) + 1;

    if (n != fail_at && (fail_from == 0 || n < fail_from) &&
        !(sites.asked && site_fails()))
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
