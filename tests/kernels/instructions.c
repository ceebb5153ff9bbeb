/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instructions.c - the simulated GPU's instructions against the hardware's
 *
 *     instructions record FILE [CASES]     run each, write what came out
 *     instructions compare FILE [JSON]     run each again, compare
 *     instructions self FILE               compare must see a changed word
 *
 * Linked twice for each list (ORIEL_INSTRUCTIONS): with the simulated GPU, which
 * records, and with CUDA.  The file
 * is in this machine's byte order and belongs to this build: of each instruction
 * its name and its results, [cases, words].
 */
#include "kernels/instructions_check.h"
#include "support/device_case.h"
#include "support/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES = 32 };

/* Which list the program has. */
static const instruction_list *const list = &ORIEL_INSTRUCTIONS;

static float
float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static int
complain(const char *what, const char *why)
{
    fprintf(stderr, "instructions: %s: %s\n", what, why);
    return -1;
}

/* ---- The file ------------------------------------------------------------ */

typedef struct recorded {
    instruction_record_head head;
    uint32_t out[CASES][INSTRUCTION_OUT_WORDS];
} recorded;

static int
run(int which, int number, uint32_t *in, uint32_t *out)
{
    const char *trouble;

    instruction_input(list, which, number, in);
    trouble = instruction_run(&list->of[which], in, out);
    return trouble[0] ? complain(list->of[which].name, trouble) : 0;
}

static int
record_one(FILE *file, int which, int cases)
{
    uint32_t in[INSTRUCTION_IN_WORDS], out[INSTRUCTION_OUT_WORDS];
    const size_t words = (size_t)instruction_words(&list->of[which]);
    instruction_record_head head = {{0}, cases, (int32_t)words};
    int result;

    snprintf(head.name, sizeof(head.name), "%s", list->of[which].name);
    result = fwrite(&head, sizeof(head), 1, file) == 1 ? 0 : -1;
    for (int c = 0; c < cases && !result; c++) {
        result = run(which, c, in, out);
        if (!result && fwrite(out, sizeof(*out), words, file) != words)
            result = -1;
    }
    return result;
}

static int
record(const char *path, int cases)
{
    FILE *file = fopen(path, "wb");
    int result = file ? 0 : -1;

    for (int i = 0; i < list->n && !result; i++)
        result = record_one(file, i, cases);
    if (file && fclose(file))
        result = -1;
    return result ? complain(path, "cannot be written") : 0;
}

/* The next instruction of the file, which is 'which' of this build. */
static int
next(FILE *file, int which, recorded *r)
{
    if (fread(&r->head, sizeof(r->head), 1, file) != 1 ||
        strcmp(r->head.name, list->of[which].name) != 0 ||
        r->head.words != instruction_words(&list->of[which]) ||
        r->head.cases < 1 || r->head.cases > CASES)
        return -1;
    for (int c = 0; c < r->head.cases; c++)
        if (fread(r->out[c], sizeof(uint32_t), (size_t)r->head.words, file) !=
            (size_t)r->head.words)
            return -1;
    return 0;
}

/* ---- Comparing ----------------------------------------------------------- */

static void
show(FILE *json, const instruction *which, const instruction_verdict *v, int i)
{
    printf("%-42s %7lld words, %lld wrong", which->name, (long long)v->words,
           (long long)v->wrong);
    if (which->bound > 0)
        printf(", worst 2^%.2f of 2^%.2f", log2(v->worst), log2(which->bound));
    printf("%s%s\n", v->wrong ? ": " : "", v->first);
    if (!json)
        return;
    fprintf(json,
            "%s\n {\"instruction\": \"%s\", \"words\": %lld, \"wrong\": %lld, "
            "\"worst\": %.4g, \"bound\": %.4g, \"first\": \"%s\"}",
            i ? "," : "", which->name, (long long)v->words, (long long)v->wrong,
            v->worst, which->bound, v->first);
}

static int
compare_one(int which, const recorded *r, instruction_verdict *v)
{
    uint32_t in[INSTRUCTION_IN_WORDS], out[INSTRUCTION_OUT_WORDS];
    int result = 0;

    for (int c = 0; c < r->head.cases && !result; c++) {
        result = run(which, c, in, out);
        if (!result)
            instruction_compare(&list->of[which], in, r->out[c], out, v);
    }
    return result;
}

/* The number of instructions that differ, or -1. */
static int
compare(const char *path, FILE *json)
{
    FILE *file = fopen(path, "rb");
    recorded *r = malloc(sizeof(*r));
    int result = file && r ? 0 : complain(path, "cannot be read");
    int differ = 0;

    for (int i = 0; i < list->n && !result; i++) {
        instruction_verdict v = {0, 0, 0, ""};

        result = next(file, i, r) ? complain(path, "is of another build")
                                  : compare_one(i, r, &v);
        if (!result) {
            show(json, &list->of[i], &v, i);
            differ += v.wrong > 0;
        }
    }
    if (file)
        fclose(file);
    free(r);
    return result ? result : differ;
}

/* A word whose second-highest mantissa bit tells, in any kind of output. */
static int
telling_word(int which, const uint32_t *out)
{
    for (int i = 0; i < instruction_words(&list->of[which]); i++) {
        const float value = float_of(out[i]);

        if (isnormal(value) && fabsf(value) > 1e-30f && fabsf(value) < 1e30f)
            return i;
    }
    return 0;
}

/* With one bit of a recorded output turned, every instruction differs. */
static int
self_check(int which, int number, const uint32_t *recorded_out)
{
    instruction_verdict same = {0, 0, 0, ""}, turned = {0, 0, 0, ""};
    uint32_t in[INSTRUCTION_IN_WORDS], out[INSTRUCTION_OUT_WORDS];

    instruction_input(list, which, number, in);
    memcpy(out, recorded_out, sizeof(out));
    instruction_compare(&list->of[which], in, recorded_out, out, &same);
    if (same.wrong)
        return complain(list->of[which].name, "differs from itself");
    out[telling_word(which, out)] ^= 0x00200000;
    instruction_compare(&list->of[which], in, recorded_out, out, &turned);
    if (!turned.wrong)
        return complain(list->of[which].name, "a turned bit was not seen");
    return 0;
}

static int
self(const char *path)
{
    recorded *r = malloc(sizeof(*r));
    FILE *file = fopen(path, "rb");
    int result = file && r ? 0 : complain(path, "cannot be read");

    for (int i = 0; i < list->n && !result; i++) {
        if (next(file, i, r))
            result = complain(path, "is too short or of another build");
        for (int c = 0; !result && c < r->head.cases; c++)
            result = self_check(i, c, r->out[c]);
    }
    if (file)
        fclose(file);
    free(r);
    return result;
}

/* Under every schedule the simulator's instructions give what it recorded. */
static int
compare_schedules(const char *path, const char *json_path)
{
    int differ = 0;

    for (int s = 0; s < device_schedules() && differ == 0; s++) {
        FILE *json = s == 0 && json_path ? fopen(json_path, "w") : NULL;

        if (s == 0 && json_path && !json)
            return complain(json_path, "cannot be written");
        device_set_schedule(s);
        printf("%s\n", device_schedule_name(s));
        if (json)
            fprintf(json, "[");
        differ = compare(path, json);
        if (json && (fprintf(json, "\n]\n") < 0 || fclose(json)))
            return complain(json_path, "cannot be written");
    }
    return differ;
}

/* On another GPU than they are of, nothing is to be run. */
static int
skips(void)
{
    int major = 0, minor = 0;

    (void)cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
    (void)cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0);
    if (!list->gpu || 10 * major + minor == list->gpu)
        return 0;
    printf(
        "skipped: these are instructions of sm_%da, and the GPU is of %d.%d\n",
        list->gpu, major, minor);
    return 1;
}

int
main(int argc, char **argv)
{
    int result;

    if (skips())
        return TEST_SKIP;
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "record") == 0)
        result = record(argv[2], argc == 4 ? atoi(argv[3]) : CASES);
    else if (argc == 3 && strcmp(argv[1], "self") == 0)
        result = self(argv[2]);
    else if ((argc == 3 || argc == 4) && strcmp(argv[1], "compare") == 0)
        result = compare_schedules(argv[2], argc == 4 ? argv[3] : NULL);
    else {
        fprintf(stderr, "usage: instructions record FILE [CASES]\n"
                        "       instructions compare FILE [JSON]\n"
                        "       instructions self FILE\n");
        return 2;
    }
    return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
