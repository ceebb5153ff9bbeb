/* SPDX-License-Identifier: Apache-2.0 */
/* faulty_hopper.h - as faulty.h, of what Hopper alone has */
#ifndef TESTS_SIM_FAULTY_HOPPER_H
#define TESTS_SIM_FAULTY_HOPPER_H

#include <cuda.h>
#include <cuda_runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    HOPPER_ROWS = 64,    /* of a box of 64 columns, 128 bytes each */
    HOPPER_COLUMNS = 64, /* of the tensor, and in a box of 128 bytes */
    HOPPER_VALUES = HOPPER_ROWS * HOPPER_COLUMNS
};

typedef struct hopper_args {
    const uint16_t *in; /* [HOPPER_VALUES] */
    uint16_t *out;      /* [HOPPER_VALUES] */
} hopper_args;

enum {
    /* Barriers. */
    HOPPER_UNWAITED_PHASE,
    HOPPER_WRONG_PARITY,
    HOPPER_UNMET_INIT,
    HOPPER_UNFENCED_INIT,
    HOPPER_SECOND_INIT,
    HOPPER_NO_INIT,
    HOPPER_OVER_ARRIVAL,
    HOPPER_LAPPED,
    HOPPER_UNFINISHED_PHASE,
    HOPPER_BARRIER_BYTES,
    HOPPER_MISPLACED_BARRIER,
    HOPPER_TOO_MANY_BYTES,
    HOPPER_EARLY_ARRIVE,
    HOPPER_SECOND_ARRIVE,
    HOPPER_UNMET_ARRIVE,
    /* Tensor copies. */
    HOPPER_UNWAITED_COPY,
    HOPPER_UNSEEN_COPY,
    HOPPER_FEWER_BYTES,
    HOPPER_MORE_BYTES,
    HOPPER_EARLY_COPY,
    HOPPER_UNALIGNED_COPY,
    HOPPER_NO_MAP,
    HOPPER_COPY_BEYOND,
    HOPPER_COPY_ON_BARRIER,
    HOPPER_UNFENCED_STORE,
    HOPPER_TWO_DECLARATIONS,
    HOPPER_PLAIN_BOX,
    /* Products of a warpgroup. */
    HOPPER_UNFENCED_PRODUCT,
    HOPPER_FENCED_BEFORE,
    HOPPER_UNWAITED_PRODUCT,
    HOPPER_UNCOMMITTED_PRODUCT,
    HOPPER_EARLY_WRITE,
    HOPPER_EARLY_READ,
    HOPPER_EARLY_HOLD,
    HOPPER_EARLY_OPERAND,
    HOPPER_EARLY_PRODUCT,
    HOPPER_UNFENCED_OPERAND,
    HOPPER_UNMET_OPERAND,
    HOPPER_EARLY_RELEASE,
    HOPPER_ONE_RELEASE,
    HOPPER_PART_OF_GROUP,
    HOPPER_NO_GROUP,
    HOPPER_OTHER_PRODUCT,
    HOPPER_OTHER_LANE,
    HOPPER_OFF_SWIZZLE,
    HOPPER_OPERAND_BEYOND,
    HOPPER_NO_DESCRIPTOR,
    /* Fragments and registers. */
    HOPPER_UNMET_FRAGMENT,
    HOPPER_UNALIGNED_FRAGMENT,
    HOPPER_TOO_MANY_REGISTERS,
    HOPPER_FEWER_REGISTERS,
    HOPPER_MORE_REGISTERS,
    HOPPER_PART_OF_REGISTERS,
    HOPPER_OTHER_REGISTERS,
    /* Clusters. */
    HOPPER_UNMET_PEER,
    HOPPER_UNFENCED_PEER,
    HOPPER_EARLY_MULTICAST,
    HOPPER_UNWAITED_MULTICAST,
    HOPPER_NO_PEER,
    HOPPER_NOBODY,
    HOPPER_ENDED_PEER,
    HOPPER_SECOND_CLUSTER_ARRIVE,
    HOPPER_NO_CLUSTER_ARRIVE,
    HOPPER_NO_CLUSTER_WAIT,
    /* Kernels that overlap. */
    HOPPER_EARLY_GLOBAL_READ,
    HOPPER_EARLY_GLOBAL_WRITE,
    HOPPER_NO_GRID_WAIT,
    HOPPER_HALF_GRID_WAIT,
    HOPPER_KERNELS
};

/* Enqueue kernel 'which', with its mistake or without.  The maps are of in: boxes of
   HOPPER_ROWS rows, swizzled in 128 bytes, and of half as many. */
cudaError_t hopper_run(int which, int wrong, const hopper_args *args,
                       const CUtensorMap *map, const CUtensorMap *half);

/* The map's box at (column, row) goes to shared memory, and its bytes to out as
   they lie there. */
cudaError_t hopper_load_box(const CUtensorMap *map, int column, int row,
                            int bytes, void *out);
/* out[c] = the sum of column c of 64 over so many rows of the map's box, in bf16. */
cudaError_t hopper_sum_rows(const CUtensorMap *map, int rows, float *out);
/* A ring of two stages: out[c] = the sum over 16 boxes of column c of 64, of whole
   numbers in bf16, as floats; box i at row 'rows' i. */
cudaError_t hopper_ring(const CUtensorMap *map, int rows, float *out);

/* The same by a cluster of two blocks, each of which copies a half of each box to both:
   boxes of HOPPER_ROWS / 2 rows; out [2, 64]. */
cudaError_t hopper_cluster_ring(const CUtensorMap *map, int rows, float *out);

/* Two kernels that overlap: the first copies in[0 .. 255] to out, the second these to
   out[2048 ..]. */
cudaError_t hopper_overlap(const hopper_args *args);

/* ---- Products ------------------------------------------------------------ */

/* How a and b are given: swizzles are the numbers of a descriptor. */
typedef struct hopper_product {
    int columns;
    int a_mn_major, b_mn_major, a_in_registers;
    int swizzle;
} hopper_product;

enum { HOPPER_PRODUCT_ROWS = 64, HOPPER_PRODUCT_DEPTH = 64 };

/* Whether there is an instance of the kernel for it. */
int hopper_has_product(const hopper_product *product);
/* out [64, columns] = a b^T by four wgmma.  Each map is of an operand as it lies in
   global memory: [rows or columns, depth] where K-major, [depth, rows or columns]
   where MN-major; boxes as wide as the swizzle, or 8 values without one, of all
   rows. */
cudaError_t hopper_multiply(const hopper_product *product, const CUtensorMap *a,
                            const CUtensorMap *b, float *out);
/* The sum of in[0 .. 15], bf16, on a tensor core: by a warpgroup's instruction or by
   a warp's. */
cudaError_t hopper_sum(const uint16_t *in, int by_warpgroup, float *out);
/* One warp stores a fragment of in [16, 16], swizzled or not, reads the rows and
   copies them to out. */
cudaError_t hopper_fragment(const uint16_t *in, int swizzled, uint16_t *out);
/* d of a product, of which the first was read before the wait, or after. */
cudaError_t hopper_read(const CUtensorMap *map, int early, float *out);

#ifdef __cplusplus
}
#endif
#endif /* TESTS_SIM_FAULTY_HOPPER_H */
