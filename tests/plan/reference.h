/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reference.h - made by make_reference.py with
 * transformers 5.23.0, torch 2.15.0, qwen-vl-utils 0.0.14
 */
#define N_SIZES 20000
#define N_BATCHES 200

static const struct sizes_reference {
    int64_t factor, min_pixels, max_pixels;
    int32_t sizing, refused;
    const char *digest;
} sizes_reference[] = {
    {28, 3136, 12845056, ORIEL_SIZING_TRANSFORMERS, 2506,
     "e0e555782c3d95a00e9f7ea91c9c4799"},
    {28, 3136, 1003520, ORIEL_SIZING_TRANSFORMERS, 2506,
     "84a36bddfdb455156687c10a6c7524b3"},
    {28, 3136, 3136, ORIEL_SIZING_TRANSFORMERS, 2506,
     "01fddc84285679e053a6bd0bb8350c91"},
    {56, 12544, 51380224, ORIEL_SIZING_TRANSFORMERS, 2506,
     "2dacc00730f028c079368bb8450c4fe1"},
    {32, 65536, 16777216, ORIEL_SIZING_TRANSFORMERS, 2506,
     "972e245be6d45bc54ecdae6af49da4d3"},
    {14, 1, 50000, ORIEL_SIZING_TRANSFORMERS, 2506,
     "249ef263e3835e2ddd2442b9db9d77cf"},
    {28, 3136, 12845056, ORIEL_SIZING_QWEN_VL_UTILS, 2506,
     "cb54893d54c5cafaee4d2634706fa2a6"},
    {28, 3136, 1003520, ORIEL_SIZING_QWEN_VL_UTILS, 2506,
     "74e52990325edc034d8838f33ab9efa1"},
    {28, 3136, 3136, ORIEL_SIZING_QWEN_VL_UTILS, 10257,
     "28081d81fc5cc813dd1ac18dc814855b"},
    {56, 12544, 51380224, ORIEL_SIZING_QWEN_VL_UTILS, 2506,
     "10e01126ab39c3ecd5a94431e81a17eb"},
    {32, 65536, 16777216, ORIEL_SIZING_QWEN_VL_UTILS, 2506,
     "c06b1922919d075940d820f99a28681b"},
    {14, 1, 50000, ORIEL_SIZING_QWEN_VL_UTILS, 2506,
     "be45da7540f8be06771f8a18622e1b6a"},
};

#define N_VIDEOS 3000

static const struct videos_reference {
    int32_t sizing;
    int64_t min_pixels, max_pixels; /* 0: not given */
    int32_t refused;
    const char *digest;
} videos_reference[] = {
    {ORIEL_SIZING_QWEN_VL_UTILS, 0, 0, 13, "02b52bf89641b902ffb4b6f02c365de1"},
    {ORIEL_SIZING_QWEN_VL_UTILS, 3136, 0, 13,
     "fd77f7e7c5e137c15577f795898d1576"},
    {ORIEL_SIZING_QWEN_VL_UTILS, 0, 200704, 13,
     "dec596d1a4d6642a1cda3952f013b04a"},
    {ORIEL_SIZING_QWEN_VL_UTILS, 50176, 301056, 13,
     "530f1de6579cb587e4c7e35b3754e846"},
    {ORIEL_SIZING_QWEN_VL_UTILS, 0, 12845056, 13,
     "02b52bf89641b902ffb4b6f02c365de1"},
    {ORIEL_SIZING_QWEN_VL_UTILS, 700000, 0, 13,
     "a102a01b14f6f85d7729a35b3e5c5d8c"},
    {ORIEL_SIZING_TRANSFORMERS, 100352, 602112, 13,
     "5dceb63d8b9f3e30e55ea02ff02cc64b"},
    {ORIEL_SIZING_TRANSFORMERS, 3136, 12845056, 13,
     "095a8543b44a6f6979fda06f04fbfdd9"},
    {ORIEL_SIZING_TRANSFORMERS, 301056, 602112, 13,
     "382608db78da0975a83e5acbc8163f92"},
};

static const struct windows_reference {
    int32_t window_size, merge, patch;
    const char *digest;
} windows_reference[] = {
    {112, 2, 14, "276c63c81955766625e894c61c7db649"},
    {56, 2, 14, "9e133dee5f535c67c8406281f6578629"},
    {140, 2, 14, "6464214d76e8f550a2ebf73a2b9cefb1"},
    {28, 2, 14, "46e79c1dc195dc1672652abeea28c936"},
    {112, 1, 14, "f38d31f943bcd3e5925f0bb574a0f54b"},
    {112, 3, 14, "a20c00b097ee7c82e2afea759b0814eb"},
    {1024, 2, 16, "9914b2271e5efcbe7f5697948b31919a"},
};
