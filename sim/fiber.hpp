/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber.hpp - one call stack a simulated thread, switched by hand
 *
 * A switch saves the six registers that the System V ABI lets a callee keep.
 * Under AddressSanitizer each switch is announced, so that host code on either
 * side is still checked.  x86-64 only.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace sim
{

struct Stack {
    char *base = nullptr; /* lowest address; a guard page lies below it */
    size_t bytes = 0;
};

/* Stacks are kept and reused: mapping one costs more than a small kernel. */
Stack stack_take();
void stack_give(Stack stack);

class Fiber
{
  public:
    /* Prepare to run entry(argument) on 'stack' at the first resume. */
    void start(Stack stack, void (*entry)(void *), void *argument);
    /* Run until it suspends or its entry returns control for good. */
    void resume();
    /* From inside: go back to whoever resumed. */
    void suspend();
    Stack stack() const
    {
        return stack_;
    }

  private:
    static void trampoline();

    Stack stack_;
    void *own_ = nullptr;    /* stack pointer while suspended */
    void *caller_ = nullptr; /* the resumer's, while running */
    void (*entry_)(void *) = nullptr;
    void *argument_ = nullptr;
    void *fake_ = nullptr; /* AddressSanitizer's own state */
    void *caller_fake_ = nullptr;
    const void *caller_base_ = nullptr;
    size_t caller_bytes_ = 0;
};

} // namespace sim
