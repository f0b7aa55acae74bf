// The words that kernels are written in, so that one text compiles for the CPU, for a GPU and for the emulation of a GPU.
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

// Square root, correctly rounded everywhere, so that devices agree; absolute value; the quiet NaN.
#if defined(__CUDACC__)
KERNEL f32 square_root(f32 x) { return __fsqrt_rn(x); }
KERNEL f64 square_root(f64 x) { return __dsqrt_rn(x); }
KERNEL f64 absolute(f64 x) { return fabs(x); }
KERNEL f32 not_a_number() { return __int_as_float(0x7fc00000); }
#else
KERNEL f32 square_root(f32 x) { return __builtin_sqrtf(x); }
KERNEL f64 square_root(f64 x) { return __builtin_sqrt(x); }
KERNEL f64 absolute(f64 x) { return __builtin_fabs(x); }
KERNEL f32 not_a_number() { return __builtin_nanf(""); }
#endif

}  // namespace igrt

// The words of entry points (cuda/*.cu): blocks of threads, in warps of 32, over memory of the whole device and of a block.
#if defined(__CUDACC__)

// ENTRY(name, threads)(parameters) { ... }: started by name, every block of it `threads` threads, a multiple of 32.
#define ENTRY(name, threads) extern "C" __global__ void __launch_bounds__(threads) name
#define SHARED __shared__  // before the declaration of a shared<T, N>: one for all threads of a block, its content unknown at first

namespace igrt {

template <class T> using global = T* __restrict__;  // an array in the device's memory

template <class T, i32 N> struct shared {
    T cells[N];
    KERNEL T& operator[](i32 index) { return cells[index]; }
};

KERNEL i32 thread_index() { return static_cast<i32>(threadIdx.x); }  // in its block
KERNEL i32 block_index() { return static_cast<i32>(blockIdx.x); }
KERNEL void barrier() { __syncthreads(); }                                                       // all threads of a block, at one place
KERNEL f32 shuffle_xor(f32 value, i32 mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }  // the value of lane ^ mask, all lanes of a warp at one place
KERNEL f64 shuffle_xor(f64 value, i32 mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
KERNEL i32 shuffle_xor(i32 value, i32 mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }
KERNEL u32 ballot(bool vote) { return __ballot_sync(0xffffffffu, vote); }  // bit n: the vote of lane n
KERNEL i32 count_ones(u32 bits) { return __popc(bits); }

}  // namespace igrt

#elif defined(IGRT_EMULATION)
#include "emulation/words.hpp"
#endif

#if defined(__CUDACC__) || defined(IGRT_EMULATION)
namespace igrt {

constexpr i32 warp_width = 32;
KERNEL i32 lane() { return thread_index() % warp_width; }
KERNEL i32 warp() { return thread_index() / warp_width; }

}  // namespace igrt
#endif
