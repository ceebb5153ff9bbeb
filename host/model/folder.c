/* SPDX-License-Identifier: Apache-2.0 */
/* folder.c - folders that hold no model, or hold one further down */
#include "model/folder.h"

#include "base/fail.h"
#include "model/locate.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool
has_form(const char *name, const char *prefix, const char *suffix)
{
    const size_t n = strlen(name);
    const size_t before = strlen(prefix);
    const size_t after = strlen(suffix);

    return name[0] != '.' && n >= before + after &&
           strncmp(name, prefix, before) == 0 &&
           strcmp(name + n - after, suffix) == 0;
}

static oriel_status
take_entry(oriel_entries *out, const char *name, const oriel_hooks *hooks,
           oriel_error *err)
{
    out->n++;
    if (out->first && strcmp(out->first, name) <= 0)
        return ORIEL_OK;
    oriel_free(hooks, out->first);
    out->first = oriel_strdup(hooks, name);
    return out->first ? ORIEL_OK
                      : oriel_fail_memory(err, strlen(name) + 1, "a file name");
}

oriel_status
oriel_folder_find(oriel_entries *out, const char *folder, const char *prefix,
                  const char *suffix, const oriel_hooks *hooks,
                  oriel_error *err)
{
    DIR *dir = opendir(folder);
    oriel_status status = ORIEL_OK;
    const struct dirent *entry;

    *out = (oriel_entries){NULL, 0};
    if (!dir)
        return oriel_file_fail(err, folder, "cannot list", errno);
    for (errno = 0; !status && (entry = readdir(dir)) != NULL; errno = 0)
        if (has_form(entry->d_name, prefix, suffix))
            status = take_entry(out, entry->d_name, hooks, err);
    if (!status && errno)
        status = oriel_file_fail(err, folder, "cannot list", errno);
    closedir(dir);
    if (status) {
        oriel_free(hooks, out->first);
        *out = (oriel_entries){NULL, 0};
    }
    return status;
}

/* ---- What it seems to be ---------------------------------------------- */

/* The first row of which there is an entry explains the folder. */
static const struct {
    const char *prefix, *suffix, *before, *after;
} explanations[] = {
    {"adapter_config", ".json", "this is a LoRA adapter (",
     "); give the model that it was merged into"},
    {"", ".gguf", "this holds GGUF files (",
     "), which are not supported; give the safetensors checkpoint"},
    {"pytorch_model", ".bin", "this holds PyTorch files (",
     "); save the model as safetensors (save_pretrained does)"},
    {"pytorch_model", ".bin.index.json", "this holds PyTorch files (",
     "); save the model as safetensors (save_pretrained does)"},
    {"", ".safetensors", "there is ", "; name that file itself"},
};

/* Of 'name', which explains the folder: a link of a cache may lead nowhere while
   a download is not complete. */
static oriel_status
explain(const char *folder, const char *what, oriel_status status,
        const char *name, size_t row, const oriel_hooks *hooks,
        oriel_error *err)
{
    char *path = oriel_path_join(hooks, folder, name);
    bool exists = false;
    oriel_status looked = path ? oriel_path_exists(path, &exists, err)
                               : oriel_fail_memory(err, strlen(name), "a path");

    oriel_free(hooks, path);
    if (looked)
        return looked;
    if (!exists)
        return oriel_fail(err, status,
                          "%s: %s; %s is a link to a file that is not there: "
                          "complete the download",
                          ORIEL_QUOTE(folder), what, ORIEL_QUOTE(name));
    return oriel_fail(err, status, "%s: %s; %s%s%s", ORIEL_QUOTE(folder), what,
                      explanations[row].before, ORIEL_QUOTE(name),
                      explanations[row].after);
}

oriel_status
oriel_folder_refuse(const char *folder, const char *what, oriel_status status,
                    const oriel_hooks *hooks, oriel_error *err)
{
    for (size_t i = 0; i < sizeof(explanations) / sizeof(*explanations); i++) {
        oriel_entries found;
        oriel_status listed =
            oriel_folder_find(&found, folder, explanations[i].prefix,
                              explanations[i].suffix, hooks, err);

        if (listed)
            return listed;
        if (!found.first)
            continue;
        status = explain(folder, what, status, found.first, i, hooks, err);
        oriel_free(hooks, found.first);
        return status;
    }
    return oriel_fail(err, status, "%s: %s", ORIEL_QUOTE(folder), what);
}

/* ---- The Hugging Face cache ------------------------------------------- */

/* The text of refs/main, a plain name; NULL if there is no such file. */
static oriel_status
read_revision(char **out, const char *folder, const oriel_hooks *hooks,
              oriel_error *err)
{
    char *path = oriel_path_join(hooks, folder, "refs/main");
    char *text = NULL;
    size_t bytes;
    bool exists = false;
    oriel_status status =
        path ? oriel_path_exists(path, &exists, err)
             : oriel_fail_memory(err, strlen(folder), "a path");

    *out = NULL;
    if (!status && exists)
        status = oriel_text_load(path, 4096, hooks, &text, &bytes, err);
    oriel_free(hooks, path);
    if (status || !text)
        return status;
    text[strcspn(text, " \r\n\t")] = '\0';
    if (text[0] == '\0' || text[0] == '.' || strchr(text, '/')) {
        oriel_free(hooks, text);
        text = NULL;
    }
    *out = text;
    return ORIEL_OK;
}

/* "FOLDER/NAME", if it exists; takes 'name'. */
static oriel_status
join_existing(char **out, const char *folder, char *name,
              const oriel_hooks *hooks, oriel_error *err)
{
    bool exists = false;
    oriel_status status;

    *out = oriel_path_join(hooks, folder, name);
    status = *out ? oriel_path_exists(*out, &exists, err)
                  : oriel_fail_memory(err, strlen(folder), "a path");
    oriel_free(hooks, name);
    if (status || !exists) {
        oriel_free(hooks, *out);
        *out = NULL;
    }
    return status;
}

oriel_status
oriel_folder_snapshot(char **out, const char *folder, const oriel_hooks *hooks,
                      oriel_error *err)
{
    char *snapshots = oriel_path_join(hooks, folder, "snapshots");
    char *revision = NULL;
    oriel_entries all = {NULL, 0};
    oriel_status status;

    *out = NULL;
    if (!snapshots)
        return oriel_fail_memory(err, strlen(folder), "a path");
    status = read_revision(&revision, folder, hooks, err);
    if (!status && revision)
        status = join_existing(out, snapshots, revision, hooks, err);
    if (!status && !*out)
        status = oriel_folder_find(&all, snapshots, "", "", hooks, err);
    if (!status && !*out && all.n == 1) {
        status = join_existing(out, snapshots, all.first, hooks, err);
        all.first = NULL;
    }
    if (!status && !*out)
        status = oriel_fail(err, ORIEL_ERR_NOT_FOUND,
                            "%s: a Hugging Face cache folder with %zu "
                            "snapshots, and refs/main names no one of them; "
                            "give one of the folders in snapshots/",
                            ORIEL_QUOTE(folder), all.n);
    oriel_free(hooks, all.first);
    oriel_free(hooks, snapshots);
    return status;
}
