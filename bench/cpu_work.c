/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_work.c - see cpu_work.h */
#include "cpu_work.h"

int
cpu_work_products(const cpu_work *w, cpu_step step,
                  cpu_product out[CPU_PRODUCTS_MOST])
{
    const oriel_network *n = w->net;
    const int64_t rows = w->info->patches, h = n->hidden_size,
                  inner = n->intermediate_size, wide = h * CPU_MERGED;

    switch (step) {
    case CPU_EMBED:
        out[0] = (cpu_product){rows, h, oriel_network_patch_columns(n)};
        return 1;
    case CPU_ATTN_IN:
        out[0] = (cpu_product){rows, 3 * h, h};
        return 1;
    case CPU_ATTN_OUT:
        out[0] = (cpu_product){rows, h, h};
        return 1;
    case CPU_MLP_IN:
        out[0] = (cpu_product){rows, 2 * inner, h};
        return 1;
    case CPU_MLP_OUT:
        out[0] = (cpu_product){rows, h, inner};
        return 1;
    case CPU_MERGE:
        out[0] = (cpu_product){w->info->tokens, wide, wide};
        out[1] = (cpu_product){w->info->tokens, n->out_hidden_size, wide};
        return 2;
    default:
        return 0;
    }
}

/* What it reads and writes besides weights, once, by the widths of workspace.h. */
static double
activation_bytes(const cpu_work *w, cpu_step step)
{
    const oriel_network *n = w->net;
    const double unit = (double)oriel_cpu_storage_bytes(w->storage);
    const double rows = (double)w->info->patches, h = n->hidden_size,
                 columns = oriel_network_patch_columns(n);

    switch (step) {
    case CPU_PATCHIFY:
        return (double)w->size->n * w->size->width * w->size->height * 3 +
               rows * columns * unit;
    case CPU_EMBED:
        return rows * (columns * unit + h * 4);
    case CPU_ATTN_IN:
        return rows * h * (4 + 3 * unit);
    case CPU_WINDOWS:
    case CPU_FRAMES:
        return rows * h * 4 * unit;
    case CPU_ATTN_OUT:
        return rows * h * (unit + 8);
    case CPU_MLP_IN:
        return rows * (h * 4 + n->intermediate_size * unit);
    case CPU_MLP_OUT:
        return rows * (n->intermediate_size * unit + h * 8);
    case CPU_MERGE:
        return rows * h * 4 + (double)w->info->tokens * n->out_hidden_size * 2;
    case CPU_STEPS:
        break;
    }
    return 0;
}

/* Scores and their products with the values: 4 a pair and channel. */
static double
attention_flops(const cpu_work *w, const int32_t *cu, int32_t n)
{
    double pairs = 0;

    for (int32_t i = 0; i < n; i++)
        pairs += (double)(cu[i + 1] - cu[i]) * (cu[i + 1] - cu[i]);
    return 4 * pairs * w->net->hidden_size;
}

void
cpu_work_count(const cpu_work *w, cpu_step step, op_row *row)
{
    cpu_product p[CPU_PRODUCTS_MOST];
    const int n = cpu_work_products(w, step, p);

    row->rows = w->info->patches;
    row->bytes = activation_bytes(w, step);
    for (int i = 0; i < n; i++) {
        row->flops +=
            2.0 * (double)p[i].rows * (double)p[i].columns * (double)p[i].depth;
        row->bytes += (double)p[i].columns * (double)p[i].depth *
                      (double)oriel_cpu_storage_bytes(w->storage);
    }
    if (n > 0) {
        row->rows = p[0].rows;
        row->columns = p[0].columns;
        row->depth = p[0].depth;
    }
    if (step == CPU_WINDOWS || step == CPU_FRAMES) {
        const bool frames = step == CPU_FRAMES;

        row->heads = w->net->num_heads;
        row->head_dim = w->net->head_dim;
        row->cu = frames ? w->info->cu_seqlens : w->info->cu_window_seqlens;
        row->n_segments = frames ? w->info->n_frames : w->info->n_windows;
        row->flops = attention_flops(w, row->cu, row->n_segments);
    }
}
