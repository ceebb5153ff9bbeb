/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_abi.c - any sequence of calls of the ABI, on handles that exist, with any
 * numbers in the structs, while memory runs out or the caller cancels
 *
 * Nothing crashes and nothing leaks; every call writes its error, and every
 * create its handle or NULL.
 */
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"
#include "fuzz/tiny_folder.h"
#include "support/tiny_network.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLES = 3, ITEMS = 4, CALLS = 24, PIXELS = 64 * 64, ROWS = 4096 };
enum { MAX_ALLOC = 8 << 20 };

static struct {
    const oriel_model *models[HANDLES];
    oriel_plan *plans[HANDLES];
    oriel_encoder *encoders[HANDLES];
    bool cheap[HANDLES]; /* plans whose pictures and rows are small */
    long live;           /* blocks that were given out */
    uint8_t allocs;      /* until one fails; 0: none does */
    uint8_t cancels;     /* until the hook says yes; 0: never */
    fuzz_input input;
} state;

/* ---- Hooks ------------------------------------------------------------------ */

static void *
alloc(void *user, size_t bytes, size_t alignment)
{
    void *memory;

    (void)user;
    if (bytes > MAX_ALLOC || (state.allocs > 0 && --state.allocs == 0))
        return NULL;
    memory =
        aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
    if (memory)
        __atomic_fetch_add(&state.live, 1, __ATOMIC_RELAXED);
    return memory;
}

static void
release(void *user, void *memory)
{
    (void)user;
    if (memory)
        __atomic_fetch_sub(&state.live, 1, __ATOMIC_RELAXED);
    free(memory);
}

static int32_t
cancel(void *user)
{
    (void)user;
    return state.cancels > 0 && --state.cancels == 0;
}

static const oriel_hooks hooks = {.struct_size = sizeof(hooks),
                                  .alloc = alloc,
                                  .free = release,
                                  .cancel = cancel};

/* ---- What the calls are given ----------------------------------------------- */

static size_t
pick(void)
{
    return fuzz_take_u8(&state.input) % HANDLES;
}

/* A struct of any numbers; 'bytes' begins with its own size, mostly. */
static void
take_struct(void *out, uint32_t bytes)
{
    const uint8_t wrong = fuzz_take_u8(&state.input);

    fuzz_take(&state.input, out, bytes);
    if (wrong != 0xff)
        memcpy(out, &bytes, sizeof(bytes));
    else
        *(uint32_t *)out %= bytes + 1; /* never more than there is */
}

static oriel_plan_options
take_plan_options(void)
{
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;

    if (fuzz_take_u8(&state.input) % 2)
        take_struct(&options, sizeof(options));
    else
        options.min_pixels = options.video_min_pixels = 64;
    options.hooks = &hooks;
    return options;
}

static oriel_encoder_options
take_encoder_options(void)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;

    if (fuzz_take_u8(&state.input) % 4 == 3)
        take_struct(&options, sizeof(options));
    else
        options.workspace_bytes = 1 << 20;
    if (options.device != ORIEL_DEVICE_CPU && options.device < 3 &&
        options.device >= 0)
        options.device = ORIEL_DEVICE_CPU;
    options.threads =
        options.threads < 0 ? options.threads : 1 + options.threads % 2;
    options.hooks = &hooks;
    return options;
}

static size_t
take_items(oriel_item items[ITEMS], bool *cheap)
{
    const uint8_t flags = fuzz_take_u8(&state.input);
    const size_t n = flags % (ITEMS + 1);

    *cheap = !(flags & 0x80);
    memset(items, 0, ITEMS * sizeof(*items));
    for (size_t i = 0; i < n; i++)
        if (flags & 0x80) {
            fuzz_take(&state.input, &items[i], sizeof(items[i]));
        } else { /* sizes that are cheap to run */
            items[i].width = 1 + fuzz_take_u8(&state.input) % 64;
            items[i].height = 1 + fuzz_take_u8(&state.input) % 64;
            items[i].frames = fuzz_take_u8(&state.input) % 4;
        }
    return n;
}

static void
check(oriel_status status, const oriel_error *err)
{
    FUZZ_CHECK(status >= ORIEL_OK && status <= ORIEL_ERR_BUSY);
    FUZZ_CHECK(status != ORIEL_ERR_INTERNAL && status != ORIEL_ERR_FAULT);
    FUZZ_CHECK(err->status == status && !err->message[0] == !status);
    FUZZ_CHECK(!strchr(err->message, '\n'));
}

static void
check_made(oriel_status status, const oriel_error *err, const void *handle)
{
    check(status, err);
    FUZZ_CHECK(!status == (handle != NULL));
}

/* ---- Calls ------------------------------------------------------------------ */

/* The model that stays open is not the input's to destroy. */
static void
destroy_model(const oriel_model **model)
{
    if (*model != fuzz_tiny_model())
        oriel_model_destroy((oriel_model *)(uintptr_t)*model);
    *model = NULL;
}

/* To open a model takes ten times as long as the other calls together, so one
   input of four does it; the others take one that stays open. */
static void
open_model(void)
{
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    const oriel_model **at = &state.models[pick()];
    const uint8_t flags = fuzz_take_u8(&state.input);
    oriel_model *model;
    oriel_status status;
    oriel_error err;

    destroy_model(at);
    if (flags < 0xc0) {
        *at = fuzz_tiny_model();
        fuzz_accepted++;
        return;
    }
    options.hooks = &hooks;
    options.prefix = flags % 8 == 7 ? "other." : NULL;
    options.config_preset = flags % 16 == 14 ? "7b" : NULL;
    status = oriel_model_open(
        &model, flags % 32 == 31 ? "/nowhere" : fuzz_tiny_folder(), &options,
        &err);
    check_made(status, &err, model);
    fuzz_accepted += model != NULL;
    *at = model;
}

static void
ask_model(void)
{
    const oriel_model *model = state.models[pick()];
    oriel_model_info info = ORIEL_MODEL_INFO_INIT;
    char digest[33];
    oriel_error err;

    if (!model)
        return;
    take_struct(&info, sizeof(info));
    check(oriel_model_get_info(model, &info, &err), &err);
    check(oriel_model_digest(model, digest, &err), &err);
}

static void
make_plan(void)
{
    const oriel_model *model = state.models[pick()];
    const size_t at = pick();
    oriel_plan_options options = take_plan_options();
    oriel_item items[ITEMS];
    bool cheap;
    const size_t n = take_items(items, &cheap);
    oriel_status status;
    oriel_error err;

    if (!model)
        return;
    oriel_plan_destroy(state.plans[at]);
    status =
        oriel_plan_create(&state.plans[at], model, items, n, &options, &err);
    check_made(status, &err, state.plans[at]);
    state.cheap[at] = cheap;
    fuzz_accepted += state.plans[at] != NULL;
}

static void
make_plan_from_grids(void)
{
    const oriel_model *model = state.models[pick()];
    const size_t at = pick();
    oriel_plan_options options = take_plan_options();
    const size_t n = fuzz_take_u8(&state.input) % (ITEMS + 1);
    int64_t grids[3 * ITEMS] = {0};
    oriel_status status;
    oriel_error err;

    for (size_t i = 0; i < 3 * n; i++)
        grids[i] = (int8_t)fuzz_take_u8(&state.input);
    if (!model)
        return;
    oriel_plan_destroy(state.plans[at]);
    status = oriel_plan_create_from_grids(&state.plans[at], model, grids, n,
                                          &options, &err);
    check_made(status, &err, state.plans[at]);
    state.cheap[at] = true;
    fuzz_accepted += state.plans[at] != NULL;
}

static void
ask_plan(void)
{
    const oriel_plan *plan = state.plans[pick()];
    oriel_encoder_options options = take_encoder_options();
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_error err;
    size_t bytes;

    if (!plan)
        return;
    take_struct(&info, sizeof(info));
    check(oriel_plan_get_info(plan, &info, &err), &err);
    check(oriel_plan_workspace_bytes(plan, &options, &bytes, &err), &err);
}

static void
split_batch(void)
{
    const oriel_model *model = state.models[pick()];
    oriel_plan_options options = take_plan_options();
    oriel_budget budget = ORIEL_BUDGET_INIT;
    oriel_item items[ITEMS];
    bool cheap;
    const size_t n = take_items(items, &cheap);
    size_t ends[ITEMS], n_ends;
    int64_t grid[3], tokens;
    oriel_error err;

    if (!model)
        return;
    take_struct(&budget, sizeof(budget));
    check(oriel_plan_split(model, items, n, &options, &budget, ends, &n_ends,
                           &err),
          &err);
    check(oriel_item_measure(model, items, &options, grid, &tokens, &err),
          &err);
}

static void
make_encoder(void)
{
    const oriel_model *model = state.models[pick()];
    oriel_encoder **encoder = &state.encoders[pick()];
    oriel_encoder_options options = take_encoder_options();
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_status status;
    oriel_error err;

    if (!model)
        return;
    oriel_encoder_destroy(*encoder);
    status = oriel_encoder_create(encoder, model, &options, &err);
    check_made(status, &err, *encoder);
    if (*encoder) {
        take_struct(&info, sizeof(info));
        check(oriel_encoder_get_info(*encoder, &info, &err), &err);
    }
}

/* One picture for every frame, and room for every row.  Of a cheap plan only. */
static bool
fill_input(oriel_input *input, size_t at, oriel_plan_info *info)
{
    static const uint8_t pixels[3 * PIXELS];
    static const void *frames[4 * ITEMS];
    static const float values[ROWS * TINY_COLUMNS];

    *info = (oriel_plan_info)ORIEL_PLAN_INFO_INIT;
    *input = (oriel_input)ORIEL_INPUT_INIT;
    if (!state.plans[at] || !state.cheap[at])
        return false;
    FUZZ_CHECK(oriel_plan_get_info(state.plans[at], info, NULL) == ORIEL_OK);
    if (info->patches > ROWS || info->patch_columns != TINY_COLUMNS)
        return false;
    for (size_t i = 0; i < 4 * ITEMS; i++)
        frames[i] = pixels;
    if (fuzz_take_u8(&state.input) % 4 == 0) {
        input->pixel_values = values;
        input->pixel_values_bytes =
            (size_t)info->patches * sizeof(float[TINY_COLUMNS]);
    } else {
        input->frames = frames;
    }
    return true;
}

static void
encode(void)
{
    static float out[2][ROWS * TINY_HIDDEN];
    const size_t at = pick();
    oriel_encoder *encoder = state.encoders[pick()];
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_result results[2];
    oriel_plan_info info;
    oriel_input input;
    oriel_error err;

    if (!encoder || !fill_input(&input, at, &info))
        return;
    for (int i = 0; i < 2; i++) {
        const uint8_t flags = fuzz_take_u8(&state.input);

        results[i] = (oriel_result){
            .kind = flags % 4,
            .index = (int8_t)fuzz_take_u8(&state.input) % (TINY_DEPTH + 2),
            .dtype = flags / 4 % 5,
            .data = out[i],
            .bytes = flags & 0x40 ? flags : sizeof(out[i]),
            .row_bytes = flags & 0x80 ? flags : 0};
    }
    output.results = results;
    output.n_results = fuzz_take_u8(&state.input) % 3;
    check(oriel_encode(encoder, state.plans[at], &input, &output, NULL, &err),
          &err);
}

static void
preprocess(void)
{
    static float out[ROWS * TINY_COLUMNS];
    const size_t at = pick();
    oriel_plan_info info;
    oriel_input input;
    oriel_error err;

    if (!fill_input(&input, at, &info))
        return;
    check(oriel_preprocess(state.plans[at], &input, out,
                           (size_t)info.patches * sizeof(float[TINY_COLUMNS]) -
                               fuzz_take_u8(&state.input) % 2,
                           &err),
          &err);
}

static void
ask_device(void)
{
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;
    const uint8_t device = fuzz_take_u8(&state.input);
    oriel_error err;

    take_struct(&info, sizeof(info));
    check(oriel_device_get_info(device % 8 == 7 ? device : ORIEL_DEVICE_CPU,
                                device / 128, &info, &err),
          &err);
}

static void
destroy_one(void)
{
    const size_t at = pick();
    const uint8_t kind = fuzz_take_u8(&state.input) % 3;

    if (kind == 0) {
        destroy_model(&state.models[at]);
    } else if (kind == 1) {
        oriel_plan_destroy(state.plans[at]);
        state.plans[at] = NULL;
    } else {
        oriel_encoder_destroy(state.encoders[at]);
        state.encoders[at] = NULL;
    }
}

static void
arm_hooks(void)
{
    state.allocs = fuzz_take_u8(&state.input);
    state.cancels = fuzz_take_u8(&state.input);
}

static void (*const calls[])(void) = {
    open_model,   ask_model,   make_plan,   make_plan_from_grids,
    ask_plan,     split_batch, encode,      preprocess,
    make_encoder, ask_device,  destroy_one, arm_hooks,
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    memset(&state, 0, sizeof(state));
    state.input = (fuzz_input){data, bytes};
    for (int i = 0; i < CALLS && state.input.bytes > 0; i++)
        calls[fuzz_take_u8(&state.input) %
              (sizeof(calls) / sizeof(calls[0]))]();
    state.allocs = 0;
    for (int i = 0; i < HANDLES; i++) {
        destroy_model(&state.models[i]);
        oriel_plan_destroy(state.plans[i]);
        oriel_encoder_destroy(state.encoders[i]);
    }
    FUZZ_CHECK(state.live == 0);
    return 0;
}
