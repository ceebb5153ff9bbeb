/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/scratch.h"

#include "fuzz/fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATHS = 8, PATH = 512 };

static char folder[PATH / 2];

void
fuzz_take(fuzz_input *input, void *out, size_t bytes)
{
    const size_t some = bytes < input->bytes ? bytes : input->bytes;

    memset(out, 0, bytes);
    if (some == 0)
        return;
    memcpy(out, input->at, some);
    input->at += some;
    input->bytes -= some;
}

uint8_t
fuzz_take_u8(fuzz_input *input)
{
    uint8_t value;

    fuzz_take(input, &value, sizeof(value));
    return value;
}

uint16_t
fuzz_take_u16(fuzz_input *input)
{
    uint16_t value;

    fuzz_take(input, &value, sizeof(value));
    return value;
}

fuzz_input
fuzz_take_text(fuzz_input *input)
{
    const uint8_t *end = input->bytes ? memchr(input->at, 0, input->bytes) : 0;
    fuzz_input text = *input;

    if (end)
        text.bytes = (size_t)(end - input->at);
    input->at += text.bytes + (end != NULL);
    input->bytes -= text.bytes + (end != NULL);
    return text;
}

fuzz_input
fuzz_take_bytes(fuzz_input *input, size_t bytes)
{
    fuzz_input some = *input;

    if (some.bytes > bytes)
        some.bytes = bytes;
    input->at += some.bytes;
    input->bytes -= some.bytes;
    return some;
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void
remove_folder(void)
{
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *
fuzz_path(const char *name)
{
    static char paths[PATHS][PATH];
    static int turn;
    char *path = paths[turn++ % PATHS];

    if (!folder[0]) {
        const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                             : getenv("TMPDIR")            ? getenv("TMPDIR")
                                                           : "/tmp";

        snprintf(folder, sizeof(folder), "%s/oriel-fuzz-XXXXXX", parent);
        FUZZ_CHECK(mkdtemp(folder));
        atexit(remove_folder);
    }
    FUZZ_CHECK(snprintf(path, PATH, "%s/%s", folder, name) < PATH);
    return path;
}

const char *
fuzz_file(const char *name, const void *data, size_t bytes)
{
    const char *path = fuzz_path(name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    FUZZ_CHECK(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    close(fd);
    return path;
}
