/* SPDX-License-Identifier: Apache-2.0 */
/* foreign_file.c - files that stand in a checkpoint's place, by their content */
#include "model/foreign_file.h"

#include "base/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define AS_SAFETENSORS \
    "; save the model as safetensors (save_pretrained does) and give that"

#define NOT_CHECKPOINT ", not a checkpoint; give the model's folder"

static const struct {
    const char *begins;
    size_t bytes;
    const char *what;
} kinds[] = {
#define KIND(begins, what) \
    { \
        begins, sizeof(begins) - 1, what \
    }
    KIND("version https://git-lfs.github.com/spec/",
         "a Git LFS pointer, not the file itself; run `git lfs pull` in its "
         "folder"),
    KIND("GGUF", "a GGUF file, quantised for llama.cpp, which is not "
                 "supported; give the safetensors checkpoint it was made from"),
    KIND("PK\x03\x04", "a PyTorch file" AS_SAFETENSORS),
    KIND("\x80\x02", "a PyTorch file" AS_SAFETENSORS),
    KIND("\x80\x04\x95", "a Python pickle" AS_SAFETENSORS),
    KIND("\x89HDF\r\n", "an HDF5 file" AS_SAFETENSORS),
    KIND("<!doctype html", "an HTML page, perhaps of a download that failed"),
    KIND("<html", "an HTML page, perhaps of a download that failed"),
    KIND("\xff\xd8\xff", "a JPEG picture" NOT_CHECKPOINT),
    KIND("\x89PNG", "a PNG picture" NOT_CHECKPOINT),
#undef KIND
};

const char *
oriel_foreign_kind(const void *bytes, size_t n_bytes)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (n_bytes >= kinds[i].bytes &&
            strncasecmp(bytes, kinds[i].begins, kinds[i].bytes) == 0)
            return kinds[i].what;
    return NULL;
}

oriel_status
oriel_foreign_fail(const oriel_file *file, oriel_error *err, const char *format,
                   ...)
{
    char bytes[ORIEL_FOREIGN_BYTES];
    char message[sizeof(err->message)];
    size_t n = sizeof(bytes);
    const char *what;
    va_list args;
    oriel_status status;

    if (n > oriel_file_bytes(file))
        n = (size_t)oriel_file_bytes(file);
    status = oriel_file_read(file, 0, bytes, n, err);
    if (status)
        return status;
    what = oriel_foreign_kind(bytes, n);
    if (what)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED, "%s: %s",
                          ORIEL_QUOTE(oriel_file_name(file)), what);
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return oriel_fail(err, ORIEL_ERR_MODEL, "%s", message);
}
