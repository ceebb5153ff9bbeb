/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flags.h - one table of flags for parsing, help, completion and man page
 */
#ifndef ORIEL_CLI_FLAGS_H
#define ORIEL_CLI_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which subcommand a flag belongs to. */
enum {
    CLI_ENCODE = 1u << 0,
    CLI_PREPROCESS = 1u << 1,
    CLI_PLAN = 1u << 2,
    CLI_INSPECT = 1u << 3,
    CLI_SYNTH = 1u << 4,
    CLI_DOCTOR = 1u << 5,
    CLI_VERSION = 1u << 6,
    CLI_COMPLETION = 1u << 7,
    CLI_HELP = 1u << 8,
    CLI_PACK = 1u << 9,
    CLI_HEATMAP = 1u << 10,
    CLI_EXTRACT = 1u << 11,
    CLI_MERGE = 1u << 12,
    CLI_BENCH = 1u << 13
};

/* The headings of a command's flags in its help, in this order. */
typedef enum cli_flag_group {
    CLI_GROUP_INPUT,
    CLI_GROUP_SIZE,
    CLI_GROUP_COMPUTE,
    CLI_GROUP_GPU,
    CLI_GROUP_OUTPUT,
    CLI_GROUPS
} cli_flag_group;

/* Whose way from file to patches --pipeline follows; 0: it was not given. */
enum {
    CLI_PIPELINE_TRANSFORMERS = 1,
    CLI_PIPELINE_TRANSFORMERS_PIL,
    CLI_PIPELINE_QWEN_VL_UTILS,
    CLI_PIPELINE_VLLM,
    CLI_PIPELINE_SGLANG
};

/* How parts are written; 0: it was not given. */
enum { CLI_FORMAT_SAFETENSORS = 1, CLI_FORMAT_NPY };

/* A choice whose flag was not given, where 0 is one that can be given. */
#define CLI_NOT_GIVEN INT64_C(-1)

/* What the flags say; zero or NULL where a flag was not given, if no more is
   said. */
typedef struct cli_options {
    const char *output, *model, *config, *prefix, *picture, *token;
    const char *device; /* "auto", "cpu", "cuda", "cuda:N", and for extract
                           "cuda:all" or a list; checked */
    int64_t min_pixels, max_pixels, min_tokens, max_tokens, max_source_pixels;
    int64_t threads, batch_patches, depth;
    int64_t seed; /* 1 where it was not given */
    int64_t precision, kernels, residual, attention, graphs, dtype, pipeline,
        truncated;
    int64_t resample, sizing, alpha; /* or CLI_NOT_GIVEN */
    int64_t layer;                   /* or CLI_NOT_GIVEN */
    int64_t format, shard_bytes, split;
    const char *pool, *shard, *max_failures; /* as given, not checked */
    /* Of bench; lists as given, not checked. */
    const char *op, *size, *rows, *json_file, *csv, *html, *compare, *python;
    int64_t repeats;
    bool exif, no_exif;
    bool frames, resume, retry_failed, dry_run, repack;
    bool list, hot, cold, once;
    bool null_names, checks, verify, force, json, quiet, digest, tensors, help;
} cli_options;

typedef enum cli_flag_kind {
    CLI_SWITCH,
    CLI_TEXT,
    CLI_FILE, /* text that completes as a file name */
    CLI_NUMBER,
    CLI_CHOICE,
    CLI_DEVICE_NAME,
    CLI_DEVICE_NAMES /* one, or a list */
} cli_flag_kind;

typedef struct cli_choice {
    const char *name;
    int32_t value;
} cli_choice;

typedef struct cli_flag {
    const char *name;     /* without the two dashes */
    const char *argument; /* "FILE"; NULL for switches and choices */
    const char *help;
    const cli_choice *choices; /* ends with a NULL name */
    int64_t low, high;         /* of a number, both included */
    size_t offset;             /* of its field in cli_options */
    uint32_t commands;
    cli_flag_kind kind;
    cli_flag_group group;
    char letter; /* or 0 */
} cli_flag;

extern const cli_flag cli_flags[]; /* ends with a NULL name */

/*
 * Parse args[1 ..] (args[0] is the subcommand's name) into '*options'; the
 * operands end up at args[*first ..].  Returns CLI_DONE, or reports and returns
 * CLI_USAGE.
 */
int cli_flags_parse(cli_options *options, uint32_t command, int n_args,
                    char **args, int *first);

/*
 * What a command lacks, all at once: "encode needs images and -o FILE".  'what'
 * ends with NULL; without an entry CLI_DONE, else reports and returns CLI_USAGE.
 */
int cli_flags_report_missing(const char *command, const char *const *what);

/* A device as cli_options.device names it, taken apart. */
typedef struct cli_device {
    int32_t device, index; /* ORIEL_DEVICE_*; ordinal of a GPU */
} cli_device;
cli_device cli_device_parse(const char *text);

enum { CLI_DEVICES_MOST = 128 };
typedef struct cli_device_list {
    cli_device devices[CLI_DEVICES_MOST];
    size_t n;
    bool all; /* all GPUs that there are: n is 0 */
} cli_device_list;

/* A list of devices with commas, "cuda:all", or one device; NULL is "auto".
   False for any other text, and where the list names one twice. */
bool cli_device_list_parse(cli_device_list *list, const char *text);

#endif /* ORIEL_CLI_FLAGS_H */
