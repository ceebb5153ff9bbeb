/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda/cuda_fixture.h"

#include "encode/encoder.h"
#include "support/suite.h"

#include <stdlib.h>
#include <string.h>

extern const oriel_backend *oriel_backend_entry(const char *version);

const int64_t cuda_fixture_grids[2][3] = {{1, 4, 6}, {2, 2, 4}};

/* The tiny network's first 'depth' blocks, 'full' of which attend over frames. */
static const oriel_network *
first_blocks(oriel_network *network, int32_t depth, int32_t full)
{
    *network = fixture_tiny;
    network->depth = depth;
    network->n_full_attention_blocks = full;
    return network;
}

const oriel_network *
cuda_fixture_shallow(void)
{
    static oriel_network network;

    return first_blocks(&network, 1, 0);
}

const oriel_network *
cuda_fixture_pair(void)
{
    static oriel_network network;

    return first_blocks(&network, 2, 1);
}

cuda_fixture
cuda_fixture_make(const oriel_network *network)
{
    cuda_fixture r = {.m = fixture_model_make(network, 31)};
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_encoder *encoder;
    oriel_input input;
    oriel_output output;
    oriel_error err;

    r.plan = fixture_plan(&r.m, cuda_fixture_grids, COUNT(cuda_fixture_grids));
    ck_assert_int_eq(oriel_plan_get_info(r.plan, &info, NULL), ORIEL_OK);
    r.info = info;
    r.pixels = fixture_pixels(r.plan, 9);
    r.pixels_bytes =
        (size_t)info.patches * (size_t)info.patch_columns * sizeof(float);
    r.embeddings_bytes =
        (size_t)info.tokens * (size_t)info.out_hidden_size * sizeof(float);
    r.d_pixels = device_upload(r.pixels, r.pixels_bytes);
    r.expected = oracle_alloc(1, r.embeddings_bytes);
    encoder = cuda_fixture_encoder(&r);
    input = cuda_fixture_host_input(&r);
    output = cuda_fixture_output(&r, r.expected, ORIEL_MEMORY_HOST);
    ck_assert_msg(oriel_encode(encoder, r.plan, &input, &output, NULL, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
    cuda_fixture_expect_silence();
    oriel_encoder_destroy(encoder);
    return r;
}

void
cuda_fixture_free(cuda_fixture *r)
{
    device_release(r->d_pixels);
    free(r->pixels);
    free(r->expected);
    oriel_plan_destroy(r->plan);
    fixture_model_free(&r->m);
}

static oriel_encoder *
try_encoder(const cuda_fixture *r, int32_t device_index, int32_t graphs,
            const oriel_hooks *hooks, oriel_error *err)
{
    static const oriel_hooks none = ORIEL_HOOKS_INIT;
    oriel_backend_config config = {.device_index = device_index,
                                   .precision = ORIEL_PRECISION_BF16,
                                   .threads = 1,
                                   .kernels = fixture_kernels,
                                   .residual = fixture_residual,
                                   .attention = fixture_attention,
                                   .graphs = graphs};
    oriel_encoder *encoder = NULL;
    size_t bytes = fixture_workspace(r->plan, ORIEL_PRECISION_BF16, 1);

    (void)oriel_encoder_create_on(&encoder, r->m.model, fixture_backend(),
                                  ORIEL_DEVICE_CUDA, &config,
                                  hooks ? hooks : &none, bytes, err);
    if (encoder)
        fixture_prepare(encoder, r->plan);
    return encoder;
}

oriel_encoder *
cuda_fixture_try_encoder(const cuda_fixture *r, const oriel_hooks *hooks,
                         oriel_error *err)
{
    return try_encoder(r, 0, ORIEL_GRAPHS_AUTO, hooks, err);
}

oriel_encoder *
cuda_fixture_try_encoder_on(const cuda_fixture *r, int32_t device_index,
                            oriel_error *err)
{
    return try_encoder(r, device_index, ORIEL_GRAPHS_AUTO, NULL, err);
}

oriel_encoder *
cuda_fixture_encoder_with(const cuda_fixture *r, int32_t graphs)
{
    oriel_error err;
    oriel_encoder *encoder = try_encoder(r, 0, graphs, NULL, &err);

    ck_assert_msg(encoder, "%s", err.message);
    return encoder;
}

oriel_encoder *
cuda_fixture_encoder_on(const cuda_fixture *r, int32_t device_index)
{
    oriel_error err;
    oriel_encoder *encoder = cuda_fixture_try_encoder_on(r, device_index, &err);

    ck_assert_msg(encoder, "%s", err.message);
    return encoder;
}

oriel_encoder *
cuda_fixture_encoder(const cuda_fixture *r)
{
    return cuda_fixture_encoder_with(r, ORIEL_GRAPHS_AUTO);
}

void
cuda_fixture_encode(oriel_encoder *encoder, const oriel_plan *plan,
                    const oriel_input *input, const oriel_output *output,
                    cudaStream_t stream)
{
    oriel_error err;

    ck_assert_msg(oriel_encode(encoder, plan, input, output, stream, &err) ==
                      ORIEL_OK,
                  "%s", err.message);
}

cudaStream_t
cuda_fixture_stream(void)
{
    cudaStream_t stream;

    ck_assert_int_eq(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking),
                     cudaSuccess);
    return stream;
}

oriel_input
cuda_fixture_host_input(const cuda_fixture *r)
{
    return fixture_input(r->plan, r->pixels);
}

oriel_input
cuda_fixture_device_input(const cuda_fixture *r)
{
    oriel_input input = fixture_input(r->plan, r->d_pixels.data);

    input.pixels_memory = ORIEL_MEMORY_DEVICE;
    return input;
}

void
cuda_fixture_expect_silence(void)
{
    const char *report = device_finish();

    ck_assert_msg(report[0] == '\0', "%s", report);
}

void
cuda_fixture_expect(const cuda_fixture *r, device_buffer device)
{
    float *found = oracle_alloc(1, r->embeddings_bytes);

    cuda_fixture_expect_silence();
    device_download(found, device);
    ck_assert_msg(memcmp(found, r->expected, r->embeddings_bytes) == 0,
                  "the embeddings differ");
    free(found);
}

void
cuda_fixture_expect_refusal(oriel_encoder *encoder, const cuda_fixture *r,
                            const oriel_input *input,
                            const oriel_output *output, cudaStream_t stream,
                            oriel_status status, const char *words)
{
    oriel_error err;

    ck_assert_int_eq(
        oriel_encode(encoder, r->plan, input, output, stream, &err), status);
    ck_assert_msg(strstr(err.message, words), "%s", err.message);
}
