/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parts.h - the parts of the scratch of one call, and the lifetime of each
 *
 * The table is in parts.c.  A part's lifetime is a set of steps: what one of them
 * wrote is there in the steps that follow, up to the first that is not in the set.
 * So a part of ATTN_IN and ATTEND is allocated and freed in every block, and a
 * part of every step from EMBED on is kept to the end.
 *
 * Size classes.  By the kernels of sm_90a what blocks use is as large as a class of
 * plans needs, not as one plan: 1,024 rows, or the next power of two.  So it lies at
 * the same place for all of them, and one graph serves them all, which reads from the
 * device how much there is.  No byte of a result depends on it.  Such a graph is not
 * made where a plan has angles of its own, windows do not fit their kernel or cuDNN
 * attends.
 *
 * workspace.h lays the parts of a plan into one piece of memory, where parts whose
 * lifetimes never overlap share a place; checks.h gives each part memory of its
 * own.
 */
#ifndef ORIEL_CUDA_PARTS_H
#define ORIEL_CUDA_PARTS_H

#include "base/steps.h"
#include "cuda/frames.h"
#include "cuda/records.h"
#include "cuda/shapes.h"
#include "encode/backend.h"

/* ---- Pointers to them ---------------------------------------------------- */

/* What expand_plan.cu makes of the records, and the records. */
typedef struct oriel_cuda_metadata {
    int32_t *tokens;       /* [rows / merge2] image-order place of each */
    int32_t *row_index;    /* likewise: output.row_index of the host */
    int32_t *positions;    /* [rows, 2] */
    int32_t *cu_window;    /* [n_windows + 1] */
    int32_t *packs;        /* [n_packs, 4]: windows that fit the kernel */
    int32_t *window_tiles; /* [n_window_tiles, 3]: windows that do not */
    int32_t *frame_tiles;  /* [n_frame_tiles, 3] */
    int32_t *lengths;      /* [ORIEL_CUDA_SEQUENCES] for cuDNN alone ... */
    int64_t *qkv_offsets, *out_offsets; /* ... with one more of these */
    uint8_t *is_still;                  /* [patches] frames only */
    oriel_plan_record *records;         /* [n_items] */
    float
        *own_rope; /* [n_positions, head_dim / 4] where the weights' is short */
    oriel_batch_counts *batch_counts; /* [1] with a size class alone */
    oriel_cuda_work_counts counts;
    int32_t n_positions;
    /* Of the size class; without one, of the plan. */
    int64_t rows;
    int32_t n_windows, n_packs, n_window_tiles, n_frame_tiles;
    /* The weights' tables, or our own; set by metadata.c. */
    const float *rope;     /* (cos, sin) [positions, head_dim / 4] */
    const uint16_t *table; /* [3, 256] what a level becomes; frames only */
} oriel_cuda_metadata;

/* bf16 but for pixels and results.  rows are metadata.rows, patches the plan's. */
typedef struct oriel_cuda_workspace {
    oriel_cuda_metadata metadata;
    uint16_t *residual;   /* [rows, hidden] */
    uint16_t *lo;         /* likewise; a wide residual is residual + lo */
    uint16_t *normalised; /* [rows, hidden] */
    uint16_t *qkv;        /* [rows, 3 hidden] */
    uint16_t *attended;   /* [rows, hidden] */
    uint16_t *gate_up;    /* [rows, 2 intermediate] where a library makes it */
    uint16_t *inner;      /* [rows, intermediate] */
    void *attention;      /* cuDNN's own scratch */
    uint8_t *pixels;      /* [patches, slices, slice_bytes] */
    oriel_cuda_frames frames;
    void *pixel_values; /* [patches, patch_values] of at most 4 bytes */
    void *hidden_state; /* [patches, hidden] of at most 4 bytes */
    uint16_t *fc1;      /* [tokens, merged] */
    void *embeddings;   /* [tokens, out_hidden] of at most 4 bytes */
    size_t bytes;       /* of all of it, in one piece */
} oriel_cuda_workspace;

/* ---- The table ----------------------------------------------------------- */

/* What an encoder was asked for, as far as its scratch depends on it. */
typedef struct oriel_cuda_choices {
    int32_t kernels;   /* ORIEL_KERNELS_* */
    int32_t residual;  /* ORIEL_RESIDUAL_* */
    int32_t attention; /* ORIEL_ATTENTION_* */
} oriel_cuda_choices;

static inline oriel_cuda_choices
oriel_cuda_choices_of(const oriel_backend_config *config)
{
    return (oriel_cuda_choices){config->kernels, config->residual,
                                config->attention};
}

enum {
    /* Pixels come one way or the other. */
    ORIEL_OF_FRAMES = 1,
    ORIEL_OF_VALUES = 2,
    ORIEL_OF_BOTH = 3,

    ORIEL_CUDA_PARTS = 32
};

typedef struct oriel_cuda_part {
    const char *name; /* "qkv", "frames.axes": as oriel_cuda_workspace has it */
    size_t pointer;   /* where, in oriel_cuda_workspace */
    uint32_t of;      /* ORIEL_OF_*: the inputs that need it */
    uint32_t steps;   /* its lifetime, a bit a step */
    size_t bytes;     /* 0: this plan has no use for it */
} oriel_cuda_part;

static inline bool
oriel_cuda_part_is_in(const oriel_cuda_part *part, oriel_step step)
{
    return part->steps >> step & 1;
}

/* Whether there is a step that needs both. */
static inline bool
oriel_cuda_parts_overlap(const oriel_cuda_part *a, const oriel_cuda_part *b)
{
    return (a->steps & b->steps) && (a->of & b->of);
}

/* Let the workspace's pointer to this part be 'memory'. */
void oriel_cuda_point(oriel_cuda_workspace *space, const oriel_cuda_part *part,
                      void *memory);

/*
 * The parts of a plan, and the counts of 'metadata'.  A pure function of the plan
 * and of the choices.  ORIEL_ERR_CAPACITY when a size overflows, when the grids of
 * kernels would, or when the frames are more or longer than cuDNN's plans take.
 */
oriel_status oriel_cuda_list_parts(oriel_cuda_part parts[ORIEL_CUDA_PARTS],
                                   oriel_cuda_metadata *metadata,
                                   const oriel_plan *plan,
                                   const oriel_cuda_shapes *shapes,
                                   const oriel_cuda_choices *choices,
                                   oriel_error *err);

#endif /* ORIEL_CUDA_PARTS_H */
