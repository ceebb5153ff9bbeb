/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - an opened file of any format */
#ifndef ORIEL_IMAGE_FILE_H
#define ORIEL_IMAGE_FILE_H

#include "image/jpeg.h"
#include "image/module.h"
#include "image/png.h"
#include "image/pnm.h"
#include "image/webp.h"

union oriel_image_file {
    oriel_jpeg jpeg;
    oriel_module_file module;
    oriel_png png;
    oriel_pnm pnm;
    oriel_webp webp;
};

#endif /* ORIEL_IMAGE_FILE_H */
