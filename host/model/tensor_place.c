/* SPDX-License-Identifier: Apache-2.0 */
/* tensor_place.c - from the name of a stored tensor to its place */
#include "model/tensor_place.h"

#include "model/config.h"

#include <string.h>

/* "12." at *text, which then points after it; only as %d would print it. */
static bool
parse_block(const char **text, int32_t *block)
{
    const char *p = *text;
    int32_t n = 0;

    if (*p == '0' && p[1] != '.')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (*p - '0');
        if (n >= ORIEL_CONFIG_MAX_DEPTH)
            return false;
    }
    if (p == *text || *p != '.')
        return false;
    *block = n;
    *text = p + 1;
    return true;
}

/* "attn.q.weight" and the like, for "attn.qkv.weight". */
static bool
parse_part(const char *rest, oriel_tensor_place *found)
{
    static const struct {
        const char *name;
        oriel_tensor whole;
        int32_t part;
    } parts[] = {
        {"attn.q.weight", ORIEL_TENSOR_QKV_WEIGHT, 0},
        {"attn.k.weight", ORIEL_TENSOR_QKV_WEIGHT, 1},
        {"attn.v.weight", ORIEL_TENSOR_QKV_WEIGHT, 2},
        {"attn.q.bias", ORIEL_TENSOR_QKV_BIAS, 0},
        {"attn.k.bias", ORIEL_TENSOR_QKV_BIAS, 1},
        {"attn.v.bias", ORIEL_TENSOR_QKV_BIAS, 2},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (strcmp(rest, parts[i].name) == 0) {
            found->tensor = parts[i].whole;
            found->part = parts[i].part;
            return true;
        }
    return false;
}

bool
oriel_tensor_place_parse(const char *rest, oriel_tensor_place *found)
{
    static const char blocks[] = "blocks.";
    int32_t in_block = 0;

    found->part = -1;
    found->block = 0;
    if (strncmp(rest, blocks, sizeof(blocks) - 1) == 0) {
        rest += sizeof(blocks) - 1;
        if (!parse_block(&rest, &found->block))
            return false;
        in_block = 1;
        if (parse_part(rest, found))
            return true;
    }
    for (int32_t i = 0; i < ORIEL_N_TENSORS; i++) {
        found->tensor = (oriel_tensor)i;
        if (oriel_tensor_in_block(found->tensor) == in_block &&
            strcmp(rest, oriel_tensor_name(found->tensor)) == 0)
            return true;
    }
    return false;
}
