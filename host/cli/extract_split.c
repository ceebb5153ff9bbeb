/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extract_split.c - lists of equal cost, each the input of a job
 *
 * The dearest unit goes first, always to the list that has least so far: the
 * dearest list is then at most a third above the best that there is.  A line of
 * a list tells its index in the whole, so that oriel merge can sort the rows.
 * An archive stays whole, as its members cannot be named apart.
 */
#include "base/fail.h"
#include "base/utf8.h"
#include "bulk/manifest.h"
#include "cli/exits.h"
#include "cli/extract_job.h"
#include "cli/report.h"
#include "files/whole_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* An input, or an archive with all of its own. */
typedef struct unit {
    char *line;
    char *archive; /* or NULL */
    double cost;
    int64_t list;
} unit;

struct cli_extract_split {
    unit *units;
    size_t n, room;
};

cli_extract_split *
cli_extract_split_new(void)
{
    return calloc(1, sizeof(cli_extract_split));
}

void
cli_extract_split_free(cli_extract_split *split)
{
    if (!split)
        return;
    for (size_t i = 0; i < split->n; i++) {
        free(split->units[i].line);
        free(split->units[i].archive);
    }
    free(split->units);
    free(split);
}

/* The columns that the line does not have itself, and the id.  jansson's own
   update_missing does not tell what it could not add. */
static bool
add_columns(json_t *line, const bulk_entry *entry)
{
    const char *key;
    json_t *value;

    json_object_foreach(entry->columns, key, value)
    {
        if (!json_object_get(line, key) && json_object_set(line, key, value))
            return false;
    }
    return json_object_set(line, "id", entry->id) == 0;
}

static char *
line_of(const bulk_entry *entry)
{
    json_t *line = json_pack("{s:s, s:I}", "path",
                             entry->archive ? entry->archive : entry->source,
                             "index", (json_int_t)entry->index);
    char *text = NULL;

    /* Members have ids and columns of their own. */
    if (line && !entry->archive && !add_columns(line, entry)) {
        json_decref(line);
        return NULL;
    }
    if (line)
        text = bulk_line_text(line);
    json_decref(line);
    return text;
}

static int
check_name(const bulk_entry *entry)
{
    const char *name = entry->archive ? entry->archive : entry->source;

    if (strcmp(name, "-") == 0)
        return cli_report_error(CLI_USAGE,
                                "--split: an archive on standard input cannot "
                                "be named in a list");
    if (!oriel_utf8_is_valid(name, strlen(name)))
        return cli_report_error(CLI_USAGE,
                                "--split: %s: a name in a list of JSON lines "
                                "is UTF-8",
                                ORIEL_QUOTE(name));
    return CLI_DONE;
}

int
cli_extract_split_add(cli_extract_split *split, const bulk_entry *entry,
                      double cost)
{
    unit *last = split->n ? &split->units[split->n - 1] : NULL;
    int failed = check_name(entry);

    if (failed)
        return failed;
    if (entry->archive && last && last->archive &&
        strcmp(entry->archive, last->archive) == 0) {
        last->cost += cost;
        return CLI_DONE;
    }
    if (split->n == split->room) {
        size_t room = split->room ? 2 * split->room : 1024;
        unit *units = reallocarray(split->units, room, sizeof(*units));

        if (!units)
            return cli_report_memory("the lists");
        split->units = units;
        split->room = room;
    }
    last = &split->units[split->n++];
    *last = (unit){.line = line_of(entry), .cost = cost};
    last->archive = entry->archive ? strdup(entry->archive) : NULL;
    if (!last->line || (entry->archive && !last->archive))
        return cli_report_memory("the lists");
    return CLI_DONE;
}

/* ---- Sharing out ---------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
    const unit *x = *(unit *const *)a, *y = *(unit *const *)b;

    if (x->cost != y->cost)
        return x->cost < y->cost ? 1 : -1;
    return x < y ? -1 : 1;
}

static int
share_out(const cli_extract_split *split, int64_t n_lists, double *share)
{
    unit **sorted = calloc(split->n + 1, sizeof(void *));
    double *costs = calloc((size_t)n_lists, sizeof(*costs));
    double sum = 0, most = 0;

    if (!sorted || !costs) {
        free(sorted);
        free(costs);
        return cli_report_memory("the lists");
    }
    for (size_t i = 0; i < split->n; i++)
        sorted[i] = &split->units[i];
    qsort(sorted, split->n, sizeof(void *), compare);
    for (size_t i = 0; i < split->n; i++) {
        int64_t least = 0;

        for (int64_t k = 1; k < n_lists; k++)
            if (costs[k] < costs[least])
                least = k;
        sorted[i]->list = least;
        costs[least] += sorted[i]->cost;
        sum += sorted[i]->cost;
    }
    for (int64_t k = 0; k < n_lists; k++)
        most = costs[k] > most ? costs[k] : most;
    *share = sum > 0 ? most * (double)n_lists / sum : 1;
    free(sorted);
    free(costs);
    return CLI_DONE;
}

static oriel_status
write_list(const cli_extract_split *split, const char *folder, int64_t number,
           oriel_error *err)
{
    char name[40];
    char *path;
    oriel_whole_file *file = NULL;
    uint64_t at = 0;
    oriel_status status;

    snprintf(name, sizeof(name), "list-%05" PRId64 ".jsonl", number);
    path = bulk_path(folder, name);
    status = path ? oriel_whole_file_create(&file, path, false, 0,
                                            &cli_output_hooks, err)
                  : oriel_fail_memory(err, 1, "a path");
    for (size_t i = 0; i < split->n && !status; i++)
        if (split->units[i].list == number) {
            const size_t n = strlen(split->units[i].line);

            status =
                oriel_whole_file_write(file, at, split->units[i].line, n, err);
            at += n;
        }
    if (status)
        oriel_whole_file_abort(file);
    else if (file)
        status = oriel_whole_file_commit(file, at, err);
    free(path);
    return status;
}

int
cli_extract_split_write(const cli_extract_split *split, const char *folder,
                        int64_t n_lists, double *share)
{
    oriel_error err;
    int failed = share_out(split, n_lists, share);

    if (!failed && mkdir(folder, 0777) != 0 && errno != EEXIST)
        failed = cli_report_error(CLI_OUTPUT, "%s: cannot be made: %s",
                                  ORIEL_QUOTE(folder), strerror(errno));
    for (int64_t k = 0; k < n_lists && !failed; k++)
        if (write_list(split, folder, k, &err))
            failed = err.cause == EEXIST
                         ? cli_report_error(CLI_USAGE, "%s", err.message)
                         : cli_report_failure(&err, NULL);
    return failed;
}
