/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clocks.h - the card's clock at this moment, and whether something holds it back
 *
 * By NVML, loaded at run time from where the driver is; read, never set.
 */
#ifndef BENCH_GPU_CLOCKS_H
#define BENCH_GPU_CLOCKS_H

typedef struct clocks {
    unsigned sm_mhz; /* 0: not known */
    const char
        *throttled; /* "power", "heat", "" when nothing; NULL: not known */
} clocks;

/* Of the current device. */
void clocks_read(clocks *out);

#endif /* BENCH_GPU_CLOCKS_H */
