/* SPDX-License-Identifier: Apache-2.0 */
/* extract_job.h - one run of oriel extract */
#ifndef ORIEL_CLI_EXTRACT_JOB_H
#define ORIEL_CLI_EXTRACT_JOB_H

#include "bulk/dataset.h"
#include "bulk/pool.h"
#include "bulk/pooling.h"
#include "cli/engine.h"
#include "cli/settings.h"

/* What the flags that are text say. */
typedef struct cli_extract_options {
    bool pools;
    bulk_pooling pooling;  /* if it pools */
    int64_t shard, of;     /* 0, 1: all entries */
    int64_t most_failures; /* 0: no limit */
    double most_share;     /* of 100; 0: no limit */
    int32_t dtype;
    bulk_mode mode;
} cli_extract_options;

/* Batches in flight on one GPU: while one is computed, the next is uploaded and the
   rows of the one before are fetched. */
enum { CLI_EXTRACT_LANES = 2 };

typedef struct cli_extract_batch cli_extract_batch;
typedef struct cli_extract_rows cli_extract_rows;

/* One encoder, on a GPU with a stream of its own. */
typedef struct cli_extract_lane {
    cli_engine engine;
    oriel_hooks hooks;
    cli_extract_batch *batch; /* on its way; NULL: none */
} cli_extract_lane;

typedef struct cli_extract_device {
    int32_t index;
    double flops; /* planned for it so far */
    cli_extract_lane lanes[CLI_EXTRACT_LANES];
    int32_t n_lanes, next; /* the next one to take */
} cli_extract_device;

/* A window whose items are encoded, or on their way. */
typedef struct cli_extract_window {
    bulk_window *window;
    size_t pending; /* batches on their way */
    struct cli_extract_window *after;
    bulk_item *sorted[]; /* its items that are encoded, larger ones first */
} cli_extract_window;

/* What this run did, and what it spent its time with. */
typedef struct cli_extract_times {
    int64_t images, tokens; /* encoded by this run */
    int64_t passed;         /* inputs that went through, failed ones too */
    double wait, encode; /* of the encoders' thread: for a window; for batches
                               to be encoded, and with uploading them */
    double hand_over;    /* and for the writer */
    double write;        /* of the writer */
    double encode_cpu;   /* of the processor: of the encoder's threads */
    bulk_pool_times pool;
} cli_extract_times;

typedef struct cli_extract_job {
    const cli_options *options;
    cli_extract_options given;
    cli_settings settings;
    cli_engine engine; /* of the first device; the lanes' are like it */
    cli_extract_device *devices;
    size_t n_devices;
    cli_extract_rows *rows;             /* on GPUs */
    int64_t started;                    /* batches */
    cli_extract_window *windows, *last; /* in the order of the inputs */
    bulk_layout layout;
    json_t *run, *metadata;
    bulk_dataset *dataset;
    bulk_source *source;
    bulk_pool *pool;
    int64_t batch_patches;
    int64_t inputs, failed; /* so far, with those of a run that goes on */
    cli_extract_times times;
    json_t *reasons; /* of this run's failures: how often each came */
} cli_extract_job;

/* ---- extract_options.c ---- */

/* CLI_DONE, or reports and returns CLI_USAGE. */
int cli_extract_parse(cli_extract_options *given, const cli_options *options,
                      int n_operands, char **operands);

/* run.json's beginning, the layout and the parts' metadata, once the engine is
   chosen.  CLI_DONE, or reports. */
int cli_extract_describe(cli_extract_job *job);

/* ---- extract_devices.c ---- */

/* job->engine and the devices that --device names, which are of one kind; nothing
   is loaded yet.  CLI_DONE, or reports. */
int cli_extract_choose_devices(cli_extract_job *job);

/* Bytes of the rows of a full batch. */
int64_t cli_extract_batch_bytes(const cli_extract_job *job);

/* Streams and lanes, once there is work.  CLI_DONE, or reports. */
int cli_extract_open_lanes(cli_extract_job *job);

/* The device that has least of the work so far gets 'flops' more: its next lane,
   which may still be at work. */
cli_extract_lane *cli_extract_next_lane(cli_extract_job *job, double flops);

/* Wait for all work of the devices, and give back what they hold. */
void cli_extract_close_devices(cli_extract_job *job);

/* ---- extract_rows.c: pinned memory for the rows of batches ---- */

/* 'least' is what a block has at least.  NULL without memory. */
cli_extract_rows *cli_extract_rows_new(int32_t device_index, size_t least);
/* A block with one user.  Threads: one; it is released by any.
   ORIEL_ERR_DEVICE, _MEMORY */
oriel_status cli_extract_rows_take(cli_extract_rows *rows, size_t bytes,
                                   bulk_block **out, oriel_error *err);
/* All blocks are released; NULL is fine. */
void cli_extract_rows_free(cli_extract_rows *rows);

/* ---- extract_batch.c: one batch, from pictures to rows ---- */

/*
 * Encode 'n' items of 'window' together.  Their pictures are released on return;
 * their rows are ready for the writer once the batch is finished, on the CPU on
 * return.  Where all lanes of a device are at work, its oldest batch is finished
 * first.  CLI_DONE, or reports.
 */
int cli_extract_start_batch(cli_extract_job *job, cli_extract_window *window,
                            bulk_item **items, size_t n);

/* Finish all batches that are on their way, the oldest first, also after one that
   fails.  'failed' if that is not CLI_DONE, and nothing is reported; else CLI_DONE,
   or reports the first failure. */
int cli_extract_settle(cli_extract_job *job, int failed);

/* Whether a batch is on its way. */
bool cli_extract_is_busy(const cli_extract_job *job);

/* ---- extract_pack.c: windows to batches ---- */

/*
 * Take the window over, and start its items, sorted by size into batches.  After a
 * signal no more are started, and what is not encoded is left; so it is where
 * 'encodes' is false.  CLI_DONE, or reports.
 */
int cli_extract_take_window(cli_extract_job *job, bulk_window *window,
                            bool encodes);

/* The first window, if its batches are finished; else NULL. */
bulk_window *cli_extract_done_window(cli_extract_job *job);

/* ---- extract_write.c: windows to the dataset, on a thread of its own ---- */

typedef struct cli_extract_writer cli_extract_writer;
oriel_status cli_extract_writer_start(cli_extract_writer **out,
                                      bulk_dataset *dataset, oriel_error *err);
/* Hand a window over, once there is room for it; what it holds up to its first
   item without rows is written.  Fails if an earlier one could not be. */
oriel_status cli_extract_writer_put(cli_extract_writer *writer,
                                    bulk_window *window, oriel_error *err);
/* Wait for all of them, and end the thread. */
oriel_status cli_extract_writer_stop(cli_extract_writer *writer,
                                     double *seconds, oriel_error *err);

/* ---- extract_plan.c: --dry-run ---- */

/* Look at all inputs, print what they amount to, and write the lists of --split.
   The exit status. */
int cli_extract_plan(cli_extract_job *job);

/* ---- extract_split.c: lists of equal cost ---- */

typedef struct cli_extract_split cli_extract_split;

cli_extract_split *cli_extract_split_new(void); /* NULL without memory */
void cli_extract_split_free(cli_extract_split *split);

/* One input and its operations.  CLI_DONE, or reports. */
int cli_extract_split_add(cli_extract_split *split, const bulk_entry *entry,
                          double cost);

/* FOLDER/list-00000.jsonl and so on; '*share' becomes the cost of the dearest
   list over the mean.  CLI_DONE, or reports. */
int cli_extract_split_write(const cli_extract_split *split, const char *folder,
                            int64_t n_lists, double *share);

/* ---- extract_run.c ---- */

/* Everything from the first entry to the last part.  The exit status. */
int cli_extract_run(cli_extract_job *job);

/* The last words on a folder that is complete.  The exit status. */
int cli_extract_end(const cli_extract_job *job);

/* ---- extract_report.c ---- */

/* A failure of this run, by its reason. */
void cli_extract_count_reason(cli_extract_job *job, const char *reason);

/* Rates, failures and the stage that the others wait for, into the progress. */
void cli_extract_show(cli_extract_job *job);

void cli_extract_report_end(const cli_extract_job *job, int exit_status);

/* Report a failure of the dataset; what is wrong with a folder is usage. */
int cli_extract_report(const oriel_error *err);

#endif /* ORIEL_CLI_EXTRACT_JOB_H */
