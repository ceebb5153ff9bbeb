/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.c - control groups, both versions
 *
 * Version 2: one line "0::/a/b" in /proc/self/cgroup; cpu.max ("200000 100000"
 * or "max 100000") and memory.max in that folder and in each one above it.
 * Version 1: "4:cpu,cpuacct:/a/b"; cpu.cfs_quota_us over cpu.cfs_period_us and
 * memory.limit_in_bytes.  In a container the path may be one of the host that
 * is not visible; then only the root of the mount is.
 */
#include "cli/limits.h"

#include "base/processor.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Version 1 says "no limit" with a number of pages near 2^63. */
#define NO_MEMORY_LIMIT (UINT64_C(1) << 60)

static bool
read_line(const char *folder, const char *file, char *line, int bytes)
{
    char path[PATH_MAX];
    FILE *stream;
    bool good;

    if (snprintf(path, sizeof(path), "%s/%s", folder, file) >=
        (int)sizeof(path))
        return false;
    stream = fopen(path, "re");
    if (!stream)
        return false;
    good = fgets(line, bytes, stream) != NULL;
    fclose(stream);
    return good;
}

/* Quota and period in microseconds; "max" and -1 are no limit. */
static void
lower_quota(cli_limits *limits, const char *quota, const char *period)
{
    double microseconds = strtod(period, NULL);
    double cores = strtod(quota, NULL) / microseconds;

    if (microseconds > 0 && cores > 0 && isfinite(cores) &&
        (limits->quota_cores == 0 || cores < limits->quota_cores))
        limits->quota_cores = cores;
}

static void
lower_memory(cli_limits *limits, const char *text)
{
    uint64_t bytes;
    char *end;

    errno = 0;
    bytes = strtoull(text, &end, 10);
    if (errno || end == text || bytes == 0 || bytes >= NO_MEMORY_LIMIT)
        return; /* "max" */
    if (limits->memory_bytes == 0 || bytes < limits->memory_bytes)
        limits->memory_bytes = bytes;
}

static void
read_folder(cli_limits *limits, const char *folder)
{
    char line[128], period[128];

    if (read_line(folder, "cpu.max", line, sizeof(line)))
        lower_quota(limits, line, line + strcspn(line, " "));
    if (read_line(folder, "cpu.cfs_quota_us", line, sizeof(line)) &&
        read_line(folder, "cpu.cfs_period_us", period, sizeof(period)))
        lower_quota(limits, line, period);
    if (read_line(folder, "memory.max", line, sizeof(line)))
        lower_memory(limits, line);
    if (read_line(folder, "memory.limit_in_bytes", line, sizeof(line)))
        lower_memory(limits, line);
}

/* The group's folder and all above it, up to and including the mount. */
static void
read_upwards(cli_limits *limits, const char *mount, const char *group)
{
    char folder[PATH_MAX];
    size_t root = strlen(mount);

    if (snprintf(folder, sizeof(folder), "%s%s", mount, group) >=
        (int)sizeof(folder))
        return;
    for (;;) {
        char *slash;

        read_folder(limits, folder);
        slash = strrchr(folder + root, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

/* One line of /proc/self/cgroup, "ID:CONTROLLERS:PATH". */
static void
read_membership(cli_limits *limits, char *line, const char *root)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    char mount[PATH_MAX];

    if (!group)
        return;
    *controllers++ = '\0';
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (!*controllers) {
        read_upwards(limits, root, group);
        return;
    }
    for (char *save, *name = strtok_r(controllers, ",", &save); name;
         name = strtok_r(NULL, ",", &save)) {
        if (strcmp(name, "cpu") != 0 && strcmp(name, "memory") != 0)
            continue;
        if (snprintf(mount, sizeof(mount), "%s/%s", root, name) <
            (int)sizeof(mount))
            read_upwards(limits, mount, group);
    }
}

cli_limits
cli_limits_read_from(const char *membership, const char *root)
{
    cli_limits limits = {.cores = oriel_processor_cores()};
    char line[PATH_MAX + 128];
    FILE *stream = fopen(membership, "re");

    while (stream && fgets(line, sizeof(line), stream))
        read_membership(&limits, line, root);
    if (stream)
        fclose(stream);

    limits.threads = limits.cores;
    if (limits.quota_cores > 0 && ceil(limits.quota_cores) < limits.cores)
        limits.threads = (int32_t)ceil(limits.quota_cores);
    if (limits.threads < 1)
        limits.threads = 1;
    return limits;
}

cli_limits
cli_limits_read(void)
{
    return cli_limits_read_from("/proc/self/cgroup", "/sys/fs/cgroup");
}
