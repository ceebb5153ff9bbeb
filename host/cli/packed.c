/* SPDX-License-Identifier: Apache-2.0 */
/* packed.c - the packed safetensors file that encode and preprocess write */
#include "cli/packed.h"

#include "base/fail.h"
#include "cli/exits.h"
#include "cli/nonfinite.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/settings.h"
#include "cli/text.h"
#include "files/json_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/*
 * Room in the header.  A name appears once, in "sources" or in "failed"; there
 * it comes with {"source":,"error":} and a reason, whose quotes are escaped
 * because the list is text inside a JSON string.  Reasons share what room is
 * set aside for them; when that is used up, the status name alone stands.
 */
enum {
    TABLE_BYTES = 1024,  /* the tensors, and our own two keys */
    ENTRY_BYTES = 36,    /* of an input, beside its name and reason */
    REASON_BYTES = 8192, /* of all reasons */
    STATUS_BYTES = 24    /* the longest name of a status */
};

static int
header_room(const cli_inputs *inputs, size_t metadata_bytes, uint64_t *room)
{
    uint64_t bytes = TABLE_BYTES + REASON_BYTES + metadata_bytes;

    for (size_t i = 0; i < inputs->n; i++)
        bytes +=
            ENTRY_BYTES + STATUS_BYTES + cli_text_name_bound(inputs->names[i]);
    for (size_t i = 0; i < inputs->n_bad; i++)
        bytes += ENTRY_BYTES + STATUS_BYTES +
                 cli_text_name_bound(inputs->bad[i].name);
    *room = bytes;
    if (bytes <= ORIEL_WRITER_MAX_HEADER)
        return CLI_DONE;
    return cli_report_error(
        CLI_USAGE,
        "%zu inputs are too many for one file: their names would take up to "
        "%s in its header, which holds %s; split the list",
        inputs->n, cli_text_bytes(bytes).text,
        cli_text_bytes(ORIEL_WRITER_MAX_HEADER).text);
}

static int
check_not_input(const char *path, const cli_inputs *inputs)
{
    int failed = CLI_DONE;

    for (size_t i = 0; i < inputs->n && !failed; i++)
        failed = cli_output_check_not(path, inputs->names[i]);
    return failed;
}

int
cli_packed_create(cli_packed *packed, const char *path, bool replace,
                  const cli_inputs *inputs, size_t metadata_bytes)
{
    oriel_writer_options options = {.replace = replace,
                                    .hooks = &cli_output_hooks};
    oriel_error err;
    int failed;

    memset(packed, 0, sizeof(*packed));
    packed->path = path;
    packed->failed_text_left = REASON_BYTES;
    packed->sources = json_array();
    packed->failed = json_array();
    packed->padded = json_array();
    packed->offsets = calloc(1, sizeof(*packed->offsets));
    if (!packed->sources || !packed->failed || !packed->padded ||
        !packed->offsets)
        return cli_report_memory("the output");
    failed = header_room(inputs, metadata_bytes, &options.header_bytes);
    if (!failed && replace)
        failed = check_not_input(path, inputs);
    if (!failed && oriel_writer_create(&packed->writer, path, &options, &err))
        failed = cli_output_report(&err, packed->path);
    return failed;
}

static int
reserve_one(cli_packed *packed)
{
    size_t capacity = packed->capacity ? 2 * packed->capacity : 64;
    int64_t *grids, *offsets;

    if (packed->n < packed->capacity)
        return CLI_DONE;
    grids = reallocarray(packed->grids, capacity, 3 * sizeof(*grids));
    if (grids)
        packed->grids = grids;
    offsets = reallocarray(packed->offsets, capacity + 1, sizeof(*offsets));
    if (offsets)
        packed->offsets = offsets;
    if (!grids || !offsets)
        return cli_report_memory("the output's table");
    packed->capacity = capacity;
    return CLI_DONE;
}

int
cli_packed_add(cli_packed *packed, json_t *source, const int64_t grid[3],
               int64_t rows)
{
    int failed = reserve_one(packed);

    if (failed) {
        json_decref(source);
        return failed;
    }
    if (json_array_append_new(packed->sources, source) != 0)
        return cli_report_memory("the list of sources");
    memcpy(packed->grids + 3 * packed->n, grid, 3 * sizeof(*grid));
    packed->n++;
    packed->n_rows += (uint64_t)rows;
    packed->offsets[packed->n] = (int64_t)packed->n_rows;
    return CLI_DONE;
}

int
cli_packed_add_padded(cli_packed *packed, const char *name, const char *reason)
{
    cli_report_warning("%s: %s", ORIEL_QUOTE(name), reason);
    if (json_array_append_new(packed->padded,
                              json_integer((json_int_t)packed->n)) != 0)
        return cli_report_memory("the list of padded pictures");
    return CLI_DONE;
}

/* An upper bound of a message's bytes in JSON inside a JSON string. */
static bool
take_reason_room(cli_packed *packed, const char *reason)
{
    size_t bytes = cli_text_name_bound(reason);

    if (bytes > packed->failed_text_left)
        return false;
    packed->failed_text_left -= bytes;
    return true;
}

int
cli_packed_add_failed(cli_packed *packed, const char *name,
                      const oriel_error *why)
{
    const char *reason = why->message;

    cli_report_input(name, reason);
    if (!take_reason_room(packed, reason))
        reason = oriel_status_name(why->status);
    if (json_array_append_new(packed->failed, json_pack("{s:o, s:s}", "source",
                                                        cli_text_name(name),
                                                        "error", reason)) != 0)
        return cli_report_memory("the list of failures");
    packed->n_failed++;
    return CLI_DONE;
}

int
cli_packed_add_bad(cli_packed *packed, const cli_inputs *inputs)
{
    int failed = CLI_DONE;

    for (size_t i = 0; !failed && i < inputs->n_bad; i++)
        failed = cli_packed_add_failed(packed, inputs->bad[i].name,
                                       &inputs->bad[i].err);
    return failed;
}

static int
append(cli_packed *packed, const void *rows, size_t bytes)
{
    oriel_error err;

    if (oriel_writer_write(packed->writer, packed->written, rows, bytes, &err))
        return cli_output_report(&err, packed->path);
    packed->written += bytes;
    return CLI_DONE;
}

int
cli_packed_append(cli_packed *packed, const void *rows, size_t bytes)
{
    cli_nonfinite_count(rows, bytes, packed->dtype, &packed->infinite,
                        &packed->nan);
    return append(packed, rows, bytes);
}

/* ---- Finish ------------------------------------------------------------ */

enum { OWN_TENSORS = 3, OWN_METADATA = 5 };

static int
write_tail(cli_packed *packed, const cli_packed_table *table,
           oriel_writer_tensor tensors[OWN_TENSORS], size_t *n_tensors)
{
    int64_t n = (int64_t)packed->n;
    size_t t = 0;
    int failed = CLI_DONE;

    tensors[t++] =
        (oriel_writer_tensor){table->rows_name,
                              table->dtype,
                              2,
                              {(int64_t)packed->n_rows, table->columns}};
    if (table->with_offsets) {
        tensors[t++] = (oriel_writer_tensor){"offsets", "I64", 1, {n + 1}};
        failed =
            append(packed, packed->offsets, (packed->n + 1) * sizeof(int64_t));
    }
    tensors[t++] = (oriel_writer_tensor){"image_grid_thw", "I64", 2, {n, 3}};
    if (!failed)
        failed = append(packed, packed->grids, packed->n * 3 * sizeof(int64_t));
    *n_tensors = t;
    return failed;
}

/* Lists of items and inputs as text, for the metadata. */
typedef struct item_lists {
    char *sources, *failed, *padded;
} item_lists;

/* Our own entries after the caller's; 'counts' holds the text of two. */
static size_t
add_metadata(const cli_packed *packed, oriel_writer_entry *metadata,
             char counts[2][24], const item_lists *lists)
{
    size_t n = 0;

    metadata[n++] = (oriel_writer_entry){"sources", lists->sources};
    metadata[n++] = (oriel_writer_entry){"failed", lists->failed};
    if (json_array_size(packed->padded) > 0)
        metadata[n++] = (oriel_writer_entry){"padded", lists->padded};
    snprintf(counts[0], sizeof(counts[0]), "%" PRIu64, packed->infinite);
    snprintf(counts[1], sizeof(counts[1]), "%" PRIu64, packed->nan);
    if (packed->infinite)
        metadata[n++] = (oriel_writer_entry){"infinite_values", counts[0]};
    if (packed->nan)
        metadata[n++] = (oriel_writer_entry){"nan_values", counts[1]};
    return n;
}

static int
write_header(cli_packed *packed, const cli_packed_table *table,
             const item_lists *lists)
{
    oriel_writer_tensor tensors[OWN_TENSORS];
    char counts[2][24];
    oriel_writer_header header = {.tensors = tensors};
    oriel_writer_entry *metadata =
        calloc(table->n_metadata + OWN_METADATA, sizeof(*metadata));
    oriel_error err;
    int failed;

    if (!metadata)
        return cli_report_memory("the output's header");
    memcpy(metadata, table->metadata, table->n_metadata * sizeof(*metadata));
    header.metadata = metadata;
    header.n_metadata =
        table->n_metadata +
        add_metadata(packed, metadata + table->n_metadata, counts, lists);
    failed = write_tail(packed, table, tensors, &header.n_tensors);
    if (!failed) {
        if (oriel_writer_finish(packed->writer, &header, &err))
            failed = cli_output_report(&err, packed->path);
        packed->writer = NULL;
    }
    free(metadata);
    return failed;
}

int
cli_packed_finish(cli_packed *packed, const cli_packed_table *table)
{
    item_lists lists;
    int failed;

    if (packed->n == 0)
        return CLI_INPUTS;
    lists.sources = oriel_json_text(packed->sources, JSON_COMPACT);
    lists.failed =
        oriel_json_text(packed->failed, JSON_COMPACT | JSON_PRESERVE_ORDER);
    lists.padded = oriel_json_text(packed->padded, JSON_COMPACT);
    failed = lists.sources && lists.failed && lists.padded
                 ? write_header(packed, table, &lists)
                 : cli_report_memory("the output's header");
    free(lists.sources);
    free(lists.failed);
    free(lists.padded);
    if (!failed && packed->n_failed > 0)
        failed = CLI_INPUTS;
    return failed;
}

void
cli_packed_free(cli_packed *packed)
{
    oriel_writer_abort(packed->writer);
    json_decref(packed->sources);
    json_decref(packed->failed);
    json_decref(packed->padded);
    free(packed->grids);
    free(packed->offsets);
    memset(packed, 0, sizeof(*packed));
}

/* Said even with --quiet: who does not know of it would not look. */
static void
report_nonfinite(const cli_packed *packed, const char *rows)
{
    char infinite[40], nan[40];

    if (packed->infinite == 0 && packed->nan == 0)
        return;
    snprintf(infinite, sizeof(infinite), "%" PRIu64 " infinite",
             packed->infinite);
    snprintf(nan, sizeof(nan), "%" PRIu64 " NaN", packed->nan);
    cli_report_warning("%s%s%s values among the %" PRIu64 " %s%s",
                       packed->infinite ? infinite : "",
                       packed->infinite && packed->nan ? " and " : "",
                       packed->nan ? nan : "", packed->n_rows, rows,
                       packed->infinite > 0 && packed->nan == 0 &&
                               packed->dtype == ORIEL_DTYPE_F16
                           ? ": f16 ends at 65504, --dtype bf16 does not"
                           : "");
}

void
cli_packed_report(const cli_packed *packed, const char *output,
                  const char *verb, const char *rows, int exit_status)
{
    double seconds = cli_progress_seconds();

    report_nonfinite(packed, rows);
    if (packed->n == 0)
        cli_report_note("no input could be %s: nothing is written", verb);
    else
        cli_report_note("%zu image%s, %" PRIu64 " %s, %s in %s%s: %s",
                        packed->n, packed->n == 1 ? "" : "s", packed->n_rows,
                        rows, cli_text_bytes(packed->written).text,
                        cli_text_seconds(seconds).text,
                        packed->n_failed ? ", some inputs failed" : "",
                        ORIEL_QUOTE(output));
    if (cli_report_json())
        cli_report_event(json_pack(
            "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:i}", "event", "done",
            "items", (json_int_t)packed->n, "failed",
            (json_int_t)packed->n_failed, "padded",
            (json_int_t)json_array_size(packed->padded), rows,
            (json_int_t)packed->n_rows, "infinite_values",
            (json_int_t)packed->infinite, "nan_values", (json_int_t)packed->nan,
            "seconds", seconds, "exit", exit_status));
}
