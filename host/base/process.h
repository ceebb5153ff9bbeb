/* SPDX-License-Identifier: Apache-2.0 */
/* process.h - handles belong to the process that made them */
#ifndef ORIEL_BASE_PROCESS_H
#define ORIEL_BASE_PROCESS_H

#include "oriel.h"

#include <stdbool.h>
#include <stdint.h>

/* The calling process; a handle keeps it from its creation on. */
int32_t oriel_process_id(void);

/* Whether the calling process is not 'process' but came from it by fork(). */
bool oriel_process_is_other(int32_t process);

/*
 * Refuse a handle that another process made: after fork() its threads are gone,
 * and so is its device.  'what' is "the encoder".  ORIEL_ERR_ARGUMENT
 */
oriel_status oriel_process_check(int32_t process, const char *what,
                                 oriel_error *err);

#endif /* ORIEL_BASE_PROCESS_H */
