/* SPDX-License-Identifier: Apache-2.0 */
/* limits.c - too large, cancelled or damaged: what every format says */
#include "image/format.h"

#include "base/fail.h"
#include "base/memory.h"

#include <stdio.h>

oriel_status
oriel_image_check_size(const oriel_image_job *job, const char *format,
                       uint64_t width, uint64_t height)
{
    if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "%s: %llux%llu pixels, expected sides from 1 to %d",
                          format, (unsigned long long)width,
                          (unsigned long long)height, INT32_MAX);
    if (width * height > (uint64_t)job->max_pixels)
        return oriel_fail(job->err, ORIEL_ERR_INPUT,
                          "%s: %llux%llu pixels, expected at most %lld in all",
                          format, (unsigned long long)width,
                          (unsigned long long)height,
                          (long long)job->max_pixels);
    return ORIEL_OK;
}

oriel_status
oriel_image_pad(const oriel_image_job *job)
{
    char line[sizeof(job->err->message) + 40];

    snprintf(line, sizeof(line), "%s; the rest of the picture is padded",
             job->err ? job->err->message : "a damaged picture");
    oriel_log(&job->hooks, ORIEL_LOG_WARNING, line);
    return ORIEL_OK;
}

oriel_status
oriel_image_fail_cancelled(const oriel_image_job *job)
{
    return oriel_fail(job->err, ORIEL_ERR_CANCELLED,
                      "image: cancelled while it was decoded");
}
