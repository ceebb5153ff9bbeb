/* SPDX-License-Identifier: Apache-2.0 */
/* nonfinite.h - how many values of a result are infinite or NaN */
#ifndef ORIEL_CLI_NONFINITE_H
#define ORIEL_CLI_NONFINITE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Add to '*infinite' and '*nan' those of 'bytes' bytes of values of 'dtype', an
 * ORIEL_DTYPE_*.  'values' is aligned as malloc does it.
 */
void cli_nonfinite_count(const void *values, size_t bytes, int32_t dtype,
                         uint64_t *infinite, uint64_t *nan);

#endif /* ORIEL_CLI_NONFINITE_H */
