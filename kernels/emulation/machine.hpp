// One block of threads at a time, its threads as fibres. Threads run in an order shuffled by a seed, each until it waits; a barrier opens when all
// wait at one place, an exchange when all lanes of a warp do. What a GPU would leave undefined is a fault, told in a sentence.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "emulation/fibre.hpp"

namespace igrt::emulation {

using i32 = int;
using u32 = unsigned int;
using i64 = long long;
using u64 = unsigned long long;

constexpr i32 lanes = 32;

struct Fault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A place in a kernel's source.
struct Place {
    const char* file;
    i32 line;
    bool operator==(const Place&) const = default;
    std::string words() const;
};

class Machine {
  public:
    // Runs `body` once for every thread of every block; throws the first fault.
    void run(i32 blocks, i32 threads, u64 seed, const std::function<void()>& body);

    i32 thread_index() const { return current_; }
    i32 block_index() const { return block_; }

    // The running thread among all of the launch, from 1; and the stretch between two barriers that it is in, counted over the launch.
    u32 thread() const { return static_cast<u32>(block_) * static_cast<u32>(threads_.size()) + static_cast<u32>(current_) + 1; }
    u32 stretch() const { return stretch_; }
    u64 blocks_run() const { return blocks_run_; }  // of all launches, this one included
    bool in_this_block(u32 stretch) const { return stretch >= first_stretch_; }

    void barrier(Place place);

    // The number that lane ^ mask gives, or where `mask` is vote_of_all the 32 lowest bits of all lanes.
    static constexpr i32 vote_of_all = -1;
    u64 exchange(u64 given, i32 mask, Place place);

    std::string who() const;

  private:
    enum class State { ready, at_barrier, at_exchange, finished };

    struct Thread {
        Fibre fibre;
        State state;
        Place place;
        i32 mask;
        u64 given, taken;
    };

    static void enter();
    void run_block();
    void run_ready();
    bool exchange_warps();
    void open_barrier();
    void wait(State state, Place place);
    [[noreturn]] void refuse_exchange(i32 first);

    std::vector<Thread> threads_;
    std::vector<i32> order_;
    std::mt19937_64 random_;
    const std::function<void()>* body_ = nullptr;
    std::exception_ptr fault_;
    i32 block_ = 0, current_ = 0;
    u32 stretch_ = 0, first_stretch_ = 0;
    u64 blocks_run_ = 0;
};

extern Machine machine;

}  // namespace igrt::emulation
