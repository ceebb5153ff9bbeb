/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - which process made a handle */
#include "base/process.h"

#include "base/fail.h"

#include <unistd.h>

int32_t
oriel_process_id(void)
{
    return (int32_t)getpid();
}

bool
oriel_process_is_other(int32_t process)
{
    return process != oriel_process_id();
}

oriel_status
oriel_process_check(int32_t process, const char *what, oriel_error *err)
{
    if (!oriel_process_is_other(process))
        return ORIEL_OK;
    return oriel_fail(err, ORIEL_ERR_ARGUMENT,
                      "%s was made before fork(), by process %d: expected one "
                      "that this process made",
                      what, process);
}
