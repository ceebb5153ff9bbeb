/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that travel as arguments of a launch. */
#include "support/device_case.h"
#include "support/suite.h"

#include "ops.h"

#include <stdlib.h>
#include <string.h>

static const size_t sizes[] = {16, 32, 528, ORIEL_CUDA_STORE_BYTES - 16,
                               ORIEL_CUDA_STORE_BYTES};

struct bytes_case {
    const unsigned char *from;
    unsigned char copy[ORIEL_CUDA_STORE_BYTES];
    size_t n;
};

/* What the launch was given may change as soon as it returns. */
static cudaError_t
run(void *context, void *out)
{
    struct bytes_case *c = context;
    oriel_store_bytes_args args = {out, c->copy, c->n};
    cudaError_t error;

    memcpy(c->copy, c->from, c->n);
    error = oriel_cuda_store_bytes(&args, NULL);
    memset(c->copy, 0xee, c->n);
    return error;
}

START_TEST(bytes_arrive)
{
    unsigned char from[ORIEL_CUDA_STORE_BYTES], out[ORIEL_CUDA_STORE_BYTES];
    struct bytes_case c = {from, {0}, sizes[_i]};
    random_stream random = {(uint64_t)_i};

    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (unsigned char)random_between(&random, 0, 255);
    ck_assert_int_eq(oriel_cuda_store_bytes_prepare(NULL), cudaSuccess);
    device_check_schedules(run, &c, out, c.n, NULL);
    ck_assert_mem_eq(out, from, c.n);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("store_bytes");
    TCase *tcase = tcase_create("store_bytes");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, bytes_arrive, 0, COUNT(sizes));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
