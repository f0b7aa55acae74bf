// Memory that knows its size and who touched it: the arrays of a launch, and what the threads of a block share.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "emulation/machine.hpp"

namespace igrt::emulation {

// An index and where in the source it is used.
struct At {
    i64 index;
    Place place;
    At(i64 i, const char* file = __builtin_FILE(), int line = __builtin_LINE()) : index(i), place{file, line} {}
};

// Who wrote and who read each cell of one array last. Two threads may touch a cell, one of them writing, only where a barrier of their block lies between.
class Touched {
  public:
    Touched(std::string name, i64 size) : name_(std::move(name)), size_(size) {}

    // Forgets who touched what; from now on a cell may be asked to be written before it is read.
    void watch(bool written_first) {
        cells_.assign(static_cast<std::size_t>(size_), {});
        written_first_ = written_first;
    }
    void check(const At& at, const char* verb) const;
    void read(const At& at);
    void write(const At& at);

    i64 reads = 0, writes = 0;  // accesses of a launch

  private:
    struct Cell {
        u32 writer = 0, written = 0, reader = 0, read = 0;  // thread and stretch; 0: none
    };
    static constexpr u32 several = ~0u;  // readers

    bool collides(u32 thread, u32 stretch) const;
    [[noreturn]] void race(const At& at, const char* verb, u32 thread, const char* did) const;

    std::string name_;
    i64 size_;
    bool written_first_ = false;
    std::vector<Cell> cells_;
};

// What indexing gives where it may be written.
template <class T> class Reference {
  public:
    Reference(T& cell, Touched& touched, const At& at) : cell_(cell), touched_(touched), at_(at) {}
    Reference(const Reference&) = delete;

    operator T() const {
        touched_.read(at_);
        return cell_;
    }
    void operator=(T value) const {
        touched_.write(at_);
        cell_ = value;
    }
    void operator=(const Reference& other) const { *this = static_cast<T>(other); }

  private:
    T& cell_;
    Touched& touched_;
    At at_;
};

}  // namespace igrt::emulation
