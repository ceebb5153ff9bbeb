/* SPDX-License-Identifier: Apache-2.0 */
/* complain.c - where tests and benchmarks hear of it; oriel_device_verify has its own */
#include "ops/op.h"

#include <stdio.h>

int
op_complain(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return -1;
}
