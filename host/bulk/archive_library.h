/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive_library.h - libarchive, loaded when the first archive is met
 *
 * It brings libxml2 and ICU along, tens of megabytes that a run without archives,
 * and every other command, has no use for.
 */
#ifndef ORIEL_BULK_ARCHIVE_LIBRARY_H
#define ORIEL_BULK_ARCHIVE_LIBRARY_H

#include "oriel.h"

#include <archive.h>
#include <archive_entry.h>

#define BULK_ARCHIVE_FUNCTIONS(X) \
    X(archive_read_new) \
    X(archive_read_support_format_tar) \
    X(archive_read_support_filter_gzip) \
    X(archive_read_support_filter_bzip2) \
    X(archive_read_support_filter_xz) \
    X(archive_read_support_filter_zstd) \
    X(archive_read_open_filename) \
    X(archive_read_open) \
    X(archive_read_next_header) \
    X(archive_read_data) \
    X(archive_read_free) \
    X(archive_set_error) \
    X(archive_error_string) \
    X(archive_errno) \
    X(archive_entry_filetype) \
    X(archive_entry_size) \
    X(archive_entry_pathname) \
    X(archive_entry_pathname_utf8)

typedef struct bulk_archive_library {
#define X(name) __typeof__(&(name)) name;
    BULK_ARCHIVE_FUNCTIONS(X)
#undef X
} bulk_archive_library;

/* The library's functions, or NULL with ORIEL_ERR_IO in '*err': it is not there,
   or lacks one.  Threads: one. */
const bulk_archive_library *bulk_archive_load(oriel_error *err);

#endif /* ORIEL_BULK_ARCHIVE_LIBRARY_H */
