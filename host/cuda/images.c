/* SPDX-License-Identifier: Apache-2.0 */
/* images.c - the driver's choice, told without asking it: images.h */
#include "cuda/images.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "90a-real": its number, its letter or 0, and what is there. */
typedef struct entry {
    int32_t architecture;
    char letter;
    bool code, ptx;
} entry;

static entry
read_entry(const char *text)
{
    entry e = {0};
    char *end;
    size_t rest;

    e.architecture = (int32_t)strtol(text, &end, 10);
    if (*end >= 'a' && *end <= 'z')
        e.letter = *end++;
    rest = strcspn(end, " ");
    e.code = rest == 0 || strncmp(end, "-real", rest) == 0;
    e.ptx = rest == 0 || strncmp(end, "-virtual", rest) == 0;
    return e;
}

/* What has a letter is for that device alone; PTX goes on to newer generations,
   machine code within its own. */
static bool
runs_on(const entry *e, int32_t capability, bool as_code)
{
    if (!(as_code ? e->code : e->ptx))
        return false;
    if (e->letter)
        return e->architecture == capability;
    return e->architecture <= capability &&
           (!as_code || e->architecture / 10 == capability / 10);
}

/* Of one device, what has a letter is the better. */
static bool
is_better(const entry *e, const entry *best)
{
    return e->architecture > best->architecture ||
           (e->architecture == best->architecture && e->letter > best->letter);
}

static entry
best_of(const char *images, int32_t capability, bool as_code)
{
    entry best = {0};

    while (*images) {
        entry e = read_entry(images);

        if (runs_on(&e, capability, as_code) && is_better(&e, &best))
            best = e;
        images += strcspn(images, " ");
        images += strspn(images, " ");
    }
    return best;
}

oriel_cuda_image
oriel_cuda_image_among(const char *images, int32_t capability)
{
    oriel_cuda_image image = {0};
    bool as_code = true;
    entry e = best_of(images, capability, as_code);

    if (!e.architecture) {
        as_code = false;
        e = best_of(images, capability, as_code);
    }
    image.architecture = e.architecture;
    image.as_code = as_code;
    if (e.architecture)
        snprintf(image.text, sizeof(image.text), "%s_%d%s %s",
                 as_code ? "sm" : "compute", e.architecture,
                 (const char[]){e.letter, '\0'},
                 as_code ? "machine code" : "PTX");
    return image;
}

oriel_cuda_image
oriel_cuda_image_of(int32_t capability)
{
    return oriel_cuda_image_among(ORIEL_CUDA_IMAGES, capability);
}
