/* SPDX-License-Identifier: Apache-2.0 */
/* errors.h - what a call of the CUDA runtime means for the caller */
#ifndef ORIEL_CUDA_ERRORS_H
#define ORIEL_CUDA_ERRORS_H

#include "oriel.h"

#include <cuda_runtime.h>

/*
 * ORIEL_OK for cudaSuccess; else a status and "CALL: reason", with the runtime's
 * memory of this failure cleared:
 *   ORIEL_ERR_MEMORY    out of memory
 *   ORIEL_ERR_DEVICE    no driver, too old a driver, no such device
 *   ORIEL_ERR_ARGUMENT  the stream is no stream, or its capture is spoiled
 *   ORIEL_ERR_INTERNAL  we asked for what cannot be
 *   ORIEL_ERR_FAULT     anything else: the device is not to be trusted
 */
oriel_status oriel_cuda_check(cudaError_t error, const char *call,
                              oriel_error *err);

#endif /* ORIEL_CUDA_ERRORS_H */
