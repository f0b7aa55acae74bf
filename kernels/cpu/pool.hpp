// The one owned thread pool. Work is cut into chunks whose number depends on the data alone, never on the pool's size;
// a chunk writes only what is its own, and whoever combines chunks does so in their order. So results do not depend
// on how many threads there are.
#pragma once

#include <cstddef>

namespace igrt::cpu {

using Task = void (*)(void* context, std::size_t chunk);

void set_threads(std::size_t count);
std::size_t threads();
void run_chunks(std::size_t chunks, Task task, void* context);

// Calls body(chunk) for every chunk in [0, chunks), on the pool; returns when all are done. body must not throw.
template <class Body> void parallel(std::size_t chunks, Body&& body) {
    run_chunks(
        chunks, [](void* context, std::size_t chunk) { (*static_cast<Body*>(context))(chunk); }, &body);
}

// Calls body(begin, end) over [0, count) in pieces of `grain` items.
template <class Body> void parallel_ranges(std::size_t count, std::size_t grain, Body&& body) {
    parallel((count + grain - 1) / grain, [&](std::size_t chunk) {
        const std::size_t begin = chunk * grain;
        body(begin, begin + grain < count ? begin + grain : count);
    });
}

}  // namespace igrt::cpu
