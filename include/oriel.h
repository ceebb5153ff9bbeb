/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oriel.h - the Qwen2.5-VL vision encoder: RGB pixels in, embeddings out
 *
 * A whole program (oriel_image.h decodes files; here the picture is black):
 *
 *  #include <oriel.h>
 *  #include <stdio.h>
 *  #include <stdlib.h>
 *
 *  int main(int argc, char **argv)
 *  {
 *      const void *rgb = calloc(480, 640 * 3);
 *      oriel_item item = {640, 480, 1, 0, 0, 0}; oriel_error err;
 *      oriel_model *model; oriel_plan *plan; oriel_encoder *encoder;
 *      oriel_encoder_options opt = ORIEL_ENCODER_OPTIONS_INIT;
 *      oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
 *      oriel_input in = ORIEL_INPUT_INIT; oriel_output out = ORIEL_OUTPUT_INIT;
 *      oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS};
 *      if (oriel_model_open(&model, argv[argc - 1], NULL, &err) ||
 *          oriel_plan_create(&plan, model, &item, 1, NULL, &err) ||
 *          oriel_plan_get_info(plan, &info, &err) ||
 *          oriel_plan_workspace_bytes(plan, &opt, &opt.workspace_bytes, &err) ||
 *          oriel_encoder_create(&encoder, model, &opt, &err))
 *          return fprintf(stderr, "%s\n", err.message), 1;
 *      in.frames = &rgb;
 *      result.bytes = (size_t)(info.tokens * info.out_hidden_size * 4);
 *      result.data = malloc(result.bytes);
 *      out.results = &result; out.n_results = 1;
 *      if (oriel_encode(encoder, plan, &in, &out, NULL, &err))
 *          return fprintf(stderr, "%s\n", err.message), 1;
 *      printf("%d tokens\n", (int)info.tokens);
 *      oriel_encoder_destroy(encoder); oriel_plan_destroy(plan);
 *      oriel_model_destroy(model);
 *  }
 *
 * Words   item: an image or video of a batch.  patch: patch_size squared pixels
 *   of temporal_patch_size frames, one row of the network.  token: the patches of
 *   spatial_merge_size squared, one row of the embeddings.  image order: row by
 *   row, frame by frame, item by item, a token's patches adjacent: the order of
 *   pixel_values and of every result.
 * Status  Functions return ORIEL_OK (0) or a positive code, so calls chain with
 *   ||.  Every call fills 'err' unless it is NULL, on success too.  A create or
 *   open that fails stores NULL in *out.
 * Structs begin with struct_size and start from their _INIT macro; zero or NULL
 *   means the default.  More in "Conventions", after the first five calls.
 */
#ifndef ORIEL_H
#define ORIEL_H

#include <stddef.h>
#include <stdint.h>

#define ORIEL_API __attribute__((visibility("default"))) /* gcc, clang */
#define ORIEL_VERSION_MAJOR 0
#define ORIEL_VERSION_MINOR 1
#define ORIEL_VERSION_PATCH 0
#define ORIEL_ABI_VERSION 0 /* the number in liboriel.so.N */

/* What the _INIT macros stand for; use those. */
/* clang-format off */
#ifdef __cplusplus
extern "C++" template <class T> inline T oriel_init_()
{ T value = T(); value.struct_size = sizeof(T); return value; }
#define ORIEL_INIT_(type) oriel_init_<type>()
extern "C" {
#else
#define ORIEL_INIT_(type) {.struct_size = sizeof(type)}
#endif
/* clang-format on */

typedef struct oriel_model oriel_model;     /* a checkpoint: shared */
typedef struct oriel_plan oriel_plan;       /* a batch's geometry: shared */
typedef struct oriel_encoder oriel_encoder; /* a model on a device: exclusive */
struct CUstream_st; /* what cudaStream_t and CUstream point to */
typedef struct oriel_item oriel_item;
typedef struct oriel_model_options oriel_model_options;
typedef struct oriel_plan_options oriel_plan_options;
typedef struct oriel_encoder_options oriel_encoder_options;
typedef struct oriel_input oriel_input;
typedef struct oriel_output oriel_output;

/* ==== The first five calls =============================================== */

/* Pinned for ever.  ORIEL_ERR_INPUT alone is the fault of who sent the image
   (HTTP 400); err->item says which. */
typedef int32_t oriel_status;
enum {
    ORIEL_OK = 0,
    ORIEL_ERR_INPUT = 1,       /* size, ratio or grid of an item */
    ORIEL_ERR_ARGUMENT = 2,    /* the calling program is wrong */
    ORIEL_ERR_CAPACITY = 3,    /* too much for one call: split */
    ORIEL_ERR_MEMORY = 4,      /* host or device memory is out */
    ORIEL_ERR_NOT_FOUND = 5,   /* no such file or folder */
    ORIEL_ERR_IO = 6,          /* a read failed or came short */
    ORIEL_ERR_MODEL = 7,       /* checkpoint or config malformed */
    ORIEL_ERR_UNSUPPORTED = 8, /* well-formed, but not built in */
    ORIEL_ERR_DEVICE = 9,      /* no such device or no driver */
    ORIEL_ERR_FAULT = 10,      /* device failed: encoder is lost */
    ORIEL_ERR_CANCELLED = 11,  /* the cancel hook said so */
    ORIEL_ERR_INTERNAL = 12,   /* a bug in Oriel: please report */
    ORIEL_ERR_BUSY = 13        /* work is in flight: try again later */
};

typedef struct oriel_error {
    oriel_status status;
    int32_t item;  /* index of the item at fault, or -1 */
    int32_t cause; /* the errno or cudaError_t, or 0 */
    int32_t reserved;
    char message[496]; /* one line of UTF-8, control characters escaped; names
                          file, field or tensor, and what was expected */
} oriel_error;

/*
 * Open a Hugging Face folder or one .safetensors file (docs/inputs.md lists all
 * that may stand for them): check configuration and tensor table (milliseconds)
 * and keep the files open.  They must not change: a later read of one that did is
 * ORIEL_ERR_IO.  Of the tensors only the vision's are read.  Limits, mean and std
 * come from the processor's files, in transformers' order; without any, from the
 * published checkpoints.  The log hook hears what is passed over.  Threads: any.
 * ORIEL_ERR_NOT_FOUND, _IO, _MODEL, _UNSUPPORTED (quantised), _MEMORY,
 * _ARGUMENT (config_path and config_preset both, or no such preset)
 */
ORIEL_API oriel_status oriel_model_open(oriel_model **out, const char *path,
    const oriel_model_options *options, oriel_error *err);

/*
 * Plan a batch of images and videos from their sizes.  'items' is [n_items], and
 * n_items is at least 1.  'model' gives geometry and limits; it may be a preset,
 * and it need not outlive the call.  The call takes microseconds of the host and
 * needs no device.  All that a client can get wrong is refused here: no picture
 * makes oriel_encode fail.  Threads: any.
 * ORIEL_ERR_INPUT  err->item has a side below 1, a ratio of sides over 200 where
 *   the rule sizes it, resized sides that are not such multiples, a number of
 *   frames that its kind cannot have, or alone more than ORIEL_MAX_PATCHES
 * ORIEL_ERR_CAPACITY  together they have more: split the batch before err->item
 * ORIEL_ERR_ARGUMENT  no model, no items, an unknown kind or option, or limits
 *   that cross where the rule refuses it
 * ORIEL_ERR_MEMORY  err->item is the largest
 */
ORIEL_API oriel_status oriel_plan_create(oriel_plan **out,
    const oriel_model *model, const oriel_item *items, size_t n_items,
    const oriel_plan_options *options, oriel_error *err);

/* Put a model on a device.  The first for a device and precision reads the
   weights (seconds); the next share them.  Threads of the CPU backend start here
   and end in destroy; there are no others.  Everything lazy happens here, so the
   first encode may be captured.  Make one per stream or thread.  Threads: any.
   ORIEL_ERR_ARGUMENT (a preset), _DEVICE, _IO, _MEMORY, _CANCELLED, _UNSUPPORTED
   (a precision the device lacks), _FAULT (a GPU fails its known-answer test) */
ORIEL_API oriel_status oriel_encoder_create(oriel_encoder **out,
    const oriel_model *model, const oriel_encoder_options *options,
    oriel_error *err);

/* Encode a planned batch: fill each result of 'output' from the pixels of
   'input'.  On the CPU the results are there on return, and 'stream' is ignored.
   On CUDA the work is enqueued on 'stream' (NULL: the default stream); "Memory
   and streams" below tells what must stay for how long.  A NaN in pixel_values
   stays within its item.  Threads: exclusive.
   Nothing written: ORIEL_ERR_ARGUMENT (missing pointer, wrong bytes, results that
     overlap, plan of another geometry), _CAPACITY (workspace), _UNSUPPORTED, _BUSY
   Results undefined: _CANCELLED, _MEMORY; _FAULT (destroy the encoder; a fault
     after return surfaces when the caller synchronises) */
ORIEL_API oriel_status oriel_encode(oriel_encoder *encoder,
    const oriel_plan *plan, const oriel_input *input,
    const oriel_output *output, struct CUstream_st *stream, oriel_error *err);

/* Destroy, in any order; NULL is fine.  An encoder's waits for its own work. */
ORIEL_API void oriel_encoder_destroy(oriel_encoder *encoder);
ORIEL_API void oriel_plan_destroy(oriel_plan *plan);
ORIEL_API void oriel_model_destroy(oriel_model *model);

/* ==== Conventions ========================================================= */

/*
 * Plans   need neither pixels, weights nor a device: count tokens, bytes and
 *   FLOPs with them before decoding or admitting anything.  compute order: the
 *   order in which the tower holds the tokens, grouped by attention window; where
 *   a tower has no windows it is image order.
 * Structs In options, zero or NULL means the default, for a field or for the
 *   whole.  Fields are only ever appended; a non-zero one that the library is too
 *   old to know is refused (ORIEL_ERR_UNSUPPORTED).  An _info is filled up to its
 *   struct_size.  All numbers of enums are pinned for ever; share/oriel/abi.json
 *   holds them, and the layout of every struct.
 * Memory  Arguments are read before a call returns unless its text says otherwise.
 *   Pointers inside an _info live as long as its handle.
 * Threads Different handles never interfere.  "Shared": one handle serves many
 *   callers at once; "exclusive": one call at a time, from any thread.
 * Fork    A model or encoder is of the process that made it.  In a child that was
 *   forked later, its _get_info works, planning with it works, destroy frees host
 *   memory only, and any other call is ORIEL_ERR_ARGUMENT.  Plans work, and so do
 *   handles that the child makes; but CUDA is ORIEL_ERR_DEVICE where the parent
 *   had used it.  Fork while no other thread is inside a call.
 * Process The library never prints, exits, aborts, reads the environment, or
 *   changes locale, signals or the caller's current CUDA context.  oneDNN and
 *   OpenMP, which the CPU backend uses, do read the environment; nothing that
 *   oneDNN finds there changes a result, prints or leaves a file.
 * Bytes   An item's embeddings are the same bytes alone, in any batch, at any
 *   thread count, direct or replayed: for one library version, model, precision,
 *   kernels, residual, attention, processor or GPU kind (description of its info).
 */

/* ==== What the calls take ================================================= */

enum {
    ORIEL_KIND_BY_FRAMES = 0, /* an image if frames is 0 or 1, else a video */
    ORIEL_KIND_IMAGE = 1,     /* frames is 0 or 1 */
    ORIEL_KIND_VIDEO = 2      /* frames is 1 or more */
};

struct oriel_item {                        /* never to grow */
    int32_t width, height;                 /* after EXIF rotation */
    int32_t frames;                        /* 0 means 1 */
    int32_t resized_width, resized_height; /* 0, 0: by the options' rule; else
                                              multiples of a token's side */
    int32_t kind;                          /* ORIEL_KIND_* */
};

enum { ORIEL_MEMORY_HOST = 0, ORIEL_MEMORY_DEVICE = 1 };
enum {
    ORIEL_DTYPE_F32 = 1,
    ORIEL_DTYPE_BF16 = 2,
    ORIEL_DTYPE_F16 = 3,
    ORIEL_DTYPE_U8 = 4 /* pixel_values only */
};

/* Exactly one of 'frames' and 'pixel_values' is set.  U8 pixel_values are bytes
   before normalising; they are normalised as frames are, to the same embeddings. */
struct oriel_input {
    uint32_t struct_size;
    int32_t pixels_memory;     /* ORIEL_MEMORY_*: of frames or pixel_values */
    const void *const *frames; /* [sum of frames], item after item, each RGB8
                                   [height, width, 3]; the array itself and
                                   'pitches' lie on the host */
    const size_t *pitches;     /* [sum of frames] bytes a line; NULL: tight */
    const void *pixel_values;  /* [patches, patch_columns], tight */
    size_t pixel_values_bytes;
    int32_t dtype;   /* of pixel_values; default F32 */
    int32_t no_wait; /* 1: on CUDA ORIEL_ERR_BUSY rather than a wait */
};
#define ORIEL_INPUT_INIT ORIEL_INIT_(oriel_input)

/* What a result is; all are in image order. */
enum {
    ORIEL_RESULT_EMBEDDINGS = 1,   /* [tokens, out_hidden_size] */
    ORIEL_RESULT_HIDDEN_STATE = 2, /* [patches, hidden_size]; index 0: the patch
                                      embedding, k: after k blocks */
    ORIEL_RESULT_DEEPSTACK = 3     /* kept for towers that have them; refused */
};
/* A matrix that an encode fills.  Results may interleave in one of the caller's
   (another 'data', the same row_bytes), but no byte belongs to two. */
typedef struct oriel_result { /* never to grow */
    int32_t kind, index;      /* index: of hidden states; else 0 */
    int32_t dtype, reserved;  /* F32 by default, BF16, F16 */
    void *data;
    size_t bytes;     /* of the matrix, from 'data' on */
    size_t row_bytes; /* from row to row; 0: tight */
} oriel_result;

struct oriel_output {
    uint32_t struct_size;
    int32_t results_memory;      /* ORIEL_MEMORY_*: of every result */
    const oriel_result *results; /* [n_results], read before return; blocks
                                    after the last one's are not run */
    int32_t n_results;           /* 1 to ORIEL_MAX_RESULTS */
    int32_t row_index_memory;    /* ORIEL_MEMORY_*: of row_index */
    const int32_t *row_index;    /* [tokens] or NULL; see below */
    void *workspace;             /* on the encoder's device; NULL: its own */
    size_t workspace_bytes;
};
#define ORIEL_OUTPUT_INIT ORIEL_INIT_(oriel_output)
#define ORIEL_MAX_RESULTS 1024

/* output.row_index: token i of each result with a row a token (EMBEDDINGS) is
   stored in row row_index[i] of that result's matrix, so that embeddings land
   in a language model's input.  Rows of the matrix are those that fit 'bytes';
   -1 skips a token; other rows keep their bytes; of two tokens with one row
   either may stay.  Hidden states ignore it.  Indices on the host are checked
   and copied before return.  Indices on the device are read in stream order,
   and a token whose row is outside is not stored; they need results on the
   device.  A captured call takes indices on the device only. */

/*
 * Memory and streams of oriel_encode on CUDA.  The plan, the structs and the
 * arrays of pointers are read before the call returns.
 *
 *   what, and where             is used             is yours again   waits
 *   pixels, pageable            before return       on return        (1)
 *   pixels, pinned or device    in stream order     after the stream no
 *   frames of the float flavour before return       on return        (1)
 *   results, pageable           before return       on return        (2)
 *   results, pinned or device   in stream order     after the stream no
 *   row_index, host             before return       on return        (1)
 *   row_index, device           in stream order     after the stream no
 *   workspace                   in stream order     after the stream no
 *
 * (1) The call copies them into the encoder's 8 MiB of pinned memory, in eight
 * slots, and waits only while all are on their way: up to 16 MiB, beside the
 * kernels of calls before.  How frames are resampled takes a slot.  (2) The call
 * waits for the stream.  With no_wait pixels and results are pinned or on the
 * device; a call without a free slot is ORIEL_ERR_BUSY, of more than 8 _CAPACITY.
 *
 * Nothing else waits or allocates, but host memory for resampling frames of the
 * float flavour, where a call needs more than those before; what CUDA takes for a
 * graph; and both with ORIEL_CHECKS_ON.  hooks.cancel is asked before each enqueue
 * and before the call waits.  A call whose pixels, results and indices are on the
 * device may be captured into a CUDA graph; plan, encoder and all that memory must
 * then outlive the graph, whose replays read them anew.  The caller orders calls of
 * one encoder on different streams, whoever brings the workspace.  Device pointers
 * and row_bytes are multiples of 16; row_bytes and a line of frames are below 2^31.
 * Streams and memory of a CUDA context other than the device's primary one, and the
 * default stream while such a one is current, are ORIEL_ERR_ARGUMENT.
 */

/* ==== Advanced: version and hooks ========================================== */

/* Name a status: "ORIEL_ERR_INPUT"; or "unknown".  Static.  Threads: any. */
ORIEL_API const char *oriel_status_name(oriel_status status);
/* Tell the version of the loaded library: "0.1.0".  Static.  Threads: any. */
ORIEL_API const char *oriel_version(void);
/* Tell its ABI; refuse to run when it is not ORIEL_ABI_VERSION.  Threads: any. */
ORIEL_API int32_t oriel_abi_version(void);
/* Describe that library for bug reports: one line of JSON with oriel, abi, commit
   (or "unknown"), compiler, target, jansson, cuda_toolkit (or null), backends,
   cuda_architectures, formats.  Keys are only added.  Threads: any. */
ORIEL_API const char *oriel_build_info(void);

/* What the caller may lend: copied, but 'user' must outlive the handle.  An alloc
   comes with its free; both serve Oriel's own allocations, not the libraries'.  All
   run on the thread inside the call. */
typedef struct oriel_hooks {
    uint32_t struct_size, reserved;
    void *user;
    void *(*alloc)(void *user, size_t bytes, size_t alignment);
    void (*free)(void *user, void *memory);
    void *(*device_alloc)(void *user, size_t bytes, int32_t device_index);
    void (*device_free)(void *user, void *memory, int32_t device_index);
    void (*log)(void *user, int32_t level, const char *line);
    int32_t (*cancel)(void *user); /* non-zero stops a call that takes long */
    void (*progress)(void *user, int32_t what, int64_t done, int64_t of);
} oriel_hooks;
#define ORIEL_HOOKS_INIT ORIEL_INIT_(oriel_hooks)

enum { ORIEL_LOG_WARNING = 1, ORIEL_LOG_INFO = 2, ORIEL_LOG_DEBUG = 3 };
/* What hooks.progress is told of.  Within one call of the library 'done' rises, at
   most 20 times a second; on success the hook is called last with done == of. */
enum {
    ORIEL_PROGRESS_LOADING = 1, /* bytes of weights that create reads */
    ORIEL_PROGRESS_ENCODING = 2 /* FLOPs of an encode on the CPU */
};

/* ---- Model ------------------------------------------------------------------ */

struct oriel_model_options {
    uint32_t struct_size, reserved;
    const char *config_path; /* config.json; default: beside the weights */
    const oriel_hooks *hooks;
    const char *prefix;        /* of the tower's tensor names: "visual." */
    const char *config_preset; /* oriel_model_preset's, for a config.json */
};
#define ORIEL_MODEL_OPTIONS_INIT ORIEL_INIT_(oriel_model_options)

/* Open a model from config.json's text and one safetensors file's bytes, which must
   stay unchanged until the model and its encoders are gone. */
ORIEL_API oriel_status oriel_model_open_memory(oriel_model **out,
    const char *config_json, size_t config_bytes, const void *weights,
    size_t weights_bytes, const oriel_model_options *options, oriel_error *err);

/* Get a published model without weights, to plan with: "qwen2.5-vl-3b", "-7b",
   "-32b" or "-72b" (with that beginning).  Static.  NULL: none.  Threads: any. */
ORIEL_API const oriel_model *oriel_model_preset(const char *name);

enum { ORIEL_TOWER_QWEN2_5_VL = 1 }; /* the kinds of vision encoder */
typedef struct oriel_model_info {
    uint32_t struct_size;
    int32_t tower;       /* ORIEL_TOWER_* */
    int32_t has_weights; /* 0 for a preset: it cannot encode */
    int32_t depth, hidden_size, intermediate_size, num_heads, head_dim;
    int32_t out_hidden_size; /* width of an embedding */
    int32_t in_channels, patch_size, temporal_patch_size, spatial_merge_size;
    int32_t window_size, reserved;   /* pixels; 0: the tower has no windows */
    int32_t n_full_attention_blocks; /* depth, where there are no windows */
    const int32_t *full_attention_blocks;       /* 0-based, ascending */
    int64_t min_pixels, max_pixels;             /* of an image */
    int64_t video_min_pixels, video_max_pixels; /* of each frame of a video */
    float image_mean[3], image_std[3];
    int32_t weight_dtype, n_tensors; /* as stored; the vision part */
    uint64_t weight_bytes;
} oriel_model_info;
#define ORIEL_MODEL_INFO_INIT ORIEL_INIT_(oriel_model_info)

/* Get a model's numbers.  Threads: shared. */
ORIEL_API oriel_status oriel_model_get_info(
    const oriel_model *model, oriel_model_info *info, oriel_error *err);

/* Compute the network's identity for cache keys: 32 hexadecimal digits, XXH3-128 of
   the tower's number, its geometry and every tensor's values in canonical order and
   layout.  Sharding, prefix and stored dtype do not change it (the same values
   stored wider are the same model); limits, mean and std are not in it.  It is not
   cryptographic.  The first call reads all weights.  Threads: shared.
   ORIEL_ERR_ARGUMENT (a preset), _IO, _MEMORY, _CANCELLED */
ORIEL_API oriel_status oriel_model_digest(
    const oriel_model *model, char digest[33], oriel_error *err);

/* ---- Plan ------------------------------------------------------------------- */

#define ORIEL_MAX_PATCHES 16777216 /* in one plan, whatever a config says */

enum {
    ORIEL_RESAMPLE_TORCHVISION = 0, /* transformers' default, vLLM, SGLang */
    ORIEL_RESAMPLE_PILLOW = 1,      /* Pillow 13 and later */
    ORIEL_RESAMPLE_PILLOW12 = 2,    /* Pillow up to 12.1 */
    ORIEL_RESAMPLE_FLOAT = 3        /* transformers on GPU tensors */
};
enum { ORIEL_SIZING_TRANSFORMERS = 0, ORIEL_SIZING_QWEN_VL_UTILS = 1 };

/* The limits bound an item's pixels after resizing; 0 means the model's.  What the
   limits of a video bound depends on the tower: ORIEL_TOWER_QWEN2_5_VL sizes each
   frame as an image.  With ORIEL_SIZING_QWEN_VL_UTILS their default is that of
   fetch_video: 128 to 768 tokens a frame, and fewer where there are many frames;
   video_max_pixels can only lower that. */
struct oriel_plan_options {
    uint32_t struct_size;
    int32_t resample, sizing, reserved;
    int64_t min_pixels, max_pixels;
    int64_t video_min_pixels, video_max_pixels;
    const oriel_hooks *hooks;
};
#define ORIEL_PLAN_OPTIONS_INIT ORIEL_INIT_(oriel_plan_options)

/* Plan pixel_values from their image_grid_thw, [n_items, 3] in patches.  Of the
   options only hooks matter.  ORIEL_ERR_INPUT: t is below 1, h or w is not a
   multiple of spatial_merge_size, or there are too many patches. */
ORIEL_API oriel_status oriel_plan_create_from_grids(oriel_plan **out,
    const oriel_model *model, const int64_t *grid_thw, size_t n_items,
    const oriel_plan_options *options, oriel_error *err);

/* Measure an item without a plan: its grid in patches and its tokens; either may be
   NULL.  It refuses what oriel_plan_create refuses, and allocates nothing.  A call
   that fails stores nothing.  Threads: any. */
ORIEL_API oriel_status oriel_item_measure(const oriel_model *model,
    const oriel_item *item, const oriel_plan_options *options,
    int64_t grid_thw[3], int64_t *tokens, oriel_error *err);

/* What one encode may cost; 0 is no limit. */
typedef struct oriel_budget {
    uint32_t struct_size, reserved;
    int64_t max_patches, max_tokens, max_flops;
} oriel_budget;
#define ORIEL_BUDGET_INIT ORIEL_INIT_(oriel_budget)

/* Cut a queue of items into runs that each fit a budget.  The order is kept, and
   each run is the longest that fits: run k is items[ends[k - 1]] up to, but not
   with, items[ends[k]], and ends[-1] stands for 0.  ORIEL_MAX_PATCHES holds for
   every run, also where 'budget' is NULL; an item that is over the budget alone is
   a run of its own.  'ends' is the caller's, [n_items]; *n_ends becomes the number
   of runs.  Nothing is allocated.  Threads: any.
   ORIEL_ERR_INPUT  err->item cannot be planned (oriel_plan_create says when):
     'ends' holds the runs of the items before it
   ORIEL_ERR_ARGUMENT  as oriel_plan_create, or a negative limit: *n_ends is 0 */
ORIEL_API oriel_status oriel_plan_split(const oriel_model *model,
    const oriel_item *items, size_t n_items, const oriel_plan_options *options,
    const oriel_budget *budget, size_t *ends, size_t *n_ends, oriel_error *err);

/* window_index, window_inverse and positions describe the compute order.  Where
   a tower has no windows, that is the image order: both permutations are the
   identity, n_windows and longest_window are 0 and cu_window_seqlens is NULL. */
typedef struct oriel_plan_info {
    uint32_t struct_size;
    int32_t n_items;
    int32_t n_frames, n_windows;           /* attention segments of each kind */
    int32_t longest_frame, longest_window; /* patches */
    int32_t patch_columns;                 /* width of pixel_values */
    int32_t out_hidden_size;               /* width of embeddings */
    int64_t patches, tokens;          /* rows of pixel_values, embeddings */
    int64_t flops;                    /* of one encode; INT64_MAX if more */
    const int64_t *grid_thw;          /* [n_items, 3] t, h, w in patches */
    const int64_t *offsets;           /* [n_items + 1] first token of each */
    const int64_t *flops_per_item;    /* [n_items] a scheduler's cost */
    const int32_t *cu_seqlens;        /* [n_frames + 1] in patches */
    const int32_t *cu_window_seqlens; /* [n_windows + 1] in patches */
    const int32_t *window_index;      /* [tokens] places in image order */
    const int32_t *window_inverse;    /* [tokens] the other way round */
    const int32_t *positions; /* [patches, 2] row and column, for rope */
} oriel_plan_info;
#define ORIEL_PLAN_INFO_INIT ORIEL_INIT_(oriel_plan_info)

/* Get a plan's numbers and arrays.  Threads: shared. */
ORIEL_API oriel_status oriel_plan_get_info(
    const oriel_plan *plan, oriel_plan_info *info, oriel_error *err);

/* Only resize, normalise and cut frames on the host: what a Hugging Face processor
   returns, bit for bit, into [patches, patch_columns] fp32 on the host, on the
   calling thread.  Threads: any.  ORIEL_ERR_ARGUMENT, _MEMORY */
ORIEL_API oriel_status oriel_preprocess(const oriel_plan *plan,
    const oriel_input *input, float *pixel_values, size_t pixel_values_bytes,
    oriel_error *err);

/* ---- Device and encoder ------------------------------------------------------ */

enum { ORIEL_DEVICE_AUTO = 0, ORIEL_DEVICE_CPU = 1, ORIEL_DEVICE_CUDA = 2 };
enum {
    ORIEL_PRECISION_AUTO = 0, /* bf16 where the device is fast at it */
    ORIEL_PRECISION_BF16 = 1,
    ORIEL_PRECISION_FP32 = 2
};

/* Whose matrix products a CUDA encoder runs; their bytes differ.  CUBLASLT is
   ORIEL_ERR_DEVICE without libcublasLt.so.13.  What is named is _UNSUPPORTED where
   its known-answer test fails, or cuBLASLt cannot keep an image's bytes in every
   batch; AUTO takes the other and logs a warning. */
enum {
    ORIEL_KERNELS_AUTO = 0,     /* by a table of devices, which a build holds */
    ORIEL_KERNELS_OWN = 1,      /* Oriel's, with fused epilogues */
    ORIEL_KERNELS_CUBLASLT = 2, /* cuBLASLt's where it can run the product */
    ORIEL_KERNELS_HOPPER = 3    /* of 9.0 alone, frames' attention too */
};
/* A CUDA encoder's residual stream; the CPU's is fp32.  WIDE: a sum of two bf16, with
   about half the error and other bytes; what adds to it is then Oriel's own. */
enum { ORIEL_RESIDUAL_BF16 = 0, ORIEL_RESIDUAL_WIDE = 1 };
/* Whose attention over whole frames a CUDA encoder runs; the bytes differ.  CUDNN is
   one pinned engine of libcudnn.so.9, 9.19; _UNSUPPORTED without that version and on
   the CPU.  _CAPACITY: a call of more than 256 frames, a frame of more than 24,576
   patches, or a plan that oriel_encoder_prepare was not given. */
enum { ORIEL_ATTENTION_OWN = 0, ORIEL_ATTENTION_CUDNN = 1 };
/* AUTO: a shape's second call makes a graph of its blocks, later ones launch it, 8 are
   kept; by HOPPER a size class has one.  OFF: each call launches kernels one by one. */
enum { ORIEL_GRAPHS_AUTO = 0, ORIEL_GRAPHS_OFF = 1 };
/* ON finds faults of kernels, driver or memory (slow; the same bytes): each part of
   the scratch lies between guards, NaN before and after its use; every launch is
   waited for; an error names kernel, step and block.  There are no graphs; a call
   that is captured or must not wait is ORIEL_ERR_ARGUMENT. */
enum { ORIEL_CHECKS_OFF = 0, ORIEL_CHECKS_ON = 1 };

typedef struct oriel_device_info {
    uint32_t struct_size;
    int32_t device, device_index; /* as chosen when AUTO was asked for */
    int32_t precision;            /* what AUTO means there */
    int32_t threads, reserved;    /* CPU: cores we may run on */
    uint64_t memory_bytes;        /* of the device, all of it */
    char description[128];        /* "cpu avx2, oneDNN 2.6.3 (avx2)" */
    char reason[256];             /* AUTO: why this device and no other */
} oriel_device_info;
#define ORIEL_DEVICE_INFO_INIT ORIEL_INIT_(oriel_device_info)

/* Look at a device; AUTO: the one for encoders.  Threads: any.  ORIEL_ERR_DEVICE */
ORIEL_API oriel_status oriel_device_get_info(int32_t device,
    int32_t device_index, oriel_device_info *info, oriel_error *err);

struct oriel_encoder_options {
    uint32_t struct_size;
    int32_t device;         /* AUTO: CUDA if there is one, else CPU */
    int32_t device_index;   /* CUDA ordinal */
    int32_t precision;      /* ORIEL_PRECISION_* */
    int32_t threads;        /* CPU: 0 is every core we may run on */
    int32_t kernels;        /* CUDA: ORIEL_KERNELS_*; the CPU ignores it */
    int32_t graphs;         /* CUDA: ORIEL_GRAPHS_*; the CPU ignores it */
    int32_t checks;         /* CUDA: ORIEL_CHECKS_*; the CPU ignores it */
    size_t workspace_bytes; /* owned scratch; 0: the caller's; CUDA: + 32 MiB */
    const oriel_hooks *hooks;
    int32_t grow; /* 1: owned scratch grows with the plans; on CUDA refused */
    int32_t profile;   /* 1: milliseconds by step in a debug line of the log; on
                        CUDA without graphs, and every call waits */
    int32_t residual;  /* CUDA: ORIEL_RESIDUAL_*; the CPU ignores it */
    int32_t attention; /* CUDA: ORIEL_ATTENTION_*; the CPU has its own alone */
};
#define ORIEL_ENCODER_OPTIONS_INIT ORIEL_INIT_(oriel_encoder_options)

/* Tell how many bytes of scratch an encoder of these options needs on its device
   for this plan.  'options' may name CUDA where there is none; the answer for
   ORIEL_KERNELS_AUTO is the most that any device needs.  Threads: shared. */
ORIEL_API oriel_status oriel_plan_workspace_bytes(const oriel_plan *plan,
    const oriel_encoder_options *options, size_t *bytes, oriel_error *err);

/* Tell the weight_bytes of an encoder of these options, before it is made.  'model'
   may be a preset, 'options' may name CUDA where there is none.  No weight is read.
   Threads: shared.  ORIEL_ERR_UNSUPPORTED, _DEVICE (no CPU backend), _MEMORY */
ORIEL_API oriel_status oriel_model_device_bytes(const oriel_model *model,
    const oriel_encoder_options *options, uint64_t *bytes, oriel_error *err);

typedef struct oriel_encoder_info {
    uint32_t struct_size;
    int32_t device, device_index, precision, threads, reserved; /* as chosen */
    size_t workspace_bytes;
    uint64_t weight_bytes;   /* on the device, shared with others */
    const char *description; /* "cpu avx512_bf16, oneDNN 2.6.3, 2 threads" */
} oriel_encoder_info;
#define ORIEL_ENCODER_INFO_INIT ORIEL_INIT_(oriel_encoder_info)

/* Get an encoder's numbers.  Threads: shared. */
ORIEL_API oriel_status oriel_encoder_get_info(
    const oriel_encoder *encoder, oriel_encoder_info *info, oriel_error *err);

/* Enlarge the encoder's own scratch to at least 'bytes'; it never shrinks.  The call
   waits for the encoder's work and drops its graphs.  The old one is freed last: on
   failure it stays.  Threads: exclusive.  ORIEL_ERR_MEMORY, _CANCELLED, _FAULT, and
   _ARGUMENT once a call that the caller captured has used the encoder's scratch */
ORIEL_API oriel_status oriel_encoder_reserve(
    oriel_encoder *encoder, size_t bytes, oriel_error *err);

/* Do beforehand what the first encodes of this plan would do: allocate host memory
   for its frames, make the graph of its blocks; and build cuDNN's plan for it.  It
   may allocate, wait and take seconds; it touches no stream of the caller's; a second
   call does nothing.  Then an encode of the plan's embeddings in the encoder's own
   scratch (a caller's has no graph yet) allocates and builds nothing, while its graph
   is among the 8 kept.  A NULL plan prepares what needs none.  Threads: exclusive.
   ORIEL_ERR_ARGUMENT (a plan of another geometry), _CAPACITY (small scratch),
   _UNSUPPORTED, _MEMORY, _CANCELLED, _FAULT */
ORIEL_API oriel_status oriel_encoder_prepare(
    oriel_encoder *encoder, const oriel_plan *plan, oriel_error *err);

/* Ask if an encoder is idle: ORIEL_ERR_BUSY while a call is inside or its work is
   in flight, a caller's graphs aside; ORIEL_ERR_FAULT for ever after a fault of the
   device.  It never waits.  Threads: shared, also while another call is inside. */
ORIEL_API oriel_status oriel_encoder_status(
    oriel_encoder *encoder, oriel_error *err);

#ifdef __cplusplus
}
#endif
#endif /* ORIEL_H */
