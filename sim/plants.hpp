/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plants.hpp - a simulated GPU that is broken in one place, on request
 *
 * For proofs that a fault of hardware, driver or library is found.  Where nothing
 * is planted nothing differs.
 */
#pragma once

namespace sim
{

/* Each by the name under which it is planted. */
#define SIM_PLANTS(X) \
    /* Two registers of mma's first operand change places. */ \
    X(MMA_FRAGMENT, "mma-fragment") \
    /* Its two operands change places where they can. */ \
    X(MMA_OPERANDS, "mma-operands") \
    /* The last of its 16 products is lost. */ \
    X(MMA_DEPTH, "mma-depth") \
    /* On the second multiprocessor alone the sign of one result turns. */ \
    X(MMA_ONE_SM, "mma-one-sm") \
    /* The last row of a matrix is the one before. */ \
    X(LDMATRIX_ROW, "ldmatrix-row") \
    /* What is to be transposed is not. */ \
    X(LDMATRIX_TRANS, "ldmatrix-trans") \
    /* Lane 5 keeps its own value. */ \
    X(SHUFFLE, "shuffle") \
    /* Lane 0 is left out. */ \
    X(REDUCE_OR, "reduce-or") \
    /* The last word of 16 bytes arrives as zero. */ \
    X(COPY_BYTES, "copy-bytes") \
    /* Zeros arrive as something else. */ \
    X(COPY_ZEROS, "copy-zeros") \
    /* The exponent or the result is off by 2^-6; conversions cut. */ \
    X(EX2, "ex2") \
    X(RCP, "rcp") \
    X(RSQRT, "rsqrt") \
    X(ROUND_BF16, "round-bf16") \
    X(ROUND_F16, "round-f16") \
    /* wgmma loses the last of its 16 products, swaps two registers of its first \
       operand, reads what is MN-major as K-major; takes rows of an operand beyond \
       8, or beyond a tile of the swizzle, to be the first ones; adds to nothing, or \
       to what its registers held; gives the last warp the rows of the one before; \
       turns a sign on the second multiprocessor alone. */ \
    X(WGMMA_DEPTH, "wgmma-depth") \
    X(WGMMA_FRAGMENT, "wgmma-fragment") \
    X(WGMMA_TRANSPOSED, "wgmma-transposed") \
    X(WGMMA_STRIDE, "wgmma-stride") \
    X(WGMMA_LEADING, "wgmma-leading") \
    X(WGMMA_ADDS_NOT, "wgmma-adds-not") \
    X(WGMMA_CLEARS_NOT, "wgmma-clears-not") \
    X(WGMMA_WARP, "wgmma-warp") \
    X(WGMMA_ONE_SM, "wgmma-one-sm") \
    /* stmatrix stores the row before the last in its place. */ \
    X(STMATRIX_ROW, "stmatrix-row") \
    /* Of a tensor copy one row never comes, zeros are something else, a swizzle of \
       128 bytes is left out. */ \
    X(TENSOR_ROW, "tensor-row") \
    X(TENSOR_ZEROS, "tensor-zeros") \
    X(TENSOR_SWIZZLE, "tensor-swizzle") \
    /* One for several blocks comes to the one alone that sent for it, and counts in \
       all. */ \
    X(MULTICAST_PEER, "multicast-peer") \
    /* An mbarrier counts bytes of tensor copies before they have come. */ \
    X(MBARRIER_BYTES, "mbarrier-bytes") \
    /* A multiprocessor holds one block less of each kernel. */ \
    X(OCCUPANCY, "occupancy") \
    /* cuBLASLt leaves the bias out, does not add, swaps the operands' values. */ \
    X(LT_BIAS, "cublaslt-bias") \
    X(LT_RESIDUAL, "cublaslt-residual") \
    X(LT_OPERANDS, "cublaslt-operands") \
    /* cuDNN attends to all rows that follow, does not scale, forgets an offset. */ \
    X(CUDNN_LENGTHS, "cudnn-lengths") \
    X(CUDNN_SCALE, "cudnn-scale") \
    X(CUDNN_OFFSETS, "cudnn-offsets")

enum class Plant {
    NONE,
#define PLANT(number, name) number,
    SIM_PLANTS(PLANT)
#undef PLANT
};

extern Plant planted;

/* By its name; "lost-block:OP" instead: the last block of the kernels of that
   file is not run.  nullptr: nothing more.  False for an unknown name. */
bool plant(const char *name);
/* Whether launches of these kernels lose their last block. */
bool loses_block(const char *op);

struct Block;
/* Where a fault of one multiprocessor is. */
bool is_on_second_sm(const Block &block);

} // namespace sim
