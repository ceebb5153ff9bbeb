/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left when any system call of a writer fails or is interrupted, or the
 * process is killed before it: the same file, or the right status and nothing.
 */
#include "files/whole_file.h"
#include "support/faults.h"
#include "support/suite.h"
#include "weights/two_tensors.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { ROOM = 400, LARGEST = 8 + ROOM + 40 };

/* Each kind of file system, a new file and one that is replaced. */
enum { WAYS = 2 * FILE_SYSTEMS };

static bool
replaces(int way)
{
    two_tensors_deny(way % FILE_SYSTEMS);
    return way >= FILE_SYSTEMS;
}

static void
write_private(const char *name, const char *text)
{
    folder_write(&home, name, text, strlen(text));
    ck_assert_int_eq(chmod(folder_path(&home, name), 0600), 0);
}

static mode_t
mode_of(const char *name)
{
    struct stat st;

    ck_assert_int_eq(stat(folder_path(&home, name), &st), 0);
    return st.st_mode & 07777;
}

static char warning[512];

static void
keep_warning(void *user, int32_t level, const char *line)
{
    (void)user;
    ck_assert_int_eq(level, ORIEL_LOG_WARNING);
    snprintf(warning, sizeof(warning), "%s", line);
}

/* What became of the last file, with the faults switched off again. */
static struct {
    oriel_status status;
    int calls;
    const char *struck; /* the call that failed, or "" */
} outcome;

static void
write_file(const char *name, bool replace)
{
    oriel_hooks hooks = ORIEL_HOOKS_INIT;

    hooks.log = keep_warning;
    warning[0] = '\0';
    outcome.status = two_tensors_write(name, replace, ROOM, &hooks);
    outcome.calls = faults_calls();
    outcome.struck = faults_name();
    faults_none();
}

/* ---- A call fails ------------------------------------------------------- */

/* What may fail while the work is done all the same: there is another way, it
   was a courtesy to others, or a warning says so. */
static bool
may_fail(const char *call)
{
    static const char *const calls[] = {
        "openat",  "fdopendir", "readdir",      "flock",    "fstat", "stat",
        "fstatat", "getxattr",  "fremovexattr", "unlinkat", "fsync"};

    for (size_t i = 0; i < COUNT(calls); i++)
        if (strcmp(call, calls[i]) == 0)
            return true;
    return false;
}

static void
check_words(int error)
{
    if (outcome.status == ORIEL_OK) {
        ck_assert_msg(may_fail(outcome.struck), "%s", outcome.struck);
        ck_assert_int_eq(*warning != '\0',
                         strcmp(outcome.struck, "fsync") == 0);
    } else {
        ck_assert_int_eq(outcome.status,
                         error == ENOMEM ? ORIEL_ERR_MEMORY : ORIEL_ERR_IO);
        ck_assert_int_eq(err.status, outcome.status);
        ck_assert_int_eq(err.cause, error);
        ck_assert_ptr_nonnull(strstr(err.message, home.path));
        ck_assert_ptr_nonnull(strstr(err.message, strerror(error)));
    }
    if (*warning) {
        ck_assert_ptr_nonnull(strstr(warning, home.path));
        ck_assert_ptr_nonnull(strstr(warning, "written, perhaps not durable"));
        ck_assert_ptr_nonnull(strstr(warning, strerror(error)));
    }
}

/* The new file with the old one's permissions, the old one, or nothing. */
static void
check_folder(bool replace)
{
    size_t bytes;
    unsigned char *data = folder_read(&home, "a", &bytes);

    if (outcome.status == ORIEL_OK)
        two_tensors_check("a", ROOM);
    else if (replace)
        ck_assert_str_eq((char *)data, "old");
    else
        ck_assert_ptr_null(data);
    if (replace)
        ck_assert_uint_eq(mode_of("a"), 0600);
    /* Its temporary name is then the next writer's to remove. */
    if (strcmp(outcome.struck, "unlinkat") == 0 && folder_count(&home) == 2) {
        write_file("b", true);
        unlink(folder_path(&home, "b"));
    }
    ck_assert_int_eq(folder_count(&home), data != NULL);
    free(data);
    unlink(folder_path(&home, "a"));
}

START_TEST(survives_every_failing_call)
{
    static const int errors[] = {EIO, ENOSPC, EMFILE, ENOMEM};
    const bool replace = replaces(_i % WAYS);
    const int error = errors[_i / WAYS];
    int n = 0, refused = 0;

    for (;; n++) {
        if (replace)
            write_private("a", "old");
        faults_fail(n, error);
        write_file("a", replace);
        if (outcome.calls <= n)
            break;
        refused += outcome.status != ORIEL_OK;
        check_words(error);
        check_folder(replace);
    }
    ck_assert_int_eq(outcome.status, ORIEL_OK);
    ck_assert_int_ge(refused, 7);
    ck_assert_int_ge(n, 16);
}
END_TEST

/* A signal came: the call is made again, and nothing is to be seen of it. */
START_TEST(goes_on_after_every_interrupted_call)
{
    const bool replace = replaces(_i);
    int n = 0;

    for (;; n++) {
        if (replace)
            write_private("a", "old");
        faults_fail(n, EINTR);
        write_file("a", replace);
        ck_assert_msg(outcome.status == ORIEL_OK, "%s: %s", outcome.struck,
                      err.message);
        ck_assert_str_eq(warning, "");
        if (outcome.calls <= n)
            break;
        check_folder(replace);
    }
    ck_assert_int_ge(n, 16);
}
END_TEST

/* ---- The process is killed ----------------------------------------------- */

/* Killed before any of its calls: the name has nothing, the old or the whole
   file, and what else is left the next writer removes. */
START_TEST(survives_a_kill_anywhere)
{
    const bool replace = replaces(_i);
    int n = 0, complete = 0, left = 0;

    for (;; n++) {
        const bool was_there = replace;
        bool whole;
        size_t bytes;
        int status;
        pid_t child;

        if (was_there)
            write_private("a", "old");
        child = fork();
        if (child == 0) {
            faults_kill(n);
            write_file("a", replace);
            _exit(outcome.status == ORIEL_OK ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            ck_assert_int_eq(WEXITSTATUS(status), 0);
            break;
        }
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
        free(folder_read(&home, "a", &bytes));
        whole = bytes == LARGEST;
        if (whole)
            two_tensors_check("a", ROOM);
        else
            ck_assert_uint_eq(bytes, was_there ? 3 : 0);
        if (was_there)
            ck_assert_uint_eq(mode_of("a"), 0600);
        complete += whole;
        left += folder_count(&home) > (whole || was_there);
        /* A file that has no name and replaces none leaves nothing at all. */
        if (_i == 0)
            ck_assert_int_eq(folder_count(&home), whole);
        write_file("b", false);
        ck_assert_int_eq(outcome.status, ORIEL_OK);
        ck_assert_int_eq(folder_count(&home), 1 + (whole || was_there));
        unlink(folder_path(&home, "a"));
        unlink(folder_path(&home, "b"));
    }
    ck_assert_int_ge(n, 16);
    ck_assert_int_ge(complete, 1); /* before the folder's fsync */
    ck_assert_int_eq(left > 0, _i > 0);
}
END_TEST

static int
open_in_home(const char *name)
{
    int fd = open(folder_path(&home, name), O_RDWR | O_CREAT, 0666);

    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(removes_only_what_was_left_by_its_own_kind)
{
    static const char *const others[] = {
        ".oriel-0123456789abcde.tmp",   ".oriel-0123456789abcdef0.tmp",
        ".oriel-0123456789ABCDEF.tmp",  ".oriel-0123456789abcdef.tmpx",
        "x.oriel-0123456789abcdef.tmp", ".oriel-0123456789abcdef",
        ".other-0123456789abcdef.tmp"};
    const int kept = (int)COUNT(others);
    int locked;

    for (size_t i = 0; i < COUNT(others); i++)
        folder_write(&home, others[i], "x", 1);
    /* Of our naming, but a folder, a link, in use by another process, and
       somebody else's. */
    ck_assert_int_eq(
        mkdir(folder_path(&home, ".oriel-00000000000000f0.tmp"), 0777), 0);
    ck_assert_int_eq(
        symlink(others[0], folder_path(&home, ".oriel-00000000000000f1.tmp")),
        0);
    locked = open_in_home(".oriel-00000000000000f2.tmp");
    ck_assert_int_eq(flock(locked, LOCK_EX | LOCK_NB), 0);
    folder_write(&home, ".oriel-00000000000000f3.tmp", "x", 1);
    if (geteuid() == 0)
        ck_assert_int_eq(
            chown(folder_path(&home, ".oriel-00000000000000f3.tmp"), 12345,
                  12345),
            0);
    /* Left by a killed process. */
    folder_write(&home, ".oriel-0123456789abcdef.tmp", "x", 1);
    folder_write(&home, ".oriel-fedcba9876543210.tmp", "", 0);

    write_file("a", false);
    ck_assert_int_eq(outcome.status, ORIEL_OK);
    ck_assert(!folder_has(&home, ".oriel-0123456789abcdef.tmp"));
    ck_assert(!folder_has(&home, ".oriel-fedcba9876543210.tmp"));
    ck_assert(folder_has(&home, ".oriel-00000000000000f2.tmp"));
    ck_assert_int_eq(folder_has(&home, ".oriel-00000000000000f3.tmp"),
                     geteuid() == 0);
    ck_assert_int_eq(folder_count(&home), kept + 3 + (geteuid() == 0) + 1);

    /* Its process has ended. */
    close(locked);
    write_file("b", false);
    ck_assert(!folder_has(&home, ".oriel-00000000000000f2.tmp"));
}
END_TEST

/* Two writers at work in one folder, each with a temporary name. */
START_TEST(leaves_a_living_writer_alone)
{
    oriel_writer_options options = {false, ROOM, 0, NULL};
    oriel_writer *first;

    two_tensors_deny(1);
    ck_assert_int_eq(
        oriel_writer_create(&first, folder_path(&home, "a"), &options, &err),
        ORIEL_OK);
    ck_assert_int_eq(folder_count(&home), 1);
    write_file("b", false);
    ck_assert_int_eq(folder_count(&home), 2);
    ck_assert_int_eq(
        oriel_writer_finish(first, &(oriel_writer_header){0}, &err), ORIEL_OK);
    ck_assert(folder_has(&home, "a"));
    ck_assert_int_eq(folder_count(&home), 2);
}
END_TEST

/* ---- Who may read the new file ------------------------------------------- */

START_TEST(keeps_the_mode_of_what_it_replaces)
{
    static const mode_t modes[] = {0600, 0640, 0644, 0666, 0400, 0755, 0604};
    static const mode_t masks[] = {0, 022, 077};

    two_tensors_deny(_i);
    for (size_t i = 0; i < COUNT(modes) * COUNT(masks); i++) {
        const mode_t mode = modes[i / COUNT(masks)];

        umask(masks[i % COUNT(masks)]);
        folder_write(&home, "a", "old", 3);
        ck_assert_int_eq(chmod(folder_path(&home, "a"), mode), 0);
        write_file("a", true);
        ck_assert_int_eq(outcome.status, ORIEL_OK);
        ck_assert_uint_eq(mode_of("a"), mode);
        unlink(folder_path(&home, "a"));
        /* A new file has what the umask leaves. */
        write_file("a", true);
        ck_assert_uint_eq(mode_of("a"), 0666 & ~masks[i % COUNT(masks)]);
        unlink(folder_path(&home, "a"));
    }
}
END_TEST

/* The mode of the file that a link leads to; the rights to run as somebody else are
   not kept. */
START_TEST(keeps_the_mode_behind_a_link)
{
    write_private("secret", "old");
    ck_assert_int_eq(symlink("secret", folder_path(&home, "a")), 0);
    write_file("a", true);
    ck_assert_int_eq(outcome.status, ORIEL_OK);
    ck_assert_uint_eq(mode_of("a"), 0600);
    folder_write(&home, "b", "old", 3);
    ck_assert_int_eq(chmod(folder_path(&home, "b"), 06755), 0);
    write_file("b", true);
    ck_assert_uint_eq(mode_of("b"), 0755);
}
END_TEST

/* Root gives the file away as the old one was. */
START_TEST(keeps_the_owner)
{
    struct stat st;

    if (geteuid() != 0)
        return; /* root alone may */
    two_tensors_deny(_i);
    write_private("a", "old");
    ck_assert_int_eq(chmod(folder_path(&home, "a"), 0640), 0);
    ck_assert_int_eq(chown(folder_path(&home, "a"), 12345, 23456), 0);
    write_file("a", true);
    ck_assert_int_eq(outcome.status, ORIEL_OK);
    ck_assert_int_eq(stat(folder_path(&home, "a"), &st), 0);
    ck_assert_uint_eq(st.st_uid, 12345);
    ck_assert_uint_eq(st.st_gid, 23456);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
}
END_TEST

/* Where the owner or the group cannot be kept, no user may do more. */
START_TEST(is_never_open_to_more_users)
{
    static const struct {
        uid_t user;
        gid_t group;
        mode_t old, expected;
    } cases[] = {
        {0, 23456, 0640, 0600},     {0, 23456, 0664, 0644},
        {0, 23456, 0604, 0600},     {12345, 0, 0664, 0664},
        {12345, 0, 0077, 0000},     {12345, 23456, 0664, 0644},
        {12345, 23456, 0440, 0400},
    };

    if (geteuid() != 0)
        return; /* root alone can make such files */
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *path = folder_path(&home, "a");

        folder_write(&home, "a", "old", 3);
        ck_assert_int_eq(chown(path, cases[i].user, cases[i].group), 0);
        ck_assert_int_eq(chmod(path, cases[i].old), 0);
        faults_deny_owners(true);
        write_file("a", true);
        faults_deny_owners(false);
        ck_assert_int_eq(outcome.status, ORIEL_OK);
        ck_assert_uint_eq(mode_of("a"), cases[i].expected);
        unlink(path);
    }
}
END_TEST

/* A list of POSIX: version 2, then tag, permissions and id of each entry. */
START_TEST(keeps_the_access_list)
{
    static const struct {
        uint32_t version;
        struct {
            uint16_t tag, permissions;
            uint32_t id;
        } entries[5];
    } list = {2,
              {{0x01, 6, UINT32_MAX},
               {0x02, 4, 12345},
               {0x04, 0, UINT32_MAX},
               {0x10, 4, UINT32_MAX},
               {0x20, 0, UINT32_MAX}}};
    char kept[sizeof(list) + 1];
    const char *path = folder_path(&home, "a");

    folder_write(&home, "a", "old", 3);
    if (setxattr(path, "system.posix_acl_access", &list, sizeof(list), 0) !=
        0) {
        ck_assert_int_eq(errno, EOPNOTSUPP);
        return; /* not on this file system */
    }
    ck_assert_uint_eq(mode_of("a"), 0640);
    write_file("a", true);
    ck_assert_int_eq(outcome.status, ORIEL_OK);
    ck_assert_uint_eq(mode_of("a"), 0640);
    ck_assert_int_eq(
        getxattr(path, "system.posix_acl_access", kept, sizeof(kept)),
        sizeof(list));
    ck_assert_mem_eq(kept, &list, sizeof(list));

    /* One that the folder gives to its new files is not the old file's. */
    ck_assert_int_eq(
        setxattr(home.path, "system.posix_acl_default", &list, sizeof(list), 0),
        0);
    folder_write(&home, "b", "old", 3);
    removexattr(folder_path(&home, "b"), "system.posix_acl_access");
    ck_assert_int_eq(chmod(folder_path(&home, "b"), 0640), 0);
    write_file("b", true);
    ck_assert_uint_eq(mode_of("b"), 0640);
    ck_assert_int_eq(
        getxattr(folder_path(&home, "b"), "system.posix_acl_access", NULL, 0),
        -1);
}
END_TEST

int
main(void)
{
    Suite *s = suite_create("writer_faults");
    TCase *tc = tcase_create("writer_faults");

    tcase_add_checked_fixture(tc, two_tensors_setup, two_tensors_teardown);
    tcase_add_loop_test(tc, survives_every_failing_call, 0, 4 * WAYS);
    tcase_add_loop_test(tc, goes_on_after_every_interrupted_call, 0, WAYS);
    tcase_add_loop_test(tc, survives_a_kill_anywhere, 0, WAYS);
    tcase_add_test(tc, removes_only_what_was_left_by_its_own_kind);
    tcase_add_test(tc, leaves_a_living_writer_alone);
    tcase_add_loop_test(tc, keeps_the_mode_of_what_it_replaces, 0,
                        FILE_SYSTEMS);
    tcase_add_test(tc, keeps_the_mode_behind_a_link);
    tcase_add_loop_test(tc, keeps_the_owner, 0, FILE_SYSTEMS);
    tcase_add_test(tc, is_never_open_to_more_users);
    tcase_add_test(tc, keeps_the_access_list);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
