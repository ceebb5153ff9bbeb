/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cuda_failing_call.c - the nth call fails, for every n: the scenarios
 *
 * What holds in each of them: failing_call.h.  CK_RUN_CASE=NAME runs one.
 */
#include "cuda/failing_call.h"
#include "cuda/products.h"
#include "support/suite.h"

#define LOST cudaErrorIllegalAddress
#define NO_MEMORY cudaErrorMemoryAllocation
#define NO_DEVICE cudaErrorNoDevice

/* Blocks one by one, of frames of the host, and a hidden state to the host:
   every kind of call.  From the third encode on pinned slots have been sent
   before. */
#define ENCODE(code) \
    { \
        .name = "an encode: " #code, .before = "cee", .failing = "e", \
        .after = "e", .error = code, .kernels = ORIEL_KERNELS_OWN, \
        .graphs = ORIEL_GRAPHS_OFF, .pair = true, .state = true, .kept = true, \
        .told = 45 \
    }
#define CREATE(code) \
    { \
        .name = "a create: " #code, .failing = "c", .error = code, \
        .kernels = ORIEL_KERNELS_OWN, .whole = true, .told = 50 \
    }
#define CHECKED(n, code) \
    { \
        .name = "with checks: " #code, .before = "c", .failing = "e", \
        .after = "e", .error = code, .kernels = ORIEL_KERNELS_OWN, \
        .input = INPUT_HOST_VALUES, .checks = ORIEL_CHECKS_ON, .kept = true, \
        .first = n, .apart = 61, .told = 4 \
    }
/* The second encode of a shape records its graph, the third replays it. */
#define GRAPH(steps, code, n) \
    { \
        .name = "graphs after " steps ": " #code, .before = steps, \
        .failing = "e", .after = "e", .error = code, \
        .kernels = ORIEL_KERNELS_OWN, .input = INPUT_HOST_VALUES, .told = 1, \
        .warnings = n \
    }

/* Each call of cuBLASLt that matters.  Of a create: the handle; a product's
   descriptor with four settings, three layouts, a preference with six settings,
   the heuristic, and twice a first run with its bias, two heights and the
   product.  A check or a configuration that fails only rules its algorithm out.
   Of an encode of four blocks: a product's bias, rows of two layouts, and the
   product. */
enum {
    LIBRARY_CREATE = 1 + ORIEL_PRODUCTS * (5 + 3 + 7 + 1 + 2 * (1 + 2 + 1)),
    LIBRARY_ENCODE = 4 * ORIEL_PRODUCTS * 4
};

/* And of cuDNN.  Of a plan: each of its 15 parts is made, set and finished
   (two lists of offsets, four of rows, the scale, two of lengths, the node, the graph,
   the engine, the kernel's choice, the configuration), and the plan, which tells its
   scratch.  Of a run: the stream, four of the operands, their end, and the run.  Of an
   encode: two blocks that attend over frames. */
enum {
    CUDNN_PLAN = 2 * 7 + 4 * 8 + 8 + 2 * 7 + 9 + 4 + 4 + 4 + 4 + 5,
    CUDNN_RUN = 7
};

static const scenario scenarios[] = {
    {.name = "create to destroy, by cuBLASLt",
     .failing = "ceeerpsd",
     .error = LOST,
     .resample = ORIEL_RESAMPLE_FLOAT,
     .kernels = ORIEL_KERNELS_CUBLASLT,
     .results = ORIEL_MEMORY_DEVICE,
     .told = 115},
    {.name = "after create, by our products",
     .before = "c",
     .failing = "eeerpsd",
     .error = LOST,
     .input = INPUT_DEVICE_FRAMES,
     .resample = ORIEL_RESAMPLE_PILLOW,
     .kernels = ORIEL_KERNELS_OWN,
     .told = 70},
    {.name = "after create, with a wide residual",
     .before = "c",
     .failing = "eeerpsd",
     .error = LOST,
     .input = INPUT_DEVICE_VALUES,
     .residual = ORIEL_RESIDUAL_WIDE,
     .state = true,
     .told = 70},
    {.name = "a create and a measured encode",
     .failing = "ce",
     .error = LOST,
     .kernels = ORIEL_KERNELS_OWN,
     .graphs = ORIEL_GRAPHS_OFF,
     .profile = 1,
     .told = 150},
    CREATE(NO_MEMORY),
    CREATE(LOST),
    CREATE(NO_DEVICE),
    {.name = "a create on another device",
     .failing = "c",
     .error = NO_MEMORY,
     .kernels = ORIEL_KERNELS_OWN,
     .device = 1,
     .told = 40},
    ENCODE(NO_MEMORY),
    ENCODE(LOST),
    ENCODE(NO_DEVICE),
    /* To begin, seven kernels of a block, to end, to instantiate, to upload; to launch. */
    GRAPH("ce", NO_MEMORY, 11),
    GRAPH("ce", LOST, 11),
    GRAPH("cee", NO_MEMORY, 1),
    CHECKED(1, NO_MEMORY),
    CHECKED(2, LOST),
    CHECKED(3, NO_MEMORY),
    CHECKED(4, LOST),
    {.name = "a create, by cuBLASLt",
     .failing = "c",
     .calls = CUBLASLT,
     .kernels = ORIEL_KERNELS_CUBLASLT,
     .whole = true,
     .told = LIBRARY_CREATE,
     .told_most = LIBRARY_CREATE,
     .words = "CUBLAS_STATUS_"},
    {.name = "an encode, by cuBLASLt",
     .before = "c",
     .failing = "e",
     .after = "e",
     .calls = CUBLASLT,
     .kernels = ORIEL_KERNELS_CUBLASLT,
     .graphs = ORIEL_GRAPHS_OFF,
     .input = INPUT_DEVICE_VALUES,
     .results = ORIEL_MEMORY_DEVICE,
     .whole = true,
     .kept = true,
     .told = LIBRARY_ENCODE,
     .told_most = LIBRARY_ENCODE,
     .words = "CUBLAS_STATUS_"},
    {.name = "create to destroy, by kernels of sm_90a",
     .failing = "ceed",
     .error = LOST,
     .kernels = ORIEL_KERNELS_HOPPER,
     .residual = ORIEL_RESIDUAL_WIDE,
     .input = INPUT_DEVICE_VALUES,
     .results = ORIEL_MEMORY_DEVICE,
     .pair = true,
     .told = 100},
    {.name = "an encode, by kernels of sm_90a",
     .before = "c",
     .failing = "e",
     .after = "e",
     .error = NO_MEMORY,
     .kernels = ORIEL_KERNELS_HOPPER,
     .graphs = ORIEL_GRAPHS_OFF,
     .pair = true,
     .kept = true,
     .told = 40},
    {.name = "host memory, with kernels of sm_90a",
     .failing = "ce",
     .after = "e",
     .calls = HOST_MEMORY,
     .kernels = ORIEL_KERNELS_HOPPER,
     .whole = true,
     .told = 4}, /* their maps, too */
    {.name = "create to destroy, by cuDNN",
     .failing = "cpeeerpsd",
     .error = LOST,
     .kernels = ORIEL_KERNELS_OWN,
     .attention = ORIEL_ATTENTION_CUDNN,
     .input = INPUT_DEVICE_VALUES,
     .results = ORIEL_MEMORY_DEVICE,
     .pair = true,
     .told = 100},
    {.name = "a create, by cuDNN",
     .failing = "c",
     .calls = CUDNN,
     .kernels = ORIEL_KERNELS_OWN,
     .attention = ORIEL_ATTENTION_CUDNN,
     .whole = true,
     .told = 1 + CUDNN_PLAN + CUDNN_RUN,
     .told_most = 1 + CUDNN_PLAN + CUDNN_RUN,
     .words = "cuDNN, "},
    {.name = "a prepare and an encode, by cuDNN",
     .before = "c",
     .failing = "pe",
     .after = "pe",
     .calls = CUDNN,
     .kernels = ORIEL_KERNELS_OWN,
     .attention = ORIEL_ATTENTION_CUDNN,
     .graphs = ORIEL_GRAPHS_OFF,
     .whole = true,
     .told = CUDNN_PLAN + 3 * CUDNN_RUN,
     .told_most = CUDNN_PLAN + 3 * CUDNN_RUN,
     .words = "CUDNN_STATUS_"},
    {.name = "an encode, by cuDNN",
     .before = "cp",
     .failing = "e",
     .after = "e",
     .calls = CUDNN,
     .kernels = ORIEL_KERNELS_OWN,
     .attention = ORIEL_ATTENTION_CUDNN,
     .graphs = ORIEL_GRAPHS_OFF,
     .input = INPUT_DEVICE_VALUES,
     .results = ORIEL_MEMORY_DEVICE,
     .whole = true,
     .kept = true,
     .told = 2 * CUDNN_RUN,
     .told_most = 2 * CUDNN_RUN,
     .words = "CUDNN_STATUS_"},
    {.name = "device memory that is lent, by cuDNN",
     .failing = "cpe",
     .after = "pe",
     .calls = DEVICE_MEMORY,
     .kernels = ORIEL_KERNELS_OWN,
     .attention = ORIEL_ATTENTION_CUDNN,
     .whole = true,
     .told = 5, /* of two first runs, and three as without it */
     .words = "out of device memory: wanted"},
    {.name = "host memory",
     .failing = "ce",
     .after = "e",
     .calls = HOST_MEMORY,
     .kernels = ORIEL_KERNELS_OWN,
     .whole = true,
     .state = true,
     .told = 3},
    {.name = "device memory that is lent",
     .failing = "c",
     .calls = DEVICE_MEMORY,
     .kernels = ORIEL_KERNELS_OWN,
     .told = 3, /* two buffers of pixels on their way, the workspace */
     .words = "out of device memory: wanted"},
    /* Of four blocks, each with two of normalised and one of the others. */
    {.name = "device memory of each part, with checks",
     .before = "c",
     .failing = "e",
     .after = "e",
     .calls = DEVICE_MEMORY,
     .kernels = ORIEL_KERNELS_OWN,
     .input = INPUT_HOST_VALUES,
     .checks = ORIEL_CHECKS_ON,
     .whole = true,
     .kept = true,
     .told = 4 * 6,
     .words = "out of device memory"},
};

START_TEST(any_call_may_fail)
{
    failing_call_check(&scenarios[_i]);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("cuda_failing_call");

    for (int i = 0; i < (int)COUNT(scenarios); i++) {
        TCase *tc = tcase_create(scenarios[i].name);

        tcase_set_timeout(tc, 480);
        tcase_add_loop_test(tc, any_call_may_fail, i, i + 1);
        suite_add_tcase(suite, tc);
    }
    return run_suite(suite);
}
