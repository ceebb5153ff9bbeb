/* SPDX-License-Identifier: Apache-2.0 */
/* convert.c - results of fp32 in the type that the caller wants */
#include "cpu/context.h"

#include "base/half.h"

#include <string.h>

void
oriel_cpu_convert_row(void *to, const float *from, int64_t n, int32_t dtype)
{
    char *out = to;

    if (dtype == ORIEL_DTYPE_F32) {
        memcpy(out, from, (size_t)n * sizeof(*from));
        return;
    }
    for (int64_t i = 0; i < n; i++) { /* rows start at any byte */
        uint16_t half = dtype == ORIEL_DTYPE_BF16 ? oriel_f32_to_bf16(from[i])
                                                  : oriel_f32_to_f16(from[i]);

        memcpy(out + 2 * i, &half, sizeof(half));
    }
}
