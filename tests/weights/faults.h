/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.h - system calls that fail, or kill, when told to
 *
 * The test is linked with --wrap for each call below, so the code under test
 * goes through here.  Calls are counted from the last faults_arm.
 */
#ifndef TESTS_WEIGHTS_FAULTS_H
#define TESTS_WEIGHTS_FAULTS_H

#include <stdbool.h>

enum faults_manner {
    FAULTS_NONE,
    FAULTS_FAIL, /* -1 with EIO */
    FAULTS_KILL, /* SIGKILL to ourselves before the call */
    FAULTS_SHORT /* pwrite takes half, or one byte; others work */
};

/* The 'at'th call from now on (0: the next); for FAULTS_SHORT every one. */
void faults_arm(enum faults_manner manner, int at);

/* File systems without O_TMPFILE, without RENAME_NOREPLACE. */
void faults_deny(bool unnamed_files, bool rename_noreplace);

int faults_calls(void);        /* since faults_arm */
const char *faults_name(void); /* of the call that failed, or "" */

#endif /* TESTS_WEIGHTS_FAULTS_H */
