/* SPDX-License-Identifier: Apache-2.0 */
/* module_sim.c - in programs that are linked with the simulated GPU, the cuda
   backend is inside and not loaded: its memory is then the program's too */
#include "base/fail.h"
#include "base/version.h"
#include "encode/module.h"

oriel_backend_entry_fn oriel_backend_entry;

/* The linker calls it in the place of oriel_module_get (--wrap). */
oriel_status __wrap_oriel_module_get(const oriel_backend **out, int32_t device,
                                     oriel_error *err);

oriel_status
__wrap_oriel_module_get(const oriel_backend **out, int32_t device,
                        oriel_error *err)
{
    *out = device == ORIEL_DEVICE_CUDA
               ? oriel_backend_entry(ORIEL_VERSION_STRING)
               : NULL;
    return *out ? ORIEL_OK
                : oriel_fail(err, ORIEL_ERR_DEVICE,
                             "only the simulated GPU is in this program");
}
