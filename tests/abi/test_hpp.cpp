/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hpp.cpp - oriel.hpp gives what the calls of oriel.h give
 *
 * Every expectation is made with the C functions.
 */
#include "oriel.hpp"

#include "oriel_image.h"

extern "C" {
#include "abi/small_checkpoint.h"
#include "support/suite.h"
}

#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace
{

const oriel_item wide = {40, 24, 1, 0, 0, ORIEL_KIND_IMAGE};
const oriel_item tall = {16, 64, 1, 0, 0, ORIEL_KIND_IMAGE};
const oriel_item narrow = {4000, 1, 1, 0, 0, ORIEL_KIND_IMAGE};

/* Allocations of one handle, so that who frees it is seen. */
struct Counter {
    int made = 0, freed = 0;
    oriel_hooks hooks = ORIEL_HOOKS_INIT;

    Counter()
    {
        hooks.user = this;
        hooks.alloc = [](void *user, size_t bytes, size_t alignment) {
            static_cast<Counter *>(user)->made++;
            return std::aligned_alloc(alignment, (bytes + alignment - 1) /
                                                     alignment * alignment);
        };
        hooks.free = [](void *user, void *memory) {
            static_cast<Counter *>(user)->freed += memory != nullptr;
            std::free(memory);
        };
    }
};

/* A checkpoint's folder, removed at the end. */
struct Folder {
    char *path = checkpoint_folder();
    ~Folder()
    {
        checkpoint_remove(path);
    }
};

std::vector<unsigned char>
picture(const oriel_item &item)
{
    std::vector<unsigned char> rgb(static_cast<size_t>(item.width) *
                                   static_cast<size_t>(item.height) * 3);

    for (size_t i = 0; i < rgb.size(); i++)
        rgb[i] = static_cast<unsigned char>(i * 37 + i / 11);
    return rgb;
}

/* What both ways are given to fill. */
struct Job {
    std::vector<float> embeddings;
    oriel_result result{};
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;

    Job(const oriel_plan_info &info, const void *const *frames)
        : embeddings(static_cast<size_t>(info.tokens) * TINY_OUT)
    {
        result.kind = ORIEL_RESULT_EMBEDDINGS;
        result.data = embeddings.data();
        result.bytes = embeddings.size() * sizeof(float);
        input.frames = frames;
        output.results = &result;
        output.n_results = 1;
    }
};

template <typename Function>
oriel::Error
caught(Function function)
{
    try {
        function();
    } catch (const oriel::Error &error) {
        return error;
    }
    ck_abort_msg("nothing was thrown");
    return oriel::Error(oriel_error{});
}

void
expect_same_error(const oriel::Error &thrown, const oriel_error &expected)
{
    ck_assert_int_ne(expected.status, ORIEL_OK);
    ck_assert_int_eq(thrown.status, expected.status);
    ck_assert_int_eq(thrown.item, expected.item);
    ck_assert_int_eq(thrown.cause, expected.cause);
    ck_assert_str_eq(thrown.message, expected.message);
    ck_assert_str_eq(thrown.what(), expected.message);
}

template <typename T>
constexpr bool moves_only =
    std::is_nothrow_move_constructible_v<T>
        &&std::is_nothrow_move_assignable_v<T> &&
    !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
static_assert(moves_only<oriel::Model>);
static_assert(moves_only<oriel::Plan>);
static_assert(moves_only<oriel::Encoder>);
static_assert(std::is_convertible_v<const oriel::Model &, const oriel_model *>);
static_assert(std::is_convertible_v<const oriel::Plan &, const oriel_plan *>);
static_assert(std::is_convertible_v<oriel::Encoder &, oriel_encoder *>);

} // namespace

START_TEST(encodes_as_c_does)
{
    const Folder folder;
    const oriel::Model model(folder.path);
    const oriel::Plan plan(model, {wide, tall});
    const auto first = picture(wide), second = picture(tall);
    const void *frames[] = {first.data(), second.data()};
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    oriel_encoder *made;
    size_t bytes;

    options.device = ORIEL_DEVICE_CPU;
    options.threads = 1;
    options.precision = ORIEL_PRECISION_FP32;
    ck_assert(!oriel_plan_workspace_bytes(plan, &options, &bytes, nullptr));
    ck_assert_uint_eq(plan.workspace_bytes(&options), bytes);
    oriel::Encoder encoder(model, &options);
    encoder.reserve(bytes);
    encoder.prepare();
    encoder.prepare(plan);
    ck_assert(!encoder.busy());
    options.workspace_bytes = bytes;
    ck_assert(!oriel_encoder_create(&made, model, &options, nullptr));
    ck_assert(!oriel_encoder_get_info(made, &info, nullptr));
    ck_assert_str_eq(encoder.info().description, info.description);
    ck_assert_uint_eq(encoder.info().workspace_bytes, bytes);

    Job job(plan.info(), frames), expected(plan.info(), frames);
    encoder.encode(plan, job.input, job.output);
    ck_assert(!oriel_encode(made, plan, &expected.input, &expected.output,
                            nullptr, nullptr));
    ck_assert_uint_gt(job.result.bytes, 0);
    ck_assert_mem_eq(job.embeddings.data(), expected.embeddings.data(),
                     job.result.bytes);
    oriel_encoder_destroy(made);
}
END_TEST

START_TEST(plans_as_c_does)
{
    const oriel_model *preset = oriel_model_preset("qwen2.5-vl-7b");
    const std::vector<oriel_item> items = {wide, tall, wide};
    const std::vector<int64_t> grid = {1, 4, 6, 2, 8, 4};
    oriel_budget budget = ORIEL_BUDGET_INIT;
    oriel_plan_options options = ORIEL_PLAN_OPTIONS_INIT;
    int64_t grid_thw[3], expected_grid[3], tokens;
    size_t ends[3], n;

    options.min_pixels = 4 * 28 * 28;
    ck_assert(!oriel_item_measure(preset, &wide, &options, expected_grid,
                                  &tokens, nullptr));
    ck_assert_int_eq(oriel::measure(preset, wide, &options, grid_thw), tokens);
    ck_assert_mem_eq(grid_thw, expected_grid, sizeof(grid_thw));
    ck_assert_int_eq(oriel::measure(preset, wide, &options), tokens);
    ck_assert_int_eq(oriel::Plan(preset, {wide}, &options).info().tokens,
                     tokens);

    budget.max_tokens = 2 * tokens;
    ck_assert(!oriel_plan_split(preset, items.data(), 3, &options, &budget,
                                ends, &n, nullptr));
    ck_assert_uint_gt(n, 1);
    ck_assert(oriel::split(preset, items, budget, &options) ==
              std::vector<size_t>(ends, ends + n));
    ck_assert(oriel::split(preset, items, ORIEL_BUDGET_INIT) ==
              std::vector<size_t>{3});

    const oriel::Plan plan(oriel_plan_create_from_grids, preset, grid.data(),
                           grid.size() / 3, nullptr);
    ck_assert_int_eq(plan.info().patches, 4 * 6 + 2 * 8 * 4);
    ck_assert_int_eq(plan.info().struct_size, sizeof(oriel_plan_info));
}
END_TEST

START_TEST(failures_are_thrown)
{
    const oriel_model *preset = oriel_model_preset("qwen2.5-vl-7b");
    const std::vector<oriel_item> items = {wide, narrow};
    oriel_budget budget = ORIEL_BUDGET_INIT;
    oriel_model *model;
    oriel_plan *plan;
    oriel_encoder *encoder;
    oriel_error expected;
    size_t ends[2], n;

    oriel_model_open(&model, "/no/such", nullptr, &expected);
    expect_same_error(caught([] { oriel::Model("/no/such"); }), expected);
    oriel_plan_create(&plan, preset, items.data(), 2, nullptr, &expected);
    ck_assert_int_eq(expected.item, 1);
    expect_same_error(caught([&] { oriel::Plan(preset, items); }), expected);
    oriel_plan_split(preset, items.data(), 2, nullptr, &budget, ends, &n,
                     &expected);
    expect_same_error(caught([&] { oriel::split(preset, items, budget); }),
                      expected);
    oriel_item_measure(preset, &narrow, nullptr, nullptr, nullptr, &expected);
    expect_same_error(caught([&] { oriel::measure(preset, narrow); }),
                      expected);
    oriel_encoder_create(&encoder, preset, nullptr, &expected);
    expect_same_error(caught([&] { oriel::Encoder{preset}; }), expected);
    oriel_plan_create(&plan, nullptr, items.data(), 1, nullptr, &expected);
    expect_same_error(
        caught([&] { oriel::Plan(oriel_model_preset("no such"), {wide}); }),
        expected);
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    oriel_image_probe("no picture", 10, nullptr, &info, &expected);
    expect_same_error(caught([&] {
                          oriel::call(oriel_image_probe, "no picture",
                                      size_t{10}, nullptr, &info);
                      }),
                      expected);
}
END_TEST

START_TEST(handles_are_freed_once)
{
    size_t bytes;
    unsigned char *weights = checkpoint_weights("F32", &bytes);
    Counter counter;
    oriel_model_options options = ORIEL_MODEL_OPTIONS_INIT;

    options.hooks = &counter.hooks;
    {
        oriel::Model model(oriel_model_open_memory, checkpoint_config,
                           strlen(checkpoint_config), weights, bytes, &options);
        oriel_model *handle = model;
        oriel::Model other(std::move(model));

        ck_assert_ptr_eq(static_cast<oriel_model *>(other), handle);
        ck_assert_ptr_null(static_cast<oriel_model *>(model));
        model = std::move(other);
        ck_assert_ptr_eq(static_cast<oriel_model *>(model), handle);
        ck_assert_int_eq(model.info().hidden_size, TINY_HIDDEN);
        ck_assert_int_eq(model.info().has_weights, 1);
        ck_assert_int_gt(counter.made, counter.freed);
    }
    ck_assert_int_gt(counter.made, 0);
    ck_assert_int_eq(counter.made, counter.freed);
    free(weights);
}
END_TEST

int
main()
{
    Suite *s = suite_create("abi_hpp");
    TCase *tc = tcase_create("hpp");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, encodes_as_c_does);
    tcase_add_test(tc, plans_as_c_does);
    tcase_add_test(tc, failures_are_thrown);
    tcase_add_test(tc, handles_are_freed_once);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
