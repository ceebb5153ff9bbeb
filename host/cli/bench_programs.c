/* SPDX-License-Identifier: Apache-2.0 */
/* bench_programs.c - see bench_programs.h */
#include "cli/bench_programs.h"

#include "files/json_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

char *
cli_bench_program(const char *name)
{
    static const char *const places[] = {"/../libexec/oriel/", "/"};
    char self[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *path, *real;

    if (n <= 0)
        return NULL;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        if (asprintf(&path, "%s%s%s", self, places[i], name) < 0)
            return NULL;
        real = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
        free(path);
        if (real)
            return real;
    }
    return NULL;
}

void
cli_bench_add(cli_bench_words *w, const char *word)
{
    w->full = w->full || w->n == CLI_BENCH_WORDS;
    if (!w->full)
        w->words[w->n++] = word;
    w->words[w->n] = NULL;
}

static int
plan_lines(posix_spawn_file_actions_t *actions, cli_bench_lines lines,
           bool silent)
{
    int error = 0;

    if (lines == CLI_BENCH_STDERR)
        error = posix_spawn_file_actions_adddup2(actions, 2, 1);
    if (lines == CLI_BENCH_NOWHERE)
        error = posix_spawn_file_actions_addopen(actions, 1, "/dev/null",
                                                 O_WRONLY, 0);
    if (!error && silent)
        error = posix_spawn_file_actions_addopen(actions, 2, "/dev/null",
                                                 O_WRONLY, 0);
    return error;
}

int
cli_bench_run_program(const cli_bench_words *w, cli_bench_lines lines,
                      bool silent)
{
    char *arguments[CLI_BENCH_WORDS + 1]; /* not const, as POSIX has them */
    posix_spawn_file_actions_t actions;
    int status, error;
    pid_t child;

    if (w->full) {
        errno = E2BIG;
        return -1;
    }
    memcpy(arguments, w->words, sizeof(arguments));
    fflush(NULL);
    error = posix_spawn_file_actions_init(&actions);
    if (error) {
        errno = error;
        return -1;
    }
    error = plan_lines(&actions, lines, silent);
    if (!error)
        error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments,
                             environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        errno = error;
        return -1;
    }
    /* A signal of the terminal reaches the child too, and it ends. */
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- Files in memory ------------------------------------------------------------- */

bool
cli_bench_file_open(cli_bench_file *f)
{
    f->fd = memfd_create("oriel-bench", 0); /* children inherit it */
    snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd);
    return f->fd >= 0;
}

json_t *
cli_bench_file_read(const cli_bench_file *f)
{
    return lseek(f->fd, 0, SEEK_SET) == 0
               ? json_loadfd(f->fd, JSON_REJECT_DUPLICATES, NULL)
               : NULL;
}

bool
cli_bench_file_write(const cli_bench_file *f, const json_t *json)
{
    char *text = oriel_json_text(json, JSON_COMPACT);
    const size_t bytes = text ? strlen(text) : 0;
    size_t done = 0;
    bool well =
        text && ftruncate(f->fd, 0) == 0 && lseek(f->fd, 0, SEEK_SET) == 0;

    while (well && done < bytes) {
        const ssize_t n = write(f->fd, text + done, bytes - done);

        well = n > 0;
        done += n > 0 ? (size_t)n : 0;
    }
    free(text);
    return well;
}

void
cli_bench_file_close(cli_bench_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}
