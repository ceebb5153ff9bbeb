/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oriel_verify.h - the proof that Oriel computes what it should on a GPU
 *
 * oriel_device_verify runs in well under a minute.  It holds each instruction that
 * the kernels use against recorded results, each kernel and implementation against
 * double precision, rows against the same rows in another batch, and a small network
 * against the CPU backend; and it tells each check as it ends.  "oriel doctor
 * --verify" prints that.
 *
 * It is for the first run on a new card, driver or library, and for bug reports.  An
 * encoder needs no such call: what it uses is put to a known-answer test when it is
 * made (oriel_encoder_create).
 */
#ifndef ORIEL_VERIFY_H
#define ORIEL_VERIFY_H

#include "oriel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a check is about; the numbers are bits of oriel_verify_options.only. */
enum {
    ORIEL_CHECK_INSTRUCTION = 1,  /* against what the simulated GPU recorded */
    ORIEL_CHECK_KNOWN_ANSWER = 2, /* what an encoder runs when it is made */
    ORIEL_CHECK_KERNEL = 4,       /* against double precision, or exact */
    ORIEL_CHECK_INVARIANCE = 8,   /* the same rows, other batch: same bytes */
    ORIEL_CHECK_NETWORK = 16,     /* a whole network against the CPU backend */
    ORIEL_CHECK_OCCUPANCY = 32    /* blocks a multiprocessor, as was planned */
};
enum {
    ORIEL_VERDICT_PASSED = 1,
    ORIEL_VERDICT_FAILED = 2,
    ORIEL_VERDICT_SKIPPED = 3 /* 'message' says what is missing */
};

/* One check that has ended.  Pointers live until the callback returns. */
typedef struct oriel_check {
    uint32_t struct_size; /* of the library's struct: newer ones have more */
    int32_t kind;         /* ORIEL_CHECK_* */
    int32_t verdict;      /* ORIEL_VERDICT_* */
    int32_t reserved;
    const char *name;           /* "linear, 70 rows 136 columns depth 200" */
    const char *implementation; /* "own kernels", "cuBLASLt" */
    double error;               /* the value that is furthest from its bound: */
    double bound;        /* by how much it is off, and may be off; 0: exact */
    const char *message; /* one line; "" where it passed */
} oriel_check;

typedef struct oriel_verify_options {
    uint32_t struct_size;
    int32_t device, device_index; /* AUTO or CUDA, and its ordinal */
    int32_t only;                 /* bits of ORIEL_CHECK_*; 0: all */
    void *user;
    void (*report)(void *user, const oriel_check *check); /* may be NULL */
    const oriel_hooks *hooks; /* cancel is asked before each check; log has
                                 what encoders log */
} oriel_verify_options;
#define ORIEL_VERIFY_OPTIONS_INIT ORIEL_INIT_(oriel_verify_options)

typedef struct oriel_verify_info {
    uint32_t struct_size;
    int32_t passed, failed, skipped; /* checks */
    char choice[256];                /* what an encoder of AUTO would run */
    char card[256];                  /* clocks and more, as the driver tells */
} oriel_verify_info;
#define ORIEL_VERIFY_INFO_INIT ORIEL_INIT_(oriel_verify_info)

/*
 * Verify a device; 'info' may be NULL, and is filled on ORIEL_OK and _FAULT.  The
 * calling thread works and waits, on the device's default stream; memory comes from
 * the driver.  A check that faults spoils the device's context for this process, and
 * those after it fail: call it in a process of its own, or before anything else.
 * Threads: one call at a time in a process.
 * ORIEL_OK     all that could run passed
 * ORIEL_ERR_FAULT  a check failed: the message names the first
 * ORIEL_ERR_UNSUPPORTED (the CPU, whose processor is not in question), _DEVICE,
 *   _ARGUMENT, _MEMORY, _CANCELLED
 */
ORIEL_API oriel_status oriel_device_verify(const oriel_verify_options *options,
    oriel_verify_info *info, oriel_error *err);

#ifdef __cplusplus
}
#endif
#endif /* ORIEL_VERIFY_H */
