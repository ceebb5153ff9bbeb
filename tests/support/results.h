/* SPDX-License-Identifier: Apache-2.0 */
/* results.h - results and outputs in one line */
#ifndef TESTS_SUPPORT_RESULTS_H
#define TESTS_SUPPORT_RESULTS_H

#include "oriel.h"

/* fp32 unless the test changes it; tight. */
static inline oriel_result
embeddings_result(void *data, size_t bytes)
{
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS};

    result.data = data;
    result.bytes = bytes;
    return result;
}

static inline oriel_result
hidden_state_result(int32_t index, void *data, size_t bytes)
{
    oriel_result result = {.kind = ORIEL_RESULT_HIDDEN_STATE};

    result.index = index;
    result.data = data;
    result.bytes = bytes;
    return result;
}

/* 'results' must stay as long as the output is used; 'memory' is
   ORIEL_MEMORY_*. */
static inline oriel_output
output_of(const oriel_result *results, int32_t n, int32_t memory)
{
    oriel_output output = ORIEL_OUTPUT_INIT;

    output.results = results;
    output.n_results = n;
    output.results_memory = memory;
    return output;
}

/* Result 'i', for a test that changes it. */
static inline oriel_result *
result_at(const oriel_output *output, int32_t i)
{
    return (oriel_result *)(uintptr_t)&output->results[i];
}

#endif /* TESTS_SUPPORT_RESULTS_H */
