/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Hopper alone has, on the simulated GPU: each faulty kernel is reported under
 * every schedule and its correct twin under none; tensor maps are refused as the
 * driver refuses them, and boxes lie where gpu.md's table of swizzles says.
 */
#include "sim/control.h"
#include "sim/faulty_hopper.h"
#include "support/device_case.h"
#include "support/driver.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    int which;
    const char *says;
} faults[] = {
    {HOPPER_UNWAITED_PHASE, "race in shared memory"},
    {HOPPER_WRONG_PARITY, "race in shared memory"},
    {HOPPER_UNMET_INIT, "initialised it, and no barrier orders them"},
    {HOPPER_UNFENCED_INIT, "with no mbarrier_fence"},
    {HOPPER_SECOND_INIT, "there is an mbarrier at byte 16384"},
    {HOPPER_NO_INIT, "byte 16392 of shared memory holds no mbarrier"},
    {HOPPER_OVER_ARRIVAL, "an arrival beyond the 1 of the mbarrier"},
    {HOPPER_LAPPED,
     "waits for phase 0 of the mbarrier at byte 16384, which is"},
    {HOPPER_UNFINISHED_PHASE, "63 of 64 arrivals"},
    {HOPPER_BARRIER_BYTES, "reads the bytes of an mbarrier"},
    {HOPPER_MISPLACED_BARRIER, "expected a multiple of 8 inside it"},
    {HOPPER_TOO_MANY_BYTES, "expected at most 1048575"},
    {HOPPER_EARLY_ARRIVE, "race in shared memory"},
    {HOPPER_SECOND_ARRIVE, "where it has arrived at named_arrive"},
    {HOPPER_UNMET_ARRIVE, "ends while barrier 1 waits: 32 of 64 threads"},
    {HOPPER_UNWAITED_COPY, "shared memory at "},
    {HOPPER_UNSEEN_COPY, "no thread of it waited for a tensor copy"},
    {HOPPER_FEWER_BYTES, "has got 16 bytes more than it expects"},
    {HOPPER_MORE_BYTES, "deadlock"},
    {HOPPER_EARLY_COPY, "shared memory at "},
    {HOPPER_UNALIGNED_COPY, "whose address is no multiple of 128"},
    {HOPPER_NO_MAP, "is no tensor map"},
    {HOPPER_COPY_BEYOND, "to byte 10240 of 17408 bytes of shared memory"},
    {HOPPER_COPY_ON_BARRIER, "overwrites an mbarrier"},
    {HOPPER_UNFENCED_STORE, "with no fence_async_shared between"},
    {HOPPER_TWO_DECLARATIONS, "declares its shared memory in two ways"},
};

static uint16_t input[HOPPER_VALUES];

/* ---- Tensor maps ----------------------------------------------------------- */

/* What goes to the driver. */
typedef struct map_facts {
    uintptr_t base;
    cuuint64_t columns, rows, pitch;
    cuuint32_t box_columns, box_rows;
    CUtensorMapSwizzle swizzle;
    size_t shift; /* of where the map lies */
} map_facts;

static CUresult
encode(CUtensorMap *map, const map_facts *f)
{
    static PFN_cuTensorMapEncodeTiled_v12000 function;
    const cuuint64_t dims[2] = {f->columns, f->rows};
    const cuuint32_t box[2] = {f->box_columns, f->box_rows}, steps[2] = {1, 1};
    enum cudaDriverEntryPointQueryResult found;
    void *symbol = NULL;

    if (!function) {
        ck_assert_int_eq(
            cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &symbol,
                                             12000, cudaEnableDefault, &found),
            cudaSuccess);
        memcpy(&function, &symbol, sizeof(symbol));
    }
    return function((CUtensorMap *)((char *)map + f->shift),
                    CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, (void *)f->base, dims,
                    &f->pitch, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                    f->swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE,
                    CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

static map_facts
facts_of(const void *base)
{
    const map_facts facts = {(uintptr_t)base,
                             HOPPER_COLUMNS,
                             HOPPER_ROWS,
                             2 * HOPPER_COLUMNS,
                             64,
                             HOPPER_ROWS,
                             CU_TENSOR_MAP_SWIZZLE_128B,
                             0};

    return facts;
}

/* Each is beyond a limit that the driver's header states, and the last is not. */
START_TEST(maps_are_refused_as_by_the_driver)
{
    CUtensorMap maps[2];
    map_facts f = facts_of((void *)0x10000);

    switch (_i) {
    case 0:
        f.base += 8;
        break;
    case 1:
        f.columns = 0;
        break;
    case 2:
        f.rows = ((cuuint64_t)1 << 32) + 1;
        break;
    case 3:
        f.pitch += 8;
        break;
    case 4:
        f.pitch = (cuuint64_t)1 << 40;
        break;
    case 5:
        f.box_rows = 257;
        break;
    case 6:
        f.box_rows = 0;
        break;
    case 7:
        f.box_columns = 65; /* no multiple of 16 bytes */
        break;
    case 8:
        f.box_columns = 72; /* more than the swizzle spans */
        break;
    case 9:
        f.swizzle = CU_TENSOR_MAP_SWIZZLE_64B;
        break;
    case 10:
        f.shift = 32;
        break;
    case 11:
        f.pitch -= 16; /* less than a row has */
        break;
    default:
        break;
    }
    ck_assert_int_eq(encode(maps, &f),
                     _i < 12 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS);
    ck_assert_str_eq(device_finish(), "");
}
END_TEST

/* ---- Mistakes ----------------------------------------------------------------- */

static hopper_args
make_arguments(CUtensorMap *map)
{
    hopper_args args;
    void *in, *out;
    map_facts facts;

    for (int i = 0; i < HOPPER_VALUES; i++)
        input[i] = (uint16_t)(i * 7);
    ck_assert_int_eq(cudaMalloc(&in, sizeof(input)), cudaSuccess);
    ck_assert_int_eq(
        cudaMemcpy(in, input, sizeof(input), cudaMemcpyHostToDevice),
        cudaSuccess);
    ck_assert_int_eq(cudaMalloc(&out, sizeof(input)), cudaSuccess);
    args.in = in;
    args.out = out;
    facts = facts_of(in);
    ck_assert_int_eq(encode(map, &facts), CUDA_SUCCESS);
    return args;
}

START_TEST(faults_are_reported)
{
    int schedule = _i / (int)COUNT(faults), f = _i % (int)COUNT(faults);
    CUtensorMap map;
    hopper_args args = make_arguments(&map);
    const char *report;

    device_set_schedule(schedule);
    ck_assert_int_eq(hopper_run(faults[f].which, 1, &args, &map), cudaSuccess);
    report = device_finish();
    ck_assert_msg(strstr(report, faults[f].says), "'%s' lacks '%s'", report,
                  faults[f].says);
    ck_assert_int_eq(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
}
END_TEST

START_TEST(twins_are_not)
{
    for (int i = 0; i < device_schedules(); i++) {
        CUtensorMap map;
        hopper_args args = make_arguments(&map);

        device_set_schedule(i);
        ck_assert_int_eq(hopper_run(_i, 0, &args, &map), cudaSuccess);
        ck_assert_str_eq(device_finish(), "");
    }
}
END_TEST

/* They are instructions of sm_90a, of which no other GPU has code. */
START_TEST(other_gpus_have_none)
{
    static const int others[] = {80, 86, 89, 100, 120};
    CUtensorMap map;
    hopper_args args = make_arguments(&map);

    sim_architecture(0, others[_i]);
    ck_assert_int_eq(hopper_run(HOPPER_UNWAITED_PHASE, 0, &args, &map),
                     cudaSuccess);
    ck_assert_ptr_nonnull(strstr(device_finish(), "expected sm_90"));
}
END_TEST

/* ---- What copies bring ---------------------------------------------------------- */

/* Where chunk 'c' of 16 bytes of row 'r' lies in a row of 'n' chunks: rows of n
   chunks make rows of 8, by whose number the chunks change places. */
static int
place(int r, int c, int n)
{
    return n == 8   ? r * 8 + (c ^ (r & 7))
           : n == 4 ? r * 4 + (c ^ (r >> 1 & 3))
                    : r * 2 + (c ^ (r >> 2 & 1));
}

static const struct {
    CUtensorMapSwizzle swizzle;
    int box_columns, column, row;
} boxes[] = {
    {CU_TENSOR_MAP_SWIZZLE_128B, 64, 0, 0},
    {CU_TENSOR_MAP_SWIZZLE_128B, 64, 16, 32}, /* beyond the columns and rows */
    {CU_TENSOR_MAP_SWIZZLE_128B, 64, -8, -3}, /* before them */
    {CU_TENSOR_MAP_SWIZZLE_128B, 64, 0, 64},  /* nothing of the tensor */
    {CU_TENSOR_MAP_SWIZZLE_64B, 32, 32, 1},
    {CU_TENSOR_MAP_SWIZZLE_32B, 16, 48, 0},
    {CU_TENSOR_MAP_SWIZZLE_NONE, 40, 24, 5},
};

START_TEST(boxes_lie_as_documented)
{
    const int columns = boxes[_i].box_columns, chunks = columns / 8;
    const size_t bytes = (size_t)columns * HOPPER_ROWS * 2;
    static uint16_t expected[HOPPER_VALUES], got[HOPPER_VALUES];
    CUtensorMap map;
    hopper_args args = make_arguments(&map);
    map_facts facts = facts_of(args.in);

    facts.box_columns = (cuuint32_t)columns;
    facts.swizzle = boxes[_i].swizzle;
    ck_assert_int_eq(encode(&map, &facts), CUDA_SUCCESS);
    for (int r = 0; r < HOPPER_ROWS; r++)
        for (int c = 0; c < columns; c++) {
            const int row = boxes[_i].row + r, column = boxes[_i].column + c;
            const bool inside = row >= 0 && row < HOPPER_ROWS && column >= 0 &&
                                column < HOPPER_COLUMNS;
            const int chunk =
                facts.swizzle ? place(r, c / 8, chunks) : r * chunks + c / 8;

            expected[8 * chunk + c % 8] =
                inside ? input[row * HOPPER_COLUMNS + column] : 0;
        }
    for (int i = 0; i < device_schedules(); i++) {
        device_set_schedule(i);
        ck_assert_int_eq(hopper_load_box(&map, boxes[_i].column, boxes[_i].row,
                                         (int)bytes, args.out),
                         cudaSuccess);
        ck_assert_str_eq(device_finish(), "");
        ck_assert_int_eq(
            cudaMemcpy(got, args.out, bytes, cudaMemcpyDeviceToHost),
            cudaSuccess);
        ck_assert_mem_eq(got, expected, bytes);
    }
}
END_TEST

/* Rows 0 to 15 begin the boxes; whole numbers are exact in any order. */
START_TEST(a_ring_adds_up_right)
{
    CUtensorMap map;
    hopper_args args = make_arguments(&map);
    uint16_t values[HOPPER_VALUES];
    float sums[64], got[64];

    for (int i = 0; i < HOPPER_VALUES; i++) /* bf16 of 1, 2, 4 or 8 */
        values[i] = (uint16_t)(0x3f80 + 0x80 * (i * 5 % 7 % 4));
    ck_assert_int_eq(cudaMemcpy((void *)(uintptr_t)args.in, values,
                                sizeof(values), cudaMemcpyHostToDevice),
                     cudaSuccess);
    for (int c = 0; c < 64; c++) {
        sums[c] = 0;
        for (int box = 0; box < 16; box++)
            for (int r = box; r < HOPPER_ROWS; r++)
                sums[c] +=
                    (float)(1 << (values[r * HOPPER_COLUMNS + c] - 0x3f80) /
                                     0x80);
    }
    for (int i = 0; i < device_schedules(); i++) {
        device_set_schedule(i);
        ck_assert_int_eq(hopper_ring(&map, 1, (float *)args.out), cudaSuccess);
        ck_assert_str_eq(device_finish(), "");
        ck_assert_int_eq(
            cudaMemcpy(got, args.out, sizeof(got), cudaMemcpyDeviceToHost),
            cudaSuccess);
        ck_assert_mem_eq(got, sums, sizeof(got));
    }
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sim_hopper");
    TCase *kernels = tcase_create("kernels");

    tcase_add_loop_test(kernels, maps_are_refused_as_by_the_driver, 0, 13);
    tcase_add_loop_test(kernels, faults_are_reported, 0,
                        (int)COUNT(faults) * device_schedules());
    tcase_add_loop_test(kernels, twins_are_not, 0, HOPPER_KERNELS);
    tcase_add_loop_test(kernels, other_gpus_have_none, 0, 5);
    tcase_add_loop_test(kernels, boxes_lie_as_documented, 0, COUNT(boxes));
    tcase_add_test(kernels, a_ring_adds_up_right);
    suite_add_tcase(suite, kernels);
    return run_suite(suite);
}
