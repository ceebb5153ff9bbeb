/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embed.cpp - a picture's embeddings in C++
 *
 *   c++ -std=c++17 embed.cpp $(pkg-config --cflags --libs oriel oriel-image)
 *   ./a.out CHECKPOINT photo.jpg
 */
#include <oriel.hpp>
#include <oriel_image.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>

static std::vector<unsigned char>
decode(const char *path, oriel_item *item)
{
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;

    oriel::call(oriel_image_probe, bytes.data(), bytes.size(), nullptr, &info);
    *item = {info.width, info.height, 1, 0, 0, ORIEL_KIND_IMAGE};
    std::vector<unsigned char> rgb(static_cast<std::size_t>(info.width) *
                                   static_cast<std::size_t>(info.height) * 3);
    oriel::call(oriel_image_decode, bytes.data(), bytes.size(), nullptr,
                rgb.data(), rgb.size(), std::size_t{0});
    return rgb;
}

static std::vector<float>
embed(const oriel::Model &model, const oriel_item &item, const void *rgb)
{
    const oriel::Plan plan(model, {item});
    oriel_encoder_options options = ORIEL_ENCODER_OPTIONS_INIT;
    options.workspace_bytes = plan.workspace_bytes(&options);
    oriel::Encoder encoder(model, &options);

    const oriel_plan_info info = plan.info();
    std::vector<float> embeddings(
        static_cast<std::size_t>(info.tokens) *
        static_cast<std::size_t>(info.out_hidden_size));
    oriel_result result{};
    result.kind = ORIEL_RESULT_EMBEDDINGS;
    result.data = embeddings.data();
    result.bytes = embeddings.size() * sizeof(float);

    oriel_input input = ORIEL_INPUT_INIT;
    oriel_output output = ORIEL_OUTPUT_INIT;
    input.frames = &rgb;
    output.results = &result;
    output.n_results = 1;
    encoder.encode(plan, input, output);
    return embeddings;
}

int
main(int argc, char **argv)
try {
    if (argc != 3)
        return std::fprintf(stderr, "usage: %s CHECKPOINT PICTURE\n", argv[0]),
               2;
    const oriel::Model model(argv[1]);
    oriel_item item;
    const auto rgb = decode(argv[2], &item);
    const auto embeddings = embed(model, item, rgb.data());

    double squares = 0;
    for (double value : embeddings)
        squares += value * value;
    const int width = model.info().out_hidden_size;
    std::printf("%zu tokens of %d values, root mean square %g\n",
                embeddings.size() / static_cast<std::size_t>(width), width,
                std::sqrt(squares / static_cast<double>(embeddings.size())));
} catch (const std::exception &failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
}
