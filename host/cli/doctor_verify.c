/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor_verify.h"

#include "cli/exits.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "files/json_text.h"
#include "oriel_verify.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *
kind_of(const oriel_check *check)
{
    switch (check->kind) {
    case ORIEL_CHECK_INSTRUCTION:
        return "instruction";
    case ORIEL_CHECK_KNOWN_ANSWER:
        return "known answer";
    case ORIEL_CHECK_KERNEL:
        return "kernel";
    case ORIEL_CHECK_INVARIANCE:
        return "same bytes";
    case ORIEL_CHECK_NETWORK:
        return "network";
    case ORIEL_CHECK_OCCUPANCY:
        return "occupancy";
    default:
        return "other";
    }
}

static const char *
verdict_of(const oriel_check *check)
{
    switch (check->verdict) {
    case ORIEL_VERDICT_PASSED:
        return "passed";
    case ORIEL_VERDICT_SKIPPED:
        return "skipped";
    default:
        return "FAILED";
    }
}

/* JSON has no NaN, which a broken device may give. */
static json_t *
number_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *
check_json(const oriel_check *check)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:s}", "verdict",
        check->verdict == ORIEL_VERDICT_FAILED ? "failed" : verdict_of(check),
        "kind", kind_of(check), "name", check->name, "implementation",
        check->implementation, "error", number_json(check->error), "bound",
        number_json(check->bound), "message", check->message);
}

static void
print_check(const oriel_check *check)
{
    char numbers[48] = "exact";

    if (check->bound > 0)
        snprintf(numbers, sizeof(numbers), "%.2g of %.2g", check->error,
                 check->bound);
    printf("%-8s %-12s %-44s %-13s %s\n", verdict_of(check), kind_of(check),
           check->name, check->implementation,
           check->verdict == ORIEL_VERDICT_PASSED ? numbers : check->message);
    fflush(stdout);
}

/* Where checks go: a line each, or JSON at the end. */
typedef struct listener {
    bool json;
    json_t *checks;
} listener;

static void
report(void *user, const oriel_check *check)
{
    listener *l = user;

    if (l->json)
        l->checks = oriel_json_append(l->checks, check_json(check));
    else
        print_check(check);
}

static int32_t
is_cancelled(void *user)
{
    (void)user;
    return cli_signal_caught();
}

static void
print_end(const oriel_verify_info *info)
{
    printf("%-8s %s\n", "card", info->card);
    printf("%-8s %s\n", "encoder", info->choice);
    printf("%" PRId32 " checks passed, %" PRId32 " failed, %" PRId32
           " skipped\n",
           info->passed, info->failed, info->skipped);
}

int
cli_doctor_verify(const cli_options *options, json_t *document)
{
    const cli_device device = cli_device_parse(options->device);
    oriel_verify_options wanted = ORIEL_VERIFY_OPTIONS_INIT;
    oriel_verify_info info = ORIEL_VERIFY_INFO_INIT;
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    listener heard = {options->json, json_array()};
    oriel_error err;
    oriel_status status;

    hooks.cancel = is_cancelled;
    wanted.device = device.device;
    wanted.device_index = device.index;
    wanted.user = &heard;
    wanted.report = report;
    wanted.hooks = &hooks;
    status = oriel_device_verify(&wanted, &info, &err);
    if (status && status != ORIEL_ERR_FAULT) {
        json_decref(heard.checks);
        return cli_report_failure(&err, NULL);
    }
    if (!options->json)
        print_end(&info);
    json_object_set_new(
        document, "verify",
        json_pack("{s:i, s:i, s:i, s:s, s:s, s:s, s:o}", "passed", info.passed,
                  "failed", info.failed, "skipped", info.skipped, "card",
                  info.card, "encoder", info.choice, "message",
                  status ? err.message : "", "checks", heard.checks));
    return status ? CLI_DEVICE : CLI_DONE;
}

void
cli_doctor_occupancy(json_t *device, int32_t index)
{
    oriel_verify_options wanted = ORIEL_VERIFY_OPTIONS_INIT;
    listener heard = {true, json_array()};
    oriel_error err;
    oriel_status status;

    wanted.device = ORIEL_DEVICE_CUDA;
    wanted.device_index = index;
    wanted.only = ORIEL_CHECK_OCCUPANCY;
    wanted.user = &heard;
    wanted.report = report;
    status = oriel_device_verify(&wanted, NULL, &err);
    if (status && status != ORIEL_ERR_FAULT)
        json_decref(heard.checks);
    else
        json_object_set_new(device, "occupancy", heard.checks);
}

static const char *
text_of(const json_t *check, const char *key)
{
    return json_string_value(json_object_get(check, key));
}

void
cli_doctor_print_occupancy(const json_t *device)
{
    size_t i;
    json_t *check;

    json_array_foreach(json_object_get(device, "occupancy"), i, check)
    {
        if (strcmp(text_of(check, "verdict"), "failed") == 0)
            printf("%-10s %s, %s\n", "occupancy", text_of(check, "name"),
                   text_of(check, "message"));
    }
}
