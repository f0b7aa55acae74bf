// A fibre: a function with a stack of its own, that stops in the middle and goes on where it stopped.
#pragma once

#include <cstddef>
#include <memory>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace igrt::emulation {

class Fibre {
  public:
    using Body = void (*)();

    Fibre() : stack_(new char[stack_bytes]) {}

    // Makes `body` what the next resume() begins with. It must call finish() at its end and never return.
    void start(Body body);

    // From the scheduler: runs until the fibre stops or finishes.
    void resume();

    // From within: back to the scheduler, until resumed.
    void stop();

  private:
    static constexpr std::size_t stack_bytes = 64 * 1024;
    std::unique_ptr<char[]> stack_;
#if defined(__x86_64__)
    void* here_ = nullptr;
    void* scheduler_ = nullptr;
#else
    ucontext_t here_, scheduler_;
#endif
};

}  // namespace igrt::emulation
