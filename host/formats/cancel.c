/* SPDX-License-Identifier: Apache-2.0 */
/* cancel.c - whether the caller wants to go on */
#include "formats/formats.h"

#include "base/fail.h"
#include "base/memory.h"

oriel_status
oriel_formats_check_cancel(const oriel_image_job *job)
{
    if (oriel_cancelled(&job->hooks))
        return oriel_fail(job->err, ORIEL_ERR_CANCELLED,
                          "cancelled while a picture was decoded");
    return ORIEL_OK;
}
