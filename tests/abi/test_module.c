/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_module.c - which backend is loaded, and what its failures become
 *
 * Folders made by the build hold a copy of liboriel.so each, and beside it: a
 * backend whose devices fail; one of another version; none at all.  The copy
 * is opened with dlopen, as a binding of another language does.
 */
#include "abi/small_checkpoint.h"
#include "oriel.h"
#include "support/suite.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The functions called here, from the copy. */
static struct library {
    __typeof__(oriel_device_get_info) *device_get_info;
    __typeof__(oriel_model_open) *model_open;
    __typeof__(oriel_model_preset) *model_preset;
    __typeof__(oriel_model_device_bytes) *model_device_bytes;
    __typeof__(oriel_model_destroy) *model_destroy;
    __typeof__(oriel_plan_create) *plan_create;
    __typeof__(oriel_plan_destroy) *plan_destroy;
    __typeof__(oriel_plan_workspace_bytes) *plan_workspace;
    __typeof__(oriel_encoder_create) *encoder_create;
    __typeof__(oriel_encoder_destroy) *encoder_destroy;
    __typeof__(oriel_encode) *encode;
} lib;

static void *
symbol(void *handle, const char *name)
{
    void *found = dlsym(handle, name);

    ck_assert_msg(found != NULL, "%s", name);
    return found;
}

static void
load(const char *folder)
{
    char path[4096];
    void *handle;

    snprintf(path, sizeof(path), "%s/liboriel.so.%d", folder,
             ORIEL_ABI_VERSION);
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(handle != NULL, "%s", dlerror());
    lib.device_get_info = symbol(handle, "oriel_device_get_info");
    lib.model_open = symbol(handle, "oriel_model_open");
    lib.model_preset = symbol(handle, "oriel_model_preset");
    lib.model_device_bytes = symbol(handle, "oriel_model_device_bytes");
    lib.model_destroy = symbol(handle, "oriel_model_destroy");
    lib.plan_create = symbol(handle, "oriel_plan_create");
    lib.plan_destroy = symbol(handle, "oriel_plan_destroy");
    lib.plan_workspace = symbol(handle, "oriel_plan_workspace_bytes");
    lib.encoder_create = symbol(handle, "oriel_encoder_create");
    lib.encoder_destroy = symbol(handle, "oriel_encoder_destroy");
    lib.encode = symbol(handle, "oriel_encode");
}

/* ---- Which module ------------------------------------------------------- */

static oriel_status
ask(int32_t device, int32_t index, oriel_device_info *info, oriel_error *err)
{
    *info = (oriel_device_info)ORIEL_DEVICE_INFO_INIT;
    return lib.device_get_info(device, index, info, err);
}

START_TEST(module_beside_the_library)
{
    oriel_device_info info;
    oriel_error err;

    load(FAILING_FOLDER);
    ck_assert_msg(!ask(ORIEL_DEVICE_CUDA, 1, &info, &err), "%s", err.message);
    ck_assert_str_eq(info.description, "a device that fails");
    ck_assert_int_eq(info.device, ORIEL_DEVICE_CUDA);
    ck_assert_int_eq(info.device_index, 1);

    ck_assert_int_eq(ask(ORIEL_DEVICE_AUTO, 0, &info, &err), ORIEL_OK);
    ck_assert_int_eq(info.device, ORIEL_DEVICE_CUDA);
    ck_assert_uint_gt(strlen(info.reason), 0);

    ck_assert_int_eq(ask(ORIEL_DEVICE_CUDA, 4, &info, &err), ORIEL_ERR_DEVICE);
    ck_assert_int_eq(err.cause, 700);
    ck_assert_str_eq(err.message, "no such failing device");
    ck_assert_int_eq(ask(ORIEL_DEVICE_CPU, 0, &info, &err), ORIEL_ERR_DEVICE);
    ck_assert_msg(strstr(err.message, "liboriel-cpu.so"), "%s", err.message);
}
END_TEST

START_TEST(module_of_another_version)
{
    oriel_device_info info;
    oriel_error err;

    load(STALE_FOLDER);
    ck_assert_int_eq(ask(ORIEL_DEVICE_CUDA, 0, &info, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_msg(strstr(err.message, "version"), "%s", err.message);
}
END_TEST

/* Neither the working folder nor the environment leads to a module. */
START_TEST(module_from_nowhere_else)
{
    oriel_device_info info;
    oriel_error err;

    ck_assert_int_eq(chdir(FAILING_FOLDER), 0);
    ck_assert_int_eq(setenv("LD_LIBRARY_PATH", FAILING_FOLDER, 1), 0);
    load(ALONE_FOLDER);
    ck_assert_int_eq(ask(ORIEL_DEVICE_CUDA, 0, &info, &err), ORIEL_ERR_DEVICE);
    ck_assert_int_eq(ask(ORIEL_DEVICE_AUTO, 0, &info, &err), ORIEL_ERR_DEVICE);
    ck_assert_msg(strstr(err.message, "liboriel-cpu.so"), "%s", err.message);
}
END_TEST

static void
plan_alone(int32_t device, size_t *bytes)
{
    static const oriel_item item = {640, 480, 1, 0, 0, 0};
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    char *folder = checkpoint_folder();
    oriel_model *model;
    oriel_plan *plan;
    oriel_error err;

    ck_assert_msg(!lib.model_open(&model, folder, NULL, &err), "%s",
                  err.message);
    ck_assert_int_eq(lib.plan_create(&plan, model, &item, 1, NULL, &err),
                     ORIEL_OK);
    options.device = device;
    options.threads = 2;
    ck_assert_msg(!lib.plan_workspace(plan, &options, bytes, &err), "%s",
                  err.message);
    lib.plan_destroy(plan);
    lib.model_destroy(model);
    checkpoint_remove(folder);
}

static bool
is_loaded(const char *library)
{
    char line[4096];
    FILE *maps = fopen("/proc/self/maps", "r");
    bool found = false;

    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof(line), maps))
        found = found || strstr(line, library);
    fclose(maps);
    return found;
}

/* Planning for the CPU needs no backend, and loads none that is there. */
START_TEST(planning_without_a_module)
{
    size_t named = 0, chosen = 0;

    load(ALONE_FOLDER);
    plan_alone(ORIEL_DEVICE_CPU, &named);
    plan_alone(ORIEL_DEVICE_AUTO, &chosen);
    ck_assert_uint_gt(named, 1000);
    ck_assert_uint_eq(named, chosen);
}
END_TEST

START_TEST(planning_loads_no_module)
{
    oriel_device_info info;
    size_t bytes, again;
    oriel_error err;

    load(BUILD_FOLDER);
    plan_alone(ORIEL_DEVICE_CPU, &bytes);
    ck_assert(!is_loaded("liboriel-cpu.so"));
    plan_alone(ORIEL_DEVICE_AUTO, &again);
    ck_assert(!is_loaded("liboriel-cpu.so"));
    ck_assert(!is_loaded("libdnnl"));
    /* What would be loaded is seen by the same means. */
    ck_assert_msg(!ask(ORIEL_DEVICE_CPU, 0, &info, &err), "%s", err.message);
    ck_assert(is_loaded("liboriel-cpu.so"));
    ck_assert(is_loaded("libdnnl"));
}
END_TEST

/* Loaded by a relative path: its folder is still its folder afterwards. */
START_TEST(module_of_a_relative_library)
{
    oriel_device_info info;
    oriel_error err;

    ck_assert_int_eq(chdir(FAILING_FOLDER), 0);
    load(".");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_msg(!ask(ORIEL_DEVICE_CUDA, 0, &info, &err), "%s", err.message);
    ck_assert_str_eq(info.description, "a device that fails");
}
END_TEST

/* ---- What needs no module ------------------------------------------------ */

/* A tensor of bf16 at a multiple of 256 bytes. */
static uint64_t
tensor(uint64_t rows, uint64_t columns)
{
    return (rows * columns * 2 + 255) / 256 * 256;
}

/* The published sizes on a GPU, as host/cuda/weights.h tells how they lie: a patch's
   14 lines of two moments padded to 48 values, gate, up and down to a multiple of
   64; then cos and sin of 2048 positions, and levels of 4 flavours. */
static uint64_t
weights_on_cuda(uint64_t intermediate, uint64_t out)
{
    const uint64_t hidden = 1280, merged = 4 * hidden;
    const uint64_t padded = (intermediate + 63) / 64 * 64;
    const uint64_t block =
        2 * tensor(hidden, 1) +                              /* norms */
        tensor(3 * hidden, hidden) + tensor(3 * hidden, 1) + /* qkv */
        tensor(hidden, hidden) + tensor(hidden, 1) +         /* proj */
        tensor(2 * padded, hidden) + tensor(2 * padded, 1) + /* gate, up */
        tensor(hidden, padded) + tensor(hidden, 1);          /* down */

    return tensor(hidden, 14 * 2 * 48) + 32 * block + tensor(hidden, 1) +
           tensor(merged, merged) + tensor(merged, 1) + tensor(out, merged) +
           tensor(out, 1) + 2048 * (80 / 4) * 2 * sizeof(float) +
           4 * 3 * 256 * 2;
}

START_TEST(cuda_weights_are_told_without_cuda)
{
    static const struct {
        const char *name;
        uint64_t intermediate, out;
    } presets[] = {{"qwen2.5-vl-3b", 3420, 2048},
                   {"qwen2.5-vl-7b", 3420, 3584},
                   {"qwen2.5-vl-32b", 3456, 5120},
                   {"qwen2.5-vl-72b", 3456, 8192}};
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_error err;
    uint64_t bytes;

    load(ALONE_FOLDER);
    options.device = ORIEL_DEVICE_CUDA;
    for (size_t i = 0; i < COUNT(presets); i++) {
        ck_assert_msg(!lib.model_device_bytes(lib.model_preset(presets[i].name),
                                              &options, &bytes, &err),
                      "%s", err.message);
        ck_assert_uint_eq(
            bytes, weights_on_cuda(presets[i].intermediate, presets[i].out));
    }
    options.device = ORIEL_DEVICE_CPU; /* oneDNN alone knows */
    ck_assert_int_eq(lib.model_device_bytes(lib.model_preset("qwen2.5-vl-7b"),
                                            &options, &bytes, &err),
                     ORIEL_ERR_DEVICE);
    ck_assert_msg(strstr(err.message, "liboriel-cpu.so"), "%s", err.message);
}
END_TEST

/* Scratch of 'n' photographs of 448 x 448 as they come, 1024 patches each. */
static size_t
workspace_on_cuda(size_t n, int32_t kernels)
{
    static const oriel_item items[] = {{448, 448, 1, 448, 448, 0},
                                       {448, 448, 1, 448, 448, 0}};
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_plan *plan;
    oriel_error err;
    size_t bytes;

    ck_assert_int_eq(lib.plan_create(&plan, lib.model_preset("qwen2.5-vl-7b"),
                                     items, n, NULL, &err),
                     ORIEL_OK);
    options.device = ORIEL_DEVICE_CUDA;
    options.kernels = kernels;
    ck_assert_msg(!lib.plan_workspace(plan, &options, &bytes, &err), "%s",
                  err.message);
    lib.plan_destroy(plan);
    return bytes;
}

START_TEST(cuda_workspace_is_told_without_cuda)
{
    /* In MLP_IN: residual, normalised rows and the inner ones, bf16. */
    const size_t least = 1024 * (1280 + 1280 + 3456) * 2;
    const size_t gate_up = 1024 * 2 * 3456 * 2;
    size_t one, two;

    load(ALONE_FOLDER);
    one = workspace_on_cuda(1, ORIEL_KERNELS_OWN);
    two = workspace_on_cuda(2, ORIEL_KERNELS_OWN);
    ck_assert_uint_ge(one, least);
    ck_assert_uint_lt(one, 2 * least);
    ck_assert_uint_ge(two - one, least);
    ck_assert_uint_le(two, 2 * one);
    ck_assert_uint_ge(workspace_on_cuda(1, ORIEL_KERNELS_CUBLASLT),
                      least + gate_up);
    ck_assert_uint_le(workspace_on_cuda(1, ORIEL_KERNELS_CUBLASLT),
                      one + gate_up);
    ck_assert_uint_ge(workspace_on_cuda(1, ORIEL_KERNELS_AUTO), one);
}
END_TEST

/* ---- What failures become ----------------------------------------------- */

static _Alignas(16) unsigned char pixels[16 * 16 * 3];
static _Alignas(16) float embeddings[4][32];

typedef struct session {
    char *folder;
    oriel_model *model;
    oriel_plan *plan;
    oriel_encoder *encoder;
} session;

static session
start(int32_t device_index)
{
    static const oriel_item item = {16, 16, 1, 16, 16, 0};
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    session s = {.folder = checkpoint_folder()};
    oriel_error err;

    load(FAILING_FOLDER);
    ck_assert_msg(!lib.model_open(&s.model, s.folder, NULL, &err), "%s",
                  err.message);
    ck_assert_int_eq(lib.plan_create(&s.plan, s.model, &item, 1, NULL, &err),
                     ORIEL_OK);
    options.device = ORIEL_DEVICE_CUDA;
    options.device_index = device_index;
    ck_assert_int_eq(
        lib.plan_workspace(s.plan, &options, &options.workspace_bytes, &err),
        ORIEL_OK);
    ck_assert_msg(!lib.encoder_create(&s.encoder, s.model, &options, &err),
                  "%s", err.message);
    return s;
}

static oriel_status
encode(const session *s, oriel_error *err)
{
    const void *frames[] = {pixels};
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS,
                           .data = embeddings,
                           .bytes = sizeof(embeddings),
                           .row_bytes = sizeof(embeddings[0])};

    input.frames = frames;
    output.results = &result;
    output.n_results = 1;
    memset(err, 0xee, sizeof(*err));
    return lib.encode(s->encoder, s->plan, &input, &output, NULL, err);
}

static void
stop(session *s)
{
    lib.encoder_destroy(s->encoder);
    lib.plan_destroy(s->plan);
    lib.model_destroy(s->model);
    checkpoint_remove(s->folder);
}

static const struct failure {
    oriel_status first, second;
    int32_t cause;
    const char *message;
} failures[] = {
    {ORIEL_OK, ORIEL_OK, 0, ""},
    {ORIEL_ERR_FAULT, ORIEL_ERR_FAULT, 700, "the device fell off the bus"},
    {ORIEL_ERR_INTERNAL, ORIEL_ERR_INTERNAL, 700, "this cannot happen"},
    {ORIEL_ERR_MEMORY, ORIEL_ERR_MEMORY, 700, "the device is full"},
};

START_TEST(failure_of_a_device)
{
    const struct failure *f = &failures[_i];
    session s = start(_i);
    oriel_error err;

    ck_assert_int_eq(encode(&s, &err), f->first);
    ck_assert_int_eq(err.status, f->first);
    ck_assert_int_eq(err.item, -1);
    ck_assert_int_eq(err.cause, f->cause);
    ck_assert_str_eq(err.message, f->message);
    ck_assert_int_eq(encode(&s, &err), f->second);
    if (f->second == ORIEL_ERR_FAULT) /* the encoder is lost, and says so */
        ck_assert_msg(strstr(err.message, "destroy"), "%s", err.message);
    stop(&s);
}
END_TEST

/* What is asked for is refused, never replaced. */
START_TEST(precision_that_is_lacking)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    session s = start(0);
    oriel_encoder *encoder = s.encoder;
    oriel_error err;

    options.device = ORIEL_DEVICE_CUDA;
    options.precision = ORIEL_PRECISION_FP32;
    ck_assert_int_eq(lib.encoder_create(&encoder, s.model, &options, &err),
                     ORIEL_ERR_UNSUPPORTED);
    ck_assert_ptr_null(encoder);
    ck_assert_str_eq(err.message, "bf16 only");
    stop(&s);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("abi_module");
    TCase *tc = tcase_create("module");

    tcase_add_test(tc, module_beside_the_library);
    tcase_add_test(tc, module_of_another_version);
    tcase_add_test(tc, module_from_nowhere_else);
    tcase_add_test(tc, planning_without_a_module);
    tcase_add_test(tc, planning_loads_no_module);
    tcase_add_test(tc, module_of_a_relative_library);
    tcase_add_test(tc, cuda_weights_are_told_without_cuda);
    tcase_add_test(tc, cuda_workspace_is_told_without_cuda);
    tcase_add_loop_test(tc, failure_of_a_device, 0, COUNT(failures));
    tcase_add_test(tc, precision_that_is_lacking);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
