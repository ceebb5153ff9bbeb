/* SPDX-License-Identifier: Apache-2.0 */
#include "faults/trace.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 64, BREAKPOINT = 0xcc };

/* A thread inside a call that was skipped: what it is to return. */
typedef struct skipped {
    pid_t thread;
    long result;
} skipped;

typedef struct tracer {
    traced *result;
    const fault *fault;
    pid_t process;
    skipped skipped[THREADS];
} tracer;

static void
become(char *const *arguments)
{
    const int out = open("out.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err = open("err.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int in = open("/dev/null", O_RDONLY);

    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    close(in);
    close(out);
    close(err);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(126);
    raise(SIGSTOP);
    execv(arguments[0], arguments);
    _exit(127);
}

/* Where the program's own code begins, after the loader's. */
static unsigned long
entry_of(pid_t process)
{
    Elf64_auxv_t entry;
    char path[64];
    unsigned long found = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/auxv", process);
    file = fopen(path, "rb");
    while (file && !found && fread(&entry, sizeof(entry), 1, file) == 1)
        if (entry.a_type == AT_ENTRY)
            found = entry.a_un.a_val;
    if (file)
        fclose(file);
    return found;
}

static bool
run_to_entry(pid_t process)
{
    const unsigned long entry = entry_of(process);
    struct user_regs_struct registers;
    long word;
    int status;

    if (!entry)
        return false;
    word = ptrace(PTRACE_PEEKTEXT, process, (void *)entry, NULL);
    ptrace(PTRACE_POKETEXT, process, (void *)entry,
           (void *)((word & ~0xffl) | BREAKPOINT));
    ptrace(PTRACE_CONT, process, NULL, NULL);
    if (waitpid(process, &status, 0) != process || !WIFSTOPPED(status) ||
        WSTOPSIG(status) != SIGTRAP)
        return false;
    ptrace(PTRACE_POKETEXT, process, (void *)entry, (void *)word);
    ptrace(PTRACE_GETREGS, process, NULL, &registers);
    registers.rip = entry;
    ptrace(PTRACE_SETREGS, process, NULL, &registers);
    return true;
}

static skipped *
find_skipped(tracer *t, pid_t thread)
{
    for (int i = 0; i < THREADS; i++)
        if (t->skipped[i].thread == thread)
            return &t->skipped[i];
    return NULL;
}

/* The kernel is asked for no call at all; at its end 'error' is returned. */
static void
skip_call(tracer *t, pid_t thread, struct user_regs_struct *registers,
          int error)
{
    skipped *slot = find_skipped(t, 0);

    registers->orig_rax = (unsigned long long)-1;
    ptrace(PTRACE_SETREGS, thread, NULL, registers);
    if (slot)
        *slot = (skipped){thread, -error};
}

static void
halve(pid_t thread, struct user_regs_struct *registers)
{
    if (registers->rdx > 1)
        registers->rdx /= 2;
    ptrace(PTRACE_SETREGS, thread, NULL, registers);
}

static void
strike(tracer *t, pid_t thread, struct user_regs_struct *registers)
{
    t->result->struck = true;
    if (t->fault->manner == FAULT_ERROR)
        skip_call(t, thread, registers, t->fault->error);
    else if (t->fault->manner == FAULT_SHORT)
        halve(thread, registers);
    else
        kill(t->process, SIGKILL);
}

static void
enter_call(tracer *t, pid_t thread)
{
    struct user_regs_struct registers;
    const fault *f = t->fault;

    ptrace(PTRACE_GETREGS, thread, NULL, &registers);
    if (f->no_tmpfile && registers.orig_rax == SYS_openat &&
        (registers.rdx & O_TMPFILE) == O_TMPFILE) {
        skip_call(t, thread, &registers, EOPNOTSUPP);
        return;
    }
    for (size_t i = 0; i < n_fault_calls; i++)
        if (fault_calls[i].number == (long)registers.orig_rax) {
            const long n = t->result->calls[i]++;

            if (f->manner != FAULT_NONE && f->call == i && f->at == n)
                strike(t, thread, &registers);
            return;
        }
}

static void
leave_call(tracer *t, pid_t thread)
{
    skipped *slot = find_skipped(t, thread);
    struct user_regs_struct registers;

    if (!slot)
        return;
    ptrace(PTRACE_GETREGS, thread, NULL, &registers);
    registers.rax = (unsigned long long)slot->result;
    ptrace(PTRACE_SETREGS, thread, NULL, &registers);
    slot->thread = 0;
}

/* A thread has stopped; the signal that it is to get. */
static int
serve_stop(tracer *t, pid_t thread, int status)
{
    struct __ptrace_syscall_info info;
    const int signal_number = WSTOPSIG(status);

    if (signal_number == (SIGTRAP | 0x80)) {
        if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) <= 0)
            return 0;
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
            enter_call(t, thread);
        else
            leave_call(t, thread);
        return 0;
    }
    /* Events of the tracer, and the stop that a new thread begins with. */
    if (signal_number == SIGTRAP || signal_number == SIGSTOP)
        return 0;
    return signal_number;
}

static void
trace_to_end(tracer *t)
{
    ptrace(PTRACE_SYSCALL, t->process, NULL, NULL);
    for (;;) {
        int status;
        const pid_t thread = waitpid(-1, &status, __WALL);

        if (thread < 0)
            return;
        if (WIFSTOPPED(status)) {
            const long n = serve_stop(t, thread, status);

            ptrace(PTRACE_SYSCALL, thread, NULL, (void *)n);
        } else if (thread == t->process) {
            t->result->status = WIFEXITED(status) ? WEXITSTATUS(status)
                                                  : 128 + WTERMSIG(status);
            return;
        }
    }
}

bool
trace_run(traced *result, char *const *arguments, const fault *f)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
                         PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    tracer t = {.result = result, .fault = f};
    int status;

    memset(result, 0, sizeof(*result));
    fflush(stdout); /* or the child would print it once more */
    t.process = fork();
    if (t.process == 0)
        become(arguments);
    if (t.process < 0 || waitpid(t.process, &status, 0) != t.process ||
        !WIFSTOPPED(status))
        return false;
    ptrace(PTRACE_SETOPTIONS, t.process, NULL, (void *)options);
    ptrace(PTRACE_CONT, t.process, NULL, NULL);
    if (waitpid(t.process, &status, 0) != t.process || !WIFSTOPPED(status) ||
        !run_to_entry(t.process)) {
        kill(t.process, SIGKILL);
        waitpid(t.process, &status, 0);
        return false;
    }
    trace_to_end(&t);
    return true;
}
