/* SPDX-License-Identifier: Apache-2.0 */
/* steps.h - the steps of the network, for whoever names, times or counts them */
#ifndef ORIEL_BASE_STEPS_H
#define ORIEL_BASE_STEPS_H

/* In the order of encoder.c; those from ATTN_IN to MLP_OUT come back in every
   block, STORE where a hidden state is wanted: after EMBED, between blocks, or
   after the last. */
typedef enum oriel_step {
    ORIEL_STEP_START, /* the plan becomes metadata */
    ORIEL_STEP_PATCHIFY,
    ORIEL_STEP_EMBED,
    ORIEL_STEP_STORE,
    ORIEL_STEP_ATTN_IN,
    ORIEL_STEP_ATTEND,
    ORIEL_STEP_ATTN_OUT,
    ORIEL_STEP_MLP_IN,
    ORIEL_STEP_MLP_OUT,
    ORIEL_STEP_MERGE,
    ORIEL_STEPS
} oriel_step;

/* "ATTEND" */
static inline const char *
oriel_step_name(oriel_step step)
{
    static const char *const names[ORIEL_STEPS] = {
        "START",  "PATCHIFY", "EMBED",  "STORE",   "ATTN_IN",
        "ATTEND", "ATTN_OUT", "MLP_IN", "MLP_OUT", "MERGE",
    };

    return names[step];
}

#endif /* ORIEL_BASE_STEPS_H */
