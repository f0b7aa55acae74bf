// The words of entry points on the host: every access goes through memory.hpp, every wait through machine.hpp.
#pragma once

#include "emulation/memory.hpp"

#define ENTRY(name, threads)              \
    constexpr int name##_threads_of_block = threads; \
    void name
#define SHARED static

namespace igrt {

// An array of a launch that may be written: nothing else of the launch may touch a cell of it out of order.
template <class T> class global {
  public:
    global(T* cells, emulation::Touched* touched) : cells_(cells), touched_(touched) {}

    emulation::Reference<T> operator[](const emulation::At& at) const {
        touched_->check(at, "touches");
        return {cells_[at.index], *touched_, at};
    }

  private:
    T* cells_;
    emulation::Touched* touched_;
};

template <class T> class global<const T> {
  public:
    global(const T* cells, emulation::Touched* touched) : cells_(cells), touched_(touched) {}

    T operator[](const emulation::At& at) const {
        touched_->check(at, "reads");
        ++touched_->reads;
        return cells_[at.index];
    }

  private:
    const T* cells_;
    emulation::Touched* touched_;
};

// What a block shares; unknown at the start of each block, and read only after it was written. A static object, as blocks run one after the other.
template <class T, i32 N> class shared {
  public:
    explicit shared(const char* file = __builtin_FILE(), int line = __builtin_LINE())
        : touched_("shared array of " + emulation::Place{file, line}.words(), N) {}

    emulation::Reference<T> operator[](const emulation::At& at) {
        if (block_ != emulation::machine.blocks_run()) forget();
        touched_.check(at, "touches");
        return {cells_[at.index], touched_, at};
    }

  private:
    void forget() {
        block_ = emulation::machine.blocks_run();
        std::memset(cells_, 0xa5, sizeof cells_);
        touched_.watch(true);
    }

    T cells_[N];
    emulation::Touched touched_;
    emulation::u64 block_ = 0;
};

inline i32 thread_index() { return emulation::machine.thread_index(); }
inline i32 block_index() { return emulation::machine.block_index(); }

inline void barrier(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { emulation::machine.barrier({file, line}); }

template <class T> T shuffle_xor(T value, i32 mask, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    static_assert(sizeof(T) <= sizeof(u64));
    u64 bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = emulation::machine.exchange(bits, mask, {file, line});
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline u32 ballot(bool vote, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return static_cast<u32>(emulation::machine.exchange(vote, emulation::Machine::vote_of_all, {file, line}));
}

inline i32 count_ones(u32 bits) { return __builtin_popcount(bits); }

}  // namespace igrt
