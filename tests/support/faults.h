/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.h - system calls that fail, or kill, when told to
 *
 * A test that links oriel_test_faults is linked with --wrap for each call that
 * faults.c defines, so the code under test goes through here.  Calls are counted
 * from the last of the functions below that sets a manner.
 */
#ifndef TESTS_SUPPORT_FAULTS_H
#define TESTS_SUPPORT_FAULTS_H

#include <stdbool.h>

void faults_none(void);

/* The 'at'th call from now on (0: the next) fails with this errno. */
void faults_fail(int at, int error);

/* SIGKILL to ourselves before the 'at'th call. */
void faults_kill(int at);

/* Every read and write moves half of what it is asked to. */
void faults_short(void);

/* File systems without O_TMPFILE, without RENAME_NOREPLACE. */
void faults_deny(bool unnamed_files, bool rename_noreplace);

/* A user who may not give files away, though root runs the test. */
void faults_deny_owners(bool deny);

int faults_calls(void);        /* since then */
const char *faults_name(void); /* of the call that failed, or "" */

#endif /* TESTS_SUPPORT_FAULTS_H */
