#include "emulation/fibre.hpp"

#include <cstdint>

namespace igrt::emulation {

#if defined(__x86_64__)

// Saves what a call must keep on the stack, stores the stack pointer, and goes on from another.
extern "C" void igrt_switch_stack(void** from, void* to);
asm(R"(
.text
.hidden igrt_switch_stack
.globl igrt_switch_stack
.type igrt_switch_stack, @function
igrt_switch_stack:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size igrt_switch_stack, . - igrt_switch_stack
)");

void Fibre::start(Body body) {
    const auto top = (reinterpret_cast<std::uintptr_t>(stack_.get()) + stack_bytes) & ~std::uintptr_t(15);
    auto* const words = reinterpret_cast<std::uintptr_t*>(top);
    words[-1] = 0;  // no caller: an unwinder ends here
    words[-2] = reinterpret_cast<std::uintptr_t>(body);
    for (int saved = 3; saved <= 8; ++saved) words[-saved] = 0;
    here_ = words - 8;
}

void Fibre::resume() { igrt_switch_stack(&scheduler_, here_); }
void Fibre::stop() { igrt_switch_stack(&here_, scheduler_); }

#else

void Fibre::start(Body body) {
    getcontext(&here_);
    here_.uc_stack.ss_sp = stack_.get();
    here_.uc_stack.ss_size = stack_bytes;
    here_.uc_link = nullptr;
    makecontext(&here_, body, 0);
}

void Fibre::resume() { swapcontext(&scheduler_, &here_); }
void Fibre::stop() { swapcontext(&here_, &scheduler_); }

#endif

}  // namespace igrt::emulation
