/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embed.cpp - a picture's embeddings in C++: handles that free themselves
 *
 *   c++ -std=c++17 embed.cpp $(pkg-config --cflags --libs oriel oriel-image)
 *   ./a.out CHECKPOINT photo.jpg
 */
#include <oriel.h>
#include <oriel_image.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <vector>

namespace
{

struct Destroy {
    void operator()(oriel_model *model) const
    {
        oriel_model_destroy(model);
    }
    void operator()(oriel_plan *plan) const
    {
        oriel_plan_destroy(plan);
    }
    void operator()(oriel_encoder *encoder) const
    {
        oriel_encoder_destroy(encoder);
    }
};

template <typename T> using Handle = std::unique_ptr<T, Destroy>;

/* One for all calls: whatever failed last is in it. */
struct Failure {
    oriel_error error;
    void check(oriel_status status) const
    {
        if (status != ORIEL_OK)
            throw std::runtime_error(error.message);
    }
};

struct Picture {
    oriel_item item{};
    std::vector<unsigned char> rgb;
};

Picture
decode(const char *path)
{
    std::ifstream file(path, std::ios::binary);
    std::vector<char> bytes((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;
    Failure failure;
    Picture picture;

    failure.check(oriel_image_probe(bytes.data(), bytes.size(), nullptr, &info,
                                    &failure.error));
    picture.item.width = info.width;
    picture.item.height = info.height;
    picture.rgb.resize(3 * static_cast<size_t>(info.width) *
                       static_cast<size_t>(info.height));
    failure.check(oriel_image_decode(bytes.data(), bytes.size(), nullptr,
                                     picture.rgb.data(), picture.rgb.size(), 0,
                                     &failure.error));
    return picture;
}

std::vector<float>
embed(const oriel_model *model, const Picture &picture, oriel_plan_info *info)
{
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    oriel_result result = {};
    const void *frame = picture.rgb.data();
    oriel_encoder *made_encoder;
    oriel_plan *made_plan;
    Failure failure;

    failure.check(oriel_plan_create(&made_plan, model, &picture.item, 1,
                                    nullptr, &failure.error));
    const Handle<oriel_plan> plan(made_plan);
    failure.check(oriel_plan_get_info(plan.get(), info, &failure.error));
    failure.check(oriel_plan_workspace_bytes(
        plan.get(), &options, &options.workspace_bytes, &failure.error));
    failure.check(
        oriel_encoder_create(&made_encoder, model, &options, &failure.error));
    const Handle<oriel_encoder> encoder(made_encoder);

    std::vector<float> embeddings(static_cast<size_t>(info->tokens) *
                                  static_cast<size_t>(info->out_hidden_size));
    input.frames = &frame;
    result.kind = ORIEL_RESULT_EMBEDDINGS;
    result.data = embeddings.data();
    result.bytes = embeddings.size() * sizeof(float);
    output.results = &result;
    output.n_results = 1;
    failure.check(oriel_encode(encoder.get(), plan.get(), &input, &output,
                               nullptr, &failure.error));
    return embeddings;
}

} // namespace

int
main(int argc, char **argv)
try {
    oriel_plan_info info = ORIEL_PLAN_INFO_INIT;
    oriel_model *opened;
    Failure failure;
    double squares = 0;

    if (argc != 3) {
        std::fprintf(stderr, "usage: %s CHECKPOINT PICTURE\n", argv[0]);
        return 2;
    }
    failure.check(oriel_model_open(&opened, argv[1], nullptr, &failure.error));
    const Handle<oriel_model> model(opened);
    const std::vector<float> embeddings =
        embed(model.get(), decode(argv[2]), &info);

    for (float value : embeddings)
        squares += static_cast<double>(value) * static_cast<double>(value);
    std::printf("%d tokens of %d values, root mean square %g\n",
                static_cast<int>(info.tokens), info.out_hidden_size,
                std::sqrt(squares / static_cast<double>(embeddings.size())));
    return 0;
} catch (const std::exception &failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}
