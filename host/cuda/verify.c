/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c - the module's part of oriel_device_verify: instructions, known answers */
#include "cuda/verify.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/version.h"
#include "cuda/cublaslt.h"
#include "cuda/cudnn.h"
#include "cuda/device.h"
#include "cuda/errors.h"
#include "cuda/hopper.h"
#include "cuda/known_answer.h"
#include "cuda/prepare.h"

#include "kernels/instructions_check.h"

#include <stdio.h>
#include <string.h>

enum { HEAD_DIM = 80 }; /* of all published models */

oriel_status
oriel_cuda_tell(const oriel_verify_job *job,
                const oriel_cuda_check_result *check, oriel_error *err)
{
    oriel_check told = {.struct_size = sizeof(told),
                        .kind = check->kind,
                        .verdict = check->verdict,
                        .name = check->name,
                        .implementation = check->implementation,
                        .error = check->error,
                        .bound = check->bound,
                        .message = check->why};

    if (!told.verdict)
        told.verdict =
            check->why[0] ? ORIEL_VERDICT_FAILED : ORIEL_VERDICT_PASSED;
    job->sink->put(job->sink->context, &told);
    return oriel_cancel_check(job->sink->hooks, err);
}

/* ---- Instructions ----------------------------------------------------------- */

/* What the simulated GPU recorded: tests/kernels/instructions.bin, whole, and that of
   sm_90a after it. */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "oriel_cuda_recorded:\n"
        ".incbin \"" ORIEL_CUDA_RECORDED ".bin\"\n"
        ".incbin \"" ORIEL_CUDA_RECORDED "_hopper.bin\"\n"
        "oriel_cuda_recorded_end:\n"
        ".previous\n");
extern const char oriel_cuda_recorded[] __attribute__((visibility("hidden")));
extern const char oriel_cuda_recorded_end[]
    __attribute__((visibility("hidden")));

/* The results of an instruction, [head->cases, head->words]; NULL: not there. */
static const uint32_t *
find_recorded(const char *name, instruction_record_head *head)
{
    const char *at = oriel_cuda_recorded;

    while (at < oriel_cuda_recorded_end) {
        memcpy(head, at, sizeof(*head));
        at += sizeof(*head);
        if (strcmp(head->name, name) == 0)
            return (const uint32_t *)at;
        at += (size_t)head->cases * (size_t)head->words * sizeof(uint32_t);
    }
    return NULL;
}

static void
check_instruction(const instruction_list *list, int place,
                  oriel_cuda_check_result *check)
{
    const instruction *which = &list->of[place];
    uint32_t in[INSTRUCTION_IN_WORDS], out[INSTRUCTION_OUT_WORDS];
    instruction_verdict v = {0};
    instruction_record_head head;
    const uint32_t *recorded = find_recorded(which->name, &head);

    if (!recorded || head.words != instruction_words(which)) {
        snprintf(check->why, sizeof(check->why), "no result was recorded");
        return;
    }
    for (int c = 0; c < head.cases && !check->why[0]; c++) {
        instruction_input(list, place, c, in);
        snprintf(check->why, sizeof(check->why), "%s",
                 instruction_run(which, in, out));
        if (!check->why[0])
            instruction_compare(which, in, recorded + (ptrdiff_t)c * head.words,
                                out, &v);
    }
    check->error = v.worst;
    if (v.wrong && !check->why[0])
        snprintf(check->why, sizeof(check->why),
                 "%lld of %lld words differ, %s", (long long)v.wrong,
                 (long long)v.words, v.first);
}

/* Of a GPU that lacks them there is one line, which says so. */
static oriel_status
skip_list(const oriel_verify_job *job, const instruction_list *list,
          int32_t capability, oriel_error *err)
{
    char name[64];
    oriel_cuda_check_result check = {.name = name,
                                     .implementation = "hardware",
                                     .kind = ORIEL_CHECK_INSTRUCTION,
                                     .verdict = ORIEL_VERDICT_SKIPPED};

    snprintf(name, sizeof(name), "%d instructions of sm_%da", list->n,
             list->gpu);
    snprintf(check.why, sizeof(check.why),
             "compute capability is %d.%d, expected %d.%d",
             (int)capability / 10, (int)capability % 10, list->gpu / 10,
             list->gpu % 10);
    return oriel_cuda_tell(job, &check, err);
}

static oriel_status
verify_list(const oriel_verify_job *job, const instruction_list *list,
            oriel_error *err)
{
    int32_t capability = 0;
    oriel_status status =
        oriel_cuda_capability(job->device_index, &capability, err);

    if (status)
        return status;
    if (list->gpu && list->gpu != capability)
        return skip_list(job, list, capability, err);
    for (int i = 0; i < list->n && !status; i++) {
        oriel_cuda_check_result check = {.name = list->of[i].name,
                                         .implementation = "hardware",
                                         .kind = ORIEL_CHECK_INSTRUCTION,
                                         .bound = list->of[i].bound};

        check_instruction(list, i, &check);
        status = oriel_cuda_tell(job, &check, err);
    }
    return status;
}

oriel_status
oriel_cuda_verify_instructions(const oriel_verify_job *job, oriel_error *err)
{
    oriel_status status = verify_list(job, &instructions, err);

    return status ? status : verify_list(job, &instructions_hopper, err);
}

/* ---- Known answers ----------------------------------------------------------- */

/* What some implementations need before they are tested; zeroed: not open. */
typedef struct opened {
    oriel_lt lt;
    oriel_cudnn cudnn;
    oriel_cuda_hopper hopper;
} opened;

/* *absent: the status that says that it is not there; ORIEL_OK: it always is. */
static oriel_status
open_implementation(opened *o, const oriel_verify_job *job,
                    oriel_cuda_implementation which, oriel_status *absent,
                    oriel_error *err)
{
    switch (which) {
    case ORIEL_CUDA_CUBLASLT:
        *absent = ORIEL_ERR_DEVICE;
        return oriel_lt_open(&o->lt, job->sink->hooks, job->device_index, err);
    case ORIEL_CUDA_CUDNN:
        *absent = ORIEL_ERR_UNSUPPORTED;
        return oriel_cudnn_open(&o->cudnn, job->device_index, err);
    case ORIEL_CUDA_HOPPER:
    case ORIEL_CUDA_HOPPER_SMALL:
    case ORIEL_CUDA_HOPPER_FRAMES:
        *absent = ORIEL_ERR_UNSUPPORTED;
        return oriel_cuda_hopper_open(&o->hopper, job->device_index, err);
    default:
        *absent = ORIEL_OK;
        return ORIEL_OK;
    }
}

static void
check_answer(const oriel_verify_job *job, oriel_cuda_implementation which,
             oriel_cuda_check_result *check)
{
    opened o = {0};
    const oriel_cuda_tested tested = {.which = which,
                                      .device_index = job->device_index,
                                      .head_dim = HEAD_DIM,
                                      .lt = &o.lt,
                                      .cudnn = &o.cudnn,
                                      .hopper = &o.hopper,
                                      .hooks = job->sink->hooks};
    bool wrong;
    oriel_error err;
    oriel_status absent;
    oriel_status status = open_implementation(&o, job, which, &absent, &err);
    const bool is_open = !status;

    if (is_open)
        status = oriel_cuda_known_answer(&tested, &wrong, &err);
    /* cuDNN's engines are looked for when it runs. */
    if (status && status == absent && (!is_open || which == ORIEL_CUDA_CUDNN))
        check->verdict = ORIEL_VERDICT_SKIPPED;
    if (status)
        snprintf(check->why, sizeof(check->why), "%.300s", err.message);
    oriel_lt_close(&o.lt);
    oriel_cudnn_close(&o.cudnn);
}

oriel_status
oriel_cuda_verify_answers(const oriel_verify_job *job, oriel_error *err)
{
    oriel_status status = ORIEL_OK;

    for (int i = 0; i < ORIEL_CUDA_N_IMPLEMENTATIONS && !status; i++) {
        const oriel_cuda_implementation which = (oriel_cuda_implementation)i;
        oriel_cuda_check_result check = {
            .name = "known-answer test",
            .implementation = oriel_cuda_implementation_name(which),
            .kind = ORIEL_CHECK_KNOWN_ANSWER};

        check_answer(job, which, &check);
        status = oriel_cuda_tell(job, &check, err);
    }
    return status;
}

/* ---- All --------------------------------------------------------------------- */

static int
attribute(const oriel_verify_job *job, enum cudaDeviceAttr which)
{
    int value = 0;

    if (cudaDeviceGetAttribute(&value, which, job->device_index) != cudaSuccess)
        (void)cudaGetLastError();
    return value;
}

/* Clocks in kHz; a driver that does not tell them says 0. */
static void
describe_card(const oriel_verify_job *job)
{
    const int clock = attribute(job, cudaDevAttrClockRate);
    const int memory_clock = attribute(job, cudaDevAttrMemoryClockRate);
    int runtime = 0;
    char clocks[96] = "clocks unknown";

    (void)cudaRuntimeGetVersion(&runtime);
    if (clock > 0 || memory_clock > 0)
        snprintf(clocks, sizeof(clocks), "up to %d MHz, memory %d MHz",
                 clock / 1000, memory_clock / 1000);
    snprintf(job->card, job->card_bytes,
             "%d multiprocessors, %d KiB of L2, %s; CUDA runtime %d.%d",
             attribute(job, cudaDevAttrMultiProcessorCount),
             attribute(job, cudaDevAttrL2CacheSize) / 1024, clocks,
             runtime / 1000, runtime % 1000 / 10);
}

static oriel_status
verify(const oriel_verify_job *job, oriel_error *err)
{
    static const struct {
        int32_t kind;
        oriel_status (*run)(const oriel_verify_job *job, oriel_error *err);
    } parts[] = {
        {ORIEL_CHECK_OCCUPANCY, oriel_cuda_verify_occupancy},
        {ORIEL_CHECK_INSTRUCTION, oriel_cuda_verify_instructions},
        {ORIEL_CHECK_KNOWN_ANSWER, oriel_cuda_verify_answers},
        {ORIEL_CHECK_KERNEL, oriel_cuda_verify_exact},
        {ORIEL_CHECK_KERNEL, oriel_cuda_verify_kernels},
        {ORIEL_CHECK_INVARIANCE, oriel_cuda_verify_rows},
    };
    oriel_cuda_loaded loaded = {0};
    oriel_status status = oriel_cuda_prepare(&loaded, HEAD_DIM, err);

    describe_card(job);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !status; i++)
        if (oriel_cuda_wants(job, parts[i].kind))
            status = parts[i].run(job, err);
    return status;
}

oriel_verify_entry_fn oriel_verify_entry;

__attribute__((visibility("default"))) oriel_status
oriel_verify_entry(const char *version, const oriel_verify_job *job,
                   oriel_error *err)
{
    oriel_cuda_scope scope;
    oriel_status status;

    if (strcmp(version, ORIEL_VERSION_STRING) != 0)
        return oriel_fail(err, ORIEL_ERR_UNSUPPORTED,
                          "liboriel-cuda.so is of version " ORIEL_VERSION_STRING
                          ", expected %s",
                          ORIEL_QUOTE(version));
    status = oriel_cuda_enter(&scope, job->device_index, err);
    if (!status)
        status = verify(job, err);
    oriel_cuda_leave(&scope);
    return status;
}
