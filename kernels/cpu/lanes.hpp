// Vectors of as many float32 lanes as the instruction set holds in one register, for loops whose lanes are independent: the width then
// changes no bit. Look-ups are put together in registers: written to memory lane by lane and read back whole, they would wait for each other.
#pragma once

#include <cstring>

#include "portable.hpp"

namespace igrt::cpu {

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

using Floats = f32 __attribute__((vector_size(4 * LANES)));
using Whole = i32 __attribute__((vector_size(4 * LANES)));  // comparisons give -1 and 0
using Four = f32 __attribute__((vector_size(16)));
using Two = f64 __attribute__((vector_size(16)));
#if defined(__AVX__)
using Eight = f32 __attribute__((vector_size(32)));
#endif

// Without vectors in argument lists, whose calling convention depends on the instruction set.
#define LANES_INLINE [[gnu::always_inline]] static inline

LANES_INLINE f64 pair_at(const f32* from) {
    f64 both;
    std::memcpy(&both, from, sizeof both);
    return both;
}

// first[lane], second[lane] = from[offset[lane]], from[offset[lane] + 1], for four lanes.
LANES_INLINE void four_pairs(const f32* from, const i32* offset, Four& first, Four& second) {
    const Two a = {pair_at(from + offset[0]), pair_at(from + offset[1])}, b = {pair_at(from + offset[2]), pair_at(from + offset[3])};
    const Four low = reinterpret_cast<Four>(a), high = reinterpret_cast<Four>(b);
    first = __builtin_shufflevector(low, high, 0, 2, 4, 6);
    second = __builtin_shufflevector(low, high, 1, 3, 5, 7);
}

LANES_INLINE Four four_values(const f32* from, const i32* offset) { return Four{from[offset[0]], from[offset[1]], from[offset[2]], from[offset[3]]}; }

LANES_INLINE void join(const Four* parts, Floats& out) {
#if defined(__AVX512F__)
    const Eight low = __builtin_shufflevector(parts[0], parts[1], 0, 1, 2, 3, 4, 5, 6, 7), high = __builtin_shufflevector(parts[2], parts[3], 0, 1, 2, 3, 4, 5, 6, 7);
    out = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif defined(__AVX__)
    out = __builtin_shufflevector(parts[0], parts[1], 0, 1, 2, 3, 4, 5, 6, 7);
#else
    out = parts[0];
#endif
}

// first = from[offset], second = from[offset + step], lane by lane.
LANES_INLINE void look_up(const f32* from, const i32* offset, i32 step, Floats& first, Floats& second) {
    Four one[LANES / 4], other[LANES / 4];
    for (int part = 0; part < LANES / 4; ++part) {
        if (step == 1) {
            four_pairs(from, offset + 4 * part, one[part], other[part]);
        } else {
            one[part] = four_values(from, offset + 4 * part);
            other[part] = four_values(from + step, offset + 4 * part);
        }
    }
    join(one, first), join(other, second);
}

}  // namespace igrt::cpu
