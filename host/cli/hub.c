/* SPDX-License-Identifier: Apache-2.0 */
/* hub.c - a model by the name it has on Hugging Face */
#include "cli/hub.h"

#include "base/fail.h"
#include "cli/exits.h"
#include "cli/report.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Of save_pretrained, which writes the tower first: the configuration, the
   index, and the first shard. */
#define DOWNLOAD \
    "hf download %s --include \"*config.json\" --include \"*.index.json\" " \
    "--include \"model-00001-of-*\""

enum { MAX_PART = 96 }; /* characters of an organisation, of a name */

static bool
exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

/* Whether one half of a name is as the hub wants it. */
static bool
is_part(const char *text, size_t n)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

    return n > 0 && n <= MAX_PART && strspn(text, allowed) >= n &&
           !strchr("-.", text[0]) && !strchr("-.", text[n - 1]);
}

static bool
ends_with(const char *text, const char *tail)
{
    const size_t n = strlen(text);
    const size_t m = strlen(tail);

    return n >= m && strcmp(text + n - m, tail) == 0;
}

/* "org/name"; what looks like a file is meant as one. */
static bool
is_name(const char *text)
{
    const char *slash = strchr(text, '/');

    return slash && !strchr(slash + 1, '/') &&
           is_part(text, (size_t)(slash - text)) &&
           is_part(slash + 1, strlen(slash + 1)) && !strstr(text, "--") &&
           !strstr(text, "..") && !ends_with(text, ".safetensors") &&
           !ends_with(text, ".json");
}

static const char *
variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* BASE and TAIL, a leading ~ being the home folder; false: too long, or there
   is no base. */
static bool
join(char out[PATH_MAX], const char *base, const char *tail)
{
    const char *home = "";
    int n;

    if (!base)
        return false;
    if (base[0] == '~' && (base[1] == '/' || !base[1])) {
        home = variable("HOME");
        base++;
    }
    if (!home)
        return false;
    n = snprintf(out, PATH_MAX, "%s%s%s", home, base, tail);
    return n > 0 && n < PATH_MAX;
}

/* The folder of the cache; false: there is no telling. */
static bool
find_cache(char out[PATH_MAX])
{
    static const struct {
        const char *variable, *tail;
    } places[] = {
        {"HF_HUB_CACHE", ""},
        {"HUGGINGFACE_HUB_CACHE", ""},
        {"HF_HOME", "/hub"},
        {"XDG_CACHE_HOME", "/huggingface/hub"},
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        if (variable(places[i].variable))
            return join(out, variable(places[i].variable), places[i].tail);
    return join(out, "~", "/.cache/huggingface/hub");
}

static int
report_absent(const char *name, const char *cache)
{
    return cli_report_error(
        CLI_MODEL,
        "%s: no such folder or file, and no such model in the Hugging Face "
        "cache (%s); the published sizes have the vision tower in their first "
        "shard: " DOWNLOAD,
        ORIEL_QUOTE(name), ORIEL_QUOTE(cache), name);
}

int
cli_hub_find(cli_model_path *out, const char *given)
{
    char cache[PATH_MAX];
    char path[PATH_MAX + 2 * MAX_PART + 16];
    const char *slash = strchr(given, '/');

    *out = (cli_model_path){given, NULL, NULL};
    if (exists(given) || !is_name(given))
        return CLI_DONE;
    if (!find_cache(cache))
        return report_absent(given, "neither HF_HOME nor HOME is set");
    snprintf(path, sizeof(path), "%s/models--%.*s--%s", cache,
             (int)(slash - given), given, slash + 1);
    if (!exists(path))
        return report_absent(given, cache);
    out->found = strdup(path);
    if (!out->found)
        return cli_report_memory("a path");
    out->path = out->found;
    out->name = given;
    return CLI_DONE;
}

int
cli_hub_report(const cli_model_path *path, const oriel_error *err)
{
    if (!path->name || err->status != ORIEL_ERR_NOT_FOUND)
        return cli_report_failure(err, NULL);
    return cli_report_error(CLI_MODEL,
                            "%s; to download what is missing: " DOWNLOAD,
                            err->message, path->name);
}

void
cli_hub_free(cli_model_path *path)
{
    free(path->found);
    *path = (cli_model_path){NULL, NULL, NULL};
}
