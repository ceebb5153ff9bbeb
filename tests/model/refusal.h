/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.h - a checkpoint that cannot be opened, and what must be said of it */
#ifndef TESTS_MODEL_REFUSAL_H
#define TESTS_MODEL_REFUSAL_H

#include "oriel.h"

/*
 * Opening 'folder' fails with 'status' and one line that has all of 'says' (up
 * to three, then NULL); nothing leaks, nothing large is asked for.  'at' is
 * the case's number, for the test's own message.
 */
void check_refused(const char *folder, int at, oriel_status status,
                   const char *const says[3]);

#endif /* TESTS_MODEL_REFUSAL_H */
