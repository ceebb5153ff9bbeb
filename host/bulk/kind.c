/* SPDX-License-Identifier: Apache-2.0 */
/* kind.c - what a file of a folder is to a run: a picture, an archive, neither */
#include "bulk/kind.h"

#include "base/retry.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Pictures that no decoder takes are among them: their rows say so. */
static const struct {
    const char *ending;
    bulk_kind kind;
} endings[] = {
    {".jpg", BULK_PICTURE},       {".jpeg", BULK_PICTURE},
    {".png", BULK_PICTURE},       {".webp", BULK_PICTURE},
    {".ppm", BULK_PICTURE},       {".pgm", BULK_PICTURE},
    {".pbm", BULK_PICTURE},       {".pnm", BULK_PICTURE},
    {".gif", BULK_PICTURE},       {".bmp", BULK_PICTURE},
    {".dib", BULK_PICTURE},       {".tif", BULK_PICTURE},
    {".tiff", BULK_PICTURE},      {".avif", BULK_PICTURE},
    {".heic", BULK_PICTURE},      {".heif", BULK_PICTURE},
    {".hif", BULK_PICTURE},       {".apng", BULK_PICTURE},
    {".jpe", BULK_PICTURE},       {".jfif", BULK_PICTURE},
    {".mpo", BULK_PICTURE},       {".jxl", BULK_PICTURE},
    {".jp2", BULK_PICTURE},       {".tar", BULK_TAR},
    {".tar.gz", BULK_TAR},        {".tgz", BULK_TAR},
    {".tar.zst", BULK_TAR},       {".tar.bz2", BULK_TAR},
    {".tar.xz", BULK_TAR},        {".jsonl", BULK_JSON_LINES},
    {".ndjson", BULK_JSON_LINES},
};

bulk_kind
bulk_kind_of_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    size_t n = strlen(slash ? slash + 1 : name);
    const char *end = name + strlen(name);

    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        size_t length = strlen(endings[i].ending);

        if (n > length && strcasecmp(end - length, endings[i].ending) == 0)
            return endings[i].kind;
    }
    return BULK_OTHER;
}

static bool
has(const char *head, size_t n_bytes, size_t at, const char *text, size_t n)
{
    return n_bytes >= at + n && memcmp(head + at, text, n) == 0;
}
#define HAS(at, text) has(head, n_bytes, at, text, sizeof(text) - 1)

/* Two letters alone begin many a text: the fields after them are looked at. */
static bool
is_bmp(const char *head, size_t n_bytes)
{
    static const unsigned char sizes[] = {12, 40, 52, 56, 64, 108, 124};

    return HAS(0, "BM") && HAS(6, "\0\0\0\0") && HAS(15, "\0\0\0") &&
           memchr(sizes, (unsigned char)head[14], sizeof(sizes)) != NULL;
}

static bool
is_pnm(const char *head, size_t n_bytes)
{
    return n_bytes >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '6' &&
           (isspace((unsigned char)head[2]) || head[2] == '#');
}

static bool
is_bmff_picture(const char *head, size_t n_bytes)
{
    static const char brands[][5] = {"avif", "avis", "heic", "heix", "hevc",
                                     "heim", "heis", "mif1", "msf1"};

    for (size_t i = 0; i < sizeof(brands) / sizeof(*brands); i++)
        if (HAS(4, "ftyp") && has(head, n_bytes, 8, brands[i], 4))
            return true;
    return false;
}

bulk_kind
bulk_kind_of_head(const char *head, size_t n_bytes)
{
    if (HAS(0, "\xff\xd8\xff") || HAS(0, "\211PNG\r\n\032\n") ||
        (HAS(0, "RIFF") && HAS(8, "WEBP")) || HAS(0, "GIF87a") ||
        HAS(0, "GIF89a") || HAS(0, "II*\0") || HAS(0, "MM\0*") ||
        HAS(0, "II+\0") || HAS(0, "MM\0+") || is_bmp(head, n_bytes) ||
        is_pnm(head, n_bytes) || is_bmff_picture(head, n_bytes))
        return BULK_PICTURE;
    if (HAS(257, "ustar"))
        return BULK_TAR;
    return BULK_OTHER;
}

bulk_kind
bulk_kind_of_file(const char *path)
{
    char head[BULK_HEAD_BYTES];
    bulk_kind kind = bulk_kind_of_name(path);
    struct stat st;
    ssize_t n = 0;
    int fd;

    if (kind != BULK_OTHER || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return kind;
    ORIEL_RETRY(fd, open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (fd < 0)
        return kind;
    ORIEL_RETRY(n, read(fd, head, sizeof(head)));
    close(fd);
    return n > 0 ? bulk_kind_of_head(head, (size_t)n) : BULK_OTHER;
}
