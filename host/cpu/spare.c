/* SPDX-License-Identifier: Apache-2.0 */
/* spare.c - the blocks, the functions that use them, and who imports those */
#include "cpu/spare.h"

#include "base/memory.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- Blocks ------------------------------------------------------------- */

/* A call of oneDNN makes about ten objects, the largest of 17,864 bytes. */
enum { BLOCKS = 16, BLOCK_BYTES = 32768 };

static _Atomic(void *) blocks[BLOCKS];

bool
oriel_cpu_spare_fill(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        void *none = NULL, *block = NULL;

        if (atomic_load_explicit(&blocks[i], memory_order_relaxed))
            continue;
        if (posix_memalign(&block, ORIEL_ALIGNMENT, BLOCK_BYTES))
            return false;
        if (!atomic_compare_exchange_strong(&blocks[i], &none, block))
            free(block); /* another thread was here first */
    }
    return true;
}

void *
oriel_cpu_spare_take(void)
{
    void *block = NULL;

    for (int i = 0; i < BLOCKS && !block; i++)
        block = atomic_exchange(&blocks[i], NULL);
    return block;
}

/* ---- Functions in the place of the C library's -------------------------- */

static int
lent_memalign(void **out, size_t alignment, size_t bytes)
{
    int error = posix_memalign(out, alignment, bytes);
    void *block;

    if (!error || alignment > ORIEL_ALIGNMENT || bytes > BLOCK_BYTES)
        return error;
    block = oriel_cpu_spare_take();
    if (!block)
        return error;
    *out = block;
    return 0;
}

static void *
lent_malloc(size_t bytes)
{
    void *memory = malloc(bytes);

    if (!memory && bytes <= BLOCK_BYTES)
        memory = oriel_cpu_spare_take();
    return memory;
}

/* The dynamic section holds addresses as numbers. */
/* NOLINTBEGIN(performance-no-int-to-ptr) */

/* ---- Tables of imports -------------------------------------------------- */

/* What of a loaded library's dynamic section is needed here. */
typedef struct imports {
    ElfW(Addr) base;
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Rela) * tables[2]; /* of functions, and of all else */
    size_t sizes[2];
    ElfW(Addr) read_only, read_only_end; /* what is protected by now */
} imports;

/* glibc has made the addresses absolute; others leave them as they are. */
static const void *
absolute(const imports *of, ElfW(Addr) address)
{
    return (const void *)(address < of->base ? of->base + address : address);
}

static void
read_dynamic(imports *of, const ElfW(Dyn) * entry)
{
    for (; entry->d_tag != DT_NULL; entry++) {
        const void *at = absolute(of, entry->d_un.d_ptr);

        switch (entry->d_tag) {
        case DT_SYMTAB:
            of->symbols = at;
            break;
        case DT_STRTAB:
            of->names = at;
            break;
        case DT_JMPREL:
            of->tables[0] = at;
            break;
        case DT_PLTRELSZ:
            of->sizes[0] = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        case DT_RELA:
            of->tables[1] = at;
            break;
        case DT_RELASZ:
            of->sizes[1] = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        default:
            break;
        }
    }
}

/* For dl_iterate_phdr: the part that is read-only once it was relocated. */
static int
read_headers(struct dl_phdr_info *info, size_t bytes, void *argument)
{
    imports *of = argument;

    (void)bytes;
    if (info->dlpi_addr != of->base)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) {
            of->read_only = of->base + info->dlpi_phdr[i].p_vaddr;
            of->read_only_end = of->read_only + info->dlpi_phdr[i].p_memsz;
        }
    return 1;
}

static bool
store(const imports *of, ElfW(Addr) at, void (*function)(void))
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *first = (void *)(at & ~(ElfW(Addr))(page - 1));
    bool is_protected = at >= of->read_only && at < of->read_only_end;

    if (is_protected && mprotect(first, page, PROT_READ | PROT_WRITE))
        return false;
    /* Other threads may be calling through it. */
    __atomic_store_n((void (**)(void))at, function, __ATOMIC_RELEASE);
    if (is_protected)
        (void)mprotect(first, page, PROT_READ);
    return true;
}

/* Point every import of 'name' at 'function'; whether there was one. */
static bool
replace(const imports *of, const char *name, void (*function)(void))
{
    bool found = false;

    for (int t = 0; t < 2; t++)
        for (size_t i = 0; i < of->sizes[t]; i++) {
            const ElfW(Rela) *r = &of->tables[t][i];
            const ElfW(Sym) *symbol = &of->symbols[ELF64_R_SYM(r->r_info)];

            if (ELF64_R_SYM(r->r_info) == 0 || r->r_addend != 0 ||
                symbol->st_shndx != SHN_UNDEF ||
                strcmp(of->names + symbol->st_name, name) != 0)
                continue;
            if (!store(of, of->base + r->r_offset, function))
                return false;
            found = true;
        }
    return found;
}

bool
oriel_cpu_spare_lend(void *handle)
{
    imports of = {0};
    struct link_map *map;
    bool found;

    if (sizeof(void *) != 8 || dlinfo(handle, RTLD_DI_LINKMAP, &map))
        return false;
    of.base = map->l_addr;
    read_dynamic(&of, map->l_ld);
    dl_iterate_phdr(read_headers, &of);
    if (!of.symbols || !of.names)
        return false;
    found = replace(&of, "posix_memalign", (void (*)(void))lent_memalign);
    return replace(&of, "malloc", (void (*)(void))lent_malloc) || found;
}

/* NOLINTEND(performance-no-int-to-ptr) */
