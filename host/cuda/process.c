/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - the one process in which CUDA can be used: that of its first call */
#include "cuda/device.h"

#include "base/fail.h"
#include "base/process.h"

#include <stdatomic.h>

static atomic_int_fast32_t first; /* 0: CUDA was not used yet */

bool
oriel_cuda_was_forked(void)
{
    int_fast32_t process = atomic_load(&first);

    return process && oriel_process_is_other((int32_t)process);
}

oriel_status
oriel_cuda_check_process(oriel_error *err)
{
    int_fast32_t unused = 0;

    (void)atomic_compare_exchange_strong(&first, &unused, oriel_process_id());
    if (!oriel_cuda_was_forked())
        return ORIEL_OK;
    return oriel_fail(
        err, ORIEL_ERR_DEVICE,
        "cuda: this process was forked from process %d after that "
        "had used CUDA, which only works there: expected a "
        "process that was started anew",
        (int)atomic_load(&first));
}
