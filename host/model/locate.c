/* SPDX-License-Identifier: Apache-2.0 */
/* locate.c - following a path to the files of a model */
#include "model/locate.h"

#include "base/fail.h"
#include "base/retry.h"
#include "model/config.h"
#include "model/folder.h"
#include "model/foreign_file.h"
#include "model/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NO_CONFIG \
    "expected it beside the weights; or give one with --config FILE, or a " \
    "published size with --config 7b"

/* A cache may hold the snapshot of a pipeline: four steps at most. */
enum { MAX_STEPS = 6 };

typedef struct locator {
    oriel_location *out;
    const char *config_path;
    bool preset;
    const oriel_hooks *hooks;
    oriel_error *err;
} locator;

/* ---- Paths ------------------------------------------------------------ */

char *
oriel_path_join(const oriel_hooks *hooks, const char *folder, const char *name)
{
    const size_t bytes = strlen(folder) + strlen(name) + 2;
    char *path = oriel_alloc(hooks, bytes);

    if (path)
        snprintf(path, bytes, "%s/%s", folder, name);
    return path;
}

oriel_status
oriel_path_exists(const char *path, bool *exists, oriel_error *err)
{
    struct stat info;

    *exists = oriel_stat(path, &info) == 0;
    if (*exists || errno == ENOENT || errno == ENOTDIR)
        return ORIEL_OK;
    return oriel_file_fail(err, path, "cannot look at it", errno);
}

/* "DIR" of "DIR/NAME", "." of "NAME"; ours to free. */
static char *
folder_of(const oriel_hooks *hooks, const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) : 0;
    char *folder;

    if (!slash)
        return oriel_strdup(hooks, ".");
    folder = oriel_alloc(hooks, n + 2);
    if (!folder)
        return NULL;
    memcpy(folder, path, n + 1);
    folder[n ? n : 1] = '\0';
    return folder;
}

/* Replace a path; NULL is memory that is out. */
static oriel_status
set(const locator *l, char **path, char *value)
{
    oriel_free(l->hooks, *path);
    *path = value;
    return value ? ORIEL_OK : oriel_fail_memory(l->err, 1, "a path");
}

static oriel_status
has(const locator *l, const char *folder, const char *name, bool *found)
{
    char *path = oriel_path_join(l->hooks, folder, name);
    oriel_status status;

    *found = false;
    if (!path)
        return oriel_fail_memory(l->err, strlen(folder), "a path");
    status = oriel_path_exists(path, found, l->err);
    oriel_free(l->hooks, path);
    return status;
}

oriel_status
oriel_text_load(const char *path, size_t limit, const oriel_hooks *hooks,
                char **text, size_t *bytes, oriel_error *err)
{
    oriel_file *file;
    oriel_status status = oriel_file_open(&file, path, hooks, err);
    const char *what;

    *text = NULL;
    *bytes = 0;
    if (status)
        return status;
    status = oriel_file_load(file, limit, text, bytes, err);
    oriel_file_close(file);
    if (status)
        return status;
    what = oriel_foreign_kind(*text, *bytes);
    if (!what)
        return ORIEL_OK;
    oriel_free(hooks, *text);
    *text = NULL;
    return oriel_fail(err, ORIEL_ERR_UNSUPPORTED, "%s: %s", ORIEL_QUOTE(path),
                      what);
}

/* ---- Folders ---------------------------------------------------------- */

/* A step down to FOLDER/NAME, which becomes the folder. */
static oriel_status
descend(const locator *l, const char *name)
{
    return set(l, &l->out->folder,
               oriel_path_join(l->hooks, l->out->folder, name));
}

/* text_encoder/ of a pipeline, and processor/ unless it has its own. */
static oriel_status
enter_pipeline(const locator *l)
{
    char *root = l->out->folder;
    bool found = false;
    bool has_config = false;
    oriel_status status;

    l->out->folder = NULL;
    status = set(l, &l->out->folder,
                 oriel_path_join(l->hooks, root, "text_encoder"));
    if (!status)
        status = has(l, l->out->folder, ORIEL_CONFIG_FILE_NAME, &has_config);
    if (!status && !has_config)
        status = oriel_fail(l->err, ORIEL_ERR_MODEL,
                            "%s: a diffusers pipeline (model_index.json) "
                            "without text_encoder/config.json; give the folder "
                            "of its vision-language model",
                            ORIEL_QUOTE(root));
    if (!status)
        status = has(l, root, "processor", &found);
    if (!status && found)
        status = set(l, &l->out->processor,
                     oriel_path_join(l->hooks, root, "processor"));
    oriel_free(l->hooks, root);
    return status;
}

/* Many models: only one of them is no question. */
static oriel_status
enter_cache(const locator *l, bool *moved)
{
    oriel_entries models;
    oriel_status status = oriel_folder_find(&models, l->out->folder, "models--",
                                            "", l->hooks, l->err);

    if (!status && models.n == 1) {
        *moved = true;
        status = descend(l, models.first);
    } else if (!status && models.n > 1) {
        status = oriel_fail(l->err, ORIEL_ERR_NOT_FOUND,
                            "%s: a Hugging Face cache of %zu models; give the "
                            "folder of one of them, such as %s",
                            ORIEL_QUOTE(l->out->folder), models.n,
                            ORIEL_QUOTE(models.first));
    }
    oriel_free(l->hooks, models.first);
    return status;
}

/* The folder of a model's snapshots stands for the model's. */
static oriel_status
leave_snapshots(const locator *l, bool *moved)
{
    const char *folder = l->out->folder;
    size_t n = strlen(folder);

    while (n > 1 && folder[n - 1] == '/')
        n--;
    *moved = n >= 9 && strncmp(folder + n - 9, "snapshots", 9) == 0 &&
             (n == 9 || folder[n - 10] == '/');
    return *moved ? descend(l, "..") : ORIEL_OK;
}

/* A folder without config.json: one step to where one is clear. */
static oriel_status
step(const locator *l, bool *moved)
{
    char *snapshot;
    bool found;
    oriel_status status = has(l, l->out->folder, "model_index.json", &found);

    if (!status && found) {
        *moved = true;
        return enter_pipeline(l);
    }
    if (!status)
        status = has(l, l->out->folder, "snapshots", &found);
    if (!status && found) {
        status =
            oriel_folder_snapshot(&snapshot, l->out->folder, l->hooks, l->err);
        *moved = true;
        return status ? status : set(l, &l->out->folder, snapshot);
    }
    if (!status)
        status = enter_cache(l, moved);
    if (!status && !*moved)
        status = leave_snapshots(l, moved);
    if (!status && !*moved)
        status = has(l, l->out->folder, "hub", &found);
    if (!status && !*moved && found) {
        *moved = true;
        status = descend(l, "hub");
    }
    return status;
}

static oriel_status
refuse_without_config(const locator *l)
{
    return oriel_folder_refuse(l->out->folder,
                               "no " ORIEL_CONFIG_FILE_NAME ": " NO_CONFIG,
                               ORIEL_ERR_NOT_FOUND, l->hooks, l->err);
}

static oriel_status
locate_in_folder(const locator *l)
{
    bool found = false;
    bool moved = true;
    oriel_status status = ORIEL_OK;

    for (int i = 0; i < MAX_STEPS && moved && !status; i++) {
        moved = false;
        status = has(l, l->out->folder, ORIEL_CONFIG_FILE_NAME, &found);
        if (!status && !found && !l->config_path && !l->preset)
            status = step(l, &moved);
    }
    if (status || found || l->config_path || l->preset)
        return status;
    return refuse_without_config(l);
}

/* ---- Files ------------------------------------------------------------ */

static oriel_status
refuse_json(const locator *l, const char *path, const char *what)
{
    return oriel_fail(l->err, ORIEL_ERR_MODEL, "%s: %s", ORIEL_QUOTE(path),
                      what);
}

static oriel_status
locate_by_json(const locator *l, const char *path, const json_t *root)
{
    static const struct {
        const char *key, *what;
    } others[] = {
        {"peft_type", "the configuration of a LoRA adapter; give the model "
                      "that it was merged into"},
        {"image_processor_type",
         "the configuration of an image processor; give the model's folder"},
        {"image_processor",
         "the configuration of a processor; give the model's folder"},
    };

    if (json_is_object(json_object_get(root, "weight_map")))
        return set(l, &l->out->index, oriel_strdup(l->hooks, path));
    if (json_object_get(root, "_diffusers_version") ||
        json_object_get(root, "_class_name"))
        return locate_in_folder(l);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (json_object_get(root, others[i].key))
            return refuse_json(l, path, others[i].what);
    if (!json_object_get(root, "vision_config") &&
        !json_object_get(root, "model_type") &&
        !json_object_get(root, "thinker_config") &&
        !json_object_get(root, "vlm_config"))
        return refuse_json(l, path,
                           "JSON, but neither a config.json nor an index of "
                           "shards; give the model's folder");
    return l->config_path || l->preset
               ? ORIEL_OK
               : set(l, &l->out->config, oriel_strdup(l->hooks, path));
}

/* An index or a configuration stands for its folder. */
static oriel_status
locate_by_text(const locator *l, const char *path)
{
    char *text;
    size_t bytes;
    json_t *root = NULL;
    oriel_status status = oriel_text_load(path, ORIEL_SAFETENSORS_MAX_HEADER,
                                          l->hooks, &text, &bytes, l->err);

    if (!status)
        status =
            oriel_json_parse_python(&root, text, bytes, path, l->hooks, l->err);
    oriel_free(l->hooks, text);
    if (!status)
        status = locate_by_json(l, path, root);
    json_decref(root);
    return status;
}

/* The length of a safetensors header is below 2^32: four bytes of zeros. */
static bool
is_json(const char *bytes, size_t n)
{
    size_t i = n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

    if (n >= 8 && memcmp(bytes + 4, "\0\0\0\0", 4) == 0)
        return false;
    while (i < n && strchr(" \t\r\n", bytes[i]) && bytes[i])
        i++;
    return i < n && bytes[i] == '{';
}

oriel_status
oriel_path_is_json(const char *path, bool *answer, const oriel_hooks *hooks,
                   oriel_error *err)
{
    char bytes[ORIEL_FOREIGN_BYTES];
    size_t n = sizeof(bytes);
    oriel_file *file;
    oriel_status status = oriel_file_open(&file, path, hooks, err);

    *answer = false;
    if (status)
        return status;
    if (n > oriel_file_bytes(file))
        n = (size_t)oriel_file_bytes(file);
    status = oriel_file_read(file, 0, bytes, n, err);
    oriel_file_close(file);
    *answer = !status && is_json(bytes, n);
    return status;
}

static oriel_status
locate_file(const locator *l, const char *path)
{
    bool found;
    oriel_status status = oriel_path_is_json(path, &found, l->hooks, l->err);

    if (!status && found)
        return locate_by_text(l, path);
    if (!status)
        status = set(l, &l->out->file, oriel_strdup(l->hooks, path));
    if (status || l->config_path || l->preset)
        return status;
    /* Without one, a file that was named goes by the shapes of its tensors. */
    status = has(l, l->out->folder, ORIEL_CONFIG_FILE_NAME, &found);
    if (!status && found)
        status = set(
            l, &l->out->config,
            oriel_path_join(l->hooks, l->out->folder, ORIEL_CONFIG_FILE_NAME));
    return status;
}

/* ---- Both ------------------------------------------------------------- */

/* Where the processor's configuration is: beside config.json, unless only the
   pipeline has one. */
static oriel_status
settle_processor(const locator *l)
{
    oriel_location *out = l->out;
    bool own = false;
    oriel_status status = ORIEL_OK;

    if (out->processor) {
        status = has(l, out->folder, "processor_config.json", &own);
        if (!status && !own)
            status = has(l, out->folder, "preprocessor_config.json", &own);
        if (status || !own)
            return status;
    }
    return set(l, &out->processor,
               out->config ? folder_of(l->hooks, out->config)
                           : oriel_strdup(l->hooks, out->folder));
}

oriel_status
oriel_locate(oriel_location *out, const char *path, const char *config_path,
             bool preset, const oriel_hooks *hooks, oriel_error *err)
{
    const locator l = {out, config_path, preset, hooks, err};
    struct stat info;
    bool is_folder;
    oriel_status status;

    *out = (oriel_location){NULL, NULL, NULL, NULL, NULL};
    if (oriel_stat(path, &info) != 0)
        return oriel_file_fail(
            err, path, "cannot find a folder or .safetensors file there",
            errno);
    is_folder = S_ISDIR(info.st_mode);
    status =
        set(&l, &out->folder,
            is_folder ? oriel_strdup(hooks, path) : folder_of(hooks, path));
    if (!status)
        status = is_folder ? locate_in_folder(&l) : locate_file(&l, path);
    if (!status && config_path)
        status = set(&l, &out->config, oriel_strdup(hooks, config_path));
    else if (!status && !preset && !out->config && !out->file)
        status =
            set(&l, &out->config,
                oriel_path_join(hooks, out->folder, ORIEL_CONFIG_FILE_NAME));
    return status ? status : settle_processor(&l);
}

void
oriel_location_free(oriel_location *location, const oriel_hooks *hooks)
{
    oriel_free(hooks, location->folder);
    oriel_free(hooks, location->file);
    oriel_free(hooks, location->index);
    oriel_free(hooks, location->config);
    oriel_free(hooks, location->processor);
    *location = (oriel_location){NULL, NULL, NULL, NULL, NULL};
}
