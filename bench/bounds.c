/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds.c - what one file costs to decode, beside the bound of SECURITY.md
 *
 *   oriel_bench_bounds FILE
 *
 * Prints one JSON object: status, sides, channels, seconds of processor time (user
 * and system) of the longer of probe and decode, the bound and their ratio.  A file
 * that is refused before its size is known has no pixels to pay for.
 */
#include "measure.h"
#include "oriel_image.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: oriel_bench_bounds FILE\n"
    "What a picture costs to decode, beside the bound of SECURITY.md, as "
    "JSON.\n";

#define SECONDS_A_MB 1.0
#define SECONDS_A_CHANNEL 10e-9

static unsigned char *
read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    unsigned char *data = NULL;
    long end = 0;

    if (file && fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) > 0) {
        rewind(file);
        data = malloc((size_t)end);
    }
    *bytes = data ? fread(data, 1, (size_t)end, file) : 0;
    if (!data || *bytes != (size_t)end) {
        perror(path);
        exit(2);
    }
    fclose(file);
    return data;
}

int
main(int argc, char **argv)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    unsigned char *data, *rgb = NULL;
    double started, seconds, bound;
    oriel_status status;
    oriel_error err;
    size_t bytes;

    if (bench_help(argc, argv, usage))
        return 0;
    if (argc != 2) {
        fputs(usage, stderr);
        return 2;
    }
    data = read_file(argv[1], &bytes);
    started = bench_processor_now();
    status = oriel_image_probe(data, bytes, NULL, &info, &err);
    seconds = bench_processor_now() - started;
    if (!status) {
        const size_t size = 3 * (size_t)info.width * (size_t)info.height;

        rgb = malloc(size);
        started = bench_processor_now();
        status = rgb ? oriel_image_decode(data, bytes, NULL, rgb, size, 0, &err)
                     : ORIEL_ERR_MEMORY;
        if (bench_processor_now() - started > seconds)
            seconds = bench_processor_now() - started;
    }
    bound = SECONDS_A_MB * 1e-6 * (double)bytes +
            SECONDS_A_CHANNEL * (double)info.width * (double)info.height *
                (double)(info.channels > 3 ? info.channels : 3);
    printf(
        "{\"bytes\": %zu, \"status\": \"%s\", \"width\": %d, \"height\": %d, "
        "\"channels\": %d, \"seconds\": %.6f, \"bound\": %.6f, \"ratio\": "
        "%.4f}\n",
        bytes, oriel_status_name(status), info.width, info.height,
        info.channels, seconds, bound, seconds / bound);
    free(rgb);
    free(data);
    return 0;
}
