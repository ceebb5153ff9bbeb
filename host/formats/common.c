/* SPDX-License-Identifier: Apache-2.0 */
/* common.c - what the formats of the module share */
#include "formats/formats.h"

#include "base/memory.h"
#include "image/module.h"

#include <string.h>

/* oriel_image_file is a union, of which this is a member. */
void
oriel_formats_keep_job(oriel_image_file *file, const oriel_image_job *job)
{
    ((oriel_module_file *)file)->job = job;
}

const oriel_image_job *
oriel_formats_job(const oriel_image_file *file)
{
    return ((const oriel_module_file *)file)->job;
}

oriel_status
oriel_formats_end(const oriel_image_job *job, oriel_status status)
{
    if (!status && oriel_cancelled(&job->hooks))
        return oriel_image_fail_cancelled(job);
    return status;
}

void
oriel_formats_close(oriel_image_file *file)
{
    (void)file;
}

void
oriel_formats_look_up(uint8_t *rgb, const uint8_t *index, size_t n,
                      const uint8_t *table)
{
    for (size_t i = 0; i < n; i++)
        memcpy(rgb + 3 * i, table + 3 * (size_t)index[i], 3);
}
