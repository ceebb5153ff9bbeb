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

} // namespace sim
