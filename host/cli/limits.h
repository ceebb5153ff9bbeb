/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - what affinity mask and control groups leave us of the machine */
#ifndef ORIEL_CLI_LIMITS_H
#define ORIEL_CLI_LIMITS_H

#include <stdint.h>

typedef struct cli_limits {
    int32_t cores;         /* of the affinity mask */
    double quota_cores;    /* of the control group's cpu.max; 0: no limit */
    uint64_t memory_bytes; /* of the control group; 0: no limit */
    int32_t threads;       /* what follows: at least 1 */
} cli_limits;

cli_limits cli_limits_read(void);

/*
 * The same with the two places where the kernel tells about control groups,
 * normally "/proc/self/cgroup" and "/sys/fs/cgroup".
 */
cli_limits cli_limits_read_from(const char *membership, const char *root);

#endif /* ORIEL_CLI_LIMITS_H */
