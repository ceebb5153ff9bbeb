/* SPDX-License-Identifier: Apache-2.0 */
/* scenarios.c - the table of what the tool is asked while something fails */
#include "faults/scenarios.h"

#define PREPROCESS(format, file) \
    { \
        "preprocess " format, "preprocess input --threads 1 -q -f -o out/o", \
            true, file, false \
    }

const scenario scenarios[] = {
    {"plan", "plan input 640x480 --json --device cpu", false,
     "image/pnm-p6_of_1000-7_5", false},
    PREPROCESS("PNM", "image/pnm-p6_of_1000-7_5"),
    PREPROCESS("PNG", "png/png-orientation-6-raw_profile_in_ztxt"),
    PREPROCESS("JPEG", "jpeg/jpeg-3_bands-17x23-progressive_1-subsampling_2"),
    PREPROCESS("WebP", "webp/webp-exif_6-alpha"),
    PREPROCESS("GIF", "formats/gif-transparency"),
    PREPROCESS("BMP", "formats/bmp-rle8-13x7"),
    PREPROCESS("TIFF", "formats/tiff-tiff_lzw-predictor_2-mode_rgb"),
    PREPROCESS("AVIF", "formats/avif-mode_rgba-16x16"),
    PREPROCESS("HEIC", "formats/heic-mode_rgb-16x16"),
    {"inspect", "inspect model", false, NULL, false},
    {"synth", "synth --config tiny --seed 1 -q -f out", true, NULL, false},
    {"encode",
     "encode input --model model --device cpu --threads 1 -q -f -o out/o", true,
     "image/pnm-p6_of_1000-7_5", false},
    /* Two parts, of one picture each. */
    {"extract",
     "extract input input --model model --device cpu --threads 1 -q "
     "--shard-bytes 1 --resume -o out",
     true, "image/pnm-p6_of_1000-7_5", true},
};
const size_t n_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);

const known_end known_ends[] = {
    {127, "cannot allocate memory for thread-local data", NULL,
     "glibc 2.36: a thread meets a library", NULL},
    {127, "out of memory", NULL, "glibc 2.36: the loader, of its own tables",
     NULL},
    {1, "libgomp: Out of memory allocating", NULL,
     "libgomp 12: its constructor", NULL},
    {5, "cannot be loaded", NULL, "glibc 2.36: dlopen does not tell the errno",
     NULL},
    {1, "cannot be loaded", NULL, "glibc 2.36: dlopen does not tell the errno",
     NULL},
    {4, "cannot be loaded", NULL, "glibc 2.36: dlopen makes no call again",
     NULL},
    {1, "cannot tell which folder", NULL,
     "glibc 2.36: realpath makes no call again", NULL},
    {5, "cannot tell which folder", NULL,
     "glibc 2.36: realpath makes no call again", NULL},
    {4, "standard output: cannot write: Interrupted", NULL,
     "glibc 2.36: fflush makes no call again", NULL},
    {1, "Out of memory allocating bitmask", NULL,
     "libnuma 2.0: its constructor", NULL},
    {134, "std::bad_alloc", NULL, "C++ libraries: their constructors", NULL},
    {139, NULL, "encode", "oneDNN 2.6.3: writes code where mmap gave nothing",
     "mmap"},
    {139, NULL, "extract", "oneDNN 2.6.3: writes code where mmap gave nothing",
     "mmap"},
    {139, NULL, "encode", "oneDNN 2.6.3: calls tiles that it could not compile",
     "mprotect"},
    {139, NULL, "extract",
     "oneDNN 2.6.3: calls tiles that it could not compile", "mprotect"},
    {5, "oneDNN failed to multiply", "encode",
     "oneDNN 2.6.3: code that it may not run is any failure", "mprotect"},
    {5, "oneDNN failed to multiply", "extract",
     "oneDNN 2.6.3: code that it may not run is any failure", "mprotect"},
    {134, NULL, "preprocess AVIF", "libavif 0.11: aborts without memory",
     "FAIL_"},
    {1, "by libavif", "preprocess AVIF", "libavif 0.11: an error is any error",
     NULL},
    {1, "by libheif", "preprocess HEIC", "libheif 1.15: an error is any error",
     NULL},
};
const size_t n_known_ends = sizeof(known_ends) / sizeof(known_ends[0]);
