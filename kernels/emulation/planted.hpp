// Kernels with a fault each, and one without, by which the tests know that the emulation sees what it must.
#pragma once

#include "cuda/reduce.hpp"

namespace igrt {

constexpr i32 planted_threads = 64;

// out[block] = sum of the block's 64 numbers, as it should be.
ENTRY(planted_control, planted_threads)
(global<const i32> in, global<i32> out) {
    SHARED shared<i32, planted_threads> cells;
    cells[thread_index()] = in[place_in_launch(planted_threads)];
    barrier();
    for (i32 half = planted_threads / 2; half > 0; half /= 2) {
        if (thread_index() < half) cells[thread_index()] = cells[thread_index()] + cells[thread_index() + half];
        barrier();
    }
    if (thread_index() == 0) out[block_index()] = cells[0];
}

// Two threads write one shared cell.
ENTRY(planted_race, planted_threads)
(global<const i32> in, global<i32> out) {
    SHARED shared<i32, planted_threads> cells;
    cells[thread_index() / 2] = in[place_in_launch(planted_threads)];
    barrier();
    if (thread_index() < planted_threads / 2) out[block_index() * planted_threads + thread_index()] = cells[thread_index()];
}

// Two blocks write one cell of the device's memory.
ENTRY(planted_race_of_blocks, planted_threads)
(global<const i32> in, global<i32> out) {
    out[thread_index()] = in[place_in_launch(planted_threads)];
}

// The control without the barrier between two steps of the sum.
ENTRY(planted_missing_barrier, planted_threads)
(global<const i32> in, global<i32> out) {
    SHARED shared<i32, planted_threads> cells;
    cells[thread_index()] = in[place_in_launch(planted_threads)];
    barrier();
    for (i32 half = planted_threads / 2; half > 0; half /= 2)
        if (thread_index() < half) cells[thread_index()] = cells[thread_index()] + cells[thread_index() + half];
    barrier();
    if (thread_index() == 0) out[block_index()] = cells[0];
}

// Half of the threads wait where the others do not.
ENTRY(planted_divergent_barrier, planted_threads)
(global<const i32> in, global<i32> out) {
    if (thread_index() < planted_threads / 2) barrier();
    out[place_in_launch(planted_threads)] = in[place_in_launch(planted_threads)];
}

// All threads wait, but not at one barrier.
ENTRY(planted_two_barriers, planted_threads)
(global<const i32> in, global<i32> out) {
    if (thread_index() < planted_threads / 2)
        barrier();
    else
        barrier();
    out[place_in_launch(planted_threads)] = in[place_in_launch(planted_threads)];
}

// A shuffle that half of a warp does not come to.
ENTRY(planted_divergent_shuffle, planted_threads)
(global<const i32> in, global<i32> out) {
    i32 value = in[place_in_launch(planted_threads)];
    if (lane() < warp_width / 2) value += shuffle_xor(value, 1);
    out[place_in_launch(planted_threads)] = value;
}

// One beyond the end: of an array that is read, of one that is written, of a shared one.
ENTRY(planted_overrun_read, planted_threads)
(global<const i32> in, global<i32> out) {
    out[place_in_launch(planted_threads)] = in[place_in_launch(planted_threads) + 1];
}

ENTRY(planted_overrun_write, planted_threads)
(global<const i32> in, global<i32> out) {
    out[place_in_launch(planted_threads) - 1] = in[place_in_launch(planted_threads)];
}

ENTRY(planted_overrun_shared, planted_threads)
(global<const i32> in, global<i32> out) {
    SHARED shared<i32, planted_threads> cells;
    cells[thread_index() + 1] = in[place_in_launch(planted_threads)];
    barrier();
    out[place_in_launch(planted_threads)] = cells[thread_index()];
}

// A shared cell that is read before anyone wrote it.
ENTRY(planted_unknown, planted_threads)
(global<const i32> in, global<i32> out) {
    SHARED shared<i32, planted_threads> cells;
    if (thread_index() > 0) cells[thread_index()] = in[place_in_launch(planted_threads)];
    barrier();
    out[place_in_launch(planted_threads)] = cells[thread_index()];
}

}  // namespace igrt
