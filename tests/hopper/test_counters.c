/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the accesses of the kernels of sm_90a cost: phases of banks and sectors, on
 * the simulated GPU (sim/counters.h), held against the figures at each kernel's head.
 */
#include "kernels/counters_check.h"
#include "kernels/op_check.h"
#include "ops/hopper.h"
#include "support/suite.h"

#include <string.h>

enum { LARGE, SMALL };
enum { PLAIN, WIDE };
enum { DEPTH = 128 }; /* two stages */

/*
 * One tile of each instance; of rows it lacks none, so that every access is whole.
 * Requests, what they take, and the least that they could; the ratio of the last two
 * is what the kernel's head says.  Figures that are not named are zero.
 */
#define ROW(of, small, wide, dtype, rows, columns, ...) \
    { \
        of, small, wide, dtype, rows, columns, \
        { \
            __VA_ARGS__ \
        } \
    }

static const struct {
    const op *of;
    int32_t small, wide, dtype;
    int32_t rows, columns;
    sim_counters expected;
} figures[] = {
    ROW(&op_linear, LARGE, PLAIN, 0, 128, 256,
        .stored_matrices = {512, 512, 512}, .operands = {1280, 1280, 1280},
        .shared_loads = {128, 512, 512}, .boxes = {6, 3072, 3072},
        .loads = {256, 256, 256}, .stores = {128, 2048, 2048}),
    ROW(&op_linear, SMALL, PLAIN, 0, 64, 128,
        .stored_matrices = {128, 128, 128}, .operands = {384, 384, 384},
        .shared_loads = {32, 128, 128}, .boxes = {4, 1536, 1536},
        .loads = {64, 64, 64}, .stores = {32, 512, 512}),
    ROW(&op_linear_residual, LARGE, PLAIN, 0, 128, 160,
        .operands = {896, 896, 896}, .shared_loads = {400, 960, 640},
        .shared_stores = {320, 640, 320}, .boxes = {8, 3584, 3584},
        .loads = {160, 160, 160}, .stores = {80, 1280, 1280}),
    ROW(&op_linear_residual, SMALL, PLAIN, 0, 64, 160,
        .operands = {448, 448, 448}, .shared_loads = {200, 480, 320},
        .shared_stores = {160, 320, 160}, .boxes = {6, 2432, 2432},
        .loads = {80, 80, 80}, .stores = {40, 640, 640}),
    ROW(&op_linear_residual, LARGE, WIDE, 0, 128, 160,
        .operands = {896, 896, 896}, .shared_loads = {800, 1920, 1280},
        .shared_stores = {640, 1280, 640}, .boxes = {10, 4864, 4864},
        .loads = {160, 160, 160}, .stores = {160, 2560, 2560}),
    ROW(&op_linear_residual, SMALL, WIDE, 0, 64, 160,
        .operands = {448, 448, 448}, .shared_loads = {400, 960, 640},
        .shared_stores = {320, 640, 320}, .boxes = {8, 3072, 3072},
        .loads = {80, 80, 80}, .stores = {80, 1280, 1280}),
    ROW(&op_linear_swiglu, LARGE, PLAIN, 0, 128, 128,
        .stored_matrices = {256, 256, 256}, .operands = {1280, 1280, 1280},
        .shared_loads = {64, 256, 256}, .boxes = {6, 3072, 3072},
        .loads = {256, 256, 256}, .stores = {64, 1024, 1024}),
    ROW(&op_linear_gelu, LARGE, PLAIN, 0, 128, 256,
        .stored_matrices = {512, 512, 512}, .operands = {1280, 1280, 1280},
        .shared_loads = {128, 512, 512}, .boxes = {6, 3072, 3072},
        .loads = {256, 256, 256}, .stores = {128, 2048, 2048}),
    ROW(&op_linear_gelu, SMALL, PLAIN, 0, 64, 160,
        .stored_matrices = {160, 160, 160}, .operands = {448, 448, 448},
        .shared_loads = {48, 192, 192}, .boxes = {4, 1792, 1792},
        .loads = {80, 80, 80}, .stores = {48, 640, 640}),
    ROW(&op_linear_rows, LARGE, PLAIN, ORIEL_CUDA_F32, 128, 256,
        .operands = {1280, 1280, 1280}, .boxes = {6, 3072, 3072},
        .loads = {1024, 1024, 1024}, .stores = {512, 4096, 4096}),
    ROW(&op_linear_rows, SMALL, PLAIN, ORIEL_CUDA_F32, 64, 128,
        .operands = {384, 384, 384}, .boxes = {4, 1536, 1536},
        .loads = {256, 256, 256}, .stores = {128, 1024, 1024}),
    ROW(&op_linear_rows, LARGE, PLAIN, ORIEL_CUDA_BF16, 128, 256,
        .stored_matrices = {512, 512, 512}, .operands = {1280, 1280, 1280},
        .shared_loads = {128, 512, 512}, .boxes = {6, 3072, 3072},
        .loads = {384, 384, 384}, .stores = {128, 2048, 2048}),
    ROW(&op_linear_rows, SMALL, PLAIN, ORIEL_CUDA_BF16, 64, 128,
        .stored_matrices = {128, 128, 128}, .operands = {384, 384, 384},
        .shared_loads = {32, 128, 128}, .boxes = {4, 1536, 1536},
        .loads = {96, 96, 96}, .stores = {32, 512, 512}),
    ROW(&op_full_attention, LARGE, PLAIN, 0, 0, 0, .matrices = {640, 640, 640},
        .operands = {5120, 5120, 5120}, .shared_stores = {112, 448, 448},
        .boxes = {40, 11200, 11200}, .loads = {120, 120, 120},
        .stores = {500, 4000, 2000}),
};

/* Two heads of a frame whose last tile of keys is not full. */
static op_case
make_attention(const op_hopper *h)
{
    static const int lengths[] = {200};
    op_case c = attention_make(false, 2, 80, lengths, 1, 1, 0);

    c.op = &h->op;
    ck_assert_int_eq(c.op->prepare(&c), cudaSuccess);
    return c;
}

static op_case
make_product(const op_hopper *h, int i)
{
    const op_shape shape = {.rows = figures[i].rows,
                            .columns = figures[i].columns,
                            .depth = DEPTH,
                            .dtype = figures[i].dtype,
                            .wide = figures[i].wide};

    return op_check_make(&h->op, &shape, 1);
}

START_TEST(costs_what_its_head_says)
{
    const op_hopper h = op_hopper_make(figures[_i].of, figures[_i].small, 1);
    op_case c = figures[_i].of == &op_full_attention ? make_attention(&h)
                                                     : make_product(&h, _i);
    device_buffer out = device_output(op_case_out_bytes(&c));
    sim_counters found;

    sim_start_counters();
    ck_assert_int_eq(c.op->run(&c, 0, c.rows, out.data), cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    found = sim_take_counters();
    counters_check(h.op.name, &found, &figures[_i].expected);
    device_release(out);
    op_case_free(&c);
}
END_TEST

/* A kernel file without figures is one whose head says nothing. */
START_TEST(every_file_has_figures)
{
    static const char *const files[] = {
#define X(name) #name,
        ORIEL_HOPPER_KERNELS(X)
#undef X
    };

    for (size_t f = 0; f < COUNT(files); f++) {
        size_t row = 0;

        while (row < COUNT(figures) &&
               strcmp(op_hopper_make(figures[row].of, 0, 1).op.name,
                      files[f]) != 0)
            row++;
        ck_assert_msg(row < COUNT(figures), "%s.cu has no row", files[f]);
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("hopper_counters");
    TCase *tcase = tcase_create("counters");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, costs_what_its_head_says, 0, COUNT(figures));
    tcase_add_test(tcase, every_file_has_figures);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
