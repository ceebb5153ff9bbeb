/* SPDX-License-Identifier: Apache-2.0 */
/* driver.h - functions of CUDA's driver, as a caller finds them */
#ifndef TESTS_SUPPORT_DRIVER_H
#define TESTS_SUPPORT_DRIVER_H

#include "support/suite.h"

#include <cuda_runtime.h>
#include <string.h>

typedef struct CUctx_st *driver_context;

/* Store the function of this name, with the arguments that it had in CUDA 4.0, in
   the pointer at 'function'. */
static inline void
driver_find(void *function, const char *name)
{
    enum cudaDriverEntryPointQueryResult found;
    void *symbol = NULL;

    ck_assert_int_eq(cudaGetDriverEntryPointByVersion(
                         name, &symbol, 4000, cudaEnableDefault, &found),
                     cudaSuccess);
    ck_assert_msg(symbol, "%s", name);
    memcpy(function, &symbol, sizeof(symbol));
}

#endif /* TESTS_SUPPORT_DRIVER_H */
