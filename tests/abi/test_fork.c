/* SPDX-License-Identifier: Apache-2.0 */
/* test_fork.c - what a child may do with its parent's handles, and with its own */
#include "abi/small_checkpoint.h"
#include "oriel.h"
#include "support/child.h"
#include "support/suite.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- Allocations that are counted ------------------------------------------ */

static void *
count_alloc(void *user, size_t bytes, size_t alignment)
{
    int *live = user;
    void *memory = NULL;

    if (posix_memalign(&memory, alignment, bytes ? bytes : 1))
        return NULL;
    (*live)++;
    return memory;
}

static void
count_free(void *user, void *memory)
{
    int *live = user;

    *live -= memory != NULL;
    free(memory);
}

/* ---- One process's handles ------------------------------------------------- */

static const oriel_item item = {40, 24, 1, 40, 24, 0};
enum { N_TOKENS = 5 * 3 };

typedef struct handles {
    int live; /* allocations */
    oriel_hooks hooks;
    oriel_model *model;
    oriel_plan *plan;
    oriel_encoder *encoder, *second; /* on the same weights */
    float embeddings[N_TOKENS * TINY_OUT];
} handles;

static oriel_status
make_encoder(oriel_encoder **out, const handles *h, oriel_error *err)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_status status;

    options.device = ORIEL_DEVICE_CPU;
    options.precision = ORIEL_PRECISION_FP32;
    options.threads = 2;
    options.hooks = &h->hooks;
    status = oriel_plan_workspace_bytes(h->plan, &options,
                                        &options.workspace_bytes, err);
    return status ? status : oriel_encoder_create(out, h->model, &options, err);
}

static oriel_status
encode(handles *h, oriel_encoder *encoder, oriel_error *err)
{
    static unsigned char pixels[24 * 40 * 3];
    const void *frames[] = {pixels};
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS,
                           .data = h->embeddings,
                           .bytes = sizeof(h->embeddings)};

    for (size_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = (unsigned char)(i * i >> 3);
    memset(h->embeddings, 0xff, sizeof(h->embeddings));
    input.frames = frames;
    output.results = &result;
    output.n_results = 1;
    return oriel_encode(encoder, h->plan, &input, &output, NULL, err);
}

static oriel_status
open_handles(handles *h, const char *folder, oriel_error *err)
{
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;
    oriel_plan_options plan_options = ORIEL_PLAN_OPTIONS_INIT;
    oriel_status status;

    *h = (handles){.hooks = ORIEL_HOOKS_INIT};
    h->hooks.user = &h->live;
    h->hooks.alloc = count_alloc;
    h->hooks.free = count_free;
    options.hooks = plan_options.hooks = &h->hooks;
    status = oriel_model_open(&h->model, folder, &options, err);
    if (!status)
        status =
            oriel_plan_create(&h->plan, h->model, &item, 1, &plan_options, err);
    if (!status)
        status = make_encoder(&h->encoder, h, err);
    if (!status)
        status = make_encoder(&h->second, h, err);
    return status ? status : encode(h, h->encoder, err);
}

static void
close_handles(handles *h)
{
    oriel_encoder_destroy(h->encoder);
    oriel_plan_destroy(h->plan);
    oriel_model_destroy(h->model);
    oriel_encoder_destroy(h->second);
}

/* ---- The parent's handles, in a child -------------------------------------- */

static bool
is_refused(oriel_status status, const oriel_error *err)
{
    return status == ORIEL_ERR_ARGUMENT && err->status == status &&
           err->item == -1 && strstr(err->message, "made before fork()");
}

static int
use_what_the_parent_made(void *context)
{
    handles *h = context;
    oriel_encoder_info encoder_info = ORIEL_ENCODER_INFO_INIT;
    oriel_model_info model_info = ORIEL_MODEL_INFO_INIT;
    oriel_encoder *made = h->encoder;
    char digest[33];
    oriel_error err;

    CHILD_MUST(is_refused(encode(h, h->encoder, &err), &err));
    CHILD_MUST(strncmp(err.message, "the encoder", 11) == 0);
    CHILD_MUST(is_refused(oriel_encoder_reserve(h->encoder, 1, &err), &err));
    CHILD_MUST(
        is_refused(oriel_encoder_prepare(h->encoder, h->plan, &err), &err));
    CHILD_MUST(is_refused(oriel_encoder_status(h->encoder, &err), &err));
    CHILD_MUST(is_refused(oriel_model_digest(h->model, digest, &err), &err));
    CHILD_MUST(strncmp(err.message, "the model", 9) == 0);
    CHILD_MUST(is_refused(make_encoder(&made, h, &err), &err));
    CHILD_MUST(made == NULL);
    CHILD_MUST(!oriel_encoder_get_info(h->encoder, &encoder_info, NULL));
    CHILD_MUST(encoder_info.threads == 2 && encoder_info.weight_bytes > 0);
    CHILD_MUST(!oriel_model_get_info(h->model, &model_info, NULL));
    CHILD_MUST(model_info.hidden_size == TINY_HIDDEN);
    close_handles(h);
    CHILD_MUST(h->live == 0);
    return 0;
}

START_TEST(handles_of_the_parent_are_refused)
{
    static handles h;
    char *folder = checkpoint_folder();
    float before[N_TOKENS * TINY_OUT];
    char digest[33];
    oriel_error err;

    ck_assert_msg(!open_handles(&h, folder, &err), "%s", err.message);
    memcpy(before, h.embeddings, sizeof(before));
    if (_i) /* one that the model remembers is refused as well */
        ck_assert_int_eq(oriel_model_digest(h.model, digest, &err), ORIEL_OK);
    run_in_child(use_what_the_parent_made, &h);
    ck_assert_int_eq(encode(&h, h.encoder, &err), ORIEL_OK);
    ck_assert_mem_eq(h.embeddings, before, sizeof(before));
    close_handles(&h);
    ck_assert_int_eq(h.live, 0);
    checkpoint_remove(folder);
}
END_TEST

/* ---- Plans ------------------------------------------------------------------ */

static int
plan_with_what_the_parent_made(void *context)
{
    handles *h = context;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_plan *plan;
    int64_t tokens;
    size_t bytes, end, n_ends;

    options.device = ORIEL_DEVICE_CPU;
    CHILD_MUST(!oriel_plan_get_info(h->plan, &info, NULL));
    CHILD_MUST(info.tokens == N_TOKENS);
    CHILD_MUST(!oriel_plan_create(&plan, h->model, &item, 1, NULL, NULL));
    CHILD_MUST(!oriel_plan_get_info(plan, &info, NULL));
    CHILD_MUST(info.tokens == N_TOKENS);
    CHILD_MUST(!oriel_plan_workspace_bytes(plan, &options, &bytes, NULL));
    CHILD_MUST(!oriel_item_measure(h->model, &item, NULL, NULL, &tokens, NULL));
    CHILD_MUST(tokens == N_TOKENS);
    CHILD_MUST(
        !oriel_plan_split(h->model, &item, 1, NULL, NULL, &end, &n_ends, NULL));
    CHILD_MUST(n_ends == 1 && end == 1);
    oriel_plan_destroy(plan);
    close_handles(h);
    CHILD_MUST(h->live == 0);
    return 0;
}

START_TEST(plans_work_in_a_child)
{
    static handles h;
    char *folder = checkpoint_folder();
    oriel_error err;

    ck_assert_msg(!open_handles(&h, folder, &err), "%s", err.message);
    run_in_child(plan_with_what_the_parent_made, &h);
    close_handles(&h);
    checkpoint_remove(folder);
}
END_TEST

/* ---- The child's own handles ------------------------------------------------ */

typedef struct family {
    handles parent;
    const char *folder;
} family;

static int
make_handles(void *context)
{
    static handles own;
    family *f = context;
    oriel_error err;

    CHILD_MUST(!open_handles(&own, f->folder, &err));
    CHILD_MUST(memcmp(own.embeddings, f->parent.embeddings,
                      sizeof(own.embeddings)) == 0);
    close_handles(&own);
    CHILD_MUST(own.live == 0);
    close_handles(&f->parent);
    CHILD_MUST(f->parent.live == 0);
    return 0;
}

/* The same bytes from handles that the child made. */
START_TEST(handles_of_the_child_work)
{
    static family f;
    char *folder = checkpoint_folder();
    oriel_error err;

    f.folder = folder;
    ck_assert_msg(!open_handles(&f.parent, folder, &err), "%s", err.message);
    run_in_child(make_handles, &f);
    close_handles(&f.parent);
    checkpoint_remove(folder);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("abi_fork");
    TCase *tc = tcase_create("fork");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, handles_of_the_parent_are_refused, 0, 2);
    tcase_add_test(tc, plans_work_in_a_child);
    tcase_add_test(tc, handles_of_the_child_work);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
