/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onednn_library.h - the functions of oneDNN, found by name
 *
 * For onednn.cpp and onednn_library.cpp alone.
 */
#ifndef ORIEL_CPU_ONEDNN_LIBRARY_H
#define ORIEL_CPU_ONEDNN_LIBRARY_H

extern "C" {
#include "cpu/onednn.h"
}

#include <dnnl.h>

#define ORIEL_ONEDNN_FUNCTIONS(F) \
    F(dnnl_engine_create) \
    F(dnnl_engine_destroy) \
    F(dnnl_get_effective_cpu_isa) \
    F(dnnl_matmul_desc_init) \
    F(dnnl_memory_create) \
    F(dnnl_memory_desc_equal) \
    F(dnnl_memory_desc_get_size) \
    F(dnnl_memory_desc_init_by_tag) \
    F(dnnl_memory_destroy) \
    F(dnnl_memory_set_data_handle) \
    F(dnnl_post_ops_append_sum) \
    F(dnnl_post_ops_create) \
    F(dnnl_post_ops_destroy) \
    F(dnnl_primitive_attr_create) \
    F(dnnl_primitive_attr_destroy) \
    F(dnnl_primitive_attr_set_fpmath_mode) \
    F(dnnl_primitive_attr_set_post_ops) \
    F(dnnl_primitive_attr_set_scratchpad_mode) \
    F(dnnl_primitive_create) \
    F(dnnl_primitive_desc_create) \
    F(dnnl_primitive_desc_destroy) \
    F(dnnl_primitive_desc_query) \
    F(dnnl_primitive_desc_query_md) \
    F(dnnl_primitive_destroy) \
    F(dnnl_primitive_execute) \
    F(dnnl_reorder_primitive_desc_create) \
    F(dnnl_set_cpu_isa_hints) \
    F(dnnl_set_jit_dump) \
    F(dnnl_set_jit_profiling_flags) \
    F(dnnl_set_max_cpu_isa) \
    F(dnnl_set_primitive_cache_capacity) \
    F(dnnl_set_verbose) \
    F(dnnl_stream_create) \
    F(dnnl_stream_destroy) \
    F(dnnl_stream_wait) \
    F(dnnl_version)

struct oriel_cpu_onednn_library {
#define MEMBER(name) decltype(&::name) name;
    ORIEL_ONEDNN_FUNCTIONS(MEMBER)
#undef MEMBER
    /* NULL where oneDNN has no threads. */
    void (*omp_set_num_threads)(int);
    int (*omp_get_max_threads)();
    char description[64];
};

/* Constant once oriel_cpu_onednn_load succeeded. */
extern oriel_cpu_onednn_library oriel_cpu_onednn;

/* ORIEL_OK when memory that was written may be run, as oneDNN's code is; else
   ORIEL_ERR_DEVICE with the reason, or ORIEL_ERR_MEMORY. */
oriel_status oriel_cpu_onednn_check_execution(oriel_error *err);

#endif /* ORIEL_CPU_ONEDNN_LIBRARY_H */
