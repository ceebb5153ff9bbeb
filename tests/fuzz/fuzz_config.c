/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_config.c - any text as config.json, preprocessor_config.json and
   processor_config.json */
#include "fuzz/fuzz.h"
#include "model/config.h"
#include "model/preprocessor.h"

#include <math.h>
#include <string.h>

static void
check_refusal(oriel_status status, const oriel_error *err)
{
    FUZZ_CHECK(status == ORIEL_ERR_MODEL || status == ORIEL_ERR_UNSUPPORTED);
    FUZZ_CHECK(err->status == status);
    FUZZ_CHECK(err->message[0] && !strchr(err->message, '\n'));
}

static void
try_config(const char *text, size_t bytes)
{
    oriel_config c;
    oriel_error err;
    oriel_status status =
        oriel_config_parse(&c, text, bytes, "fuzz", NULL, &err);

    if (status) {
        check_refusal(status, &err);
        return;
    }
    fuzz_accepted++;
    FUZZ_CHECK(c.depth >= 1 && c.depth <= ORIEL_CONFIG_MAX_DEPTH);
    FUZZ_CHECK(c.num_heads >= 1 && c.in_channels == 3);
    FUZZ_CHECK(c.window_size >= 1 &&
               c.window_size % (c.patch_size * c.spatial_merge_size) == 0);
    FUZZ_CHECK(c.rope_theta >= 1.0 && isfinite(c.rope_theta));
    for (int32_t i = 0; i < c.n_full_attention_blocks; i++)
        FUZZ_CHECK(c.full_attention_blocks[i] < c.depth &&
                   c.full_attention_blocks[i] >
                       (i ? c.full_attention_blocks[i - 1] : -1));
    oriel_config_free(&c, NULL);
}

static void
try_preprocessor(const char *text, size_t bytes, bool nested)
{
    oriel_network net = {
        .patch_size = 14, .temporal_patch_size = 2, .spatial_merge_size = 2};
    oriel_notes notes = {{NULL}, 0};
    oriel_error err;
    bool found;
    oriel_status status = oriel_preprocessor_parse(
        &net, text, bytes, "fuzz", nested, &found, &notes, NULL, &err);

    oriel_notes_free(&notes, NULL);

    if (status) {
        check_refusal(status, &err);
    } else if (found) {
        fuzz_accepted++;
        FUZZ_CHECK(net.min_pixels >= 1.0 && net.min_pixels <= 0x1p53);
        FUZZ_CHECK(net.max_pixels > 0.0 && net.max_pixels <= 0x1p53);
        for (int i = 0; i < 3; i++)
            FUZZ_CHECK(net.image_std[i] > 0.0 && isfinite(net.image_mean[i]));
    }
}

static void
try_videos(const char *text, size_t bytes, bool nested)
{
    oriel_network net = {.patch_size = 14};
    oriel_error err;
    bool found;
    oriel_status status = oriel_video_preprocessor_parse(
        &net, text, bytes, "fuzz", nested, &found, NULL, &err);

    if (status) {
        check_refusal(status, &err);
    } else if (found) {
        FUZZ_CHECK(net.video_min_pixels >= 1.0 &&
                   net.video_min_pixels <= 0x1p53);
        FUZZ_CHECK(net.video_max_pixels > 0.0 &&
                   net.video_max_pixels <= 0x1p53);
        FUZZ_CHECK(net.video_tokens >= 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    try_config((const char *)data, bytes);
    try_preprocessor((const char *)data, bytes, false);
    try_preprocessor((const char *)data, bytes, true);
    try_videos((const char *)data, bytes, false);
    try_videos((const char *)data, bytes, true);
    return 0;
}
