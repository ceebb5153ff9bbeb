/* SPDX-License-Identifier: Apache-2.0 */
/* parts.c - the table of parts: size and lifetime of each */
#include "cuda/parts.h"

#include "base/checked.h"
#include "base/fail.h"
#include "cuda/attention_table.h"
#include "cuda/product_table.h"
#include "cuda/tables.h"

#include <stddef.h>
#include <string.h>

enum {
    CLASS_LEAST = 1024, /* rows of the smallest size class */
    PACK_LEAST = 16     /* patches, but for one that is not full (records.c) */
};

/* What cannot be counted is SIZE_MAX. */
static size_t
size(size_t rows, size_t row_bytes)
{
    size_t bytes;

    return oriel_mul_size(&bytes, rows, row_bytes) ? bytes : SIZE_MAX;
}

/* The most that a size class can hold: a window or a frame has a token at least. */
static void
take_class(oriel_cuda_metadata *m, const oriel_cuda_shapes *s)
{
    int64_t rows = CLASS_LEAST;

    while (rows < m->rows)
        rows *= 2;
    m->rows = rows;
    m->n_windows = m->n_frame_tiles = (int32_t)(rows / s->merge2);
    m->n_packs = (int32_t)(rows / PACK_LEAST);
}

static bool
is_of_class(const oriel_cuda_metadata *m, const oriel_cuda_shapes *s,
            const oriel_cuda_choices *choices)
{
    return choices->kernels == ORIEL_KERNELS_HOPPER &&
           choices->attention == ORIEL_ATTENTION_OWN && s->windows_fit &&
           m->n_positions == 0;
}

/* False when a block a head of each would be more than a grid can have. */
static bool
count_work(oriel_cuda_metadata *m, const oriel_plan *plan,
           const oriel_cuda_shapes *s, const oriel_cuda_choices *choices)
{
    oriel_cuda_work_counts *counts = &m->counts;
    int64_t most = INT32_MAX / s->heads;

    oriel_cuda_count(counts, plan, s->windows_fit);
    m->rows = plan->info.patches;
    m->n_windows = plan->info.n_windows;
    m->n_packs = (int32_t)counts->n_packs;
    m->n_window_tiles = (int32_t)counts->n_window_tiles;
    m->n_frame_tiles = (int32_t)counts->n_frame_tiles;
    m->n_positions = counts->longest_side > ORIEL_CUDA_ROPE_POSITIONS
                         ? counts->longest_side
                         : 0;
    if (is_of_class(m, s, choices))
        take_class(m, s);
    return m->n_packs <= most && m->n_window_tiles <= most &&
           m->n_frame_tiles <= most;
}

#define IN(step) (UINT32_C(1) << ORIEL_STEP_##step)
#define FROM_TO(first, last) (2 * IN(last) - IN(first))

/*
 * member, which inputs need it, its steps, and rows of so many bytes, in terms of
 * what fill() has.  Long lifetimes come first: then the others fit after
 * them almost without holes.
 */
/* clang-format off */
#define PARTS(P) \
    /* From the plan to the end, or through all blocks. */ \
    P(metadata.tokens,       BOTH,   FROM_TO(START, MERGE), \
      m->rows / s->merge2, word) \
    P(metadata.row_index,    BOTH,   FROM_TO(START, MERGE), \
      m->rows / s->merge2, word) \
    P(metadata.batch_counts, BOTH,   FROM_TO(START, MLP_OUT), \
      of_class ? 1 : 0, sizeof(*m->batch_counts)) \
    P(metadata.positions,    BOTH,   FROM_TO(START, MLP_OUT), \
      m->rows, 2 * word) \
    P(metadata.cu_window,    BOTH,   FROM_TO(START, MLP_OUT), \
      m->n_windows + 1, word) \
    P(metadata.packs,        BOTH,   FROM_TO(START, MLP_OUT), \
      m->n_packs, ORIEL_PACK_COLUMNS * word) \
    P(metadata.window_tiles, BOTH,   FROM_TO(START, MLP_OUT), \
      m->n_window_tiles, ORIEL_TILE_COLUMNS * word) \
    P(metadata.frame_tiles,  BOTH,   FROM_TO(START, MLP_OUT), \
      m->n_frame_tiles, ORIEL_TILE_COLUMNS * word) \
    P(metadata.lengths,      BOTH,   FROM_TO(START, MLP_OUT), \
      sequences, word) \
    P(metadata.qkv_offsets,  BOTH,   FROM_TO(START, MLP_OUT), \
      sequences ? sequences + 1 : 0, sizeof(int64_t)) \
    P(metadata.out_offsets,  BOTH,   FROM_TO(START, MLP_OUT), \
      sequences ? sequences + 1 : 0, sizeof(int64_t)) \
    P(metadata.own_rope,     BOTH,   FROM_TO(START, MLP_OUT), \
      m->n_positions, oriel_cuda_rope_row(s->head_dim)) \
    P(residual,              BOTH,   FROM_TO(EMBED, MERGE), \
      m->rows, half * s->hidden) \
    P(lo,                    BOTH,   FROM_TO(EMBED, MERGE), \
      wide ? m->rows : 0, half * s->hidden) \
    /* In each block, between blocks, and at the end. */ \
    P(normalised,            BOTH,   IN(ATTN_IN) | IN(MLP_IN) | IN(MERGE), \
      m->rows, half * s->hidden) \
    P(attended,              BOTH,   FROM_TO(ATTEND, ATTN_OUT), \
      m->rows, half * s->hidden) \
    P(qkv,                   BOTH,   FROM_TO(ATTN_IN, ATTEND), \
      m->rows, 3 * half * s->hidden) \
    P(inner,                 BOTH,   FROM_TO(MLP_IN, MLP_OUT), \
      m->rows, half * s->intermediate) \
    P(gate_up,               BOTH,   IN(MLP_IN), \
      apart ? m->rows : 0, 2 * half * s->intermediate) \
    P(attention,             BOTH,   IN(ATTEND), \
      sequences ? 1 : 0, ORIEL_CUDNN_WORKSPACE_BYTES) \
    P(hidden_state,          BOTH,   IN(STORE), \
      patches, full * s->hidden) \
    P(fc1,                   BOTH,   IN(MERGE), \
      tokens, half * s->merged) \
    P(embeddings,            BOTH,   IN(MERGE), \
      tokens, full * s->out_hidden) \
    /* Until there are patches, and until these are embedded. */ \
    P(metadata.is_still,     FRAMES, FROM_TO(START, EMBED), \
      patches, 1) \
    P(frames.places,         FRAMES, FROM_TO(START, PATCHIFY), \
      resampled ? tokens : 0, word) \
    P(metadata.records,      BOTH,   IN(START), \
      plan->info.n_items, sizeof(*m->records)) \
    P(pixels,                FRAMES, FROM_TO(PATCHIFY, EMBED), \
      patches, s->slices * (int64_t)s->slice_bytes) \
    P(frames.axes,           FRAMES, IN(PATCHIFY), \
      1, f.axes) \
    P(frames.jobs,           FRAMES, IN(PATCHIFY), \
      resampled ? plan->n_source_frames : 0, sizeof(oriel_resample_job)) \
    P(frames.sources,        FRAMES, IN(PATCHIFY), \
      1, f.sources) \
    P(frames.waiting,        FRAMES, IN(PATCHIFY), \
      1, f.waiting) \
    P(pixel_values,          VALUES, FROM_TO(PATCHIFY, EMBED), \
      patches, full * s->patch_values)
#define PART(member, of, steps, rows, row_bytes) \
    {#member, offsetof(oriel_cuda_workspace, member), ORIEL_OF_##of, steps, \
     size((size_t)(rows), (size_t)(row_bytes))},
/* clang-format on */

static void
fill(oriel_cuda_part parts[ORIEL_CUDA_PARTS], const oriel_cuda_metadata *m,
     const oriel_plan *plan, const oriel_cuda_shapes *s,
     const oriel_cuda_choices *choices)
{
    int64_t patches = plan->info.patches, tokens = plan->info.tokens;
    int64_t word = sizeof(int32_t), half = sizeof(uint16_t);
    int64_t full = sizeof(float);
    bool apart = oriel_cuda_products_need_gate_up(choices->kernels);
    bool wide = choices->residual == ORIEL_RESIDUAL_WIDE;
    bool of_class = is_of_class(m, s, choices);
    int64_t sequences =
        choices->attention == ORIEL_ATTENTION_CUDNN ? ORIEL_CUDA_SEQUENCES : 0;
    bool resampled = oriel_cuda_resamples(plan);
    oriel_cuda_frame_bytes f = oriel_cuda_measure_frames(plan);
    const oriel_cuda_part all[] = {PARTS(PART)};

    _Static_assert(sizeof(all) == ORIEL_CUDA_PARTS * sizeof(*all),
                   "ORIEL_CUDA_PARTS is wrong");
    memcpy(parts, all, sizeof(all));
}

void
oriel_cuda_point(oriel_cuda_workspace *space, const oriel_cuda_part *part,
                 void *memory)
{
    /* Pointers to objects look alike, whatever the objects are. */
    memcpy((char *)space + part->pointer, &memory, sizeof(memory));
}

oriel_status
oriel_cuda_list_parts(oriel_cuda_part parts[ORIEL_CUDA_PARTS],
                      oriel_cuda_metadata *metadata, const oriel_plan *plan,
                      const oriel_cuda_shapes *shapes,
                      const oriel_cuda_choices *choices, oriel_error *err)
{
    oriel_cudnn_class ignored;

    if (choices->attention == ORIEL_ATTENTION_CUDNN &&
        oriel_cudnn_find_class(&ignored, plan->info.n_frames,
                               plan->info.longest_frame, err))
        return ORIEL_ERR_CAPACITY;
    if (!count_work(metadata, plan, shapes, choices))
        return oriel_fail(err, ORIEL_ERR_CAPACITY,
                          "%lld patches are too many for one call on a GPU",
                          (long long)plan->info.patches);
    fill(parts, metadata, plan, shapes, choices);
    for (int i = 0; i < ORIEL_CUDA_PARTS; i++)
        if (parts[i].bytes > SIZE_MAX / 2)
            return oriel_fail(err, ORIEL_ERR_CAPACITY,
                              "the plan's workspace exceeds the address space");
    return ORIEL_OK;
}
