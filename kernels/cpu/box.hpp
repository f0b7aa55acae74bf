// Sums over windows of 2 half + 1 voxels around every voxel, of several whole numbers at once, by running sums along j, k and i.
// Whole numbers add up exactly in any order (modulo 2^32), so nothing drifts and nothing depends on the chunks.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "kernels.hpp"
#include "pool.hpp"

namespace igrt::cpu {

template <int channels> using Rows = std::array<u32*, channels>;
template <int channels> using ConstRows = std::array<const u32*, channels>;

template <int channels> class Planes {
  public:
    explicit Planes(std::size_t pixels) : pixels_(pixels), data_(channels * pixels) {}

    u32* channel(int c) { return data_.data() + c * pixels_; }
    const u32* channel(int c) const { return data_.data() + c * pixels_; }
    void clear() { std::fill(data_.begin(), data_.end(), 0u); }

    // this[at, at + n) += from[from_at, from_at + n), or -=, in every channel.
    template <bool add> void combine(std::size_t at, const Planes& from, std::size_t from_at, std::size_t n) {
        for (int c = 0; c < channels; ++c) {
            u32* const to = channel(c) + at;
            const u32* const source = from.channel(c) + from_at;
            for (std::size_t i = 0; i < n; ++i) to[i] = add ? to[i] + source[i] : to[i] - source[i];
        }
    }

  private:
    std::size_t pixels_;
    std::vector<u32> data_;
};

// Sums over windows along a row of n numbers, in place; `line` has room for a row.
inline void slide(u32* values, u32* line, i32 n, i32 half) {
    std::memcpy(line, values, n * sizeof(u32));
    u32 running = 0;
    for (i32 i = 0; i < std::min(half, n); ++i) running += line[i];
    const i32 grows = std::max(std::min(half + 1, n - half), 0), full = std::max(n - half, 0);
    i32 i = 0;
    for (; i < grows; ++i) values[i] = running += line[i + half];
    for (; i < full; ++i) values[i] = running += line[i + half] - line[i - half - 1];
    for (; i < n; ++i) values[i] = i - half - 1 >= 0 ? running -= line[i - half - 1] : running;
}

// Works through one chunk of slices, holding the in-plane sums of the slices in the window and their running total.
template <int channels, class Read> class BoxSlab {
  public:
    BoxSlab(Size size, Size half, const Read& read)
        : size_(size), half_(half), read_(read), pixels_(std::size_t(size.i) * size.j), slice_(pixels_), column_(size.i), total_(pixels_), line_(size.i),
          ring_(2 * half.k + 1, Planes<channels>(pixels_)) {}

    void enter(i32 k) {
        Planes<channels>& plane = ring_[k % ring_.size()];
        in_plane(k, plane);
        total_.template combine<true>(0, plane, 0, pixels_);
    }

    void leave(i32 k) { total_.template combine<false>(0, ring_[k % ring_.size()], 0, pixels_); }

    ConstRows<channels> total() const {
        ConstRows<channels> rows;
        for (int c = 0; c < channels; ++c) rows[c] = total_.channel(c);
        return rows;
    }

  private:
    void in_plane(i32 k, Planes<channels>& plane) {
        Rows<channels> rows;
        for (int c = 0; c < channels; ++c) rows[c] = slice_.channel(c);
        read_(k * pixels_, pixels_, rows);
        const std::size_t width = size_.i;
        column_.clear();
        for (i32 j = -half_.j; j < size_.j; ++j) {
            if (j + half_.j < size_.j) column_.template combine<true>(0, slice_, (j + half_.j) * width, width);
            if (j - half_.j - 1 >= 0) column_.template combine<false>(0, slice_, (j - half_.j - 1) * width, width);
            if (j < 0) continue;
            for (int c = 0; c < channels; ++c) {
                u32* const to = plane.channel(c) + j * width;
                std::copy_n(column_.channel(c), width, to);
                slide(to, line_.data(), size_.i, half_.i);
            }
        }
    }

    Size size_, half_;
    const Read& read_;
    std::size_t pixels_;
    Planes<channels> slice_, column_, total_;
    std::vector<u32> line_;
    std::vector<Planes<channels>> ring_;
};

// read(first, count, rows) gives the numbers of `count` voxels from `first` on; write(first, count, rows) takes the sums of their windows.
template <int channels, class Read, class Write> void box_sums(Size size, Size half, const Read& read, const Write& write) {
    constexpr i32 slices_per_chunk = 16;
    const std::size_t pixels = std::size_t(size.i) * size.j;
    parallel((size.k + slices_per_chunk - 1) / slices_per_chunk, [&](std::size_t chunk) {
        const i32 first = static_cast<i32>(chunk) * slices_per_chunk, last = std::min(first + slices_per_chunk, size.k);
        BoxSlab<channels, Read> slab(size, half, read);
        for (i32 k = std::max(first - half.k, 0); k < std::min(first + half.k, size.k); ++k) slab.enter(k);
        for (i32 k = first; k < last; ++k) {
            if (k > first && k - half.k - 1 >= 0) slab.leave(k - half.k - 1);  // before its place in the ring is taken
            if (k + half.k < size.k) slab.enter(k + half.k);
            write(k * pixels, pixels, slab.total());
        }
    });
}

}  // namespace igrt::cpu
