/* SPDX-License-Identifier: Apache-2.0 */
#include "support/hook_log.h"

#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
progress(void *user, int32_t what, int64_t done, int64_t of)
{
    hook_log *l = user;

    ck_assert(pthread_equal(l->thread, pthread_self()));
    ck_assert_int_ge(done, 0);
    ck_assert_int_le(done, of);
    if (l->calls > 0 && l->what == what) {
        ck_assert_int_eq(of, l->of);
        ck_assert_int_gt(done, l->done[(l->calls - 1) % HOOK_LOG_CALLS]);
    }
    l->what = what;
    l->of = of;
    l->done[l->calls++ % HOOK_LOG_CALLS] = done;
}

static void
take_line(void *user, int32_t level, const char *line)
{
    hook_log *l = user;

    if (level != ORIEL_LOG_DEBUG || !strstr(line, "profile"))
        return;
    l->profiles++;
    snprintf(l->profile, sizeof(l->profile), "%s", line);
}

void
hook_log_reset(hook_log *l)
{
    memset(l, 0, sizeof(*l));
    l->thread = pthread_self();
}

oriel_hooks
hook_log_hooks(hook_log *l)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;

    hook_log_reset(l);
    hooks.user = l;
    hooks.progress = progress;
    hooks.log = take_line;
    return hooks;
}

double
hook_log_milliseconds(const hook_log *l, const char *name)
{
    char key[64];
    const char *found;

    snprintf(key, sizeof(key), " %s ", name);
    found = strstr(l->profile, key);
    ck_assert_msg(found != NULL, "no%sin \"%s\"", key, l->profile);
    return strtod(found + strlen(key), NULL);
}
