/* SPDX-License-Identifier: Apache-2.0 */
/* webp.h - an opened WebP */
#ifndef ORIEL_IMAGE_WEBP_H
#define ORIEL_IMAGE_WEBP_H

#include "image/format.h"

typedef struct oriel_webp {
    const oriel_image_job *job;
    struct WebPDemuxer *demuxer;
    bool has_alpha; /* as the header of the file says */
} oriel_webp;

#endif /* ORIEL_IMAGE_WEBP_H */
