/* SPDX-License-Identifier: Apache-2.0 */
#include "support/random_frames.h"

#include "oracle/oracle.h"
#include "plan/plan.h"
#include "support/random.h"

#include <stdlib.h>

/* Pitches of all frames, and what they take together. */
static void
measure(random_frames *f, const oriel_plan *plan, random_stream *random)
{
    for (int64_t i = 0; i < plan->info.n_items; i++)
        for (int64_t k = plan->first_frame[i]; k < plan->first_frame[i + 1];
             k++) {
            f->pitches[k] = (size_t)plan->items[i].width * 3 +
                            (size_t)random_between(random, 0, 40);
            f->bytes += f->pitches[k] * (size_t)plan->items[i].height;
        }
}

random_frames
random_frames_make(const oriel_plan *plan, uint64_t seed)
{
    random_stream random = {seed};
    oriel_input input = ORIEL_INPUT_INIT;
    random_frames f = {.n_frames = plan->n_source_frames};
    unsigned char *next;

    f.frames = oracle_alloc((size_t)f.n_frames, sizeof(*f.frames));
    f.pitches = oracle_alloc((size_t)f.n_frames, sizeof(*f.pitches));
    measure(&f, plan, &random);
    f.memory = next = oracle_alloc(1, f.bytes);
    for (size_t i = 0; i < f.bytes; i++)
        f.memory[i] = (unsigned char)random_u64(&random);
    for (int64_t i = 0; i < plan->info.n_items; i++)
        for (int64_t k = plan->first_frame[i]; k < plan->first_frame[i + 1];
             k++) {
            f.frames[k] = next;
            next += f.pitches[k] * (size_t)plan->items[i].height;
        }
    input.frames = f.frames;
    input.pitches = f.pitches;
    f.input = input;
    return f;
}

void
random_frames_free(random_frames *f)
{
    free(f->memory);
    free(f->frames);
    free(f->pitches);
}
