/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pixel_values.c - any bytes as a file of pixel_values: the rows of what is
 * opened can all be read, item by item
 */
#include "cli/pixel_file.h"
#include "fuzz/fuzz.h"
#include "fuzz/scratch.h"
#include "fuzz/tiny_folder.h"

#include <stdlib.h>
#include <string.h>

static void
read_items(const cli_pixel_file *file, size_t bytes)
{
    FUZZ_CHECK(file->n >= 1 && file->row_bytes > 0);
    FUZZ_CHECK(file->dtype == ORIEL_DTYPE_F32 ||
               file->dtype == ORIEL_DTYPE_BF16 ||
               file->dtype == ORIEL_DTYPE_F16);
    for (size_t i = 0; i < file->n; i++) {
        const int64_t rows = file->first_row[i + 1] - file->first_row[i];
        void *out;

        FUZZ_CHECK(rows >= 1 && (size_t)rows * file->row_bytes <= bytes);
        out = malloc((size_t)rows * file->row_bytes);
        FUZZ_CHECK(out &&
                   cli_pixel_file_read(file, i, 1, out, NULL) == ORIEL_OK);
        free(out);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const char *path = fuzz_file("pixels.safetensors", data, bytes);
    cli_pixel_file file;
    oriel_status status;
    oriel_error err;

    status = cli_pixel_file_open(&file, path, fuzz_tiny_model(), &err);
    FUZZ_CHECK(status == err.status || !status);
    if (status) {
        FUZZ_CHECK(status == ORIEL_ERR_MODEL || status == ORIEL_ERR_INPUT ||
                   status == ORIEL_ERR_UNSUPPORTED);
        FUZZ_CHECK(err.message[0] && !strchr(err.message, '\n'));
        return 0;
    }
    FUZZ_CHECK(cli_pixel_file_is(path));
    fuzz_accepted++;
    read_items(&file, bytes);
    cli_pixel_file_close(&file);
    return 0;
}
