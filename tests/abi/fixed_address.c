/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixed_address.c - a program at a fixed address that points at our functions
 *
 * In such a program the address of a public function is that of a stub of its
 * own, for the library as well: what the library asks about itself must not
 * begin there.
 */
#include "oriel.h"

#include <stdio.h>

/* Not static: the compiler may not see through it. */
const char *(*volatile pointer)(void);

int
main(void)
{
    oriel_device_info info = ORIEL_DEVICE_INFO_INIT;
    oriel_error err;

    pointer = oriel_version;
    if (oriel_device_get_info(ORIEL_DEVICE_CPU, 0, &info, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%s: %s\n", pointer(), info.description);
    return 0;
}
