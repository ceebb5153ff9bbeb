/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_flags.h - the flags of the programs that time single ops
 *
 * oriel_bench_cpu_ops and oriel_gpu_ops take the same ones, so that the tool's
 * "oriel bench" passes them on as they are.
 */
#ifndef BENCH_OP_FLAGS_H
#define BENCH_OP_FLAGS_H

#include "oriel.h"

#include <regex.h>
#include <stdbool.h>
#include <stdio.h>

enum { OP_SIZES_MOST = 16, OP_ITEMS_MOST = 1024, OP_REPEATS_MOST = 200 };
enum { OP_CPU = 1, OP_GPU = 2 };  /* which program */
enum { OP_HOT = 1, OP_COLD = 2 }; /* caches */
/* Whose kernels; HOPPER: those of sm_90a; AUTO: all that there are. */
enum { OP_OWN = 1, OP_CUBLASLT = 2, OP_HOPPER = 4, OP_AUTO = 8 };

/* 'n' pictures of one size. */
typedef struct op_size {
    char name[48]; /* "448x448", "64x448x448" */
    int32_t width, height;
    int32_t n;
} op_size;

typedef struct op_flags {
    const oriel_model *model; /* gives the geometry */
    oriel_model *opened;      /* the same where it is ours to destroy */
    const char *model_name;
    oriel_model_info info;
    op_size sizes[OP_SIZES_MOST];
    int n_sizes;
    int caches;  /* OP_HOT | OP_COLD */
    int kernels; /* OP_OWN | OP_CUBLASLT | OP_HOPPER, or OP_AUTO */
    int repeats; /* 0: as many as fit a time */
    int32_t precision, threads, device;
    bool once, list, cpu_time;
    bool chooses; /* --op was given */
    regex_t op;
    FILE *json; /* or NULL */
} op_flags;

/*
 * Fill '*f', or end the program: after --help with status 0, after a wrong flag,
 * a size that the model cannot take or a model that cannot be opened with
 * status 2 and a line that names it.
 */
void op_flags_parse(op_flags *f, int program, int argc, char **argv);
void op_flags_free(op_flags *f);

/* Whether --op asks for it: "ATTN_IN linear qkv" is what REGEX is held against. */
bool op_flags_want(const op_flags *f, const char *step, const char *op);

/* The plan of a size, never resized; NULL with a line on stderr. */
oriel_plan *op_flags_plan(const op_flags *f, const op_size *size,
                          oriel_plan_info *info);

#endif /* BENCH_OP_FLAGS_H */
