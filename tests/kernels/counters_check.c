/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/counters_check.h"

#include "support/suite.h"

#include <inttypes.h>
#include <stddef.h>

/* Three numbers each, of banks or of sectors. */
static const struct {
    const char *name;
    size_t at;
} figures[] = {
#define X(name) {#name, offsetof(sim_counters, name)},
    X(matrices) X(stored_matrices) X(operands) X(arrivals) X(shared_loads)
        X(shared_stores) X(copies) X(boxes) X(loads) X(stores)
#undef X
};
_Static_assert(sizeof(sim_counters) ==
                   sizeof(figures) / sizeof(figures[0]) * 3 * sizeof(uint64_t),
               "all of them");

void
counters_check(const char *kernel, const sim_counters *found,
               const sim_counters *expected)
{
    for (size_t i = 0; i < COUNT(figures); i++) {
        const uint64_t *f =
            (const uint64_t *)((const char *)found + figures[i].at);
        const uint64_t *e =
            (const uint64_t *)((const char *)expected + figures[i].at);

        ck_assert_msg(f[0] == e[0] && f[1] == e[1] && f[2] == e[2],
                      "%s, %s: {%" PRIu64 ", %" PRIu64 ", %" PRIu64
                      "}, not {%" PRIu64 ", %" PRIu64 ", %" PRIu64 "}",
                      kernel, figures[i].name, f[0], f[1], f[2], e[0], e[1],
                      e[2]);
    }
}
