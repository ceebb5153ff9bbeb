/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instructions_check.h - an instruction's results against recorded ones
 *
 * What goes in is made by hashing, anew each time; what came out is recorded.
 * The simulated GPU records (instructions.c); hardware is compared, by the same
 * program and by oriel_device_verify.
 */
#ifndef TESTS_KERNELS_INSTRUCTIONS_CHECK_H
#define TESTS_KERNELS_INSTRUCTIONS_CHECK_H

#include "kernels/instructions.h"

#include <stddef.h>

enum {
    INSTRUCTION_BLOCKS_MOST = 3,
    INSTRUCTION_IN_WORDS = INSTRUCTION_THREADS * INSTRUCTION_IN,
    INSTRUCTION_OUT_WORDS =
        INSTRUCTION_THREADS * INSTRUCTION_OUT * INSTRUCTION_BLOCKS_MOST
};

/* What a file of recorded results has before those of each instruction. */
typedef struct instruction_record_head {
    char name[64];
    int32_t cases, words; /* uint32 [cases, words] follow */
} instruction_record_head;

/* How the outputs of one instruction compare. */
typedef struct instruction_verdict {
    int64_t words, wrong;
    double worst; /* of what the bound bounds; 0 where bits must be equal */
    char first[160];
} instruction_verdict;

/* Words of one case's output. */
int instruction_words(const instruction *which);
/* The input of case 'number' of instruction 'place' of a list,
   [INSTRUCTION_IN_WORDS]. */
void instruction_input(const instruction_list *list, int place, int number,
                       uint32_t *in);
/* Run it on the current device and wait: [INSTRUCTION_OUT_WORDS], of which words
   that the instruction leaves are 0xFFFFFFFF.  "", or what went wrong: static. */
const char *instruction_run(const instruction *which, const uint32_t *in,
                            uint32_t *out);
/* Add to 'v' how 'out' compares with what was recorded of this input. */
void instruction_compare(const instruction *which, const uint32_t *in,
                         const uint32_t *recorded, const uint32_t *out,
                         instruction_verdict *v);

#endif /* TESTS_KERNELS_INSTRUCTIONS_CHECK_H */
