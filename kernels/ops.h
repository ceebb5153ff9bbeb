/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops.h - the operations on the GPU, as host code calls them
 *
 * Each has a struct of arguments and a launcher that checks its limits, enqueues
 * on the stream and returns; empty input enqueues nothing.  The launchers of a
 * file are made ready on the current device by its _prepare, once, outside of
 * any capture.  Pointers are to device memory; bf16 values are uint16_t.
 * Shapes, limits and error bounds stand at the head of each kernel.  What is known
 * of the data without CUDA stands in layout.h.
 */
#ifndef ORIEL_KERNELS_OPS_H
#define ORIEL_KERNELS_OPS_H

#include "layout.h"
#include "list.h"

#include <cuda_runtime.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ORIEL_CUDA_F32 = 1,
    ORIEL_CUDA_BF16 = 2,
    ORIEL_CUDA_F16 = 3,
    ORIEL_CUDA_U8 = 4 /* pixel_values alone */
};

/* What the driver loaded for each kernel that a _prepare made ready, as
   cudaFuncGetAttributes tells it: 90 for 9.0.  A _prepare that is given NULL
   notes nothing. */
enum { ORIEL_CUDA_KERNELS_MOST = 64 };
typedef struct oriel_cuda_loaded {
    const char *op; /* whose _prepare runs: set by the caller */
    int32_t counts; /* 1: 'blocks' is asked for; set by the caller */
    int32_t n;
    struct {
        const char *op;
        const char
            *name;      /* of the kernel, as in resources.txt, but for the size
                             of head */
        int32_t blocks; /* that the driver places on a multiprocessor */
        int32_t machine_code; /* of the code that runs */
        int32_t ptx;          /* that it was compiled from, when the library was
                                 built or by the driver */
    } kernel[ORIEL_CUDA_KERNELS_MOST];
} oriel_cuda_loaded;
/* Make the kernels of a file ready on the current device. */
#define ORIEL_DECLARE_PREPARE(name) \
    cudaError_t oriel_cuda_##name##_prepare(oriel_cuda_loaded *loaded);
ORIEL_KERNELS(ORIEL_DECLARE_PREPARE)
#undef ORIEL_DECLARE_PREPARE
#define ORIEL_DECLARE_PREPARE(name) \
    cudaError_t oriel_cuda_##name##_prepare(int32_t head_dim, \
                                            oriel_cuda_loaded *loaded);
ORIEL_HEAD_DIM_KERNELS(ORIEL_DECLARE_PREPARE)
#undef ORIEL_DECLARE_PREPARE

/* Of a launch that serves every batch of a size class.  Zeros: it serves one batch,
   with as many rows, packs or tiles as the arguments say.
   With a count blocks read on the device how many there are, at most as many as the
   arguments say.  Of those beyond nothing is written; tensor copies may read them. */
typedef struct oriel_counted {
    const int32_t *count; /* NULL: as many as the arguments say */
    int32_t
        multiprocessors; /* with a count: as many blocks as these hold take them in
                                turns; hopper_ops.h has its own number, and
                                full_attention a block for each */
    int32_t overlaps; /* 1: blocks begin before the kernel before has ended, and
                         wait; on devices of 9.0 or later, by kernels that were
                         compiled for them */
} oriel_counted;

/* rms_norm.cu */
typedef struct oriel_rms_norm_args {
    const uint16_t *x;      /* bf16 [rows, columns] */
    const uint16_t *weight; /* bf16 [columns] */
    uint16_t *out;          /* bf16 [rows, columns] */
    int64_t rows;
    int32_t columns;    /* a multiple of 8, at most 8192 */
    const uint16_t *lo; /* bf16 [rows, columns], added to x; NULL: nothing */
    oriel_counted counted;
} oriel_rms_norm_args;
cudaError_t oriel_cuda_rms_norm(const oriel_rms_norm_args *args,
                                cudaStream_t stream);

/* expand_plan.cu */
typedef struct oriel_expand_plan_args {
    const oriel_plan_record *records; /* [n_records] */
    int32_t n_records;
    int32_t tokens, n_windows;                     /* of all */
    int32_t side;                                  /* of a window, in tokens */
    int32_t windows_of[ORIEL_CUDA_WINDOW_CLASSES]; /* of each class, of all */

    /* What is written; NULL: not wanted. */
    int32_t *window_index, *window_inverse; /* [tokens] */
    int32_t *positions;                     /* [4 tokens, 2] */
    int32_t *cu_window;                     /* [n_windows + 1] */
    int32_t *packs;        /* [n_packs, 4]: window of each 16 rows, or -1 */
    int32_t *window_tiles; /* [, 3]: segment's row, patches, first query */
    int32_t *frame_tiles;  /* [, 3] likewise */
    uint8_t *is_still;     /* [4 tokens] */

    /* All frames, at most ORIEL_CUDA_SEQUENCES, as sequences that cuDNN attends
       to: their patches, and where each begins among values of qkv and of out, with
       the end after the last.  Sequences that no frame fills are empty, at the end. */
    int32_t *lengths;                   /* [ORIEL_CUDA_SEQUENCES]; NULL: none */
    int64_t *qkv_offsets, *out_offsets; /* [ORIEL_CUDA_SEQUENCES + 1] */
    int32_t hidden; /* values of a row of out; 3 times qkv */

    oriel_batch_counts counts;      /* what is written to ... */
    oriel_batch_counts *counts_out; /* ... here; NULL: nowhere */
} oriel_expand_plan_args;
cudaError_t oriel_cuda_expand_plan(const oriel_expand_plan_args *args,
                                   cudaStream_t stream);

/* resample.cu */
enum { /* as ORIEL_RESAMPLE_*; the float flavour is the host's */
       ORIEL_CUDA_TORCHVISION = 0,
       ORIEL_CUDA_PILLOW = 1,
       ORIEL_CUDA_PILLOW12 = 2
};
typedef struct oriel_resample_args {
    const oriel_resample_job *jobs; /* [n_jobs] */
    const int32_t *places;          /* [tokens] window_inverse of the plan */
    uint8_t *pixels;                /* [rows, slices, patch_size, line] */
    int64_t blocks[2];              /* of each pass; set by _number */
    int32_t n_jobs;
    int32_t resample;   /* ORIEL_CUDA_TORCHVISION and so on */
    int32_t patch_size; /* at most 32 */
    int32_t slices;     /* temporal_patch_size, 1 or 2 */
    int32_t merge;
} oriel_resample_args;
/* On the host: check the jobs and number the blocks of each pass.  The jobs are
   then uploaded and 'args', whose geometry is set, may point at them. */
cudaError_t oriel_cuda_resample_number(oriel_resample_args *args,
                                       oriel_resample_job *jobs,
                                       int32_t n_jobs);
cudaError_t oriel_cuda_resample(const oriel_resample_args *args,
                                cudaStream_t stream);

/* patch_embed.cu */
typedef struct oriel_patch_embed_args {
    const uint16_t *weight; /* bf16 [hidden, depth], order below, zero-padded */
    uint16_t *out;          /* bf16 [rows, hidden], window order */
    uint16_t *lo;           /* likewise, the rest of a wide result; or NULL */
    int64_t rows;
    int32_t hidden;     /* a multiple of 8 */
    int32_t patch_size; /* at most 32 */
    int32_t slices;     /* temporal_patch_size, 1 or 2 */

    /* Exactly one of the two: pixels of patches, as resample.cu stores them ... */
    const uint8_t *pixels;   /* [rows, slices, patch_size, line] */
    const uint8_t *is_still; /* [rows]: only slice 0 was stored */
    const uint16_t *table;   /* bf16 [3, 256]: what a level becomes; of pixels,
                                and of pixel_values that are bytes */
    /* ... or pixel_values, in image order. */
    const void *pixel_values; /* [rows, 3, slices, patch_size, patch_size] */
    const int32_t *tokens;    /* [rows / merge2]: image-order place of each */
    int32_t merge2;           /* patches a token */
    int32_t dtype;            /* ORIEL_CUDA_* of pixel_values */
} oriel_patch_embed_args;
cudaError_t oriel_cuda_patch_embed(const oriel_patch_embed_args *args,
                                   cudaStream_t stream);

/* linear.cu */
typedef struct oriel_linear_args {
    const uint16_t *x;      /* bf16 [rows, depth] */
    const uint16_t *weight; /* bf16 [columns, depth] */
    const uint16_t *bias;   /* bf16 [columns], 4-byte aligned; NULL: none */
    uint16_t *out;          /* bf16 [rows, columns]; the residual, in place */
    int64_t rows;
    int32_t columns; /* a multiple of 8 */
    int32_t depth;   /* a multiple of 8 */
    uint16_t *lo;    /* bf16 [rows, columns]: the residual is out + lo; NULL: it
                        is out.  linear_residual alone reads it */
    oriel_counted counted; /* for hopper_ops.h alone */
} oriel_linear_args;
cudaError_t oriel_cuda_linear(const oriel_linear_args *args,
                              cudaStream_t stream);
cudaError_t oriel_cuda_linear_residual(const oriel_linear_args *args,
                                       cudaStream_t stream);

/* linear_swiglu.cu */
typedef struct oriel_linear_swiglu_args {
    const uint16_t *x;      /* bf16 [rows, depth] */
    const uint16_t *weight; /* bf16 [2 columns, depth]: 8 rows of gate, then the
                               same 8 of up, and so on */
    const uint16_t *bias;   /* bf16 [2 columns], in the same order */
    uint16_t *out;          /* bf16 [rows, columns] */
    int64_t rows;
    int32_t columns;       /* a multiple of 8 */
    int32_t depth;         /* a multiple of 8 */
    oriel_counted counted; /* for hopper_ops.h alone */
} oriel_linear_swiglu_args;
cudaError_t oriel_cuda_linear_swiglu(const oriel_linear_swiglu_args *args,
                                     cudaStream_t stream);

/* swiglu.cu */
typedef struct oriel_swiglu_args {
    const uint16_t *gate_up; /* bf16 [rows, 2 columns]: 8 of gate, then the same
                                8 of up, and so on */
    uint16_t *out;           /* bf16 [rows, columns] */
    int64_t rows;
    int32_t columns; /* a multiple of 8 */
} oriel_swiglu_args;
cudaError_t oriel_cuda_swiglu(const oriel_swiglu_args *args,
                              cudaStream_t stream);

/* linear_gelu.cu */
cudaError_t oriel_cuda_linear_gelu(const oriel_linear_args *args,
                                   cudaStream_t stream);

/* linear_rows.cu */
typedef struct oriel_linear_rows_args {
    const uint16_t *x;        /* bf16 [rows, depth] */
    const uint16_t *weight;   /* bf16 [columns, depth] */
    const uint16_t *bias;     /* bf16 [columns] */
    const int32_t *places;    /* [rows]: row r is stored as row places[r] */
    const int32_t *row_index; /* [rows] as row row_index[places[r]]; or NULL */
    void *out;                /* of 'dtype', [out_rows, columns] */
    int64_t row_bytes;        /* from row to row of out, a multiple of 16 */
    int32_t out_rows;         /* rows with another place are not stored */
    int64_t rows;
    int32_t columns; /* a multiple of 8 */
    int32_t depth;   /* a multiple of 8 */
    int32_t dtype;   /* ORIEL_CUDA_* */
} oriel_linear_rows_args;
cudaError_t oriel_cuda_linear_rows(const oriel_linear_rows_args *args,
                                   cudaStream_t stream);

/* rope.cu */
typedef struct oriel_rope_args {
    uint16_t *qkv;            /* bf16 [rows, 3, heads, head_dim] */
    const float *rope;        /* (cos, sin) [positions, head_dim / 4] */
    const int32_t *positions; /* [rows, 2] */
    int64_t rows;
    int32_t heads, head_dim;
    oriel_counted counted;
} oriel_rope_args;
cudaError_t oriel_cuda_rope(const oriel_rope_args *args, cudaStream_t stream);

/* window_attention.cu */
typedef struct oriel_window_attention_args {
    const uint16_t *qkv;      /* bf16 [rows, 3, heads, head_dim] */
    uint16_t *out;            /* bf16 [rows, heads, head_dim] */
    const int32_t *cu_window; /* [n_windows + 1] */
    const int32_t *packs;     /* [n_packs, 4] */
    const float *rope;        /* (cos, sin) [positions, head_dim / 4] */
    const int32_t *positions; /* [rows, 2] */
    int32_t n_packs, heads, head_dim;
    float scale_log2;      /* head_dim^-1/2 log2 e */
    oriel_counted counted; /* of packs */
} oriel_window_attention_args;
cudaError_t oriel_cuda_window_attention(const oriel_window_attention_args *args,
                                        cudaStream_t stream);

/* full_attention.cu */
typedef struct oriel_full_attention_args {
    const uint16_t *qkv;  /* bf16 [rows, 3, heads, head_dim], q and k turned */
    uint16_t *out;        /* bf16 [rows, heads, head_dim] */
    const int32_t *tiles; /* [n_tiles, 3]: frame's row, patches, first query */
    int32_t n_tiles, heads, head_dim;
    float scale_log2;      /* head_dim^-1/2 log2 e */
    oriel_counted counted; /* of tiles */
} oriel_full_attention_args;
cudaError_t oriel_cuda_full_attention(const oriel_full_attention_args *args,
                                      cudaStream_t stream);

/* store_rows.cu */
typedef struct oriel_store_rows_args {
    const uint16_t *x;     /* bf16 [rows, columns], window order */
    const int32_t *tokens; /* [rows / merge2]: image-order place of each */
    void *out;             /* of 'dtype', [rows, columns], image order */
    int64_t row_bytes;     /* from row to row of out, a multiple of 16 */
    int64_t rows;          /* a multiple of merge2 */
    int32_t columns;       /* a multiple of 8 */
    int32_t merge2;        /* patches a token */
    int32_t dtype;         /* ORIEL_CUDA_* */
    const uint16_t *lo;    /* bf16 [rows, columns], added to x; NULL: nothing */
} oriel_store_rows_args;
cudaError_t oriel_cuda_store_rows(const oriel_store_rows_args *args,
                                  cudaStream_t stream);

/* store_bytes.cu */
enum { ORIEL_CUDA_STORE_BYTES = 3968 };
typedef struct oriel_store_bytes_args {
    void *out;         /* 16-byte aligned */
    const void *bytes; /* on the host; read before the launcher returns */
    size_t n;          /* a multiple of 16, at most ORIEL_CUDA_STORE_BYTES */
} oriel_store_bytes_args;
cudaError_t oriel_cuda_store_bytes(const oriel_store_bytes_args *args,
                                   cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif /* ORIEL_KERNELS_OPS_H */
