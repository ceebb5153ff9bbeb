/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber.hpp"

#include <cstdlib>
#include <sys/mman.h>
#include <vector>

#if !defined(__x86_64__)
#error "the simulated GPU switches stacks on x86-64 only"
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define ANNOUNCE(...) __VA_ARGS__
#else
#define ANNOUNCE(...)
#endif

extern "C" void oriel_sim_switch(void **save, void *to);
__asm__(".text\n"
        ".globl oriel_sim_switch\n"
        ".hidden oriel_sim_switch\n"
        ".type oriel_sim_switch,@function\n"
        "oriel_sim_switch:\n"
        "    push %rbp\n"
        "    push %rbx\n"
        "    push %r12\n"
        "    push %r13\n"
        "    push %r14\n"
        "    push %r15\n"
        "    mov %rsp,(%rdi)\n"
        "    mov %rsi,%rsp\n"
        "    pop %r15\n"
        "    pop %r14\n"
        "    pop %r13\n"
        "    pop %r12\n"
        "    pop %rbx\n"
        "    pop %rbp\n"
        "    ret\n"
        ".size oriel_sim_switch,.-oriel_sim_switch\n");

namespace sim
{
namespace
{

/* A kernel keeps its arrays in registers; here they are on the stack, and half of
   it is for ThreadSanitizer's interceptors. */
constexpr size_t STACK_BYTES = 192 * 1024;
constexpr size_t GUARD_BYTES = 4096;

std::vector<Stack> &
pool()
{
    static std::vector<Stack> stacks;
    return stacks;
}

thread_local Fiber *running;

} // namespace

Stack
stack_take()
{
    if (!pool().empty()) {
        Stack stack = pool().back();
        pool().pop_back();
        return stack;
    }
    void *map = mmap(nullptr, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        abort();
    mprotect(map, GUARD_BYTES, PROT_NONE);
    return {static_cast<char *>(map) + GUARD_BYTES, STACK_BYTES};
}

void
stack_give(Stack stack)
{
    ANNOUNCE(__asan_unpoison_memory_region(stack.base, stack.bytes);)
    pool().push_back(stack);
}

void
Fiber::start(Stack stack, void (*entry)(void *), void *argument)
{
    stack_ = stack;
    entry_ = entry;
    argument_ = argument;
    fake_ = nullptr;
    /* As if trampoline() had been called from nowhere: rsp % 16 == 8 there. */
    void **top = reinterpret_cast<void **>(stack.base + stack.bytes - 64);
    *--top = nullptr;
    *--top = reinterpret_cast<void *>(&Fiber::trampoline);
    for (int i = 0; i < 6; i++)
        *--top = nullptr;
    own_ = top;
}

void
Fiber::trampoline()
{
    Fiber *self = running;
    ANNOUNCE(__sanitizer_finish_switch_fiber(self->fake_, &self->caller_base_,
                                             &self->caller_bytes_);)
    self->entry_(self->argument_);
    abort(); /* the entry leaves by suspend() */
}

void
Fiber::resume()
{
    Fiber *outer = running;
    running = this;
    ANNOUNCE(__sanitizer_start_switch_fiber(&caller_fake_, stack_.base,
                                            stack_.bytes);)
    oriel_sim_switch(&caller_, own_);
    ANNOUNCE(__sanitizer_finish_switch_fiber(caller_fake_, nullptr, nullptr);)
    running = outer;
}

void
Fiber::suspend()
{
    ANNOUNCE(
        __sanitizer_start_switch_fiber(&fake_, caller_base_, caller_bytes_);)
    oriel_sim_switch(&own_, caller_);
    ANNOUNCE(
        __sanitizer_finish_switch_fiber(fake_, &caller_base_, &caller_bytes_);)
}

} // namespace sim
