/* SPDX-License-Identifier: Apache-2.0 */
/* quantised.c - naming the formats of quantised weights */
#include "model/quantised.h"

#include "base/fail.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What integers and short floats stand for in weights. */
static bool
is_quantised(oriel_stored dtype)
{
    return (dtype >= ORIEL_STORED_F4 && dtype <= ORIEL_STORED_U16) ||
           dtype == ORIEL_STORED_I32 || dtype == ORIEL_STORED_U32;
}

/* The first tensor whose name begins with the 'n' bytes at 'stem' and goes on
   with 'next'. */
static const oriel_stored_tensor *
find(const oriel_checkpoint *checkpoint, const char *stem, size_t n,
     const char *next)
{
    for (size_t i = 0; i < checkpoint->n_files; i++) {
        size_t n_tensors;
        const oriel_stored_tensor *t =
            oriel_safetensors_tensors(checkpoint->files[i], &n_tensors);

        for (size_t k = 0; k < n_tensors; k++)
            if (strncmp(t[k].name, stem, n) == 0 &&
                strncmp(t[k].name + n, next, strlen(next)) == 0)
                return &t[k];
    }
    return NULL;
}

/* Bytes of "visual.x" in "visual.x.weight". */
static size_t
stem_length(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? (size_t)(dot - name) : strlen(name);
}

static const struct {
    const char *suffix, *format;
} packed[] = {
    {".qweight", "GPTQ or AWQ"},
    {".weight_packed", "compressed-tensors"},
    {".weight_blocks", "MXFP4"},
};

enum { N_PACKED = sizeof(packed) / sizeof(*packed) };

const oriel_stored_tensor *
oriel_quantised_find(const oriel_checkpoint *checkpoint, const char *name)
{
    const oriel_stored_tensor *found = NULL;

    for (size_t i = 0; i < N_PACKED && !found; i++)
        found = find(checkpoint, name, stem_length(name), packed[i].suffix);
    return found;
}

static const char *
format_of(const oriel_checkpoint *checkpoint, const oriel_stored_tensor *tensor)
{
    const char *name = tensor->name;
    const size_t stem = stem_length(name);

    for (size_t i = 0; i < N_PACKED; i++)
        if (strcmp(name + stem, packed[i].suffix) == 0)
            return packed[i].format;
    if (find(checkpoint, name, strlen(name), ".quant_state.") ||
        find(checkpoint, name, strlen(name), ".absmax"))
        return "bitsandbytes, 4 bits";
    if (find(checkpoint, name, stem, ".SCB"))
        return "bitsandbytes, 8 bits";
    if (tensor->dtype >= ORIEL_STORED_F8_E5M2 &&
        tensor->dtype <= ORIEL_STORED_F8_E8M0)
        return "FP8";
    return tensor->dtype >= ORIEL_STORED_F4 &&
                   tensor->dtype <= ORIEL_STORED_F6_E3M2
               ? "FP4 or FP6"
               : "integers";
}

oriel_status
oriel_quantised_refuse(const oriel_checkpoint *checkpoint,
                       const oriel_stored_tensor *tensor, oriel_error *err)
{
    char what[96] = "";

    if (is_quantised(tensor->dtype))
        snprintf(what, sizeof(what),
                 "quantised vision weights (%s) are not supported: ",
                 format_of(checkpoint, tensor));
    return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                      "%s: tensor %s: %sexpected F32, F16 or BF16, found %s",
                      ORIEL_QUOTE(oriel_file_name(tensor->file)),
                      ORIEL_QUOTE(tensor->name), what,
                      ORIEL_QUOTE(tensor->dtype_name));
}
