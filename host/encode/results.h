/* SPDX-License-Identifier: Apache-2.0 */
/* results.h - the list of results that a caller asks for */
#ifndef ORIEL_ENCODE_RESULTS_H
#define ORIEL_ENCODE_RESULTS_H

#include "encode/backend.h"

/*
 * Check 'output' and bring it to our size.  'out' points to the caller's own
 * array of results, which oriel_result_resolve reads.  ORIEL_ERR_ARGUMENT,
 * _UNSUPPORTED
 */
oriel_status oriel_output_check(oriel_output *out, const oriel_network *network,
                                const oriel_plan *plan, int32_t memory,
                                const oriel_output *output, oriel_error *err);

/* A checked result with its dtype and row_bytes filled in. */
oriel_result oriel_result_resolve(const oriel_result *result,
                                  const oriel_network *network);

/* How many blocks have run when the result can be stored. */
int32_t oriel_result_due(const oriel_result *result,
                         const oriel_network *network);

#endif /* ORIEL_ENCODE_RESULTS_H */
