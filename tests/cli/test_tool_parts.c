/* SPDX-License-Identifier: Apache-2.0 */
/* test_tool_parts.c - the tool's tables and small parts */
#include "cli/exits.h"
#include "cli/flags.h"
#include "cli/limits.h"
#include "cli/suggest.h"
#include "cli/text.h"
#include "model/probe_model.h"
#include "oriel.h"
#include "support/random.h"
#include "support/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Exit statuses ------------------------------------------------------ */

START_TEST(each_status_has_its_exit)
{
    static const struct {
        oriel_status status;
        int expected;
    } table[] = {
        {ORIEL_OK, 0},
        {ORIEL_ERR_INPUT, 1},
        {ORIEL_ERR_ARGUMENT, 7},
        {ORIEL_ERR_CAPACITY, 6},
        {ORIEL_ERR_MEMORY, 6},
        {ORIEL_ERR_NOT_FOUND, 3},
        {ORIEL_ERR_IO, 4},
        {ORIEL_ERR_MODEL, 3},
        {ORIEL_ERR_UNSUPPORTED, 3},
        {ORIEL_ERR_DEVICE, 5},
        {ORIEL_ERR_FAULT, 5},
        {ORIEL_ERR_CANCELLED, 128},
        {ORIEL_ERR_INTERNAL, 7},
        {ORIEL_ERR_BUSY, 7},
        {14, 7},
        {-1, 7},
        {INT32_MAX, 7},
    };

    for (size_t i = 0; i < COUNT(table); i++)
        ck_assert_int_eq(cli_exit_of(table[i].status), table[i].expected);
    for (int i = 0; i <= CLI_NONE; i++)
        ck_assert_ptr_nonnull(cli_exit_meaning(i));
    ck_assert_ptr_null(cli_exit_meaning(CLI_NONE + 1));
    ck_assert_ptr_null(cli_exit_meaning(-1));
}
END_TEST

/* ---- The flag table ------------------------------------------------------ */

START_TEST(no_flag_is_there_twice)
{
    for (const cli_flag *a = cli_flags; a->name; a++) {
        ck_assert_uint_ne(a->commands, 0);
        ck_assert_str_ne(a->help, "");
        ck_assert_int_eq(a->kind == CLI_CHOICE, a->choices != NULL);
        ck_assert_int_eq(a->kind == CLI_SWITCH || a->kind == CLI_CHOICE,
                         a->argument == NULL);
        for (const cli_flag *b = a + 1; b->name; b++) {
            if (!(a->commands & b->commands))
                continue;
            ck_assert_str_ne(a->name, b->name);
            ck_assert(!a->letter || a->letter != b->letter);
        }
    }
}
END_TEST

/* ---- Suggestions --------------------------------------------------------- */

START_TEST(the_nearest_is_suggested)
{
    static const char *const words[] = {"force", "output", "min-pixels",
                                        "max-pixels", "model"};
    static const struct {
        const char *typed, *expected;
    } table[] = {
        {"foo", "force"},
        {"forec", "force"},
        {"outptu", "output"},
        {"mox-pixels", "max-pixels"},
        {"min-pixel", "min-pixels"},
        {"out", "output"},
        {"zzzzzz", NULL},
        {"", NULL},
        {"a-word-that-is-longer-than-any-of-ours", NULL},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        cli_suggestion nearest = {NULL, 0};

        for (size_t j = 0; j < COUNT(words); j++)
            cli_suggest(&nearest, table[i].typed, words[j]);
        if (table[i].expected)
            ck_assert_str_eq(nearest.best, table[i].expected);
        else
            ck_assert_ptr_null(nearest.best);
    }
}
END_TEST

/* ---- Names ---------------------------------------------------------------- */

static int
digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The reverse of cli_text_name, from its documentation. */
static void
unescape(char *out, const char *text)
{
    while (*text) {
        if (*text != '\\')
            *out++ = *text++;
        else if (text[1] == '\\') {
            *out++ = '\\';
            text += 2;
        } else {
            ck_assert_int_eq(text[1], 'x');
            *out++ = (char)(digit(text[2]) * 16 + digit(text[3]));
            text += 4;
        }
    }
    *out = '\0';
}

static size_t
bytes_in_header(json_t *name)
{
    json_t *list = json_pack("[O]", name);
    char *inner = json_dumps(list, JSON_COMPACT);
    json_t *value = json_string(inner);
    char *outer = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    size_t bytes = strlen(outer);

    json_decref(list);
    json_decref(value);
    free(inner);
    free(outer);
    return bytes;
}

/* Names of random bytes, control characters and backslashes among them. */
START_TEST(names_come_back)
{
    static const char odd[] = "\\\"/a\x01\x7f\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98"
                              "\x80\xff\xc0\xed\xa0";
    random_stream random = {7};
    char name[64], back[64];

    for (int round = 0; round < 20000; round++) {
        int64_t n = random_between(&random, 0, 40);
        json_t *value;

        for (int64_t i = 0; i < n; i++)
            name[i] = round % 2
                          ? (char)random_between(&random, 1, 255)
                          : odd[random_between(&random, 0, sizeof(odd) - 2)];
        name[n] = '\0';
        value = cli_text_name(name);
        ck_assert_ptr_nonnull(value);
        ck_assert_uint_eq(strlen(json_string_value(value)),
                          json_string_length(value));
        unescape(back, json_string_value(value));
        ck_assert_str_eq(back, name);
        /* The list's own brackets and quotes: "[\"name\"]" in quotes. */
        ck_assert_uint_le(bytes_in_header(value),
                          cli_text_name_bound(name) + 8);
        json_decref(value);
    }
}
END_TEST

START_TEST(amounts_read_well)
{
    ck_assert_str_eq(cli_text_bytes(0).text, "0 B");
    ck_assert_str_eq(cli_text_bytes(1023).text, "1023 B");
    ck_assert_str_eq(cli_text_bytes(11210752).text, "10.7 MiB");
    ck_assert_str_eq(cli_text_bytes(UINT64_MAX).text, "16384 PiB");
    ck_assert_str_eq(cli_text_flops(1.3469e12).text, "1.35 TFLOP");
    ck_assert_str_eq(cli_text_seconds(0.04).text, "0.0 s");
    ck_assert_str_eq(cli_text_seconds(9.96).text, "10 s");
    ck_assert_str_eq(cli_text_seconds(200).text, "3 min 20 s");
    ck_assert_str_eq(cli_text_seconds(7260).text, "2 h 01 min");
}
END_TEST

/* ---- Control groups -------------------------------------------------------- */

static char folder[] = "oriel-cgroup-XXXXXX";

static void
put(const char *path, const char *text)
{
    char full[256];
    FILE *file;

    snprintf(full, sizeof(full), "%s/%s", folder, path);
    for (char *slash = full + strlen(folder) + 1; (slash = strchr(slash, '/'));
         slash++) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    file = fopen(full, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static cli_limits
limits_of(const char *membership)
{
    char file[256], root[256];

    put("membership", membership);
    snprintf(file, sizeof(file), "%s/membership", folder);
    snprintf(root, sizeof(root), "%s/fs", folder);
    return cli_limits_read_from(file, root);
}

static void
make_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void
remove_folder(void)
{
    char command[300];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
}

/* Version 2: the tightest of the group and all above it. */
START_TEST(limits_of_version_2)
{
    cli_limits limits;

    put("fs/a/b/cpu.max", "max 100000\n");
    put("fs/a/b/memory.max", "max\n");
    limits = limits_of("0::/a/b\n");
    ck_assert_double_eq(limits.quota_cores, 0);
    ck_assert_uint_eq(limits.memory_bytes, 0);
    ck_assert_int_eq(limits.threads, limits.cores);

    put("fs/a/cpu.max", "50000 100000\n");
    put("fs/a/memory.max", "1000000\n");
    put("fs/a/b/memory.max", "2000000\n");
    limits = limits_of("0::/a/b\n");
    ck_assert_double_eq(limits.quota_cores, 0.5);
    ck_assert_uint_eq(limits.memory_bytes, 1000000);
    ck_assert_int_eq(limits.threads, 1);

    /* The root of a container's own mount. */
    put("fs/cpu.max", "25000 100000\n");
    limits = limits_of("0::/of/the/host\n");
    ck_assert_double_eq(limits.quota_cores, 0.25);
    limits = limits_of("0::/\n");
    ck_assert_double_eq(limits.quota_cores, 0.25);

    /* More than the mask allows, or nonsense, limits nothing. */
    put("fs/cpu.max", "99900000 100000\n");
    limits = limits_of("0::/\n");
    ck_assert_int_eq(limits.threads, limits.cores);
    put("fs/cpu.max", "100000 0\n");
    ck_assert_double_eq(limits_of("0::/\n").quota_cores, 0);
    put("fs/cpu.max", "-1 100000\n");
    ck_assert_double_eq(limits_of("0::/\n").quota_cores, 0);
    put("fs/cpu.max", "\n");
    ck_assert_double_eq(limits_of("0::/\n").quota_cores, 0);
}
END_TEST

START_TEST(limits_of_version_1)
{
    cli_limits limits;

    put("fs/cpu/job/cpu.cfs_quota_us", "150000\n");
    put("fs/cpu/job/cpu.cfs_period_us", "100000\n");
    put("fs/memory/job/memory.limit_in_bytes", "536870912\n");
    limits = limits_of("11:memory:/job\n4:cpu,cpuacct:/job\n1:name=x:/\n");
    ck_assert_double_eq(limits.quota_cores, 1.5);
    ck_assert_uint_eq(limits.memory_bytes, 536870912);

    put("fs/cpu/job/cpu.cfs_quota_us", "-1\n");
    put("fs/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
    limits = limits_of("11:memory:/job\n4:cpu,cpuacct:/job\n");
    ck_assert_double_eq(limits.quota_cores, 0);
    ck_assert_uint_eq(limits.memory_bytes, 0);
}
END_TEST

START_TEST(no_control_groups)
{
    cli_limits limits = cli_limits_read_from("/nonexistent", "/nonexistent");

    ck_assert_int_ge(limits.cores, 1);
    ck_assert_int_eq(limits.threads, limits.cores);
    limits = limits_of("garbage\n0:\n::\n:::::\n");
    ck_assert_int_eq(limits.threads, limits.cores);
    ck_assert_int_ge(cli_limits_read().threads, 1);
}
END_TEST

/* ---- The model that doctor tries a device with ---------------------------- */

START_TEST(the_probe_model_encodes)
{
    enum { SIDE = 56 };
    static const uint8_t pixels[3 * SIDE * SIDE];
    const oriel_item item = {.width = SIDE, .height = SIDE};
    const void *frames[] = {pixels};
    oriel_model_info about = ORIEL_MODEL_INFO_INIT;
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    float embeddings[4 * 32];
    oriel_result result = {.kind = ORIEL_RESULT_EMBEDDINGS,
                           .dtype = ORIEL_DTYPE_F32,
                           .data = embeddings,
                           .bytes = sizeof(embeddings)};
    oriel_probe_model probe;
    oriel_encoder *encoder;
    oriel_plan *plan;
    oriel_error err;
    double square = 0;

    ck_assert_msg(!oriel_probe_model_open(&probe, &err), "%s", err.message);
    ck_assert_int_eq(oriel_model_get_info(probe.model, &about, NULL), ORIEL_OK);
    ck_assert_int_eq(about.depth, 2);
    ck_assert_int_eq(about.head_dim, 80);
    ck_assert_int_eq(about.out_hidden_size, 32);
    options.device = ORIEL_DEVICE_CPU;
    options.workspace_bytes = 1 << 20;
    ck_assert_msg(!oriel_encoder_create(&encoder, probe.model, &options, &err),
                  "%s", err.message);
    ck_assert_msg(!oriel_plan_create(&plan, probe.model, &item, 1, NULL, &err),
                  "%s", err.message);
    ck_assert_int_eq(oriel_plan_get_info(plan, &info, NULL), ORIEL_OK);
    ck_assert_int_eq(info.tokens, 4);
    for (size_t i = 0; i < COUNT(embeddings); i++)
        embeddings[i] = NAN;
    input.frames = frames;
    output.results = &result;
    output.n_results = 1;
    ck_assert_msg(!oriel_encode(encoder, plan, &input, &output, NULL, &err),
                  "%s", err.message);
    /* Its weights keep the size of what they multiply: else a fault could hide
       among what is much larger or smaller. */
    for (size_t i = 0; i < COUNT(embeddings); i++)
        square += (double)embeddings[i] * (double)embeddings[i] /
                  (double)COUNT(embeddings);
    ck_assert_double_gt(square, 1.0 / 64);
    ck_assert_double_lt(square, 64);
    oriel_encoder_destroy(encoder);
    oriel_plan_destroy(plan);
    oriel_probe_model_close(&probe);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("tool_parts");
    TCase *tables = tcase_create("tables");
    TCase *groups = tcase_create("control groups");

    tcase_add_test(tables, each_status_has_its_exit);
    tcase_add_test(tables, no_flag_is_there_twice);
    tcase_add_test(tables, the_nearest_is_suggested);
    tcase_add_test(tables, names_come_back);
    tcase_add_test(tables, amounts_read_well);
    tcase_add_test(tables, the_probe_model_encodes);
    suite_add_tcase(suite, tables);
    tcase_add_checked_fixture(groups, make_folder, remove_folder);
    tcase_add_test(groups, limits_of_version_2);
    tcase_add_test(groups, limits_of_version_1);
    tcase_add_test(groups, no_control_groups);
    suite_add_tcase(suite, groups);
    return run_suite(suite);
}
