/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub.h - a model by the name it has on Hugging Face
 *
 * "org/name" is looked for in the local cache, as huggingface_hub finds that:
 * HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else hub in HF_HOME, else
 * huggingface/hub in XDG_CACHE_HOME, else in ~/.cache.  The tool reads this
 * environment, the library reads none.  Nothing is downloaded.
 */
#ifndef ORIEL_CLI_HUB_H
#define ORIEL_CLI_HUB_H

#include "oriel.h"

/* A path for --model and its like. */
typedef struct cli_model_path {
    const char *path; /* what the library opens */
    const char *name; /* "org/name" of a model in the cache, or NULL */
    char *found;      /* the same path if it is ours to free, or NULL */
} cli_model_path;

/*
 * What 'given' stands for: itself if that exists or is no "org/name", else the
 * model's folder in the cache.  CLI_DONE, or reports and returns CLI_MODEL when
 * that is not there, with the command that downloads it, or CLI_MEMORY.
 */
int cli_hub_find(cli_model_path *out, const char *given);

/* The model could not be opened: reports as cli_report_failure does, and how to
   download what a model in the cache lacks. */
int cli_hub_report(const cli_model_path *path, const oriel_error *err);

void cli_hub_free(cli_model_path *path);

#endif /* ORIEL_CLI_HUB_H */
