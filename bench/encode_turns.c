/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode_turns.c - one encode for every line on standard input
 *
 * Our half of a comparison in which two encoders take turns on one machine
 * (compare_transformers.py).  Opens the model, encodes made-up pixel_values
 * once and leaves the result in a file for the other side to check, says
 * "ready", and then prints the seconds of one encode for each line read.
 */
#include "encode_case.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: oriel_bench_encode_turns MODEL bf16|fp32 THREADS WIDTHxHEIGHT "
    "RESULT_FILE\n"
    "One encode for every line on standard input; prints its seconds.\n";

typedef struct turns {
    oriel_model *model;
    oriel_encoder *encoder;
    encode_case c;
} turns;

static int
fail(const char *message)
{
    fprintf(stderr, "oriel_bench_encode_turns: %s\n", message);
    return EXIT_FAILURE;
}

static oriel_status
open_all(turns *t, char **argv, int32_t width, int32_t height, oriel_error *err)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;

    options.device = ORIEL_DEVICE_CPU;
    options.precision = strcmp(argv[2], "bf16") == 0 ? ORIEL_PRECISION_BF16
                                                     : ORIEL_PRECISION_FP32;
    options.threads = (int32_t)strtol(argv[3], NULL, 10);
    if (oriel_model_open(&t->model, argv[1], NULL, err) ||
        encode_case_open(&t->c, t->model, width, height, true, err) ||
        oriel_plan_workspace_bytes(t->c.plan, &options,
                                   &options.workspace_bytes, err) ||
        oriel_encoder_create(&t->encoder, t->model, &options, err))
        return err->status;
    return encode_case_run(&t->c, t->encoder, t->c.embeddings, err);
}

static int
write_result(const encode_case *c, const char *path)
{
    FILE *file = fopen(path, "we");
    size_t written;

    if (!file)
        return -1;
    written = fwrite(c->embeddings, 1, c->embeddings_bytes, file);
    return fclose(file) || written != c->embeddings_bytes ? -1 : 0;
}

static int
take_turns(const turns *t)
{
    char line[64];
    oriel_error err;

    printf("ready %lld %lld\n", (long long)t->c.info.tokens,
           (long long)t->c.info.flops);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        const double start = bench_now();

        if (encode_case_run(&t->c, t->encoder, t->c.embeddings, &err))
            return fail(err.message);
        printf("%.6f\n", bench_now() - start);
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    turns t = {NULL, NULL, {0}};
    int32_t width, height;
    oriel_error err;
    int result;

    if (bench_help(argc, argv, usage))
        return 0;
    if (argc != 6 || !encode_case_parse(argv[4], &width, &height) ||
        (strcmp(argv[2], "bf16") != 0 && strcmp(argv[2], "fp32") != 0))
        return fail(usage);
    if (open_all(&t, argv, width, height, &err))
        result = fail(err.message);
    else if (write_result(&t.c, argv[5]))
        result = fail("the result file could not be written");
    else
        result = take_turns(&t);
    oriel_encoder_destroy(t.encoder);
    encode_case_close(&t.c);
    oriel_model_destroy(t.model);
    return result;
}
