/* SPDX-License-Identifier: Apache-2.0 */
/* output.c - what is asked of the name of a file to be written */
#include "cli/output.h"

#include "base/fail.h"
#include "cli/exits.h"
#include "cli/report.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* Endings of names that promise a format: tables, arrays, models, pictures,
   archives. */
static const char *const formats[] = {
    "safetensors", "npy",    "npz",   "mat",   "h5",      "hdf5",     "zarr",
    "nc",          "pt",     "pth",   "ckpt",  "bin",     "onnx",     "gguf",
    "pkl",         "json",   "jsonl", "csv",   "tsv",     "txt",      "parquet",
    "orc",         "avro",   "lance", "arrow", "feather", "tfrecord", "msgpack",
    "db",          "sqlite", "zip",   "tar",   "gz",      "zst",      "xz",
    "bz2",         "jpg",    "jpeg",  "png",   "webp",    "gif",      "bmp",
    "tif",         "tiff",   "avif",  "heic",
};

int
cli_output_check_name(const char *flag, const char *path, const char *ending)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');

    if (strcmp(path, "-") == 0)
        return cli_report_error(CLI_USAGE,
                                "%s -: a %s file is not written from front to "
                                "back; name a file (./- for this one)",
                                flag, ending);
    if (!dot || strcasecmp(dot + 1, ending) == 0)
        return CLI_DONE;
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (strcasecmp(dot + 1, formats[i]) == 0)
            return cli_report_error(CLI_USAGE,
                                    "%s %s: only %s files are written, no "
                                    ".%s: expected a name such as out.%s",
                                    flag, ORIEL_QUOTE(path), ending, formats[i],
                                    ending);
    return CLI_DONE;
}

int
cli_output_check_not(const char *path, const char *input)
{
    struct stat a, b;

    if (stat(path, &a) != 0 || stat(input, &b) != 0 || a.st_dev != b.st_dev ||
        a.st_ino != b.st_ino)
        return CLI_DONE;
    return cli_report_error(CLI_USAGE, "%s: is an input and the output",
                            ORIEL_QUOTE(input));
}

int
cli_output_report(const oriel_error *err, const char *path)
{
    if (err->cause == EEXIST)
        return cli_report_error(CLI_USAGE,
                                "%s: exists already; --force replaces it",
                                ORIEL_QUOTE(path));
    if (err->status == ORIEL_ERR_ARGUMENT)
        return cli_report_error(CLI_INTERNAL, "%s: %s", ORIEL_QUOTE(path),
                                err->message);
    return cli_report_failure(err, NULL);
}
