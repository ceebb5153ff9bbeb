/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op.h - one case an op of kernels/ops.h, for its test and its benchmark
 *
 * A case has an op's operands on the host and on the device.  An op makes them
 * from a shape and a seed, launches its kernel, says in double precision what a
 * row of its result is and how far the kernel may be from that (the bound that
 * the kernel's head derives), and counts what it must move and compute.
 *
 * It is written against the CUDA runtime alone, so it links with the simulated
 * GPU and with a real one, and it reports failures, so that a test can assert
 * and a benchmark can go on.
 */
#ifndef TESTS_OPS_OP_H
#define TESTS_OPS_OP_H

#include "support/bf16.h"
#include "support/device_case.h"

#include "ops.h"

/* What an op does not use is 0 or NULL, and so is what has a default. */
typedef struct op_shape {
    int64_t rows;    /* of x; attention takes them from 'cu' */
    int32_t columns; /* of the result; where there are heads they tell it */
    int32_t depth;   /* of a product's sums */
    int32_t heads, head_dim;
    int32_t patch_size, slices, merge2;
    double scale;  /* of x; 0: the op's own */
    double v_mean; /* of attention's values */

    const int32_t *cu; /* [n_segments + 1]: where attention's segments begin */
    int32_t n_segments;
    const int32_t *positions; /* [rows, 2]; NULL: random */

    /* Of linear_rows: row r is stored as row places[r], or row_index[places[r]]
       of out_rows rows; NULL: where it is.  Of patch_embed the place of each
       token, [rows / merge2]. */
    const int32_t *places, *row_index;
    int32_t out_rows;  /* 0: as many as x has */
    int64_t row_bytes; /* from row to row of the result; 0: tight */
    /* linear_residual and patch_embed store a wide result, rms_norm reads a wide x:
       two planes, hi and lo. */
    bool wide;
    /* Of linear_rows's result, 0: fp32; of patch_embed's pixel_values, 0: it
       reads pixels. */
    int32_t dtype;
} op_shape;

/* The same bytes here and there. */
typedef struct op_array {
    void *host; /* NULL: the array is not used */
    device_buffer device;
} op_array;

/* Places in op_case.index; the meaning is the op's own. */
enum {
    OP_ROPE = 0,      /* (cos, sin) [positions, head_dim / 4] */
    OP_POSITIONS = 1, /* [rows, 2] */
    OP_SEGMENTS = 2,  /* cu */
    OP_WORK = 3,      /* packs or tiles: what each block does */

    OP_PLACES = 0,    /* of linear_rows */
    OP_ROW_INDEX = 1, /* of linear_rows */

    OP_TABLE = 0,  /* of patch_embed: bf16 [3, 256] */
    OP_STILL = 1,  /* [rows], window order */
    OP_TOKENS = 2, /* [rows / merge2] */

    OP_INDEXES = 4
};

struct op;
typedef struct op_case {
    const struct op *op;
    op_shape shape; /* its pointers are not kept */
    int64_t rows;   /* of x */
    int32_t columns, depth;
    int32_t dtype; /* of the result */
    int64_t row_bytes, out_rows;
    op_array x, weight, bias;
    op_array index[OP_INDEXES];
    op_array initial; /* what the result holds beforehand; or not used */
    op_array lo;      /* of a wide x; of a wide result only where it does not
                           follow hi in one piece */
    int32_t n_work;   /* of index[OP_WORK] */
    op_array count;   /* how much there is, as launches read it; or not used */
    int32_t more, overlaps;
    uint8_t *levels;    /* of patch_embed, image order */
    uint16_t *official; /* of patch_embed: the checkpoint's weight */
} op_case;

typedef struct op {
    const char *name;
    bool by_rows; /* each row of x is its own, and some can be run alone */
    int (*make)(op_case *c, random_stream *random);
    cudaError_t (*prepare)(const op_case *c);
    /* Rows first .. first + rows - 1 of x, to rows 0 .. of out; where they are
       not their own: all rows only. */
    cudaError_t (*run)(const op_case *c, int64_t first, int64_t rows,
                       void *out);
    /* Of rows first .. first + rows - 1 of x the results, [rows, columns], and
       how far the kernel's may be from each. */
    void (*exact)(const op_case *c, int64_t first, int64_t rows, double *exact,
                  double *bound);
    double (*bytes)(const op_case *c); /* the least that must move */
    double (*flops)(const op_case *c);
} op;

/* Each is defined in the file of its kernel's name. */
extern const op op_rms_norm, op_rope, op_swiglu, op_patch_embed, op_linear,
    op_linear_residual, op_linear_gelu, op_linear_swiglu, op_linear_rows,
    op_window_attention, op_full_attention;

/* Make the operands and prepare the kernel; 0, or -1 with a complaint on
   stderr, and nothing to free. */
int op_case_make(op_case *c, const op *which, const op_shape *shape,
                 uint64_t seed);
void op_case_free(op_case *c);
/* From now on launches of all rows are told of 'more' rows, packs or tiles than there
   are, and read on the device how many those are; blocks take them in turns, as on one
   multiprocessor.  0, or -1 with a complaint. */
int op_case_count(op_case *c, int32_t more);

/* 2 where the result is wide: hi of all rows and then lo of all; else 1. */
int op_case_planes(const op_case *c);
size_t op_case_out_bytes(const op_case *c); /* of all planes */
/* Where row 'row' of x is in the result; -1: nowhere. */
int64_t op_case_place(const op_case *c, int64_t row);
/* Value 'column' of a row of the result. */
double op_case_value(const op_case *c, const void *row, int32_t column);
/* Send x once more, after a change on the host; 0 or -1. */
int op_array_send(op_array *a);

/* ---- For the ops ----------------------------------------------------------- */

int op_complain(const char *what, const char *why); /* -1 */
int op_must(cudaError_t error, const char *what);   /* 0, or -1 and a line */
/* Of the current device, 90 for 9.0; -1 and a line. */
int op_capability(void);
/* Zeros on the host, nothing yet on the device. */
int op_array_make(op_array *a, size_t bytes);
/* Where the lo of 'rows' rows goes whose hi is 'out'; NULL: it is not wide. */
uint16_t *op_case_lo(const op_case *c, void *out, int64_t rows);
int op_array_copy(op_array *a, const void *from, size_t bytes);
/* bf16 in [-scale, scale) + offset, sent. */
int op_array_random(op_array *a, random_stream *random, size_t n, double scale,
                    double offset);
/* The table of cos and sin, and the positions of the shape. */
int op_make_positions(op_case *c, random_stream *random);
/* What a launch of 'there' rows, packs or tiles is told, and where it reads. */
int64_t op_told(const op_case *c, int64_t there);
oriel_counted op_counted(const op_case *c);
/* x, weight, bias and the result once, and what the result held. */
double op_bytes_once(const op_case *c);
double op_no_flops(const op_case *c);

#endif /* TESTS_OPS_OP_H */
