/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - oriel_device_verify: a module's own checks, and a whole network
 *
 * The network is probe_model.h's, on two pictures that are resized, with windows of
 * several sizes and whole frames.  The CPU backend in fp32 is what it is held
 * against.  It is not run where a kernel that computes places is wrong: an encoder
 * would then write anywhere.
 */
#include "encode/verify.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/version.h"
#include "encode/device.h"
#include "encode/module.h"
#include "model/probe_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES = 2 };
static const oriel_item items[PICTURES] = {{.width = 100, .height = 70},
                                           {.width = 150, .height = 60}};

/*
 * Relative L2 of bf16 on the GPU against fp32 on the CPU.  A rounding to bf16 moves
 * a value by 2^-8 at most, by 2^-9.8 in the mean square.  Some ten follow each other
 * in a block and four in the merger, independent of each other: sqrt(24) 2^-9.8, or
 * 5.5e-3.  Three times that is far from what any fault does.
 */
#define NETWORK_BOUND 1.6e-2

/* Checks that need an encoder. */
#define RESAMPLED "resample, patch_embed: pictures"
#define ALONE "a picture alone and in a batch"
#define THROUGH "two pictures through two blocks"

/* ---- Telling ------------------------------------------------------------------ */

typedef struct verification {
    const oriel_verify_options *options;
    oriel_verify_info info;
    oriel_verify_sink sink;
    int32_t device_index;
    char first[300]; /* the first check that failed */
    bool misplaces;  /* a kernel failed whose every byte is known */
    oriel_probe_model probe;
    oriel_plan *plan;
    unsigned char *rgb[PICTURES];
} verification;

static void
put(void *context, const oriel_check *check)
{
    verification *v = context;

    switch (check->verdict) {
    case ORIEL_VERDICT_PASSED:
        v->info.passed++;
        break;
    case ORIEL_VERDICT_SKIPPED:
        v->info.skipped++;
        break;
    default:
        if (v->info.failed++ == 0)
            snprintf(v->first, sizeof(v->first), "%s of %s: %.180s",
                     check->name, check->implementation, check->message);
        if (check->kind == ORIEL_CHECK_KERNEL && check->bound == 0)
            v->misplaces = true;
    }
    if (v->options->report)
        v->options->report(v->options->user, check);
}

static oriel_status
tell(verification *v, oriel_check check, oriel_error *err)
{
    check.struct_size = sizeof(check);
    if (!check.message)
        check.message = "";
    if (!check.verdict)
        check.verdict =
            check.message[0] ? ORIEL_VERDICT_FAILED : ORIEL_VERDICT_PASSED;
    put(v, &check);
    return oriel_cancel_check(v->sink.hooks, err);
}

/* A check that is not made, in one of the kinds that are wanted. */
static oriel_status
skip(verification *v, int32_t kind, const char *name, oriel_error *err)
{
    const oriel_check check = {.kind = kind,
                               .verdict = ORIEL_VERDICT_SKIPPED,
                               .name = name,
                               .implementation = "own kernels",
                               .message = "a kernel that places values failed, "
                                          "so an encoder would write anywhere"};

    return v->sink.only & kind ? tell(v, check, err) : ORIEL_OK;
}

/* ---- Pictures and results ------------------------------------------------------- */

static oriel_status
make_pictures(verification *v, oriel_error *err)
{
    oriel_status status = oriel_probe_model_open(&v->probe, err);

    if (!status)
        status = oriel_plan_create(&v->plan, v->probe.model, items, PICTURES,
                                   NULL, err);
    for (int i = 0; i < PICTURES && !status; i++) {
        const size_t n = (size_t)items[i].width * (size_t)items[i].height * 3;

        v->rgb[i] = oriel_alloc(v->sink.hooks, n);
        if (!v->rgb[i])
            return oriel_fail_memory(err, n, "a picture");
        for (size_t k = 0; k < n; k++) /* waves and noise */
            v->rgb[i][k] = (unsigned char)((k * 7 >> 3) + (k * k * 31 >> 7));
    }
    return status;
}

/* What an encode stores, in fp32. */
typedef struct outcome {
    float *values; /* embeddings, then a hidden state */
    size_t embeddings, hidden;
} outcome;

static void
free_outcome(const verification *v, outcome *o)
{
    oriel_free(v->sink.hooks, o->values);
    o->values = NULL;
}

static oriel_status
make_outcome(const verification *v, const oriel_plan *plan, outcome *o,
             oriel_error *err)
{
    oriel_model_info model = ORIEL_MODEL_INFO_INIT;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_status status = oriel_model_get_info(v->probe.model, &model, err);

    o->values = NULL;
    if (!status)
        status = oriel_plan_get_info(plan, &info, err);
    if (status)
        return status;
    o->embeddings = (size_t)info.tokens * (size_t)info.out_hidden_size;
    o->hidden = (size_t)info.patches * (size_t)model.hidden_size;
    o->values = oriel_calloc(v->sink.hooks, o->embeddings + o->hidden,
                             sizeof(*o->values));
    return o->values ? ORIEL_OK
                     : oriel_fail_memory(err, (o->embeddings + o->hidden) * 4,
                                         "a result");
}

/* Embeddings, and the hidden state after 'blocks' of them. */
static oriel_status
encode(oriel_encoder *encoder, const oriel_plan *plan, const oriel_input *input,
       int32_t blocks, const outcome *o, oriel_error *err)
{
    oriel_output output = ORIEL_OUTPUT_INIT;
    const oriel_result results[] = {{.kind = ORIEL_RESULT_EMBEDDINGS,
                                     .data = o->values,
                                     .bytes = o->embeddings * sizeof(float)},
                                    {.kind = ORIEL_RESULT_HIDDEN_STATE,
                                     .index = blocks,
                                     .data = o->values + o->embeddings,
                                     .bytes = o->hidden * sizeof(float)}};

    output.results = results;
    output.n_results = 2;
    return oriel_encode(encoder, plan, input, &output, NULL, err);
}

/* Who computes a network, and the status that says that it is not there. */
typedef struct runner {
    const char *name;
    int32_t device, kernels, attention;
    oriel_status absent; /* ORIEL_OK: it always is */
} runner;

static const runner reference = {.device = ORIEL_DEVICE_CPU};
/* What an encoder is that is left to choose. */
static const runner chosen = {.device = ORIEL_DEVICE_CUDA};
static const runner runners[] = {
    {"own kernels", ORIEL_DEVICE_CUDA, ORIEL_KERNELS_OWN, ORIEL_ATTENTION_OWN,
     ORIEL_OK},
    {"cuBLASLt", ORIEL_DEVICE_CUDA, ORIEL_KERNELS_CUBLASLT, ORIEL_ATTENTION_OWN,
     ORIEL_ERR_DEVICE},
    {"cuDNN", ORIEL_DEVICE_CUDA, ORIEL_KERNELS_OWN, ORIEL_ATTENTION_CUDNN,
     ORIEL_ERR_UNSUPPORTED},
    {"Hopper kernels", ORIEL_DEVICE_CUDA, ORIEL_KERNELS_HOPPER,
     ORIEL_ATTENTION_OWN, ORIEL_ERR_UNSUPPORTED},
};

static oriel_status
make_encoder(const verification *v, const runner *by, oriel_encoder **encoder,
             oriel_error *err)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_status status;

    *encoder = NULL;
    options.device = by->device;
    options.device_index =
        by->device == ORIEL_DEVICE_CUDA ? v->device_index : 0;
    options.precision = by->device == ORIEL_DEVICE_CPU ? ORIEL_PRECISION_FP32
                                                       : ORIEL_PRECISION_AUTO;
    options.kernels = by->kernels;
    options.attention = by->attention;
    options.hooks = v->options->hooks;
    status = oriel_plan_workspace_bytes(v->plan, &options,
                                        &options.workspace_bytes, err);
    return status
               ? status
               : oriel_encoder_create(encoder, v->probe.model, &options, err);
}

/* The pictures by an encoder of its own; both blocks. */
static oriel_status
encode_pictures(const verification *v, const runner *by, const outcome *o,
                oriel_error *err)
{
    const void *frames[PICTURES] = {v->rgb[0], v->rgb[1]};
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_encoder *encoder;
    oriel_status status = make_encoder(v, by, &encoder, err);

    input.frames = frames;
    if (!status)
        status = oriel_encoder_prepare(encoder, v->plan, err);
    if (!status)
        status = encode(encoder, v->plan, &input, 2, o, err);
    oriel_encoder_destroy(encoder);
    return status;
}

/* ---- The network ------------------------------------------------------------------ */

static double
distance(const float *a, const float *b, size_t n)
{
    double off = 0, size = 0;

    for (size_t i = 0; i < n; i++) {
        off += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(off / size);
}

static oriel_status
compare(verification *v, const char *implementation, const char *name,
        const float *found, const float *expected, size_t n, oriel_error *err)
{
    oriel_check check = {.kind = ORIEL_CHECK_NETWORK,
                         .name = name,
                         .implementation = implementation,
                         .error = distance(found, expected, n),
                         .bound = NETWORK_BOUND};

    if (!(check.error <= check.bound))
        check.message = "too far from the CPU backend in fp32 (relative L2)";
    return tell(v, check, err);
}

static oriel_status
check_network(verification *v, const outcome *expected, outcome *found,
              oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (size_t i = 0; i < sizeof(runners) / sizeof(runners[0]) && !status;
         i++) {
        oriel_error why;
        oriel_status ran = encode_pictures(v, &runners[i], found, &why);
        const oriel_check check = {.kind = ORIEL_CHECK_NETWORK,
                                   .verdict = ran == runners[i].absent
                                                  ? ORIEL_VERDICT_SKIPPED
                                                  : ORIEL_VERDICT_FAILED,
                                   .name = THROUGH,
                                   .implementation = runners[i].name,
                                   .message = why.message};

        if (ran) {
            status = tell(v, check, err);
            continue;
        }
        status = compare(v, runners[i].name, "two pictures: hidden states",
                         found->values + found->embeddings,
                         expected->values + expected->embeddings,
                         expected->hidden, err);
        if (!status)
            status = compare(v, runners[i].name, "two pictures: embeddings",
                             found->values, expected->values,
                             expected->embeddings, err);
    }
    return status;
}

static oriel_status
verify_network(verification *v, oriel_error *err)
{
    outcome expected, found = {0};
    oriel_error why;
    oriel_status status = make_outcome(v, v->plan, &expected, err);

    if (!status)
        status = make_outcome(v, v->plan, &found, err);
    if (!status) {
        oriel_status ran = encode_pictures(v, &reference, &expected, &why);
        const oriel_check check = {.kind = ORIEL_CHECK_NETWORK,
                                   .verdict = ORIEL_VERDICT_SKIPPED,
                                   .name = THROUGH,
                                   .implementation = "the CPU backend",
                                   .message = why.message};

        status = ran ? tell(v, check, err)
                     : check_network(v, &expected, &found, err);
    }
    free_outcome(v, &expected);
    free_outcome(v, &found);
    return status;
}

/* ---- Bytes -------------------------------------------------------------------------- */

/* The patch embedding of pictures that the GPU resampled is that of the patches that
   the host cut from them: to the byte. */
static oriel_status
compare_patches(verification *v, oriel_encoder *encoder, outcome *a, outcome *b,
                bool *same, oriel_error *err)
{
    const void *frames[PICTURES] = {v->rgb[0], v->rgb[1]};
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_input pictures = ORIEL_INPUT_INIT, patches = ORIEL_INPUT_INIT;
    float *values = NULL;
    oriel_status status = oriel_plan_get_info(v->plan, &info, err);

    pictures.frames = frames;
    patches.pixel_values_bytes =
        (size_t)info.patches * (size_t)info.patch_columns * sizeof(float);
    if (!status) {
        values = oriel_alloc(v->sink.hooks, patches.pixel_values_bytes);
        if (!values)
            status =
                oriel_fail_memory(err, patches.pixel_values_bytes, "patches");
    }
    patches.pixel_values = values;
    if (!status)
        status = oriel_preprocess(v->plan, &pictures, values,
                                  patches.pixel_values_bytes, err);
    if (!status)
        status = encode(encoder, v->plan, &pictures, 0, a, err);
    if (!status)
        status = encode(encoder, v->plan, &patches, 0, b, err);
    oriel_free(v->sink.hooks, values);
    *same =
        !status && memcmp(a->values + a->embeddings, b->values + b->embeddings,
                          a->hidden * sizeof(float)) == 0;
    return status;
}

/* The second picture alone has the bytes that it has after the first. */
static oriel_status
compare_alone(verification *v, oriel_encoder *encoder, outcome *all, bool *same,
              oriel_error *err)
{
    const void *frames[PICTURES] = {v->rgb[0], v->rgb[1]};
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_plan *alone = NULL;
    outcome one = {0};
    oriel_status status =
        oriel_plan_create(&alone, v->probe.model, &items[1], 1, NULL, err);

    if (!status)
        status = make_outcome(v, alone, &one, err);
    input.frames = frames;
    if (!status)
        status = encode(encoder, v->plan, &input, 2, all, err);
    input.frames = &frames[1];
    if (!status)
        status = encode(encoder, alone, &input, 2, &one, err);
    *same = !status && memcmp(all->values + all->embeddings - one.embeddings,
                              one.values, one.embeddings * sizeof(float)) == 0;
    free_outcome(v, &one);
    oriel_plan_destroy(alone);
    return status;
}

/* A check that could not be made has failed too: the device is in question. */
static oriel_status
tell_same(verification *v, oriel_check check, oriel_status ran, bool same,
          const char *otherwise, const oriel_error *why, oriel_error *err)
{
    if (ran)
        check.message = why->message;
    else if (!same)
        check.message = otherwise;
    return tell(v, check, err);
}

static oriel_status
verify_bytes(verification *v, oriel_error *err)
{
    outcome a = {0}, b = {0};
    oriel_encoder *encoder = NULL;
    oriel_error why;
    bool same = false;
    oriel_status ran, status = make_outcome(v, v->plan, &a, err);

    if (!status)
        status = make_outcome(v, v->plan, &b, err);
    ran = status ? status : make_encoder(v, &runners[0], &encoder, &why);
    if (!status && v->sink.only & ORIEL_CHECK_KERNEL) {
        const oriel_check check = {.kind = ORIEL_CHECK_KERNEL,
                                   .name = RESAMPLED,
                                   .implementation = "own kernels"};

        if (encoder)
            ran = compare_patches(v, encoder, &a, &b, &same, &why);
        status = tell_same(v, check, ran, same,
                           "other bytes than of patches that the host made",
                           &why, err);
    }
    if (!status && v->sink.only & ORIEL_CHECK_INVARIANCE) {
        const oriel_check check = {.kind = ORIEL_CHECK_INVARIANCE,
                                   .name = ALONE,
                                   .implementation = "own kernels"};

        if (encoder)
            ran = compare_alone(v, encoder, &a, &same, &why);
        status = tell_same(v, check, ran, same,
                           "other bytes alone than after another picture", &why,
                           err);
    }
    oriel_encoder_destroy(encoder);
    free_outcome(v, &a);
    free_outcome(v, &b);
    return status;
}

/* ---- All ------------------------------------------------------------------------------ */

static oriel_status
skip_encoders(verification *v, oriel_error *err)
{
    oriel_status status = skip(v, ORIEL_CHECK_KERNEL, RESAMPLED, err);

    if (!status)
        status = skip(v, ORIEL_CHECK_INVARIANCE, ALONE, err);
    return status ? status : skip(v, ORIEL_CHECK_NETWORK, THROUGH, err);
}

static oriel_status
run_encoders(verification *v, oriel_error *err)
{
    const int32_t only = v->sink.only;
    oriel_status status = ORIEL_OK;

    if (only & (ORIEL_CHECK_KERNEL | ORIEL_CHECK_INVARIANCE))
        status = verify_bytes(v, err);
    if (!status && only & ORIEL_CHECK_NETWORK)
        status = verify_network(v, err);
    return status;
}

static oriel_status
verify_module(verification *v, oriel_error *err)
{
    const oriel_verify_job job = {.device_index = v->device_index,
                                  .plan = v->plan,
                                  .sink = &v->sink,
                                  .card = v->info.card,
                                  .card_bytes = sizeof(v->info.card)};
    oriel_verify_entry_fn *entry;
    void *symbol;
    oriel_status status = oriel_module_find(&symbol, ORIEL_DEVICE_CUDA,
                                            "oriel_verify_entry", err);

    if (status)
        return status;
    if (!symbol)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "liboriel-cuda.so has no checks, expected one of "
                          "version " ORIEL_VERSION_STRING);
    memcpy(&entry, &symbol, sizeof(entry));
    return entry(ORIEL_VERSION_STRING, &job, err);
}

/* What an encoder would run that is left to choose. */
static void
describe_choice(verification *v)
{
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_encoder *encoder;
    oriel_error err;
    oriel_status status = make_encoder(v, &chosen, &encoder, &err);

    if (!status)
        status = oriel_encoder_get_info(encoder, &info, &err);
    snprintf(v->info.choice, sizeof(v->info.choice), "%.240s",
             status ? err.message : info.description);
    oriel_encoder_destroy(encoder);
}

static oriel_status
verify(verification *v, oriel_error *err)
{
    oriel_status status = make_pictures(v, err);

    if (!status)
        status = verify_module(v, err);
    if (!status)
        status = v->misplaces ? skip_encoders(v, err) : run_encoders(v, err);
    if (!status)
        describe_choice(v);
    for (int i = 0; i < PICTURES; i++)
        oriel_free(v->sink.hooks, v->rgb[i]);
    oriel_plan_destroy(v->plan);
    oriel_probe_model_close(&v->probe);
    return status;
}

/* The device that is meant; the CPU has nothing to verify. */
static oriel_status
choose(verification *v, oriel_error *err)
{
    const oriel_verify_options *o = v->options;
    const oriel_backend *backend;
    oriel_device_info info;

    if (o->device == ORIEL_DEVICE_CPU)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "only GPUs are verified, expected device "
                          "ORIEL_DEVICE_CUDA");
    if (o->device != ORIEL_DEVICE_AUTO && o->device != ORIEL_DEVICE_CUDA)
        return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                          "device is %d, expected ORIEL_DEVICE_AUTO or _CUDA",
                          o->device);
    v->device_index = o->device_index;
    return oriel_device_choose(&backend, ORIEL_DEVICE_CUDA, o->device_index,
                               ORIEL_DEVICE_TO_RUN, &info, err);
}

oriel_status
oriel_device_verify(const oriel_verify_options *options,
                    oriel_verify_info *info, oriel_error *err)
{
    enum { ALL = 2 * ORIEL_CHECK_OCCUPANCY - 1 };
    oriel_verify_options loaded;
    oriel_hooks hooks;
    verification v = {.options = &loaded};
    oriel_status status =
        oriel_options_load(&loaded, sizeof(loaded), sizeof(loaded), options,
                           "oriel_verify_options", err);

    if (!status)
        status = oriel_hooks_load(&hooks, loaded.hooks, err);
    if (!status && (loaded.only < 0 || loaded.only > ALL))
        status = oriel_fail(err, ORIEL_ERR_ARGUMENT,
                            "only is %d, expected bits of ORIEL_CHECK_*",
                            loaded.only);
    if (!status)
        status = choose(&v, err);
    if (status)
        return status;
    v.sink =
        (oriel_verify_sink){loaded.only ? loaded.only : ALL, &hooks, put, &v};
    status = verify(&v, err);
    if (!status && info)
        status = oriel_info_store(info, &v.info, sizeof(v.info), sizeof(v.info),
                                  "oriel_verify_info", err);
    if (status)
        return status;
    if (v.info.failed)
        return oriel_fail(err, ORIEL_ERR_FAULT, "%d of %d checks failed: %s",
                          (int)v.info.failed,
                          (int)(v.info.failed + v.info.passed), v.first);
    return oriel_ok(err);
}
