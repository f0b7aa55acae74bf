// The words that kernel headers are written in, so that one text compiles for the CPU and, later, for a GPU.
// No standard-library header is included here or in any kernel header.
#pragma once

#if defined(__CUDACC__)
#define KERNEL __device__ __forceinline__
#else
#define KERNEL [[gnu::always_inline]] inline
#endif

namespace igrt {

using i16 = short;
using i32 = int;
using u32 = unsigned int;
using i64 = long long;
using u64 = unsigned long long;
using u8 = unsigned char;
using f32 = float;
using f64 = double;

static_assert(sizeof(i16) == 2 && sizeof(i32) == 4 && sizeof(i64) == 8, "fixed widths");

template <class T> KERNEL constexpr T minimum(T a, T b) { return a < b ? a : b; }
template <class T> KERNEL constexpr T maximum(T a, T b) { return a > b ? a : b; }
template <class T> KERNEL constexpr T clamp(T x, T low, T high) { return minimum(maximum(x, low), high); }

// Largest integer not above x, for |x| < 2^31; written so that a loop over lanes vectorises without SSE4.1.
template <class T> KERNEL constexpr i32 floor_index(T x) {
    const i32 truncated = static_cast<i32>(x);
    return truncated - (x < static_cast<T>(truncated) ? 1 : 0);
}

// Nearest integer, halves upward, for |x| < 2^31.
template <class T> KERNEL constexpr i32 round_index(T x) { return floor_index(x + static_cast<T>(0.5)); }

// IEEE square root: correctly rounded everywhere, so that devices agree.
KERNEL f32 square_root(f32 x) { return __builtin_sqrtf(x); }
KERNEL f64 square_root(f64 x) { return __builtin_sqrt(x); }

}  // namespace igrt
