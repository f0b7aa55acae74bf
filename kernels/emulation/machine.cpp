#include "emulation/machine.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

namespace igrt::emulation {

Machine machine;

std::string Place::words() const {
    const char* const slash = std::strrchr(file, '/');
    return std::string(slash ? slash + 1 : file) + ":" + std::to_string(line);
}

std::string Machine::who() const { return "block " + std::to_string(block_) + " thread " + std::to_string(current_); }

void Machine::run(i32 blocks, i32 threads, u64 seed, const std::function<void()>& body) {
    if (static_cast<i32>(threads_.size()) != threads) threads_ = std::vector<Thread>(static_cast<std::size_t>(threads));
    order_.resize(static_cast<std::size_t>(threads));
    random_.seed(seed);
    body_ = &body;
    stretch_ = 0;
    std::vector<i32> order(static_cast<std::size_t>(blocks));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random_);
    for (const i32 block : order) {
        block_ = block;
        run_block();
    }
}

void Machine::run_block() {
    first_stretch_ = ++stretch_;
    ++blocks_run_;
    for (Thread& thread : threads_) {
        thread.state = State::ready;
        thread.fibre.start(&Machine::enter);
    }
    while (true) {
        run_ready();
        if (exchange_warps()) continue;
        if (std::all_of(threads_.begin(), threads_.end(), [](const Thread& t) { return t.state == State::finished; })) return;
        open_barrier();
    }
}

void Machine::enter() {
    try {
        (*machine.body_)();
    } catch (...) {
        machine.fault_ = std::current_exception();
    }
    machine.wait(State::finished, {"", 0});
}

void Machine::wait(State state, Place place) {
    Thread& thread = threads_[static_cast<std::size_t>(current_)];
    thread.state = state;
    thread.place = place;
    thread.fibre.stop();
}

void Machine::run_ready() {
    order_.clear();
    for (i32 t = 0; t < static_cast<i32>(threads_.size()); ++t)
        if (threads_[static_cast<std::size_t>(t)].state == State::ready) order_.push_back(t);
    std::shuffle(order_.begin(), order_.end(), random_);
    for (const i32 t : order_) {
        current_ = t;
        threads_[static_cast<std::size_t>(t)].fibre.resume();
        if (fault_) std::rethrow_exception(std::exchange(fault_, nullptr));
    }
}

void Machine::barrier(Place place) { wait(State::at_barrier, place); }

u64 Machine::exchange(u64 given, i32 mask, Place place) {
    Thread& thread = threads_[static_cast<std::size_t>(current_)];
    thread.given = given;
    thread.mask = mask;
    wait(State::at_exchange, place);
    return thread.taken;
}

// Gives every warp whose lanes all wait at one exchange what it asked for; whether there was one.
bool Machine::exchange_warps() {
    bool any = false;
    for (std::size_t first = 0; first < threads_.size(); first += lanes) {
        Thread* const warp = &threads_[first];
        const auto waits = [](const Thread& t) { return t.state == State::at_exchange; };
        if (std::none_of(warp, warp + lanes, waits)) continue;
        const bool together = std::all_of(warp, warp + lanes, [&](const Thread& t) { return waits(t) && t.place == warp->place && t.mask == warp->mask; });
        if (!together) refuse_exchange(static_cast<i32>(first));
        u64 votes = 0;
        for (i32 lane = 0; lane < lanes; ++lane) votes |= (warp[lane].given & 1) << lane;
        for (i32 lane = 0; lane < lanes; ++lane) {
            warp[lane].taken = warp->mask == vote_of_all ? votes : warp[lane ^ warp->mask].given;
            warp[lane].state = State::ready;
        }
        any = true;
    }
    return any;
}

void Machine::refuse_exchange(i32 first) {
    const Thread* const warp = &threads_[static_cast<std::size_t>(first)];
    const Thread* const one = std::find_if(warp, warp + lanes, [](const Thread& t) { return t.state == State::at_exchange; });
    const Thread* const other =
        std::find_if(warp, warp + lanes, [&](const Thread& t) { return t.state != State::at_exchange || !(t.place == one->place) || t.mask != one->mask; });
    throw Fault("divergent exchange: in block " + std::to_string(block_) + " thread " + std::to_string(first + (one - warp)) + " exchanges at " +
                one->place.words() + ", thread " + std::to_string(first + (other - warp)) + " of the same warp does not");
}

void Machine::open_barrier() {
    const Thread& one = *std::find_if(threads_.begin(), threads_.end(), [](const Thread& t) { return t.state == State::at_barrier; });
    for (std::size_t t = 0; t < threads_.size(); ++t) {
        const Thread& other = threads_[t];
        if (other.state == State::at_barrier && other.place == one.place) continue;
        const std::string does = other.state == State::finished ? "has ended" : "waits at " + other.place.words();
        throw Fault("divergent barrier: in block " + std::to_string(block_) + " a thread waits at " + one.place.words() + ", thread " + std::to_string(t) + " " +
                    does);
    }
    ++stretch_;
    for (Thread& thread : threads_) thread.state = State::ready;
}

}  // namespace igrt::emulation
