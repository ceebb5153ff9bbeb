/* SPDX-License-Identifier: Apache-2.0 */
/* onednn_library.cpp - loading oneDNN, and settling what it may depend on */
#include "cpu/onednn_library.h"

extern "C" {
#include "base/fail.h"
#include "cpu/spare.h"
}

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <execinfo.h>
#include <new>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

oriel_cpu_onednn_library oriel_cpu_onednn;

namespace
{

bool loaded;
pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * The library's constructors allocate, and a failure of theirs would end the
 * process.  While they run, operator new on the thread that loads calls a
 * handler, which frees a spare block, and tries again.  Any other thread that is
 * out of memory meanwhile tries until the loading is over, when the handler that
 * it would have met is back.
 */
struct loading {
    pthread_t thread;
    std::new_handler before;
} loading;

void
free_spare()
{
    if (!pthread_equal(pthread_self(), loading.thread)) {
        if (loading.before)
            loading.before();
        else
            sched_yield();
        return;
    }
    void *block = oriel_cpu_spare_take();
    if (!block)
        std::set_new_handler(loading.before);
    std::free(block);
}

void *
open_library(const char *name)
{
    errno = ENOMEM;
    if (!oriel_cpu_spare_fill())
        return nullptr;
    loading.thread = pthread_self();
    loading.before = std::set_new_handler(free_spare);
    errno = 0;
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    int error = errno;

    std::set_new_handler(loading.before);
    errno = error;
    return handle;
}

/*
 * An exception that passes a function of libc's, as pthread_once's callers throw,
 * needs libgcc_s, which libc loads at its first use: with memory out it would end
 * the process instead.  A backtrace is such a use, and fails without an end.
 */
bool
exceptions_can_pass()
{
    void *frame;

    return backtrace(&frame, 1) > 0;
}

oriel_status
not_loaded(oriel_error *err, int error)
{
    const char *reason = dlerror();

    if (error == ENOMEM)
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "out of memory: oneDNN cannot be loaded");
    return oriel_fail(err,
                      oriel_load_status(reason ? reason : "", ORIEL_ERR_DEVICE),
                      "oneDNN, which the cpu backend needs, cannot be loaded: "
                      "%s",
                      ORIEL_QUOTE(reason ? reason : ORIEL_ONEDNN_FILE));
}

template <typename F>
bool
find(void *handle, const char *name, F *out)
{
    *out = reinterpret_cast<F>(dlsym(handle, name));
    return *out != nullptr;
}

/* OpenMP's settings, where it is what oneDNN takes its threads from. */
const char *
find_threads(void *handle, oriel_cpu_onednn_library *out)
{
    unsigned runtime = out->dnnl_version()->cpu_runtime;

    if (runtime == DNNL_RUNTIME_SEQ)
        return nullptr;
    if (runtime != DNNL_RUNTIME_OMP)
        return "a build for OpenMP, or without threads";
    if (!find(handle, "omp_set_num_threads", &out->omp_set_num_threads))
        return "omp_set_num_threads";
    if (!find(handle, "omp_get_max_threads", &out->omp_get_max_threads))
        return "omp_get_max_threads";
    return nullptr;
}

/* What is missing, or NULL. */
const char *
find_all(void *handle, oriel_cpu_onednn_library *out)
{
#define FIND(name) \
    if (!find(handle, #name, &out->name)) \
        return #name;
    ORIEL_ONEDNN_FUNCTIONS(FIND)
#undef FIND
    return find_threads(handle, out);
}

/* To oneDNN, and to OpenMP's runtime, whose handle is that of its function. */
void
lend_spares(void *handle)
{
    Dl_info openmp;
    auto function =
        reinterpret_cast<void *>(oriel_cpu_onednn.omp_set_num_threads);

    oriel_cpu_spare_lend(handle);
    if (!function || !dladdr(function, &openmp))
        return;
    void *runtime = dlopen(openmp.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    if (runtime) {
        oriel_cpu_spare_lend(runtime);
        dlclose(runtime);
    }
}

const char *
isa_name(dnnl_cpu_isa_t isa)
{
    switch (isa) {
    case dnnl_cpu_isa_sse41:
        return "sse41";
    case dnnl_cpu_isa_avx:
        return "avx";
    case dnnl_cpu_isa_avx2:
        return "avx2";
    case dnnl_cpu_isa_avx2_vnni:
        return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core:
        return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni:
        return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16:
        return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx:
        return "avx512_core_amx";
    default:
        return "any processor";
    }
}

/* An errno: why written memory may not be run, as oneDNN's code is; or 0. */
int
execution_error()
{
    size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void *memory = mmap(nullptr, page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return errno;
    int error =
        mprotect(memory, page, PROT_READ | PROT_WRITE | PROT_EXEC) ? errno : 0;
    munmap(memory, page);
    return error;
}

/*
 * What the environment would else decide: DNNL_MAX_CPU_ISA and _CPU_ISA_HINTS
 * change results, _VERBOSE prints, _JIT_DUMP and _JIT_PROFILE leave files; the
 * ONEDNN_ names are the same.  A limit that the program has set by calling
 * oneDNN stays: it cannot be set twice.  Without its cache, no failure leaves
 * oneDNN with the lock of the cache held, or with an entry that refers to what
 * is gone.
 */
oriel_status
settle(oriel_cpu_onednn_library *l, oriel_error *err) noexcept
try {
    l->dnnl_set_verbose(0);
    l->dnnl_set_jit_dump(0);
    l->dnnl_set_jit_profiling_flags(DNNL_JIT_PROFILE_NONE);
    l->dnnl_set_max_cpu_isa(dnnl_cpu_isa_all);
    l->dnnl_set_cpu_isa_hints(dnnl_cpu_isa_no_hints);
    l->dnnl_set_primitive_cache_capacity(0);

    const dnnl_version_t *version = l->dnnl_version();
    std::snprintf(l->description, sizeof(l->description),
                  "oneDNN %d.%d.%d (%s)", version->major, version->minor,
                  version->patch, isa_name(l->dnnl_get_effective_cpu_isa()));
    return ORIEL_OK;
} catch (...) {
    return oriel_fail(err, ORIEL_ERR_MEMORY,
                      "out of memory: oneDNN, while setting it up");
}

} // namespace

oriel_status
oriel_cpu_onednn_check_execution(oriel_error *err)
{
    int error = execution_error();
    char text[64];

    if (error == EACCES || error == EPERM) // SELinux and the kernel, seccomp
        return oriel_fail_cause(
            err, ORIEL_ERR_DEVICE, error,
            "the cpu backend needs executable memory, which this process may "
            "not have (%s): oneDNN compiles its matrix products; see "
            "MemoryDenyWriteExecute= of systemd, SELinux or seccomp",
            strerror_r(error, text, sizeof(text)));
    if (error)
        return oriel_fail(err, ORIEL_ERR_MEMORY,
                          "out of memory: executable memory for oneDNN");
    return ORIEL_OK;
}

/* ---- Loading ------------------------------------------------------------ */

oriel_status
oriel_cpu_onednn_load(oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    pthread_mutex_lock(&load_lock);
    if (!loaded && !exceptions_can_pass())
        status =
            oriel_fail(err, ORIEL_ERR_MEMORY, "out of memory: libgcc_s.so.1");
    else if (!loaded) {
        void *handle = open_library(ORIEL_ONEDNN_FILE);
        const char *missing =
            handle ? find_all(handle, &oriel_cpu_onednn) : nullptr;

        if (!handle)
            status = not_loaded(err, errno);
        else if (missing)
            status = oriel_fail(err, ORIEL_ERR_DEVICE,
                                "%s, which the cpu backend needs, lacks %s",
                                ORIEL_ONEDNN_FILE, missing);
        if (!status)
            status = settle(&oriel_cpu_onednn, err);
        if (!status)
            lend_spares(handle);
        loaded = status == ORIEL_OK;
    }
    pthread_mutex_unlock(&load_lock);
    return status ? status : oriel_cpu_onednn_check_execution(err);
}

const char *
oriel_cpu_onednn_description()
{
    return oriel_cpu_onednn.description;
}

void
oriel_cpu_onednn_thread_start(int32_t thread)
{
    (void)thread;
    (void)oriel_cpu_spare_fill(); /* setting allocates */
    if (oriel_cpu_onednn.omp_set_num_threads &&
        oriel_cpu_onednn.omp_get_max_threads() != 1)
        oriel_cpu_onednn.omp_set_num_threads(1); /* of this thread alone */
}
