/* SPDX-License-Identifier: Apache-2.0 */
/* tar.c - the pictures of a tar archive in the WebDataset layout */
#include "bulk/tar.h"

#include "base/fail.h"
#include "base/utf8.h"
#include "bulk/archive_library.h"
#include "bulk/json_line.h"
#include "bulk/kind.h"
#include "cli/signals.h"
#include "cli/text.h"
#include "oriel_image.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMBER_BYTES_MAX ((size_t)ORIEL_IMAGE_MAX_PIXELS * 8 + (1 << 20))
#define SIDECAR_BYTES_MAX ((size_t)64 << 10)
#define BLOCK_BYTES ((size_t)256 << 10)

enum { LOOK_UP_MS = 100, SAMPLE_PICTURES_MAX = 1024 };

struct bulk_tar {
    const bulk_archive_library *library;
    struct archive *archive;
    struct archive_entry *member; /* read, and not of the sample; or NULL */
    const char *name;             /* for sources: "-" for standard input */
    char *head;                   /* of standard input, not yet given */
    size_t n_head;
    char *block; /* of standard input */
    bool ended;

    /* The sample that is made, then handed out. */
    char *key;
    json_t *key_id; /* the key as an id */
    json_t *columns;
    bulk_entry *pictures[SAMPLE_PICTURES_MAX]; /* NULL: dropped */
    size_t n_pictures, next_picture;
    bool whole;
    oriel_error err; /* of the archive, told after what came before it */
};

/* ---- Reading ----------------------------------------------------------- */

static la_ssize_t
read_stdin(struct archive *archive, void *context, const void **block)
{
    bulk_tar *tar = context;

    if (tar->n_head > 0) {
        la_ssize_t n = (la_ssize_t)tar->n_head;

        *block = tar->head;
        tar->n_head = 0;
        return n;
    }
    for (;;) {
        struct pollfd file = {.fd = STDIN_FILENO, .events = POLLIN};
        ssize_t got;

        if (cli_signal_caught()) {
            tar->library->archive_set_error(archive, EINTR,
                                            "stopped by a signal");
            return ARCHIVE_FATAL;
        }
        if (poll(&file, 1, LOOK_UP_MS) == 0)
            continue;
        got = read(STDIN_FILENO, tar->block, BLOCK_BYTES);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            tar->library->archive_set_error(archive, errno, "cannot be read");
        *block = tar->block;
        return got < 0 ? ARCHIVE_FATAL : got;
    }
}

static oriel_status
fail_archive(bulk_tar *tar, oriel_error *err)
{
    const char *text = tar->library->archive_error_string(tar->archive);
    int cause = tar->library->archive_errno(tar->archive);

    if (cli_signal_caught())
        return oriel_fail(err, ORIEL_ERR_CANCELLED, "stopped by a signal");
    return oriel_fail_cause(err, oriel_errno_status(cause, ORIEL_ERR_INPUT),
                            cause > 0 ? cause : 0,
                            "the tar archive cannot be read on from here: %s",
                            ORIEL_QUOTE(text ? text : "damaged"));
}

/* false: memory is out.  A filter that libarchive runs a program for warns. */
static bool
accept_formats(bulk_tar *tar)
{
    const bulk_archive_library *l = tar->library;
    struct archive *archive = tar->archive;

    return l->archive_read_support_format_tar(archive) >= ARCHIVE_WARN &&
           l->archive_read_support_filter_gzip(archive) >= ARCHIVE_WARN &&
           l->archive_read_support_filter_bzip2(archive) >= ARCHIVE_WARN &&
           l->archive_read_support_filter_xz(archive) >= ARCHIVE_WARN &&
           l->archive_read_support_filter_zstd(archive) >= ARCHIVE_WARN;
}

oriel_status
bulk_tar_open(bulk_tar **out, const char *name, const char *head, size_t n_head,
              oriel_error *err)
{
    const bulk_archive_library *library = bulk_archive_load(err);
    bulk_tar *tar = calloc(1, sizeof(*tar));
    int result;

    *out = NULL;
    if (!library) {
        free(tar);
        return err->status;
    }
    if (tar) {
        tar->name = name ? name : "-";
        tar->library = library;
        tar->archive = library->archive_read_new();
        tar->head = malloc(n_head + 1);
        tar->block = malloc(BLOCK_BYTES);
    }
    if (!tar || !tar->archive || !tar->head || !tar->block ||
        !accept_formats(tar)) {
        bulk_tar_close(tar);
        return oriel_fail_memory(err, BLOCK_BYTES, "an archive");
    }
    memcpy(tar->head, head, n_head);
    tar->n_head = n_head;
    result = name ? tar->library->archive_read_open_filename(tar->archive, name,
                                                             BLOCK_BYTES)
                  : tar->library->archive_read_open(tar->archive, tar, NULL,
                                                    read_stdin, NULL);
    if (result != ARCHIVE_OK) {
        oriel_status status = fail_archive(tar, err);

        bulk_tar_close(tar);
        return status;
    }
    *out = tar;
    return oriel_ok(err);
}

/* The next regular file's header into tar->member, or the end. */
static oriel_status
read_header(bulk_tar *tar, oriel_error *err)
{
    while (!tar->member && !tar->ended) {
        struct archive_entry *member;
        int result =
            tar->library->archive_read_next_header(tar->archive, &member);

        if (result == ARCHIVE_EOF)
            tar->ended = true;
        else if (result == ARCHIVE_RETRY)
            continue;
        else if (result < ARCHIVE_WARN)
            return fail_archive(tar, err);
        else if (tar->library->archive_entry_filetype(member) == AE_IFREG)
            tar->member = member;
    }
    return ORIEL_OK;
}

/* A NUL stands after the bytes. */
static oriel_status
read_member(bulk_tar *tar, size_t limit, char **bytes, size_t *n_bytes,
            oriel_error *err)
{
    int64_t size = tar->library->archive_entry_size(tar->member);
    size_t n = 0;

    *bytes = NULL;
    *n_bytes = 0;
    if (size < 0 || (uint64_t)size > limit)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "has %lld bytes, expected at most %zu",
                          (long long)size, limit);
    *bytes = malloc((size_t)size + 1);
    if (!*bytes)
        return oriel_fail_memory(err, (size_t)size + 1, "an archive's member");
    while (n < (size_t)size) {
        la_ssize_t got = tar->library->archive_read_data(
            tar->archive, *bytes + n, (size_t)size - n);

        if (got == 0)
            break;
        if (got < 0 && got != ARCHIVE_RETRY) {
            free(*bytes);
            *bytes = NULL;
            return fail_archive(tar, err);
        }
        n += got > 0 ? (size_t)got : 0;
    }
    (*bytes)[n] = '\0';
    *n_bytes = n;
    return oriel_ok(err);
}

/* ---- Samples ----------------------------------------------------------- */

/* In the C locale a name beyond ASCII has only this form. */
static const char *
member_name(const bulk_tar *tar)
{
    struct archive_entry *m = tar->member;
    const char *name = tar->library->archive_entry_pathname(m);

    return name ? name : tar->library->archive_entry_pathname_utf8(m);
}

/* Where the key of a member ends: its first dot; NULL: it belongs to no sample. */
static const char *
key_end(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    const char *dot = strchr(base, '.');

    return dot == base ? NULL : dot;
}

static oriel_status
add_picture(bulk_tar *tar, const char *name, bulk_want want, oriel_error *err)
{
    bulk_entry *entry;
    char *source;

    if (tar->n_pictures == SAMPLE_PICTURES_MAX)
        return oriel_fail(err, ORIEL_ERR_INPUT,
                          "%s: a sample of more than %d pictures",
                          ORIEL_QUOTE(name), SAMPLE_PICTURES_MAX);
    if (want == BULK_DROP) {
        tar->pictures[tar->n_pictures++] = NULL;
        return ORIEL_OK;
    }
    source = malloc(strlen(tar->name) + strlen(name) + 2);
    if (!source)
        return oriel_fail_memory(err, strlen(name), "a name");
    sprintf(source, "%s/%s", tar->name, name);
    entry = bulk_entry_new(source, cli_text_name(name));
    free(source);
    if (entry)
        entry->archive = strdup(tar->name);
    if (!entry || !entry->archive) {
        bulk_entry_free(entry);
        return oriel_fail_memory(err, sizeof(*entry), "an input");
    }
    tar->pictures[tar->n_pictures++] = entry;
    if (want == BULK_READ &&
        read_member(tar, MEMBER_BYTES_MAX, &entry->bytes, &entry->n_bytes,
                    &entry->err) == ORIEL_ERR_MEMORY) {
        *err = entry->err;
        return err->status;
    }
    return ORIEL_OK;
}

/* JSON as it is, text as a string, anything else as null. */
static oriel_status
parse_sidecar(json_t **value, const char *bytes, size_t n, bool is_json,
              oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    *value = NULL;
    if (is_json)
        status = bulk_json_parse(value, bytes, n, JSON_DECODE_ANY, err);
    if (status || *value)
        return status;
    if (!oriel_utf8_is_valid(bytes, n) || memchr(bytes, '\0', n))
        *value = json_null();
    else
        *value = json_stringn(bytes, n);
    return *value ? ORIEL_OK : oriel_fail_memory(err, n, "a column");
}

static oriel_status
read_sidecar(bulk_tar *tar, json_t **value, bool is_json, oriel_error *err)
{
    char *bytes;
    size_t n;
    oriel_status status = read_member(tar, SIDECAR_BYTES_MAX, &bytes, &n, err);

    *value = json_null(); /* too large, or damaged: the archive tells later */
    if (!status && bytes)
        status = parse_sidecar(value, bytes, n, is_json, err);
    free(bytes);
    return status == ORIEL_ERR_INPUT ? ORIEL_OK : status;
}

static oriel_status
add_sidecar(bulk_tar *tar, const char *ending, oriel_error *err)
{
    char *lower = strdup(ending);
    oriel_status status;
    json_t *value;

    if (!lower)
        return oriel_fail_memory(err, strlen(ending), "a name");
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    status = read_sidecar(tar, &value, strcmp(lower, "json") == 0, err);
    if (!tar->columns)
        tar->columns = json_object();
    if (status || !oriel_utf8_is_valid(lower, strlen(lower)))
        json_decref(value);
    else if (json_object_set_new(tar->columns, lower, value) != 0)
        status = oriel_fail_memory(err, sizeof(json_t), "a column");
    free(lower);
    return status;
}

/* The sample that tar->member belongs to; all its members are taken. */
static oriel_status
read_sample(bulk_tar *tar, int64_t position, bulk_want_function *want,
            void *context, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    while (!status && tar->member) {
        const char *name = member_name(tar);
        const char *end = name ? key_end(name) : NULL;

        if (!end ||
            (tar->key && (strncmp(name, tar->key, (size_t)(end - name)) != 0 ||
                          tar->key[end - name])))
            break; /* of the next one */
        if (!tar->key) {
            tar->key = strndup(name, (size_t)(end - name));
            tar->key_id = tar->key ? cli_text_name(tar->key) : NULL;
        }
        if (!tar->key_id)
            return oriel_fail_memory(err, strlen(name), "a name");
        status =
            bulk_kind_of_name(name) == BULK_PICTURE
                ? add_picture(
                      tar, name,
                      want(context, position + (int64_t)tar->n_pictures), err)
                : add_sidecar(tar, end + 1, err);
        tar->member = NULL;
        if (!status && read_header(tar, &tar->err))
            tar->ended = true; /* told when the sample was handed out */
    }
    tar->whole = true;
    return status;
}

static void
forget_sample(bulk_tar *tar)
{
    for (size_t i = tar->next_picture; i < tar->n_pictures; i++)
        bulk_entry_free(tar->pictures[i]);
    json_decref(tar->columns);
    json_decref(tar->key_id);
    free(tar->key);
    tar->columns = tar->key_id = NULL;
    tar->key = NULL;
    tar->n_pictures = tar->next_picture = 0;
    tar->whole = false;
}

/* The next picture of the whole sample that is wanted, or NULL. */
static bulk_entry *
take_picture(bulk_tar *tar, int64_t *position)
{
    while (tar->next_picture < tar->n_pictures) {
        bulk_entry *entry = tar->pictures[tar->next_picture++];

        (*position)++;
        if (!entry)
            continue;
        entry->columns = json_incref(tar->columns);
        if (tar->n_pictures == 1)
            bulk_entry_set_id(entry, json_incref(tar->key_id));
        return entry;
    }
    return NULL;
}

oriel_status
bulk_tar_next(bulk_tar *tar, bulk_entry **out, int64_t *position,
              int64_t *others, bulk_want_function *want, void *context,
              oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    *out = NULL;
    while (!status && !*out) {
        const char *name;

        if (tar->whole) {
            *out = take_picture(tar, position);
            if (*out)
                break;
            *others += tar->n_pictures == 0;
            forget_sample(tar);
        }
        if (tar->err.status) {
            *err = tar->err;
            return err->status;
        }
        status = read_header(tar, err);
        if (status || !tar->member)
            break;
        name = member_name(tar);
        if (!name || !key_end(name)) {
            ++*others;
            tar->member = NULL;
            continue;
        }
        status = read_sample(tar, *position, want, context, err);
    }
    return status ? status : oriel_ok(err);
}

void
bulk_tar_close(bulk_tar *tar)
{
    if (!tar)
        return;
    forget_sample(tar);
    if (tar->archive)
        tar->library->archive_read_free(tar->archive);
    free(tar->head);
    free(tar->block);
    free(tar);
}
