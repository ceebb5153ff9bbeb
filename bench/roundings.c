/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each rounding to bf16 costs.
 *
 *     oriel_bench_roundings [--config 7b] [--depth N] [--grid TxHxW]
 *                           [--no-outliers] [--threads N] [--json FILE]
 *
 * The tower is run in double precision (tests/oracle/rounded.h) on synthetic
 * weights: without any rounding, with each one alone, with all of an
 * implementation, and with all but one.  Printed is the relative error of the
 * embeddings, and each rounding's share of its square.
 */
#include "golden/tensors.h"
#include "measure.h"
#include "oracle/rounded.h"
#include "weights/counter.h"
#include "weights/synth.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 1, MAX_RUNS = 128, N_PLANS = 7 };

static const struct {
    const char *name;
    int sites;
    bool dissected; /* all but one, too */
} plans[N_PLANS] = {
    {"cuda", ROUNDED_CUDA, true},
    {"cuda, cuBLASLt", ROUNDED_CUDA_CUBLASLT, false},
    {"cuda, fp32 residual", ROUNDED_CUDA_F32_RESIDUAL, false},
    {"cuda, wide residual", ROUNDED_CUDA_WIDE, false},
    {"cuda, wide residual, norm of hi alone",
     ROUNDED_CUDA_WIDE | ROUNDED_HI_NORM, false},
    {"cpu bf16", ROUNDED_CPU_BF16, true},
    {"transformers bf16", ROUNDED_REFERENCE, true},
};

typedef struct study {
    oriel_synth_config config;
    int64_t grid[1][3];
    bool outliers;
    int32_t threads;
    FILE *json;
    int sites[MAX_RUNS];
    int32_t n_runs;
    double *truth;            /* of the state at hand */
    double squares[MAX_RUNS]; /* relative, of the embeddings */
    double hidden[MAX_RUNS];  /* of the last hidden state */
} study;

/* ---- Running ------------------------------------------------------------- */

static void
fill(void *user, oriel_tensor tensor, int32_t block, double *out)
{
    const study *s = user;

    golden_tensor(&s->config.network, SEED, tensor, block, s->outliers, out);
}

/* The first run rounds nothing: it is the truth. */
static void
take_state(void *user, int32_t state, int32_t run, const double *values)
{
    study *s = user;
    const oriel_network *net = &s->config.network;
    const bool is_out = state == net->depth + 1;
    int64_t rows = oracle_count_patches(s->grid, 1), n, i;
    double off = 0, all = 0;

    if (state < net->depth)
        return;
    n = is_out ? rows / 4 * net->out_hidden_size : rows * net->hidden_size;
    if (run == 0)
        memcpy(s->truth, values, (size_t)n * sizeof(*values));
    for (i = 0; i < n; i++) {
        off += (values[i] - s->truth[i]) * (values[i] - s->truth[i]);
        all += s->truth[i] * s->truth[i];
    }
    (is_out ? s->squares : s->hidden)[run] = off / all;
    if (run == s->n_runs - 1 && !is_out)
        fprintf(stderr, "after the blocks\n");
}

static int32_t
add_run(study *s, int sites)
{
    for (int32_t i = 0; i < s->n_runs; i++)
        if (s->sites[i] == sites)
            return i;
    s->sites[s->n_runs] = sites;
    return s->n_runs++;
}

/* The denominator is a matter only where P is rounded. */
static int
alone(int site)
{
    return 1 << site == ROUNDED_EXACT_SUM ? ROUNDED_EXACT_SUM | ROUNDED_P
                                          : 1 << site;
}

static void
list_runs(study *s)
{
    add_run(s, 0);
    for (int site = 0; site < N_ROUNDED_SITES; site++)
        add_run(s, alone(site));
    for (int p = 0; p < N_PLANS; p++) {
        add_run(s, plans[p].sites);
        for (int site = 0; site < N_ROUNDED_SITES && plans[p].dissected; site++)
            add_run(s, plans[p].sites & ~(1 << site));
    }
}

static void
run(study *s)
{
    const oriel_network *net = &s->config.network;
    int64_t rows = oracle_count_patches(s->grid, 1);
    int64_t n = rows * oriel_network_patch_columns(net);
    double *pixels = oracle_alloc((size_t)n, sizeof(*pixels));
    uint64_t key = oriel_counter_key(SEED, "roundings.pixels");
    rounded_job job = {.network = net,
                       .fill = fill,
                       .state = take_state,
                       .user = s,
                       .pixel_values = pixels,
                       .grids = (const int64_t(*)[3])s->grid,
                       .n_grids = 1,
                       .sites = s->sites,
                       .n_runs = s->n_runs,
                       .threads = s->threads};

    for (int64_t i = 0; i < n; i++)
        pixels[i] = 2.0 * (double)oriel_counter_unit(key, (uint64_t)i);
    s->truth =
        oracle_alloc((size_t)(rows * (net->hidden_size + net->out_hidden_size)),
                     sizeof(*s->truth));
    rounded_encode(&job);
    free(s->truth);
    free(pixels);
}

/* ---- Printing ------------------------------------------------------------ */

static double
square_of(study *s, int sites)
{
    return s->squares[add_run(s, sites)];
}

static double
square_alone(study *s, int site)
{
    double square = square_of(s, alone(site));

    return 1 << site == ROUNDED_EXACT_SUM ? square - square_of(s, ROUNDED_P)
                                          : square;
}

static void
print_plans(study *s)
{
    printf("\n| roundings of | embeddings | last hidden state | of "
           "transformers' |\n| --- | ---: | ---: | ---: |\n");
    for (int p = 0; p < N_PLANS; p++)
        printf("| %s | %.2e | %.2e | %.2f |\n", plans[p].name,
               sqrt(square_of(s, plans[p].sites)),
               sqrt(s->hidden[add_run(s, plans[p].sites)]),
               sqrt(square_of(s, plans[p].sites) /
                    square_of(s, ROUNDED_REFERENCE)));
}

/* What goes with the site, and what it makes alone, of the plan's square. */
static void
print_share(study *s, int p, int site)
{
    double whole = square_of(s, plans[p].sites);

    if (!plans[p].dissected)
        return;
    if (!(plans[p].sites & 1 << site)) {
        printf(" | |");
        return;
    }
    printf(" %.1f | %.1f |", 100 * square_alone(s, site) / whole,
           100 * (1 - square_of(s, plans[p].sites & ~(1 << site)) / whole));
}

static void
print_sites(study *s)
{
    printf("\n| rounded | error alone |");
    for (int p = 0; p < N_PLANS; p++)
        if (plans[p].dissected)
            printf(" %s: alone, %% | without, %% |", plans[p].name);
    printf("\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (int site = 0; site < N_ROUNDED_SITES; site++) {
        double square = square_alone(s, site);

        printf("| %s | %s%.2e |", rounded_site_words(site),
               square < 0 ? "-" : "", sqrt(fabs(square)));
        for (int p = 0; p < N_PLANS; p++)
            print_share(s, p, site);
        printf("\n");
    }
}

static void
write_json(study *s, double seconds)
{
    fprintf(s->json,
            "{\"config\": \"%s\", \"blocks\": %d, \"grid_thw\": [%lld, %lld, "
            "%lld], \"outliers\": %s, \"seed\": %d, \"seconds\": %.0f,\n"
            "\"plans\": [",
            s->config.name, s->config.network.depth, (long long)s->grid[0][0],
            (long long)s->grid[0][1], (long long)s->grid[0][2],
            s->outliers ? "true" : "false", SEED, seconds);
    for (int p = 0; p < N_PLANS; p++) {
        fprintf(s->json,
                "%s\n  {\"plan\": \"%s\", \"embeddings_error\": %.4e, "
                "\"hidden_error\": %.4e, \"without\": {",
                p ? "," : "", plans[p].name, sqrt(square_of(s, plans[p].sites)),
                sqrt(s->hidden[add_run(s, plans[p].sites)]));
        for (int site = 0, n = 0; site < N_ROUNDED_SITES; site++)
            if (plans[p].dissected && plans[p].sites & 1 << site)
                fprintf(s->json, "%s\"%s\": %.4e", n++ ? ", " : "",
                        rounded_site_words(site),
                        sqrt(square_of(s, plans[p].sites & ~(1 << site))));
        fprintf(s->json, "}}");
    }
    fprintf(s->json, "],\n\"alone\": {");
    for (int site = 0; site < N_ROUNDED_SITES; site++)
        fprintf(s->json, "%s\n  \"%s\": %.4e", site ? "," : "",
                rounded_site_words(site), sqrt(square_of(s, alone(site))));
    fprintf(s->json, "}}\n");
}

/* ---- Flags --------------------------------------------------------------- */

static const char usage_text[] =
    "usage: oriel_bench_roundings [--config NAME] [--depth N] "
    "[--grid TxHxW] [--no-outliers] [--threads N] [--json FILE]\n"
    "What each rounding to bf16 costs.\n";

static int
usage(void)
{
    fputs(usage_text, stderr);
    return 2;
}

static int
parse(study *s, int argc, char **argv)
{
    const char *name = "7b";
    int depth = 0;
    long long t = 1, h = 8, w = 10;
    oriel_error err;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--no-outliers") == 0) {
            s->outliers = false;
            continue;
        }
        if (strcmp(argv[i], "--config") == 0)
            name = value;
        else if (strcmp(argv[i], "--depth") == 0)
            depth = atoi(value);
        else if (strcmp(argv[i], "--threads") == 0)
            s->threads = atoi(value);
        else if (strcmp(argv[i], "--grid") == 0) {
            if (sscanf(value, "%lldx%lldx%lld", &t, &h, &w) != 3)
                return usage();
        } else if (strcmp(argv[i], "--json") != 0 ||
                   !(s->json = fopen(value, "w")))
            return usage();
        i++;
    }
    if (t < 1 || h < 2 || w < 2 || t * h * w > 1 << 16 || h % 2 || w % 2 ||
        s->threads < 1)
        return usage();
    s->grid[0][0] = t;
    s->grid[0][1] = h;
    s->grid[0][2] = w;
    if (oriel_synth_config_init(&s->config, name, depth, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    static study s = {.outliers = true, .threads = 2};
    double seconds;

    if (bench_help(argc, argv, usage_text))
        return 0;
    if (parse(&s, argc, argv))
        return 2;
    list_runs(&s);
    seconds = bench_now();
    run(&s);
    seconds = bench_now() - seconds;
    printf("%s, %d blocks, grid %lld x %lld x %lld, %s outlier channels: %d "
           "runs in %.0f s\n",
           s.config.name, s.config.network.depth, (long long)s.grid[0][0],
           (long long)s.grid[0][1], (long long)s.grid[0][2],
           s.outliers ? "with" : "without", s.n_runs, seconds);
    print_plans(&s);
    print_sites(&s);
    if (s.json) {
        write_json(&s, seconds);
        return fclose(s.json) != 0;
    }
    return 0;
}
