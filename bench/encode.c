/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode.c - the whole encoder on the CPU, and the yardstick beside it
 *
 * For each precision and size: RGB8 noise in, embeddings out, through the
 * public API, in turns with oneDNN's own time for the tower's linear layers on
 * the same rows (yardstick.h).  The fraction printed is our FLOP/s over
 * oneDNN's, all attention, norms and preprocessing counted against us.
 *
 * Checked before timed: the result of each precision against the other's, and
 * every timed result against the first, byte for byte.  (Against transformers:
 * compare_transformers.py.)
 */
#include "encode_case.h"
#include "encode_report.h"
#include "measure.h"
#include "yardstick.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZES 16
#define MAX_REPEATS 1000

/* bf16 and fp32 of one network may differ by this much; a wrong step differs
   by orders of magnitude more. */
#define MAX_RELATIVE_L2 3e-2
#define MIN_COSINE 0.999

static const struct option long_options[] = {
    {"model", required_argument, NULL, 'm'},
    {"size", required_argument, NULL, 's'},
    {"precision", required_argument, NULL, 'p'},
    {"threads", required_argument, NULL, 't'},
    {"repeats", required_argument, NULL, 'r'},
    {"json", required_argument, NULL, 'j'},
    {"commit", required_argument, NULL, 'c'},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: oriel_bench_encode --model DIR [--size WxH]... [--precision "
    "bf16|fp32]\n"
    "           [--threads N] [--repeats N] [--json FILE] [--commit TEXT]\n"
    "Sizes default to 448x448 and 1036x476, precision to both.  For real\n"
    "numbers let nothing else run.\n";

typedef struct bench {
    const char *model_path, *json_path, *commit;
    int32_t precisions[2];
    int32_t n_precisions;
    int32_t widths[MAX_SIZES], heights[MAX_SIZES];
    int32_t n_sizes;
    int32_t threads, repeats;

    oriel_model *model;
    oriel_model_info model_info;
    encode_case cases[MAX_SIZES];
    float *expected[2][MAX_SIZES]; /* by precision - BF16; first results */
    encode_report *report;
} bench;

static int
fail(const char *message)
{
    fprintf(stderr, "oriel_bench_encode: %s\n", message);
    return -1;
}

static int
parse_precision(bench *b, const char *text)
{
    b->n_precisions = 1;
    if (strcmp(text, "bf16") == 0)
        b->precisions[0] = ORIEL_PRECISION_BF16;
    else if (strcmp(text, "fp32") == 0)
        b->precisions[0] = ORIEL_PRECISION_FP32;
    else
        return fail("--precision is bf16 or fp32");
    return 0;
}

static int
parse_number(int32_t *out, const char *text, long most)
{
    char *end;
    const long value = strtol(text, &end, 10);

    if (end == text || *end || value < 1 || value > most)
        return fail("expected a number above 0");
    *out = (int32_t)value;
    return 0;
}

static int
parse_size(bench *b, const char *text)
{
    if (b->n_sizes == MAX_SIZES)
        return fail("too many sizes");
    if (!encode_case_parse(text, &b->widths[b->n_sizes],
                           &b->heights[b->n_sizes]))
        return fail("--size is WIDTHxHEIGHT");
    b->n_sizes++;
    return 0;
}

static int
parse_option(bench *b, int option)
{
    switch (option) {
    case 'm':
        b->model_path = optarg;
        return 0;
    case 's':
        return parse_size(b, optarg);
    case 'p':
        return parse_precision(b, optarg);
    case 't':
        return parse_number(&b->threads, optarg, 1024);
    case 'r':
        return parse_number(&b->repeats, optarg, MAX_REPEATS);
    case 'j':
        b->json_path = optarg;
        return 0;
    case 'c':
        b->commit = optarg;
        return 0;
    default:
        return -1;
    }
}

static int
parse(bench *b, int argc, char **argv)
{
    int option;

    *b = (bench){.commit = "unknown",
                 .precisions = {ORIEL_PRECISION_BF16, ORIEL_PRECISION_FP32},
                 .n_precisions = 2,
                 .repeats = 7};
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        if (parse_option(b, option))
            return -1;
    if (!b->model_path || optind != argc)
        return -1;
    if (b->n_sizes == 0 &&
        (parse_size(b, "448x448") || parse_size(b, "1036x476")))
        return -1;
    return 0;
}

static int
open_cases(bench *b)
{
    oriel_error err;

    b->model_info = (oriel_model_info)ORIEL_MODEL_INFO_INIT;
    if (oriel_model_open(&b->model, b->model_path, NULL, &err) ||
        oriel_model_get_info(b->model, &b->model_info, &err))
        return fail(err.message);
    for (int32_t i = 0; i < b->n_sizes; i++)
        if (encode_case_open(&b->cases[i], b->model, b->widths[i],
                             b->heights[i], false, &err))
            return fail(err.message);
    return 0;
}

/* One encoder whose workspace holds every size. */
static oriel_encoder *
open_encoder(const bench *b, int32_t precision)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_encoder *encoder;
    oriel_error err;

    options.device = ORIEL_DEVICE_CPU;
    options.precision = precision;
    options.threads = b->threads;
    for (int32_t i = 0; i < b->n_sizes; i++) {
        size_t bytes;

        if (oriel_plan_workspace_bytes(b->cases[i].plan, &options, &bytes,
                                       &err)) {
            fail(err.message);
            return NULL;
        }
        if (bytes > options.workspace_bytes)
            options.workspace_bytes = bytes;
    }
    if (oriel_encoder_create(&encoder, b->model, &options, &err))
        fail(err.message);
    return encoder;
}

/* The first result of each size in one precision. */
static int
encode_once(bench *b, int32_t precision)
{
    oriel_encoder *encoder = open_encoder(b, precision);
    oriel_error err;
    int result = encoder ? 0 : -1;

    for (int32_t i = 0; i < b->n_sizes && !result; i++) {
        float *out = malloc(b->cases[i].embeddings_bytes);

        b->expected[precision - ORIEL_PRECISION_BF16][i] = out;
        if (!out)
            result = fail("out of memory");
        else if (encode_case_run(&b->cases[i], encoder, out, &err))
            result = fail(err.message);
    }
    oriel_encoder_destroy(encoder);
    return result;
}

static int
check(bench *b)
{
    if (encode_once(b, ORIEL_PRECISION_BF16) ||
        encode_once(b, ORIEL_PRECISION_FP32))
        return -1;
    for (int32_t i = 0; i < b->n_sizes; i++) {
        const encode_error e = encode_compare(
            b->expected[0][i], b->expected[1][i], b->cases[i].info.tokens,
            b->cases[i].info.out_hidden_size);

        fprintf(stderr,
                "check %dx%d: bf16 against fp32: relative L2 %.2e, least "
                "cosine %.6f\n",
                b->widths[i], b->heights[i], e.relative_l2, e.cosine_min);
        if (!e.finite || !(e.relative_l2 <= MAX_RELATIVE_L2) ||
            !(e.cosine_min >= MIN_COSINE))
            return fail("the two precisions disagree: nothing is timed");
    }
    return 0;
}

/* One timed encode; negative: failed, or not the bytes it gave before. */
static double
timed_encode(encode_case *c, oriel_encoder *encoder, const float *expected)
{
    oriel_error err;
    const double start = bench_now();
    const oriel_status status =
        encode_case_run(c, encoder, c->embeddings, &err);
    const double seconds = bench_now() - start;

    if (status)
        return (double)fail(err.message);
    if (memcmp(c->embeddings, expected, c->embeddings_bytes) != 0)
        return (double)fail("the same picture gave other bytes");
    return seconds;
}

/* In turns, so that what disturbs one disturbs the other. */
static int
take_turns(const bench *b, encode_case *c, oriel_encoder *encoder,
           const float *expected, yardstick *y, encode_row *row)
{
    double ours[MAX_REPEATS], theirs[MAX_REPEATS];

    for (int32_t i = -1; i < b->repeats; i++) { /* -1: to warm up */
        const double mine = timed_encode(c, encoder, expected);
        double other = 0;

        bench_settle();
        if (y)
            other = yardstick_run(y);
        bench_settle();
        if (mine < 0)
            return -1;
        if (other < 0)
            return fail("oneDNN failed on the yardstick");
        if (i >= 0) {
            ours[i] = mine;
            theirs[i] = other;
        }
    }
    row->ours = bench_summarise(ours, b->repeats);
    row->yardstick = bench_summarise(theirs, y ? b->repeats : 0);
    return 0;
}

static int
measure_size(bench *b, int32_t precision, int32_t i, oriel_encoder *encoder,
             const oriel_encoder_info *info)
{
    encode_case *c = &b->cases[i];
    const float *expected = b->expected[precision - ORIEL_PRECISION_BF16][i];
    encode_row row = {.precision = precision,
                      .width = c->width,
                      .height = c->height,
                      .plan = &c->info,
                      .workspace_bytes = info->workspace_bytes,
                      .weight_bytes = info->weight_bytes};
    yardstick *y;
    bool counted;
    int result;

    /* Before the yardstick takes memory of its own. */
    counted = bench_reset_peak() == 0;
    if (timed_encode(c, encoder, expected) < 0)
        return -1;
    if (counted)
        row.peak_bytes = bench_peak_bytes();

    y = yardstick_create(&b->model_info, c->info.patches, precision,
                         info->threads, row.why, sizeof(row.why));
    row.yardstick_flops = y ? yardstick_flops(y) : 0;
    result = take_turns(b, c, encoder, expected, y, &row);
    yardstick_destroy(y);
    if (!result && encode_report_add(b->report, &row))
        result = fail("out of memory for the report");
    return result;
}

static int
measure_precision(bench *b, int32_t precision)
{
    oriel_encoder_info info = ORIEL_ENCODER_INFO_INIT;
    const double start = bench_now();
    oriel_encoder *encoder = open_encoder(b, precision);
    oriel_error err;
    int result = 0;

    if (!encoder)
        return -1;
    if (oriel_encoder_get_info(encoder, &info, &err))
        result = fail(err.message);
    if (!result && encode_report_begin(b->report, &info, bench_now() - start))
        result = fail("out of memory for the report");
    for (int32_t i = 0; i < b->n_sizes && !result; i++)
        result = measure_size(b, precision, i, encoder, &info);
    oriel_encoder_destroy(encoder);
    return result;
}

static int
run(bench *b)
{
    if (open_cases(b) || check(b))
        return -1;
    b->report = encode_report_create(b->commit, &b->model_info);
    if (!b->report)
        return fail("out of memory");
    for (int32_t i = 0; i < b->n_precisions; i++)
        if (measure_precision(b, b->precisions[i]))
            return -1;
    if (b->json_path && encode_report_write(b->report, b->json_path))
        return fail("the JSON file could not be written");
    return 0;
}

int
main(int argc, char **argv)
{
    bench b;
    int result;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (parse(&b, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    result = run(&b);
    for (int32_t i = 0; i < b.n_sizes; i++) {
        encode_case_close(&b.cases[i]);
        free(b.expected[0][i]);
        free(b.expected[1][i]);
    }
    encode_report_destroy(b.report);
    oriel_model_destroy(b.model);
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
