/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - an encoder that is made when the first batch is there, and grows
 *
 * Scratch grows to what the largest batch so far needs.  With a stream of its own
 * an engine on a GPU works while the tool does something else.
 */
#ifndef ORIEL_CLI_ENGINE_H
#define ORIEL_CLI_ENGINE_H

#include "cli/flags.h"
#include "oriel.h"

typedef struct cli_engine {
    const oriel_model *model;
    oriel_encoder_options options; /* device and precision as chosen */
    oriel_device_info device;
    int32_t dtype; /* of the result */
    int64_t
        layer; /* the hidden state to return, or CLI_NOT_GIVEN: embeddings */
    oriel_encoder *encoder;
    struct CUstream_st *stream; /* NULL: an encode waits for its result */
    bool is_second;             /* of its device: the first one tells of it */
    size_t scratch_bytes;       /* that were reserved on a device */
    void *result;               /* of the last encode: its rows */
    size_t result_bytes, result_capacity;
} cli_engine;

/*
 * Choose device, precision and threads; nothing is loaded yet, so a refusal
 * comes early.  CLI_DONE, or reports and returns the exit status.
 */
int cli_engine_choose(cli_engine *engine, const oriel_model *model,
                      const cli_options *options, cli_device device);

/* Patches of a batch on the chosen device, unless the options say. */
int64_t cli_engine_batch_patches(const cli_engine *engine,
                                 const cli_options *options);

/* Items of a batch, at most: cuDNN's attention takes so many frames. */
size_t cli_engine_batch_items(const cli_engine *engine);

/* Width of a row of the result. */
int64_t cli_engine_columns(const cli_engine *engine);

/* Bytes of the result of a plan; SIZE_MAX where they exceed the address space. */
size_t cli_engine_result_bytes(const cli_engine *engine,
                               const oriel_plan_info *info);

/*
 * Encode into engine->result.  CLI_DONE, or reports; when memory is out, with
 * the input to 'blame', which is NULL for a batch of several.
 */
int cli_engine_encode(cli_engine *engine, const oriel_plan *plan,
                      const oriel_input *input, const char *blame);

/*
 * The same in three steps: the encoder is there, with scratch for this plan; it
 * begins to fill 'rows' of 'bytes' bytes; they are there.  With a stream the rows
 * are pinned, and the second step does not wait for them.  The pixels are of no
 * more use after it.  CLI_DONE, or reports; the third fails without a report.
 */
int cli_engine_prepare(cli_engine *engine, const oriel_plan *plan,
                       const char *blame);
int cli_engine_start(cli_engine *engine, const oriel_plan *plan,
                     const oriel_input *input, void *rows, size_t bytes,
                     const char *blame);
oriel_status cli_engine_wait(cli_engine *engine, oriel_error *err);

/* With --json, the event that a batch is encoded. */
void cli_engine_report(const oriel_plan_info *info, double seconds);

void cli_engine_free(cli_engine *engine);

/* How the device keeps the residual stream: "bf16", "wide", or "fp32" on the CPU. */
const char *cli_engine_residual(const cli_engine *engine);

/* "bf16" */
const char *cli_precision_name(int32_t precision);

#endif /* ORIEL_CLI_ENGINE_H */
