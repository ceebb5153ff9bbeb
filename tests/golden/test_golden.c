/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every block against Hugging Face's own implementation.
 *
 *     test_golden [CONFIG...] [--case NAME]... [--json FILE]
 *                 [--only "cuda bf16"]
 *
 * For each case of each golden file, and each device and precision present:
 * the patch embedding, the state after each block, and the embeddings.  The
 * first one that is wrong is named.  A table goes to stdout, and as JSON to
 * FILE.
 */
#include "golden/golden.h"
#include "golden/golden_encoder.h"
#include "support/folder.h"
#include "support/suite.h"
#include "weights/synth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* fp32 is held to the promise of the library (relative, at every state). */
#define FP32_LIMIT 1e-5
/* The oracle in doubles differs by the fp32 of the reference alone. */
#define ORACLE_LIMIT 5e-6
#define BF16_COSINE 0.999
/*
 * bf16 may not be worse than the reference's own bf16.  Over all cases of a file
 * together that is taken literally (judge_pools): what we round it rounds as
 * well, and more.
 *
 * A single case is a sample.  Its error is estimated from n dot products with
 * random signs, so its square scatters by sqrt(2 / n) of itself, in both
 * implementations; the logarithm of the quotient of two such squares has a
 * standard deviation of sqrt(4 / n), that of the errors half as much.  Four of
 * those are allowed, which chance exceeds once in 30,000 comparisons.  A row's
 * error is a sample of its width.
 */
#define DEVIATIONS 4

static const char *configs[] = {"tiny", "7b", "72b"};
static bool wanted[COUNT(configs)];
static const char *only; /* a subject, which must be there; NULL: all */
static const char *only_cases[GOLDEN_MAX_CASES]; /* none: all */
static int n_only_cases;
static FILE *json;
static int json_rows;
static oriel_synth_config config; /* of the checkpoint at hand */

/* What an error of n samples may be, over another that is expected no less. */
static double
allowance(double n)
{
    return exp(DEVIATIONS / sqrt(n));
}

/* How many dot products an error comes from, and how many values a row's. */
static golden_error
samples(const golden_state *s, bool is_out)
{
    double rows = (double)s->rows;
    golden_error n = {rows * (s->n_vectors - 1), rows, (double)s->width};

    if (is_out)
        n.calm = n.every = rows * s->n_vectors;
    return n;
}

static golden_error
limit_of(const golden_encoder_kind *kind, const golden_state *s, bool is_out)
{
    double same = kind->device == ORIEL_DEVICE_AUTO ? ORACLE_LIMIT : FP32_LIMIT;
    golden_error limit = {same, same, same};

    if (kind->precision == ORIEL_PRECISION_BF16) {
        golden_error n = samples(s, is_out);

        limit.calm = s->reference.calm * allowance(n.calm);
        limit.every = s->reference.every * allowance(n.every);
        limit.row = s->reference.row * allowance(n.row);
    }
    return limit;
}

/* A NaN is outside of every limit. */
static bool
within(golden_error error, golden_error limit)
{
    return error.calm <= limit.calm && error.every <= limit.every &&
           error.row <= limit.row;
}

static void
state_name(char out[64], const golden_file *file, int32_t state)
{
    const char *kind = "window";

    for (int32_t i = 0; i < file->n_full_blocks; i++)
        if (file->full_blocks[i] == state - 1)
            kind = "full";
    if (state == 0)
        snprintf(out, 64, "the patch embedding");
    else if (state <= file->depth)
        snprintf(out, 64, "block %d (%s attention)", state - 1, kind);
    else
        snprintf(out, 64, "the merger");
}

/* ---- All cases together --------------------------------------------------- */

/* Sums of squares over rows: ours, the reference's own bf16, and samples. */
typedef struct pool {
    golden_error ours, theirs, n;
} pool;

static void
pour(pool *p, const golden_state *s, golden_error error, bool is_out)
{
    double rows = (double)s->rows;
    golden_error n = samples(s, is_out);

    p->ours.calm += rows * error.calm * error.calm;
    p->ours.every += rows * error.every * error.every;
    p->theirs.calm += rows * s->reference.calm * s->reference.calm;
    p->theirs.every += rows * s->reference.every * s->reference.every;
    p->n.calm += n.calm;
    p->n.every += n.every;
}

/*
 * What the quotient of the errors is expected to be.  The patch embedding of the
 * GPU rounds just what the reference rounds, pixels and result; elsewhere we
 * leave roundings out, and docs/numerics.md says what that is worth.  A wide
 * residual leaves the patch embedding one rounding of two, sqrt(1 / 2), and towers
 * as shallow as these 0.67 (test_roundings).
 */
static double
expected_quotient(const golden_encoder_kind *kind, int32_t state)
{
    if (kind->device != ORIEL_DEVICE_CUDA ||
        kind->residual == ORIEL_RESIDUAL_WIDE)
        return 0.70;
    return state == 0 ? 1.0 : 0.90;
}

/* Not worse than the reference; with few samples, not by more than chance.  A wide
   residual was asked for to be better: it may not be worse than expected. */
static double
pool_limit(const golden_encoder_kind *kind, double expected, double n)
{
    const double limit = expected * allowance(n);

    return kind->residual == ORIEL_RESIDUAL_WIDE ? limit : fmax(1.0, limit);
}

static void
judge_pools(const golden_file *file, const golden_encoder_kind *kind,
            const pool pools[GOLDEN_MAX_STATES], char *wrong, size_t room)
{
    for (int32_t k = 0; k < file->depth + 2; k++) {
        const pool *p = &pools[k];
        double expected = expected_quotient(kind, k);
        double calm = sqrt(p->ours.calm / p->theirs.calm);
        double every = sqrt(p->ours.every / p->theirs.every);
        size_t used = strlen(wrong);
        char name[64];

        state_name(name, file, k);
        printf("%-5s all cases, %-27s %-11s %.3f of the reference's bf16 "
               "(%.3f with outliers)\n",
               file->config, name, kind->name, calm, every);
        if (!(calm <= pool_limit(kind, expected, p->n.calm) &&
              every <= pool_limit(kind, expected, p->n.every)))
            snprintf(wrong + used, room - used,
                     "\n%s, all cases on %s: %s has %.4f (calm channels) and "
                     "%.4f (all) times the error of the reference's bf16",
                     file->config, kind->name, name, calm, every);
    }
}

static void
print_row(const golden_file *file, const golden_case *c,
          const golden_encoder_kind *kind, const char *on,
          const golden_error *errors, double cosine)
{
    const golden_state *out = &c->states[c->n_states - 1];
    double worst = 0;

    for (int32_t k = 0; k < c->n_states; k++)
        if (!(errors[k].calm <= worst))
            worst = errors[k].calm;
    printf("%-5s %-16s %6lld  %-11s %9.2e %9.2e %9.2e %9.6f\n", file->config,
           c->name, (long long)c->states[0].rows, kind->name,
           errors[c->n_states - 1].calm, worst,
           kind->precision == ORIEL_PRECISION_BF16 ? out->reference.calm
                                                   : out->exact[0],
           cosine);
    fflush(stdout);
    if (!json)
        return;
    fprintf(json,
            "%s\n  {\"config\": \"%s\", \"case\": \"%s\", \"patches\": %lld, "
            "\"subject\": \"%s\", \"on\": \"%s\", \"error\": %.3e, "
            "\"worst_state_error\": "
            "%.3e, \"least_cosine\": %.7f, \"reference_bf16_error\": %.3e, "
            "\"reference_fp32_error_to_fp64\": %.3e, "
            "\"reference_bf16_error_to_fp64\": %.3e, "
            "\"reference_bf16_least_cosine\": %.7f, \"states\": [",
            json_rows++ ? "," : "", file->config, c->name,
            (long long)c->states[0].rows, kind->name, on,
            errors[c->n_states - 1].calm, worst, cosine, out->reference.calm,
            out->exact[0], out->exact[1], c->cosine);
    for (int32_t k = 0; k < c->n_states; k++)
        fprintf(json, "%s[%.3e, %.3e, %.3e]", k ? ", " : "", errors[k].calm,
                errors[k].every, errors[k].row);
    fprintf(json, "]}");
}

/* Measure a case; append what is wrong to 'wrong'. */
static void
judge(const golden_file *file, const golden_case *c, golden_encoder *s,
      const golden_encoder_kind *kind, pool pools[GOLDEN_MAX_STATES],
      char *wrong, size_t room)
{
    golden_encoder_result result = golden_encoder_run(s, c);
    golden_error errors[GOLDEN_MAX_STATES];
    size_t used = strlen(wrong);
    int32_t first = -1;
    double cosine;
    char name[64];

    for (int32_t k = 0; k < c->n_states; k++) {
        const bool is_out = k == c->n_states - 1;

        errors[k] = golden_measure(file, c, k, result.states[k]);
        pour(&pools[k], &c->states[k], errors[k], is_out);
        if (first < 0 &&
            !within(errors[k], limit_of(kind, &c->states[k], is_out)))
            first = k;
    }
    cosine = golden_least_cosine(file, c, result.states[c->n_states - 1]);
    print_row(file, c, kind, golden_encoder_description(s), errors, cosine);
    if (first >= 0) {
        golden_error limit =
            limit_of(kind, &c->states[first], first == c->n_states - 1);

        state_name(name, file, first);
        snprintf(wrong + used, room - used,
                 "\n%s %s on %s: first wrong is %s: errors %.2e (calm channels)"
                 " %.2e (all) %.2e (a row); limits %.2e %.2e %.2e",
                 file->config, c->name, kind->name, name, errors[first].calm,
                 errors[first].every, errors[first].row, limit.calm,
                 limit.every, limit.row);
    } else if (!(cosine >= BF16_COSINE)) {
        snprintf(wrong + used, room - used,
                 "\n%s %s on %s: least cosine of a token %.6f", file->config,
                 c->name, kind->name, cosine);
    }
    golden_encoder_free_result(&result);
}

static void
make_checkpoint(const folder *home, const golden_file *file)
{
    oriel_synth_options options = {.seed = GOLDEN_SEED};
    oriel_error err;

    ck_assert_msg(oriel_synth_config_init_blocks(
                      &config, file->config, file->depth, file->full_blocks,
                      file->n_full_blocks, &err) == ORIEL_OK,
                  "%s", err.message);
    ck_assert_msg(oriel_synth_write(folder_path(home, "checkpoint"), &config,
                                    &options, &err) == ORIEL_OK,
                  "%s", err.message);
}

static bool
is_wanted_case(const golden_case *c)
{
    for (int i = 0; i < n_only_cases; i++)
        if (strcmp(only_cases[i], c->name) == 0)
            return true;
    return n_only_cases == 0;
}

/* A device in a precision, over the cases that are wanted. */
static void
measure_subject(const golden_file *file, const golden_encoder_kind *kind,
                const char *checkpoint, char *wrong, size_t room)
{
    pool pools[GOLDEN_MAX_STATES] = {{{0, 0, 0}, {0, 0, 0}, {0, 0, 0}}};
    golden_encoder *s = golden_encoder_create(kind, file, &config, checkpoint);
    int n = 0;

    printf("%s: %s\n", kind->name, golden_encoder_description(s));
    for (int32_t i = 0; i < file->n_cases; i++) {
        if (!is_wanted_case(&file->cases[i]))
            continue;
        judge(file, &file->cases[i], s, kind, pools, wrong, room);
        n++;
    }
    ck_assert_msg(n == n_only_cases || n_only_cases == 0,
                  "%s has %d of the %d cases asked for", file->config, n,
                  n_only_cases);
    if (kind->precision == ORIEL_PRECISION_BF16)
        judge_pools(file, kind, pools, wrong, room);
    golden_encoder_destroy(s);
}

/* Whether there is something to measure; a device may be absent. */
static bool
is_wanted_kind(const golden_file *file, const golden_encoder_kind *kind)
{
    /* In doubles by simple loops: for the small tower only. */
    if (kind->device == ORIEL_DEVICE_AUTO && strcmp(file->config, "tiny") != 0)
        return false;
    if (only ? strcmp(only, kind->name) != 0
             : kind->attention != ORIEL_ATTENTION_OWN)
        return false;
    if (golden_encoder_is_present(kind))
        return true;
    ck_assert_msg(!only, "%s: not here", kind->name);
    printf("%s: not here, not measured\n", kind->name);
    return false;
}

START_TEST(agrees_with_the_reference)
{
    golden_file *file;
    folder home;
    char wrong[4096] = "";

    if (!wanted[_i])
        return;
    file = golden_load(configs[_i]);
    home = folder_make();
    make_checkpoint(&home, file);
    printf("%s, %d blocks; golden values by %s\n", file->config, file->depth,
           file->versions);
    if (json && json_rows == 0)
        fprintf(json, "{\"reference\": \"%s\",\n\"rows\": [", file->versions);
    for (int32_t j = 0; j < n_golden_encoder_kinds; j++)
        if (is_wanted_kind(file, &golden_encoder_kinds[j]))
            measure_subject(file, &golden_encoder_kinds[j],
                            folder_path(&home, "checkpoint"), wrong,
                            sizeof(wrong));
    folder_remove(&home);
    golden_free(file);
    ck_assert_msg(*wrong == '\0', "%s", wrong);
}
END_TEST

/* The measure itself must see what it is there for. */
START_TEST(notices_a_small_mistake)
{
    golden_file *file = golden_load("tiny");
    const golden_case *c = &file->cases[1];
    folder home = folder_make();
    golden_encoder_result result;
    golden_error error;
    golden_encoder *s;

    make_checkpoint(&home, file);
    s = golden_encoder_create(&golden_encoder_kinds[0], file, &config,
                              folder_path(&home, "checkpoint"));
    result = golden_encoder_run(s, c);
    /* All values off by 2e-5 of themselves, in turn up and down. */
    for (int64_t i = 0; i < c->states[2].rows * c->states[2].width; i++)
        result.states[2][i] *= i % 3 ? 1 + 2e-5f : 1 - 2e-5f;
    error = golden_measure(file, c, 2, result.states[2]);
    ck_assert_double_gt(error.calm, 1.5e-5);
    ck_assert_double_lt(error.calm, 2.5e-5);
    ck_assert_double_gt(error.every, 1e-5);
    ck_assert_double_gt(error.row, 1.5e-5);
    /* Two tokens exchanged, a NaN. */
    for (int64_t i = 0; i < c->states[5].width; i++) {
        float first = result.states[5][i];

        result.states[5][i] = result.states[5][i + c->states[5].width];
        result.states[5][i + c->states[5].width] = first;
    }
    ck_assert_double_lt(golden_least_cosine(file, c, result.states[5]), 0.9);
    ck_assert_double_gt(golden_measure(file, c, 5, result.states[5]).calm, 0.1);
    result.states[1][7] = NAN;
    error = golden_measure(file, c, 1, result.states[1]);
    ck_assert(isnan(error.calm));
    ck_assert(!within(error, (golden_error){1, 1, 1}));
    golden_encoder_free_result(&result);
    golden_encoder_destroy(s);
    folder_remove(&home);
    golden_free(file);
}
END_TEST

static int
parse(int argc, char **argv)
{
    bool any = false;

    for (int i = 1; i < argc; i++) {
        bool known = false;

        if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json = fopen(argv[++i], "w");
            if (json)
                continue;
            perror(argv[i]);
            return 2;
        }
        if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = argv[++i];
            continue;
        }
        if (strcmp(argv[i], "--case") == 0 && i + 1 < argc &&
            n_only_cases < GOLDEN_MAX_CASES) {
            only_cases[n_only_cases++] = argv[++i];
            continue;
        }
        for (size_t k = 0; k < COUNT(configs); k++)
            if (strcmp(argv[i], configs[k]) == 0)
                wanted[k] = known = any = true;
        if (!known) {
            fprintf(stderr,
                    "usage: %s [tiny] [7b] [72b] [--case NAME]... "
                    "[--json FILE] [--only SUBJECT]\n",
                    argv[0]);
            return 2;
        }
    }
    for (size_t k = 0; k < COUNT(configs) && !any; k++)
        wanted[k] = true;
    return 0;
}

int
main(int argc, char **argv)
{
    Suite *s = suite_create("golden");
    TCase *tc = tcase_create("golden");
    SRunner *runner;
    int failed;

    if (parse(argc, argv) != 0)
        return 2;
    printf("%-5s %-16s %6s  %-11s %9s %9s %9s %9s\n", "", "case", "rows",
           "subject", "error", "worst", "reference", "cosine");
    tcase_set_timeout(tc, 0); /* ctest has one */
    tcase_add_test(tc, notices_a_small_mistake);
    tcase_add_loop_test(tc, agrees_with_the_reference, 0, COUNT(configs));
    suite_add_tcase(s, tc);
    runner = srunner_create(s);
    srunner_set_fork_status(runner, CK_NOFORK); /* the table is kept here */
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (json) {
        fprintf(json, "\n]}\n");
        failed += fclose(json) != 0;
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
