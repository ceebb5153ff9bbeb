/* SPDX-License-Identifier: Apache-2.0 */
/* op_flags.c - one table for parsing and for --help */
#include "op_flags.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM (program_invocation_short_name)
enum { THREADS_MOST = 4096, DEVICE_MOST = 127 };

typedef struct flag {
    const char *name, *argument, *help;
    int programs; /* OP_CPU | OP_GPU */
} flag;

static const flag flags[] = {
    {"list", NULL, "the ops, and how often one encode runs each",
     OP_CPU | OP_GPU},
    {"op", "REGEX", "ops whose step or name matches, such as qkv or MLP",
     OP_CPU | OP_GPU},
    {"model", "3b|7b|32b|72b|DIR", "widths of this model; default 7b",
     OP_CPU | OP_GPU},
    {"size", "[Nx]WxH", "N pictures of this size; again for more sizes",
     OP_CPU | OP_GPU},
    {"rows", "N", "a picture of N patches; again for more", OP_CPU | OP_GPU},
    {"hot", NULL, "only with operands in the caches", OP_CPU | OP_GPU},
    {"cold", NULL, "only after the caches were swept", OP_CPU | OP_GPU},
    {"repeats", "N", "samples of each op; default: what fits 0.3 s",
     OP_CPU | OP_GPU},
    {"once", NULL, "run each op once, unchecked and untimed, for a profiler",
     OP_CPU | OP_GPU},
    {"json", "FILE", "write the rows", OP_CPU | OP_GPU},
    {"precision", "bf16|fp32", "default bf16", OP_CPU},
    {"threads", "N", "default: as many as there are cores", OP_CPU},
    {"cpu-time", NULL, "processor time, for a busy machine: with --threads 1",
     OP_CPU},
    {"kernels", "own|cublaslt|both|hopper|auto",
     "whose matrix products; both is own and cublaslt; hopper is own and those "
     "of sm_90a, of attention too; auto is all that the device has; default "
     "own",
     OP_GPU},
    {"device", "N", "which GPU; default 0", OP_GPU},
    {"help", NULL, "this text", OP_CPU | OP_GPU},
};
enum { N_FLAGS = sizeof(flags) / sizeof(flags[0]) };

static void
print_help(int program)
{
    printf("usage: %s [FLAG...]\n\nTimes single ops of the encoder, each after "
           "its result was found right.\n\n",
           PROGRAM);
    for (int i = 0; i < N_FLAGS; i++)
        if (flags[i].programs & program)
            printf("  --%s%s%s\n        %s\n", flags[i].name,
                   flags[i].argument ? " " : "",
                   flags[i].argument ? flags[i].argument : "", flags[i].help);
    printf("\nSizes are multiples of a token (28 pixels). bench/README.md says "
           "how it measures.\n");
}

static _Noreturn void
refuse(const char *flag_name, const char *value, const char *expected)
{
    fprintf(stderr, "%s: --%s %s: expected %s\n", PROGRAM, flag_name, value,
            expected);
    exit(2);
}

/* A whole number of 1 to 'most' that is all of 'text' up to 'end'. */
static bool
read_number(const char **text, int64_t most, int64_t *out)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    *out = strtoll(*text, &end, 10);
    *text = end;
    return *out >= 1 && *out <= most;
}

static int
number(const char *name, const char *text, int64_t least, int64_t most)
{
    char expected[64];
    char *end;
    const int64_t value = strtoll(text, &end, 10);

    snprintf(expected, sizeof(expected), "a number of %" PRId64 " to %" PRId64,
             least, most);
    if (*end || end == text || value < least || value > most)
        refuse(name, text, expected);
    return (int)value;
}

/* "448x448", "64x448x448". */
static bool
read_size(const char *text, op_size *size)
{
    int64_t v[3];
    int n = 0;

    for (; n < 3; text++) {
        if (!read_number(&text, 1 << 20, &v[n++]))
            return false;
        if (*text != 'x')
            break;
    }
    if (*text || n < 2 || (n == 3 && v[0] > OP_ITEMS_MOST))
        return false;
    size->n = n == 3 ? (int32_t)v[0] : 1;
    size->width = (int32_t)v[n - 2];
    size->height = (int32_t)v[n - 1];
    return true;
}

static op_size *
next_size(op_flags *f, const char *name, const char *text)
{
    if (f->n_sizes == OP_SIZES_MOST)
        refuse(name, text, "no more than 16 sizes");
    return &f->sizes[f->n_sizes++];
}

static void
name_size(op_size *s)
{
    if (s->n > 1)
        snprintf(s->name, sizeof(s->name), "%dx%dx%d", (int)s->n, (int)s->width,
                 (int)s->height);
    else
        snprintf(s->name, sizeof(s->name), "%dx%d", (int)s->width,
                 (int)s->height);
}

/* ---- What needs the model ------------------------------------------------ */

static int32_t
token_side(const op_flags *f)
{
    return f->info.patch_size * f->info.spatial_merge_size;
}

/* A picture of so many patches, as near to a square as there is. */
static void
take_rows(op_flags *f, const char *text)
{
    const int64_t merge2 =
        (int64_t)f->info.spatial_merge_size * f->info.spatial_merge_size;
    int64_t rows, tokens, side = 1;
    const char *end = text;
    op_size *size = next_size(f, "rows", text);

    if (!read_number(&end, ORIEL_MAX_PATCHES, &rows) || *end || rows % merge2)
        refuse("rows", text, "a count of patches that whole tokens have");
    tokens = rows / merge2;
    for (int64_t i = 1; i * i <= tokens; i++)
        if (tokens % i == 0)
            side = i;
    if (tokens / side > 200 * side)
        refuse("rows", text,
               "a count that makes a picture not longer than 200 times its "
               "height");
    *size = (op_size){.width = (int32_t)(tokens / side) * token_side(f),
                      .height = (int32_t)side * token_side(f),
                      .n = 1};
}

static void
take_size(op_flags *f, const char *text)
{
    char expected[96];
    op_size *size = next_size(f, "size", text);

    if (!read_size(text, size))
        refuse("size", text, "WxH, or NxWxH with N of 1 to 1024");
    snprintf(expected, sizeof(expected),
             "multiples of %d pixels, which is a token of this model",
             (int)token_side(f));
    if (size->width % token_side(f) || size->height % token_side(f))
        refuse("size", text, expected);
}

static void
open_model(op_flags *f)
{
    static const char *const published[] = {"3b", "7b", "32b", "72b"};
    char preset[32];
    oriel_error err;

    f->info = (oriel_model_info)ORIEL_MODEL_INFO_INIT;
    for (int i = 0; i < 4; i++)
        if (strcmp(f->model_name, published[i]) == 0) {
            snprintf(preset, sizeof(preset), "qwen2.5-vl-%s", published[i]);
            f->model = oriel_model_preset(preset);
        }
    if (!f->model) {
        if (oriel_model_open(&f->opened, f->model_name, NULL, &err)) {
            fprintf(stderr, "%s: --model: %s\n", PROGRAM, err.message);
            exit(2);
        }
        f->model = f->opened;
    }
    if (oriel_model_get_info(f->model, &f->info, &err)) {
        fprintf(stderr, "%s: --model: %s\n", PROGRAM, err.message);
        exit(2);
    }
}

/* ---- Parsing --------------------------------------------------------------- */

static void
take_op(op_flags *f, const char *text)
{
    const int error =
        regcomp(&f->op, text, REG_EXTENDED | REG_ICASE | REG_NOSUB);
    char why[128];

    if (error) {
        regerror(error, &f->op, why, sizeof(why));
        fprintf(stderr, "%s: --op %s: %s\n", PROGRAM, text, why);
        exit(2);
    }
    f->chooses = true;
}

static void
take_kernels(op_flags *f, const char *text)
{
    if (strcmp(text, "own") == 0)
        f->kernels = OP_OWN;
    else if (strcmp(text, "cublaslt") == 0)
        f->kernels = OP_CUBLASLT;
    else if (strcmp(text, "both") == 0)
        f->kernels = OP_OWN | OP_CUBLASLT;
    else if (strcmp(text, "hopper") == 0)
        f->kernels = OP_OWN | OP_HOPPER;
    else if (strcmp(text, "auto") == 0)
        f->kernels = OP_AUTO;
    else
        refuse("kernels", text, "own, cublaslt, both, hopper or auto");
}

static void
take_precision(op_flags *f, const char *text)
{
    if (strcmp(text, "bf16") == 0)
        f->precision = ORIEL_PRECISION_BF16;
    else if (strcmp(text, "fp32") == 0)
        f->precision = ORIEL_PRECISION_FP32;
    else
        refuse("precision", text, "bf16 or fp32");
}

static void
take_json(op_flags *f, const char *path)
{
    if (f->json)
        fclose(f->json);
    f->json = fopen(path, "we");
    if (!f->json) {
        perror(path);
        exit(2);
    }
}

static void
take(op_flags *f, int program, const char *name, const char *value)
{
    if (strcmp(name, "help") == 0) {
        print_help(program);
        exit(0);
    } else if (strcmp(name, "list") == 0) {
        f->list = true;
    } else if (strcmp(name, "once") == 0) {
        f->once = true;
    } else if (strcmp(name, "cpu-time") == 0) {
        f->cpu_time = true;
    } else if (strcmp(name, "hot") == 0) {
        f->caches |= OP_HOT;
    } else if (strcmp(name, "cold") == 0) {
        f->caches |= OP_COLD;
    } else if (strcmp(name, "op") == 0) {
        take_op(f, value);
    } else if (strcmp(name, "model") == 0) {
        f->model_name = value;
    } else if (strcmp(name, "json") == 0) {
        take_json(f, value);
    } else if (strcmp(name, "kernels") == 0) {
        take_kernels(f, value);
    } else if (strcmp(name, "precision") == 0) {
        take_precision(f, value);
    } else if (strcmp(name, "repeats") == 0) {
        f->repeats = number(name, value, 1, OP_REPEATS_MOST);
    } else if (strcmp(name, "threads") == 0) {
        f->threads = number(name, value, 1, THREADS_MOST);
    } else if (strcmp(name, "device") == 0) {
        f->device = number(name, value, 0, DEVICE_MOST);
    }
}

static int
make_options(struct option *options, int program)
{
    int n = 0;

    for (int i = 0; i < N_FLAGS; i++)
        if (flags[i].programs & program)
            options[n++] = (struct option){
                flags[i].name,
                flags[i].argument ? required_argument : no_argument, NULL, i};
    options[n] = (struct option){0};
    return n;
}

/* Once over all flags; 'late' are those that ask the model. */
static void
walk(op_flags *f, int program, int argc, char **argv, bool late)
{
    struct option options[N_FLAGS + 1];
    int at, which;

    make_options(options, program);
    optind = 0;
    opterr = !late;
    while ((which = getopt_long(argc, argv, "", options, &at)) != -1) {
        if (which == '?')
            exit(2);
        if (late && strcmp(flags[which].name, "size") == 0)
            take_size(f, optarg);
        else if (late && strcmp(flags[which].name, "rows") == 0)
            take_rows(f, optarg);
        else if (!late)
            take(f, program, flags[which].name, optarg);
    }
    if (optind < argc) {
        fprintf(stderr, "%s: %s: expected flags only\n", PROGRAM, argv[optind]);
        exit(2);
    }
}

void
op_flags_parse(op_flags *f, int program, int argc, char **argv)
{
    *f = (op_flags){.model_name = "7b",
                    .kernels = OP_OWN,
                    .precision = ORIEL_PRECISION_BF16};
    walk(f, program, argc, argv, false);
    if (!f->caches)
        f->caches = program == OP_GPU ? OP_HOT | OP_COLD : OP_HOT;
    open_model(f);
    walk(f, program, argc, argv, true);
    if (f->n_sizes == 0) {
        take_size(f, "448x448");
        if (program == OP_GPU) {
            take_size(f, "1036x1036");
            take_size(f, "64x448x448");
        }
    }
    for (int i = 0; i < f->n_sizes; i++)
        name_size(&f->sizes[i]);
}

void
op_flags_free(op_flags *f)
{
    if (f->chooses)
        regfree(&f->op);
    oriel_model_destroy(f->opened);
}

bool
op_flags_want(const op_flags *f, const char *step, const char *op)
{
    char text[128];

    snprintf(text, sizeof(text), "%s %s", step, op);
    return !f->chooses || regexec(&f->op, text, 0, NULL, 0) == 0;
}

oriel_plan *
op_flags_plan(const op_flags *f, const op_size *size, oriel_plan_info *info)
{
    oriel_item *items = calloc((size_t)size->n, sizeof(*items));
    oriel_plan *plan = NULL;
    oriel_error err = {0};

    *info = (oriel_plan_info)ORIEL_PLAN_INFO_INIT;
    for (int32_t i = 0; items && i < size->n; i++)
        items[i] = (oriel_item){size->width, size->height, 1,
                                size->width, size->height, 0};
    if (!items) {
        fprintf(stderr, "%s: out of memory\n", size->name);
    } else if (oriel_plan_create(&plan, f->model, items, (size_t)size->n, NULL,
                                 &err) ||
               oriel_plan_get_info(plan, info, &err)) {
        fprintf(stderr, "%s: %s\n", size->name, err.message);
        oriel_plan_destroy(plan);
        plan = NULL;
    }
    free(items);
    return plan;
}
