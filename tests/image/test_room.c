/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_room.c - the memory that a decode takes, libjpeg's and libwebp's too
 *
 * malloc and its kin are replaced here, for the libraries as well: they count,
 * and one of them fails when told to.  A decode then says that memory is out,
 * or makes the same pixels.
 */
#include "image/corpus.h"
#include "oriel_image.h"
#include "support/suite.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef ORIEL_WEBP
#include <webp/decode.h>
#include <webp/encode.h>
#endif
#include <zlib.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *memory);

static corpus files;

/* ---- The allocator ---------------------------------------------------------- */

static struct {
    bool on;
    bool for_ever;       /* all from fail_at on fail, not that one alone */
    long calls, fail_at; /* counted from 1; 0: none fails */
    size_t live, peak;
} room;
static size_t unread;
static size_t *told = &unread; /* the bytes of the allocation that failed */

/* Seen by shared libraries. */
#define SHARED __attribute__((visibility("default")))

static void *
admit(void *memory)
{
    if (room.on && memory) {
        room.live += malloc_usable_size(memory);
        room.peak = room.live > room.peak ? room.live : room.peak;
    }
    return memory;
}

static bool
fails(size_t bytes)
{
    if (!room.on)
        return false;
    room.calls++;
    if (room.fail_at == 0 || room.calls < room.fail_at ||
        (room.calls > room.fail_at && !room.for_ever))
        return false;
    if (room.calls == room.fail_at)
        *told = bytes;
    errno = ENOMEM;
    return true;
}

SHARED void *
malloc(size_t bytes)
{
    return fails(bytes) ? NULL : admit(__libc_malloc(bytes));
}

SHARED void *
calloc(size_t n, size_t bytes)
{
    return fails(n * bytes) ? NULL : admit(__libc_calloc(n, bytes));
}

SHARED void *
aligned_alloc(size_t alignment, size_t bytes)
{
    return fails(bytes) ? NULL : admit(__libc_memalign(alignment, bytes));
}

SHARED void
free(void *memory)
{
    if (room.on && memory)
        room.live -= malloc_usable_size(memory);
    __libc_free(memory);
}

SHARED void *
realloc(void *memory, size_t bytes)
{
    size_t before = memory ? malloc_usable_size(memory) : 0;

    if (fails(bytes))
        return NULL;
    memory = __libc_realloc(memory, bytes);
    if (room.on)
        room.live -= before;
    return admit(memory);
}

/* ---- Decodes ------------------------------------------------------------------ */

typedef struct outcome {
    oriel_status status;
    uint32_t crc;
    long calls;
    size_t peak, left;
    char message[512];
} outcome;

static outcome
decode(const corpus_file *file, long fail_at, bool for_ever)
{
    const corpus_result *size = &file->results[3];
    size_t rgb_bytes = 3 * (size_t)size->width * size->height;
    uint8_t *rgb = malloc(rgb_bytes);
    outcome out = {.status = ORIEL_OK};
    oriel_error err;

    ck_assert_ptr_nonnull(rgb);
    memset(&room, 0, sizeof(room));
    room.fail_at = fail_at;
    room.for_ever = for_ever;
    room.on = true;
    out.status = oriel_image_decode(file->bytes, file->n_bytes, NULL, rgb,
                                    rgb_bytes, 0, &err);
    room.on = false;
    out.crc = (uint32_t)crc32(0, rgb, (uInt)rgb_bytes);
    out.calls = room.calls;
    out.peak = room.peak;
    out.left = room.live;
    snprintf(out.message, sizeof(out.message), "%s", err.message);
    free(rgb);
    return out;
}

/* One of each way through the decoders. */
static const char *const names[] = {
    "PNG, 8 bits, colour 6, interlace 1, 33x10",
    "PNG, 4 bits, colour 3, interlace 0, 7x9",
    "PNG, orientation: 6, raw profile in zTXt",
    "PNG, orientation: 6, XMP element, compressed, after",
    "JPEG, 3 bands, 40x33, progressive 1, subsampling 2",
    "JPEG, 1 bands, 17x23, progressive 0, subsampling 0",
    "JPEG, EXIF in three",
    "JPEG, EXIF 6, CMYK",
#ifdef ORIEL_WEBP
    "WebP, EXIF 6, alpha",
    "WebP, 3 bands, 17x23, lossless 1",
    "WebP, 4 bands, 17x23, lossless 1",
    "WebP, 3 bands, 17x23, lossless 0",
    "WebP, 4 bands, 17x23, lossless 0",
    "WebP, animation",
#endif
    "PNM, P6 of 100, 7 5",
    "PNM, P3 of 1000, 7 5",
};

/*
 * libwebp's VP8LHuffmanTablesAllocate, as the repair of CVE-2023-4863 has left
 * it: when its 512 bytes are not there, ReadHuffmanCodeLengths frees by a
 * pointer that was never set.  In 1.3.2, and in Debian 12's 1.2.4; repaired in
 * 1.4.0.  No caller can prevent it.
 */
static bool
is_known_crash(size_t failed)
{
#ifdef ORIEL_WEBP
    int version = WebPGetDecoderVersion();

    return failed == 512 && (version == 0x010204 || version == 0x010302);
#else
    (void)failed;
    return false;
#endif
}

/* Allocation 'i' fails in a child, so that this program outlives a crash. */
static int
fail_one(const corpus_file *file, long i, bool for_ever, size_t *failed)
{
    pid_t child;
    int result;

    fflush(NULL); /* or the child would write it once more */
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        told = failed;
        outcome out = decode(file, i, for_ever);
        bool same = out.status == ORIEL_OK && out.crc == file->results[3].crc;

        if ((out.status != ORIEL_ERR_MEMORY && !same) || out.left != 0) {
            fprintf(stderr,
                    "%s, allocation %ld%s: status %d, %zu bytes "
                    "left: %s\n",
                    file->name, i, for_ever ? " and later" : "", out.status,
                    out.left, out.message);
            exit(EXIT_FAILURE);
        }
        exit(EXIT_SUCCESS); /* not _exit, before which nothing is counted */
    }
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    return result;
}

static void
check_failures(const corpus_file *file, long n_calls, bool for_ever)
{
    size_t *failed = mmap(NULL, sizeof(*failed), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert(failed != MAP_FAILED);
    for (long i = 1; i <= n_calls; i++) {
        int result = fail_one(file, i, for_ever, failed);

        if (WIFEXITED(result))
            ck_assert_int_eq(WEXITSTATUS(result), EXIT_SUCCESS);
        else if (!is_known_crash(*failed))
            ck_abort_msg("%s, allocation %ld of %ld, %zu bytes%s: signal %d",
                         file->name, i, n_calls, *failed,
                         for_ever ? ", and later" : "", WTERMSIG(result));
    }
    munmap(failed, sizeof(*failed));
}

START_TEST(any_allocation_may_fail)
{
    const corpus_file *file = corpus_find(&files, names[_i]);
    outcome good = decode(file, 0, false);

    ck_assert_int_eq(good.status, ORIEL_OK);
    ck_assert_uint_eq(good.crc, file->results[3].crc);
    ck_assert_int_gt(good.calls, 0);
    check_failures(file, good.calls, false);
    check_failures(file, good.calls, true);
}
END_TEST

/* ---- oriel_image_info.decode_bytes ---------------------------------------------- */

static int64_t
probe_bytes(const corpus_file *file)
{
    oriel_image_info info = ORIEL_IMAGE_INFO_INIT;

    ck_assert_int_eq(
        oriel_image_probe(file->bytes, file->n_bytes, NULL, &info, NULL),
        ORIEL_OK);
    return info.decode_bytes;
}

START_TEST(decode_bytes_are_enough)
{
    size_t n = 0;

    for (size_t i = 0; i < files.n_files; i++) {
        const corpus_file *file = &files.files[i];
        int64_t most;
        outcome out;

        if (file->results[3].width == 0)
            continue;
        out = decode(file, 0, false);
        if (out.status)
            continue;
        n++;
        most = probe_bytes(file);
        if ((int64_t)out.peak > most)
            ck_abort_msg("%s: %zu bytes, expected at most %lld", file->name,
                         out.peak, (long long)most);
    }
    ck_assert_uint_gt(n, 500);
}
END_TEST

/* A larger picture: 'a_pixel' bytes of memory for each pixel, and tables. */
static void
check_large(const char *name, const uint8_t *bytes, size_t n_bytes,
            uint32_t width, uint32_t height, double a_pixel)
{
    corpus_file file = {.bytes = bytes, .n_bytes = n_bytes};
    outcome out;

    snprintf(file.name, sizeof(file.name), "%s", name);
    file.results[3].width = width;
    file.results[3].height = height;
    out = decode(&file, 0, false);
    if (out.status || (int64_t)out.peak > probe_bytes(&file) ||
        (double)out.peak > a_pixel * width * height + 2.5e6)
        ck_abort_msg("%s: status %d, %zu bytes, told %lld", name, out.status,
                     out.peak, (long long)probe_bytes(&file));
}

#ifdef ORIEL_WEBP
/* What libwebp itself holds of a lossless picture is 4 bytes a pixel, of a
   lossy one nothing, of its alpha up to 5. */
static const struct {
    const char *name;
    bool lossless, alpha;
    double a_pixel;
} webps[] = {
    {"lossless", true, false, 4},
    {"lossless with alpha", true, true, 8},
    {"lossy", false, false, 0},
    {"lossy with alpha", false, true, 9},
};

START_TEST(webp_takes_no_second_picture)
{
    enum { WIDTH = 1500, HEIGHT = 1200 };
    uint8_t *rgba = calloc(4, (size_t)WIDTH * HEIGHT), *webp = NULL;
    uint32_t noise = 1;

    ck_assert_ptr_nonnull(rgba);
    for (size_t i = 0; i < 4 * (size_t)WIDTH * HEIGHT; i++) {
        noise = noise * 1664525u + 1013904223u;
        rgba[i] = (uint8_t)(i / 977 + (noise >> 28));
        if (i % 4 == 3 && !webps[_i].alpha)
            rgba[i] = 255;
    }
    size_t n =
        webps[_i].lossless
            ? WebPEncodeLosslessRGBA(rgba, WIDTH, HEIGHT, 4 * WIDTH, &webp)
            : WebPEncodeRGBA(rgba, WIDTH, HEIGHT, 4 * WIDTH, 80, &webp);
    ck_assert_uint_gt(n, 0);
    check_large(webps[_i].name, webp, n, WIDTH, HEIGHT, webps[_i].a_pixel);
    WebPFree(webp);
    free(rgba);
}
END_TEST
#endif

int
main(void)
{
    Suite *suite = suite_create("image_room");
    TCase *tcase = tcase_create("memory");
    int result;

    files = corpus_load(ORIEL_CORPUS);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, any_allocation_may_fail, 0, COUNT(names));
    tcase_add_test(tcase, decode_bytes_are_enough);
#ifdef ORIEL_WEBP
    tcase_add_loop_test(tcase, webp_takes_no_second_picture, 0, COUNT(webps));
#endif
    suite_add_tcase(suite, tcase);
    result = run_suite(suite);
    corpus_free(&files);
    return result;
}
