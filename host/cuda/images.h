/* SPDX-License-Identifier: Apache-2.0 */
/* images.h - which image of the kernels a device runs */
#ifndef ORIEL_CUDA_IMAGES_H
#define ORIEL_CUDA_IMAGES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct oriel_cuda_image {
    int32_t architecture; /* 90; 0: none */
    bool as_code;         /* machine code; else PTX */
    char text[32]; /* "sm_90a machine code", "compute_80 PTX"; "": none */
} oriel_cuda_image;

/*
 * Out of 'images', written as CMake does ("80-real 90a-real 80-virtual"), what the
 * driver takes for a device of 'capability' (90 for 9.0): the newest machine code
 * of the same generation that is not newer than the device, that of an 'a' on its
 * own device only; else the newest PTX that is not newer, which it compiles.
 */
oriel_cuda_image oriel_cuda_image_among(const char *images, int32_t capability);
/* Out of what this library was built with. */
oriel_cuda_image oriel_cuda_image_of(int32_t capability);

#endif /* ORIEL_CUDA_IMAGES_H */
