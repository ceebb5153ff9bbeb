/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.h - image files to batches of decoded pictures, one batch ahead
 *
 * A thread of its own reads, measures and decodes the next batch while the
 * caller works on the current one, so two batches are in memory at most.  A
 * batch is filled greedily, in the order of the inputs, up to a number of
 * patches and of bytes: of pictures, files, and what decoders take; one picture
 * that is larger is a batch alone.
 */
#ifndef ORIEL_CLI_LOADER_H
#define ORIEL_CLI_LOADER_H

#include "cli/inputs.h"
#include "cli/photo.h"

typedef struct cli_batch {
    cli_photo *photos; /* in input order, failed ones among them */
    size_t n;
    int64_t patches;          /* of the good ones */
    oriel_error err;          /* not ORIEL_OK: nothing more can be loaded */
    const char *failed_input; /* the input that err is about, or NULL */
} cli_batch;

typedef struct cli_loader cli_loader;

/* A batch has at most so many patches, unless one photo has more, and so many
   photos.  'settings' and 'inputs' must outlive it. */
oriel_status cli_loader_start(cli_loader **out, const cli_settings *settings,
                              const cli_inputs *inputs, int64_t batch_patches,
                              size_t batch_photos, int32_t threads,
                              oriel_error *err);

/* The next batch, waited for; NULL at the end.  The caller frees it. */
cli_batch *cli_loader_next(cli_loader *loader);

/* The input to blame when memory is out: its one good picture; of several, NULL. */
const char *cli_batch_blame(const cli_batch *batch);

void cli_batch_free(cli_batch *batch); /* NULL is fine */

void cli_loader_stop(cli_loader *loader); /* NULL is fine */

#endif /* ORIEL_CLI_LOADER_H */
