/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify_finds.c - whether oriel_device_verify finds a fault by given checks
 *
 *   verify_finds KIND[:NAME]...
 *
 * Of the checks of each kind whose name begins so, one at least must fail.  It ends
 * with the last of them, and runs no check of another kind: a whole report takes
 * several times as long.  Exit status 0: each has failed.
 */
#include "oriel_verify.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8 };
typedef struct expected {
    int32_t kind;
    const char *name;
    bool failed;
} expected;

static struct {
    expected all[MOST];
    int n;
} wanted;

static const struct {
    const char *name;
    int32_t kind;
} kinds[] = {
    {"instruction", ORIEL_CHECK_INSTRUCTION},
    {"answer", ORIEL_CHECK_KNOWN_ANSWER},
    {"kernel", ORIEL_CHECK_KERNEL},
    {"network", ORIEL_CHECK_NETWORK},
    {"occupancy", ORIEL_CHECK_OCCUPANCY},
};

static expected
expect(const char *text)
{
    const size_t n = strcspn(text, ":");

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strlen(kinds[i].name) == n && strncmp(text, kinds[i].name, n) == 0)
            return (expected){kinds[i].kind, text + n + (text[n] == ':'),
                              false};
    fprintf(stderr, "%s: no such kind of check\n", text);
    exit(2);
}

static void
note(void *user, const oriel_check *check)
{
    (void)user;
    if (check->verdict != ORIEL_VERDICT_FAILED)
        return;
    printf("failed: %s: %s: %s\n", check->name, check->implementation,
           check->message);
    for (int i = 0; i < wanted.n; i++)
        if (wanted.all[i].kind == check->kind && check->message[0] &&
            strncmp(check->name, wanted.all[i].name,
                    strlen(wanted.all[i].name)) == 0)
            wanted.all[i].failed = true;
}

static int32_t
have_all(void *user)
{
    (void)user;
    for (int i = 0; i < wanted.n; i++)
        if (!wanted.all[i].failed)
            return 0;
    return 1;
}

int
main(int argc, char **argv)
{
    oriel_verify_options options = ORIEL_VERIFY_OPTIONS_INIT;
    oriel_hooks hooks = ORIEL_HOOKS_INIT;
    oriel_error err;

    if (argc < 2 || argc - 1 > MOST) {
        fprintf(stderr, "usage: verify_finds KIND[:NAME]...\n");
        return 2;
    }
    for (; wanted.n < argc - 1; wanted.n++) {
        wanted.all[wanted.n] = expect(argv[wanted.n + 1]);
        options.only |= wanted.all[wanted.n].kind;
    }
    hooks.cancel = have_all;
    options.device = ORIEL_DEVICE_CUDA;
    options.report = note;
    options.hooks = &hooks;
    const oriel_status status = oriel_device_verify(&options, NULL, &err);
    for (int i = 0; i < wanted.n; i++)
        if (!wanted.all[i].failed)
            printf("MISSED: %s\n", argv[i + 1]);
    if (!have_all(NULL))
        return 1;
    if (status == ORIEL_ERR_CANCELLED || status == ORIEL_ERR_FAULT)
        return 0;
    printf("status %d: %s\n", status, err.message);
    return 1;
}
