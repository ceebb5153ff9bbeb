/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Hopper alone has, on the simulated GPU: each faulty kernel is reported under
 * every schedule and its correct twin under none; tensor maps are refused as the
 * driver refuses them, and boxes lie where gpu.md's table of swizzles says.
 */
#include "sim/control.h"
#include "sim/counters.h"
#include "sim/faulty_hopper.h"
#include "support/device_case.h"
#include "support/driver.h"
#include "support/suite.h"

#include <math.h>
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
    {HOPPER_PLAIN_BOX,
     "to byte 0 of shared memory, whose address is no multiple of 128"},
    {HOPPER_UNFENCED_PRODUCT, "with no wgmma_fence since the kernel began"},
    {HOPPER_FENCED_BEFORE, "with no wgmma_fence since the last wgmma_wait"},
    {HOPPER_UNWAITED_PRODUCT, "ends with wgmma that it never waited for"},
    {HOPPER_UNCOMMITTED_PRODUCT, "ends with wgmma that it never waited for"},
    {HOPPER_EARLY_WRITE, "wrote to registers with accumulators of a wgmma"},
    {HOPPER_EARLY_READ, "the registers of a wgmma that it has not waited for"},
    {HOPPER_EARLY_HOLD, "the registers of a wgmma that it has not waited for"},
    {HOPPER_EARLY_OPERAND, "wrote to registers with an operand of a wgmma"},
    {HOPPER_EARLY_PRODUCT, "the tensor copy that thread 0 sent there from"},
    {HOPPER_UNFENCED_OPERAND, "stored with no fence_async_shared between"},
    {HOPPER_UNMET_OPERAND, "stored, and no barrier orders them"},
    {HOPPER_EARLY_RELEASE,
     "not all four of its warps are known to have waited"},
    {HOPPER_ONE_RELEASE, "not all four of its warps are known to have waited"},
    {HOPPER_PART_OF_GROUP, "deadlock"},
    {HOPPER_NO_GROUP, "is of no warpgroup: the block has 3 warps"},
    {HOPPER_OTHER_PRODUCT, "the warps of a warpgroup issue different products"},
    {HOPPER_OTHER_LANE, "give it other operands"},
    {HOPPER_OFF_SWIZZLE, "not in the first of a swizzle's 8 rows of 128 bytes"},
    {HOPPER_OPERAND_BEYOND, "reaches beyond 17408 bytes of shared memory"},
    {HOPPER_NO_DESCRIPTOR, "has bits outside of its fields"},
    {HOPPER_UNMET_FRAGMENT, "race in shared memory"},
    {HOPPER_UNALIGNED_FRAGMENT, "which is not aligned to them"},
    {HOPPER_TOO_MANY_REGISTERS, "waits at registers_up (faulty_hopper.cu:"},
    {HOPPER_FEWER_REGISTERS,
     "has 64 registers a thread, and is to have more, 40"},
    {HOPPER_MORE_REGISTERS, "is to have fewer, 256"},
    {HOPPER_PART_OF_REGISTERS, "less often than its warpgroup"},
    {HOPPER_OTHER_REGISTERS, "another of its warpgroup to"},
    {HOPPER_UNMET_PEER, "mbarrier"},
    {HOPPER_UNFENCED_PEER, "with no mbarrier_fence"},
    {HOPPER_EARLY_MULTICAST, "shared memory"},
    {HOPPER_UNWAITED_MULTICAST, "shared memory at "},
    {HOPPER_NO_PEER, "of a cluster of 2"},
    {HOPPER_NOBODY, "to no block"},
    {HOPPER_ENDED_PEER, "block 0 of the cluster has ended"},
    {HOPPER_SECOND_CLUSTER_ARRIVE, "with no cluster_wait between"},
    {HOPPER_NO_CLUSTER_ARRIVE, "with no cluster_arrive"},
    {HOPPER_NO_CLUSTER_WAIT, "ends between cluster_arrive and cluster_wait"},
    {HOPPER_EARLY_GLOBAL_READ, "which a kernel that has not ended"},
    {HOPPER_EARLY_GLOBAL_WRITE, "before grid_wait"},
    {HOPPER_NO_GRID_WAIT, "ends with no grid_wait"},
    {HOPPER_HALF_GRID_WAIT, "thread 32 of block "},
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
    static __typeof__(cuTensorMapEncodeTiled) *function;
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
make_arguments(CUtensorMap *map, CUtensorMap *half)
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
    facts.box_rows = HOPPER_ROWS / 2;
    ck_assert_int_eq(encode(half, &facts), CUDA_SUCCESS);
    return args;
}

/* As if each schedule had a process of its own. */
START_TEST(faults_are_reported)
{
    for (int i = 0; i < device_schedules(); i++) {
        CUtensorMap map, half;
        hopper_args args = make_arguments(&map, &half);
        const char *report;

        device_set_schedule(i);
        ck_assert_int_eq(hopper_run(faults[_i].which, 1, &args, &map, &half),
                         cudaSuccess);
        report = device_finish();
        ck_assert_msg(strstr(report, faults[_i].says), "%s: '%s' lacks '%s'",
                      device_schedule_name(i), report, faults[_i].says);
        ck_assert_int_eq(cudaDeviceSynchronize(), cudaErrorLaunchFailure);
        sim_recover();
    }
}
END_TEST

START_TEST(twins_are_not)
{
    for (int i = 0; i < device_schedules(); i++) {
        CUtensorMap map, half;
        hopper_args args = make_arguments(&map, &half);

        device_set_schedule(i);
        ck_assert_int_eq(hopper_run(_i, 0, &args, &map, &half), cudaSuccess);
        ck_assert_str_eq(device_finish(), "");
    }
}
END_TEST

/* They are instructions of sm_90a, of which no other GPU has code. */
START_TEST(other_gpus_have_none)
{
    static const int others[] = {80, 86, 89, 100, 120};
    CUtensorMap map, half;
    hopper_args args = make_arguments(&map, &half);

    sim_architecture(0, others[_i]);
    ck_assert_int_eq(hopper_run(HOPPER_UNWAITED_PHASE, 0, &args, &map, &half),
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

/* Of rows that the tensor has, those columns that it has. */
static void
expect_box(int which, sim_counters c)
{
    const int first = boxes[which].column < 0 ? 0 : boxes[which].column;
    const int end = boxes[which].column + boxes[which].box_columns;
    const int last = end < HOPPER_COLUMNS ? end : HOPPER_COLUMNS;
    const int shift = abs(boxes[which].row);
    const int rows = shift < HOPPER_ROWS ? HOPPER_ROWS - shift : 0;
    /* Of rows of 64 values, each of four sectors. */
    const int sectors = (last + 15) / 16 - first / 16;

    ck_assert_uint_eq(c.boxes.requests, 1);
    ck_assert_uint_eq(c.boxes.sectors, rows * sectors);
    ck_assert_uint_eq(c.boxes.needed, (rows * (last - first) * 2 + 31) / 32);
}

START_TEST(boxes_lie_as_documented)
{
    const int columns = boxes[_i].box_columns, chunks = columns / 8;
    const size_t bytes = (size_t)columns * HOPPER_ROWS * 2;
    static uint16_t expected[HOPPER_VALUES], got[HOPPER_VALUES];
    CUtensorMap map, half;
    hopper_args args = make_arguments(&map, &half);
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
    sim_start_counters();
    ck_assert_int_eq(hopper_load_box(&map, boxes[_i].column, boxes[_i].row,
                                     (int)bytes, args.out),
                     cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    expect_box(_i, sim_take_counters());
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

/* Sums of ones over 'rows' rows of a box, of which only WRITTEN were ever written. */
enum { WRITTEN = 20 };

static void
sum_written(float *sums, int rows)
{
    uint16_t ones[WRITTEN * HOPPER_COLUMNS];
    const size_t bytes = HOPPER_COLUMNS * sizeof(*sums);
    CUtensorMap map;
    map_facts facts;
    void *in, *out;

    for (size_t i = 0; i < COUNT(ones); i++)
        ones[i] = 0x3f80;
    ck_assert_int_eq(cudaMalloc(&in, sizeof(input)), cudaSuccess);
    ck_assert_int_eq(cudaMalloc(&out, bytes), cudaSuccess);
    ck_assert_int_eq(cudaMemcpy(in, ones, sizeof(ones), cudaMemcpyHostToDevice),
                     cudaSuccess);
    facts = facts_of(in);
    ck_assert_int_eq(encode(&map, &facts), CUDA_SUCCESS);
    ck_assert_int_eq(hopper_sum_rows(&map, rows, out), cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    ck_assert_int_eq(cudaMemcpy(sums, out, bytes, cudaMemcpyDeviceToHost),
                     cudaSuccess);
    cudaFree(in);
    cudaFree(out);
}

/* Bytes that were never written may be loaded, but what depends on them is poison, in
   both patterns. */
START_TEST(unwritten_bytes_are_poison)
{
    int nans = 0, large = 0;

    for (int i = 0; i < device_schedules(); i++) {
        float right[HOPPER_COLUMNS], wrong[HOPPER_COLUMNS];

        device_set_schedule(i);
        sum_written(right, WRITTEN);
        sum_written(wrong, WRITTEN + 1);
        for (int c = 0; c < HOPPER_COLUMNS; c++) {
            ck_assert(right[c] == WRITTEN);
            nans += isnan(wrong[c]) != 0;
            large += wrong[c] > 0x1p100f;
        }
    }
    ck_assert(nans > 0 && large > 0);
    ck_assert_int_eq(nans + large, device_schedules() * HOPPER_COLUMNS);
}
END_TEST

/* Rows 0 to 15 begin the boxes; whole numbers are exact in any order. */
START_TEST(rings_add_up_right)
{
    CUtensorMap map, half;
    hopper_args args = make_arguments(&map, &half);
    uint16_t values[HOPPER_VALUES];
    float sums[2 * 64], got[2 * 64];

    for (int i = 0; i < HOPPER_VALUES; i++) /* bf16 of 1, 2, 4 or 8 */
        values[i] = (uint16_t)(0x3f80 + 0x80 * (i * 5 % 7 % 4));
    ck_assert_int_eq(cudaMemcpy((void *)(uintptr_t)args.in, values,
                                sizeof(values), cudaMemcpyHostToDevice),
                     cudaSuccess);
    for (int c = 0; c < 64; c++) {
        sums[c] = 0; /* and each block of a cluster finds the same */
        for (int box = 0; box < 16; box++)
            for (int r = box; r < HOPPER_ROWS; r++)
                sums[c] +=
                    (float)(1 << (values[r * HOPPER_COLUMNS + c] - 0x3f80) /
                                     0x80);
    }
    memcpy(sums + 64, sums, sizeof(sums) / 2);
    for (int i = 0; i < device_schedules(); i++) {
        device_set_schedule(i);
        for (int blocks = 1; blocks <= 2; blocks++) {
            const size_t bytes = (size_t)blocks * 64 * sizeof(float);

            ck_assert_int_eq(
                blocks == 1 ? hopper_ring(&map, 1, (float *)args.out)
                            : hopper_cluster_ring(&half, 1, (float *)args.out),
                cudaSuccess);
            ck_assert_str_eq(device_finish(), "");
            ck_assert_int_eq(
                cudaMemcpy(got, args.out, bytes, cudaMemcpyDeviceToHost),
                cudaSuccess);
            ck_assert_mem_eq(got, sums, bytes);
        }
    }
}
END_TEST

/* The second kernel runs until its wait while the first is still to write. */
START_TEST(kernels_overlap)
{
    for (int i = 0; i < device_schedules(); i++) {
        CUtensorMap map, half;
        hopper_args args = make_arguments(&map, &half);
        uint16_t got[256];

        device_set_schedule(i);
        ck_assert_int_eq(hopper_overlap(&args), cudaSuccess);
        ck_assert_str_eq(device_finish(), "");
        ck_assert_int_eq(cudaMemcpy(got, args.out + 2048, sizeof(got),
                                    cudaMemcpyDeviceToHost),
                         cudaSuccess);
        ck_assert_mem_eq(got, input, sizeof(got));
    }
}
END_TEST

/* Before 9.0 none does, and the launch is refused. */
START_TEST(older_gpus_overlap_no_kernels)
{
    CUtensorMap map, half;
    const hopper_args args = make_arguments(&map, &half);

    sim_architecture(0, 89);
    ck_assert_int_eq(hopper_overlap(&args), cudaErrorInvalidConfiguration);
    sim_architecture(0, 90);
}
END_TEST

/* ---- Products ---------------------------------------------------------------- */

enum { PRODUCT_COLUMNS_MOST = 256, PRODUCT_SWIZZLES = 4 };

static const int product_columns[] = {64, 80, 128, 160, 256};

static float
small(int i)
{
    return (float)(i * 37 % 17 - 8);
}

static uint16_t
bf16_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return (uint16_t)(bits >> 16);
}

/* An operand of 'n' rows or columns on the device, and its map. */
static void *
make_operand(CUtensorMap *map, int n, int mn_major, int swizzle, int seed)
{
    enum { DEPTH = HOPPER_PRODUCT_DEPTH };
    static uint16_t values[PRODUCT_COLUMNS_MOST * DEPTH];
    static const int row_values[] = {8, 64, 32, 16};
    static const CUtensorMapSwizzle names[] = {
        CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
        CU_TENSOR_MAP_SWIZZLE_64B, CU_TENSOR_MAP_SWIZZLE_32B};
    void *data;

    for (int i = 0; i < n; i++)
        for (int k = 0; k < DEPTH; k++)
            values[mn_major ? k * n + i : i * DEPTH + k] =
                bf16_of(small(i * DEPTH + k + seed));
    ck_assert_int_eq(cudaMalloc(&data, (size_t)(n * DEPTH) * 2), cudaSuccess);
    ck_assert_int_eq(cudaMemcpy(data, values, (size_t)(n * DEPTH) * 2,
                                cudaMemcpyHostToDevice),
                     cudaSuccess);
    const map_facts facts = {
        .base = (uintptr_t)data,
        .columns = (cuuint64_t)(mn_major ? n : DEPTH),
        .rows = (cuuint64_t)(mn_major ? DEPTH : n),
        .pitch = (cuuint64_t)(mn_major ? n : DEPTH) * 2,
        .box_columns = (cuuint32_t)row_values[swizzle],
        .box_rows = (cuuint32_t)(mn_major ? DEPTH : n),
        .swizzle = names[swizzle],
    };
    ck_assert_int_eq(encode(map, &facts), CUDA_SUCCESS);
    return data;
}

/* Whole numbers that no order of sums rounds. */
static float
exact_element(int row, int column)
{
    float sum = 0;

    for (int k = 0; k < HOPPER_PRODUCT_DEPTH; k++)
        sum += small(row * HOPPER_PRODUCT_DEPTH + k) *
               small(column * HOPPER_PRODUCT_DEPTH + k + 5);
    return sum;
}

/* 128 bytes of 8 rows or columns at a time, in different banks. */
static void
expect_operands(const hopper_product *p, sim_counters c)
{
    const int rows = p->columns + (p->a_in_registers ? 0 : HOPPER_PRODUCT_ROWS);

    ck_assert_uint_eq(c.operands.requests, rows / 8 * HOPPER_PRODUCT_DEPTH / 8);
    ck_assert_uint_eq(c.operands.phases, c.operands.requests);
    ck_assert_uint_eq(c.operands.least, c.operands.requests);
}

/* Every instance of the kernel that there is for these numbers. */
START_TEST(products_are_right_however_operands_lie)
{
    static float got[HOPPER_PRODUCT_ROWS * PRODUCT_COLUMNS_MOST];
    const int which = _i / (2 * 2 * 2);
    const hopper_product p = {
        product_columns[which % (int)COUNT(product_columns)], _i & 1,
        _i >> 1 & 1, _i >> 2 & 1, which / (int)COUNT(product_columns)};
    const size_t bytes =
        sizeof(float) * HOPPER_PRODUCT_ROWS * (size_t)p.columns;
    CUtensorMap a, b;
    void *a_data, *b_data, *out;

    if (!hopper_has_product(&p))
        return;
    a_data = make_operand(&a, HOPPER_PRODUCT_ROWS, p.a_mn_major, p.swizzle, 0);
    b_data = make_operand(&b, p.columns, p.b_mn_major, p.swizzle, 5);
    ck_assert_int_eq(cudaMalloc(&out, bytes), cudaSuccess);
    sim_start_counters();
    ck_assert_int_eq(hopper_multiply(&p, &a, &b, out), cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    expect_operands(&p, sim_take_counters());
    for (int i = 0; i < device_schedules(); i++) {
        device_set_schedule(i);
        device_set_adversarial(i % 4 == 1);
        ck_assert_int_eq(hopper_multiply(&p, &a, &b, out), cudaSuccess);
        ck_assert_str_eq(device_finish(), "");
        ck_assert_int_eq(cudaMemcpy(got, out, bytes, cudaMemcpyDeviceToHost),
                         cudaSuccess);
        for (int e = 0; e < HOPPER_PRODUCT_ROWS * p.columns; e++)
            ck_assert_msg(got[e] == exact_element(e / p.columns, e % p.columns),
                          "row %d column %d: %g", e / p.columns, e % p.columns,
                          (double)got[e]);
    }
    cudaFree(a_data);
    cudaFree(b_data);
    cudaFree(out);
}
END_TEST

/* Small numbers, then the one in the second half of the depth: the two instructions
   of an adversarial core differ, and those of a plain one do not. */
START_TEST(adversarial_cores_tell_warps_from_warpgroups)
{
    uint16_t values[16] = {0};
    void *in, *out;
    float sums[2][2];

    for (int k = 0; k < 8; k++)
        values[k] = bf16_of(0x1p-25f);
    values[8] = bf16_of(1);
    ck_assert_int_eq(cudaMalloc(&in, sizeof(values)), cudaSuccess);
    ck_assert_int_eq(cudaMalloc(&out, 128 * sizeof(float)), cudaSuccess);
    ck_assert_int_eq(
        cudaMemcpy(in, values, sizeof(values), cudaMemcpyHostToDevice),
        cudaSuccess);
    for (int i = 0; i < 4; i++) {
        device_set_adversarial(i / 2);
        ck_assert_int_eq(hopper_sum(in, i % 2, out), cudaSuccess);
        ck_assert_str_eq(device_finish(), "");
        ck_assert_int_eq(cudaMemcpy(&sums[i / 2][i % 2], out, sizeof(float),
                                    cudaMemcpyDeviceToHost),
                         cudaSuccess);
    }
    ck_assert(sums[0][0] == sums[0][1] && sums[0][0] > 1);
    ck_assert(sums[1][0] > 1);
    ck_assert(sums[1][1] == 1);
}
END_TEST

/* What a warp stores as matrices is in rows; eight rows of 128 bytes are in the same
   banks unless they are swizzled. */
START_TEST(fragments_are_stored_by_rows)
{
    uint16_t values[256], got[256];
    CUtensorMap map, half;
    hopper_args args = make_arguments(&map, &half);
    sim_counters c;

    memcpy(values, input, sizeof(values));
    sim_start_counters();
    ck_assert_int_eq(hopper_fragment(args.in, _i, args.out), cudaSuccess);
    ck_assert_str_eq(device_finish(), "");
    c = sim_take_counters();
    ck_assert_int_eq(
        cudaMemcpy(got, args.out, sizeof(got), cudaMemcpyDeviceToHost),
        cudaSuccess);
    ck_assert_mem_eq(got, values, sizeof(got));
    ck_assert_uint_eq(c.stored_matrices.requests, 4);
    ck_assert_uint_eq(c.stored_matrices.phases, _i ? 4 : 32);
    ck_assert_uint_eq(c.matrices.requests, 0);
}
END_TEST

/* The simulator sees no read of a register by a constant index: what it reads is
   poison. */
START_TEST(an_early_read_is_poison)
{
    CUtensorMap map, half;
    hopper_args args = make_arguments(&map, &half);
    uint16_t ones[HOPPER_VALUES];
    float got[2];

    for (int i = 0; i < HOPPER_VALUES; i++)
        ones[i] = 0x3f80;
    ck_assert_int_eq(cudaMemcpy((void *)(uintptr_t)args.in, ones, sizeof(ones),
                                cudaMemcpyHostToDevice),
                     cudaSuccess);
    device_set_schedule(_i);
    for (int early = 0; early < 2; early++) {
        ck_assert_int_eq(hopper_read(&map, early, (float *)args.out),
                         cudaSuccess);
        ck_assert_str_eq(device_finish(), "");
        ck_assert_int_eq(cudaMemcpy(&got[early], args.out, sizeof(float),
                                    cudaMemcpyDeviceToHost),
                         cudaSuccess);
    }
    ck_assert(got[0] == 16);
    ck_assert(!(got[1] >= 0 && got[1] < 0x1p100f));
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("sim_hopper");
    TCase *kernels = tcase_create("kernels");

    tcase_add_loop_test(kernels, maps_are_refused_as_by_the_driver, 0, 13);
    tcase_add_loop_test(kernels, faults_are_reported, 0, COUNT(faults));
    tcase_add_loop_test(kernels, twins_are_not, 0, HOPPER_KERNELS);
    tcase_add_loop_test(kernels, other_gpus_have_none, 0, 5);
    tcase_add_loop_test(kernels, boxes_lie_as_documented, 0, COUNT(boxes));
    tcase_add_test(kernels, unwritten_bytes_are_poison);
    tcase_add_test(kernels, rings_add_up_right);
    tcase_add_test(kernels, kernels_overlap);
    tcase_add_test(kernels, older_gpus_overlap_no_kernels);
    tcase_add_loop_test(kernels, products_are_right_however_operands_lie, 0,
                        2 * 2 * 2 * (int)COUNT(product_columns) *
                            PRODUCT_SWIZZLES);
    tcase_add_test(kernels, adversarial_cores_tell_warps_from_warpgroups);
    tcase_add_loop_test(kernels, fragments_are_stored_by_rows, 0, 2);
    tcase_add_loop_test(kernels, an_early_read_is_poison, 0,
                        device_schedules());
    suite_add_tcase(suite, kernels);
    return run_suite(suite);
}
