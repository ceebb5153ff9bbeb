/* SPDX-License-Identifier: Apache-2.0 */
/* stored.c - what is known of a tensor in a safetensors file */
#include "model/safetensors.h"

#include "base/fail.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    oriel_stored dtype;
    uint32_t bits;
} stored_dtypes[] = {
    {"BOOL", ORIEL_STORED_BOOL, 8},       {"F4", ORIEL_STORED_F4, 4},
    {"F6_E2M3", ORIEL_STORED_F6_E2M3, 6}, {"F6_E3M2", ORIEL_STORED_F6_E3M2, 6},
    {"U8", ORIEL_STORED_U8, 8},           {"I8", ORIEL_STORED_I8, 8},
    {"F8_E5M2", ORIEL_STORED_F8_E5M2, 8}, {"F8_E4M3", ORIEL_STORED_F8_E4M3, 8},
    {"F8_E8M0", ORIEL_STORED_F8_E8M0, 8}, {"I16", ORIEL_STORED_I16, 16},
    {"U16", ORIEL_STORED_U16, 16},        {"F16", ORIEL_STORED_F16, 16},
    {"BF16", ORIEL_STORED_BF16, 16},      {"I32", ORIEL_STORED_I32, 32},
    {"U32", ORIEL_STORED_U32, 32},        {"F32", ORIEL_STORED_F32, 32},
    {"C64", ORIEL_STORED_C64, 64},        {"F64", ORIEL_STORED_F64, 64},
    {"I64", ORIEL_STORED_I64, 64},        {"U64", ORIEL_STORED_U64, 64},
};

uint32_t
oriel_stored_bits(oriel_stored dtype)
{
    for (size_t i = 0; i < sizeof(stored_dtypes) / sizeof(*stored_dtypes); i++)
        if (stored_dtypes[i].dtype == dtype)
            return stored_dtypes[i].bits;
    return 0;
}

oriel_stored
oriel_stored_named(const char *name)
{
    for (size_t i = 0; i < sizeof(stored_dtypes) / sizeof(*stored_dtypes); i++)
        if (strcmp(stored_dtypes[i].name, name) == 0)
            return stored_dtypes[i].dtype;
    return ORIEL_STORED_UNKNOWN;
}

void
oriel_shape_text(char out[ORIEL_SHAPE_TEXT], const int64_t *shape,
                 int32_t n_dims)
{
    const size_t room = ORIEL_SHAPE_TEXT - sizeof("...]");
    size_t at = (size_t)snprintf(out, ORIEL_SHAPE_TEXT, "[");

    for (int32_t i = 0; i < n_dims; i++) {
        char one[24];
        size_t n = (size_t)snprintf(one, sizeof(one), "%s%" PRId64,
                                    i ? ", " : "", shape[i]);

        if (at + n > room) {
            at += (size_t)snprintf(out + at, ORIEL_SHAPE_TEXT - at, "...");
            break;
        }
        memcpy(out + at, one, n);
        at += n;
    }
    snprintf(out + at, ORIEL_SHAPE_TEXT - at, "]");
}

oriel_status
oriel_stored_read(const oriel_stored_tensor *tensor, uint64_t first, void *out,
                  size_t bytes, oriel_error *err)
{
    if (first > tensor->bytes || bytes > tensor->bytes - first)
        return oriel_fail(err, ORIEL_ERR_INTERNAL,
                          "tensor %s: %zu bytes at %" PRIu64
                          " asked for, expected at most %" PRIu64,
                          ORIEL_QUOTE(tensor->name), bytes, first,
                          tensor->bytes);
    return oriel_file_read(tensor->file, tensor->offset + first, out, bytes,
                           err);
}
