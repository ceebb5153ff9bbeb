/* SPDX-License-Identifier: Apache-2.0 */
/* sizes_case.h - sizes that are told without an encoder, against an encoder's */
#ifndef TESTS_SUPPORT_SIZES_CASE_H
#define TESTS_SUPPORT_SIZES_CASE_H

#include "support/fixture.h"

enum { SIZES_NETWORKS = 10 };

/* One of the fixtures, then networks drawn at random; 'which' is below
   SIZES_NETWORKS. */
const oriel_network *sizes_network(int which);

/* The backend's model_bytes is what an encoder's info has as weight_bytes.  The
   number. */
uint64_t sizes_check_model(const oriel_network *network, int32_t precision);

#endif /* TESTS_SUPPORT_SIZES_CASE_H */
