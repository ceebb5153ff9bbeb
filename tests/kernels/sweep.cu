/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sweep.cu - ex2, rcp and rsqrt on every float there is, on the GPU
 *
 * The relative error against double precision on the same GPU, of all inputs
 * whose exact result is a normal number; the bounds are those that ptx.cuh
 * states.  Prints one line of JSON an instruction.  Only for hardware: the
 * simulated GPU rounds correctly.
 */
#include <ptx.cuh>

#include <stdio.h>

namespace
{

enum { EX2, RCP, RSQRT, FUNCTIONS };

const struct {
    const char *name;
    double bound;
} functions[FUNCTIONS] = {{"ex2_approx", 0x1p-22},
                          {"rcp_approx", 0x1p-23},
                          {"rsqrt_approx", 0x1.125p-23}};

/* The largest error, as bits: of numbers above zero they order alike. */
struct Worst {
    unsigned long long error;
    unsigned int input;
};

template <int WHICH>
__device__ double
relative_error(float x)
{
    double exact = WHICH == EX2   ? exp2((double)x)
                   : WHICH == RCP ? 1 / (double)x
                                  : rsqrt((double)x);
    float got = WHICH == EX2   ? ptx::ex2_approx(x)
                : WHICH == RCP ? ptx::rcp_approx(x)
                               : ptx::rsqrt_approx(x);
    double size = fabs(exact);

    /* Inputs that are flushed, and results that are or that overflow. */
    if (!(fabsf(x) >= 0x1p-126f) && WHICH != EX2)
        return 0;
    if (!(size >= 0x1.00001p-126 && size <= 0x1.fffffcp127))
        return 0;
    return fabs((double)got / exact - 1);
}

template <int WHICH>
__global__ void
sweep(Worst *worst)
{
    const unsigned long long all = 1ull << 32;
    double most = 0;
    unsigned int input = 0;

    for (unsigned long long i = blockIdx.x * blockDim.x + threadIdx.x; i < all;
         i += (unsigned long long)gridDim.x * blockDim.x) {
        double error = relative_error<WHICH>(__uint_as_float((unsigned)i));

        if (!(error <= most)) { /* a NaN is the worst of all */
            most = error;
            input = (unsigned)i;
        }
    }
    unsigned long long bits = (unsigned long long)__double_as_longlong(most);

    if (atomicMax(&worst->error, bits) < bits)
        worst->input = input; /* of one of the worst */
}

template <int WHICH>
cudaError_t
run(Worst *out)
{
    Worst *device;
    cudaError_t error = cudaMalloc(&device, sizeof(*device));
    void *arguments[] = {&device};

    if (error == cudaSuccess)
        error = cudaMemset(device, 0, sizeof(*device));
    if (error == cudaSuccess)
        error = cudaLaunchKernel((const void *)sweep<WHICH>, dim3(1024),
                                 dim3(256), arguments, 0, nullptr);
    if (error == cudaSuccess)
        error = cudaMemcpy(out, device, sizeof(*out), cudaMemcpyDeviceToHost);
    return error;
}

cudaError_t (*const runs[FUNCTIONS])(Worst *) = {run<EX2>, run<RCP>,
                                                 run<RSQRT>};

} // namespace

int
main()
{
    int wrong = 0;

    printf("[");
    for (int i = 0; i < FUNCTIONS; i++) {
        Worst worst = {};
        cudaError_t error = runs[i](&worst);
        double most;

        if (error != cudaSuccess) {
            fprintf(stderr, "sweep: %s: %s\n", functions[i].name,
                    cudaGetErrorString(error));
            return 1;
        }
        static_assert(sizeof(most) == sizeof(worst.error), "64 bits each");
        __builtin_memcpy(&most, &worst.error, sizeof(most));
        printf("%s\n {\"instruction\": \"%s\", \"inputs\": 4294967296, "
               "\"worst\": %.6g, \"bound\": %.6g, \"input\": \"0x%08x\"}",
               i ? "," : "", functions[i].name, most != most ? 1e9 : most,
               functions[i].bound, worst.input);
        wrong += !(most <= functions[i].bound);
    }
    printf("\n]\n");
    return wrong ? 1 : 0;
}
