// The emulated GPU as a Python module: one row an entry point. Arguments come as a launch on a GPU takes them: arrays for global<T>, bytes for what is
// passed by value.
#include <memory>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "cuda/accumulate.cu"
#include "cuda/backproject.cu"
#include "cuda/box.cu"
#include "cuda/correlate.cu"
#include "cuda/draw.cu"
#include "cuda/interpolate.cu"
#include "cuda/normalise.cu"
#include "cuda/project.cu"
#include "cuda/shrink.cu"
#include "emulation/planted.hpp"
#include "source_hash.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace igrt;
using emulation::Touched;

namespace {

// An argument of a launch, from Python.
template <class T> struct Argument {
    Argument(nb::handle given, int) {
        const auto bytes = nb::cast<nb::bytes>(given);
        if (bytes.size() != sizeof(T))
            throw std::invalid_argument("an argument by value has " + std::to_string(bytes.size()) + " bytes, not " + std::to_string(sizeof(T)));
        std::memcpy(&value, bytes.data(), sizeof(T));
    }
    T get() const { return value; }
    std::tuple<i64, i64> accesses() const { return {0, 0}; }
    T value;
};

template <class T> struct Argument<global<T>> {
    Argument(nb::handle given, int number)
        : array(nb::cast<nb::ndarray<T, nb::c_contig, nb::device::cpu>>(given, false)),
          touched(std::make_shared<Touched>("argument " + std::to_string(number), static_cast<i64>(array.size()))) {
        if constexpr (!std::is_const_v<T>) touched->watch(false);
    }
    global<T> get() const { return {array.data(), touched.get()}; }
    std::tuple<i64, i64> accesses() const { return {touched->reads, touched->writes}; }
    nb::ndarray<T, nb::c_contig, nb::device::cpu> array;
    std::shared_ptr<Touched> touched;
};

using Accesses = std::vector<std::tuple<i64, i64>>;

struct Entry {
    i32 threads;
    Accesses (*launch)(i32 blocks, u64 seed, const nb::list& given);
};

template <i32 threads, auto entry> struct Launch;
template <i32 threads, class... P, void (*entry)(P...)> struct Launch<threads, entry> {
    template <std::size_t... n> static Accesses run(i32 blocks, u64 seed, const nb::list& given, std::index_sequence<n...>) {
        const std::tuple<Argument<P>...> arguments{Argument<P>(given[n], static_cast<int>(n))...};
        emulation::machine.run(blocks, threads, seed, [&] { entry(std::get<n>(arguments).get()...); });
        return {std::get<n>(arguments).accesses()...};
    }
    static Accesses launch(i32 blocks, u64 seed, const nb::list& given) {
        if (given.size() != sizeof...(P))
            throw std::invalid_argument("a launch with " + std::to_string(given.size()) + " arguments, not " + std::to_string(sizeof...(P)));
        return run(blocks, seed, given, std::index_sequence_for<P...>());
    }
};

#define ROW(name) {#name, {name##_threads_of_block, &Launch<name##_threads_of_block, &name>::launch}}
const std::map<std::string, Entry> entries = {
    ROW(accumulate), ROW(backproject), ROW(box_along_j), ROW(correlate_along_i), ROW(correlate_along_k), ROW(draw_count), ROW(draw_slopes), ROW(draw_write),
    ROW(interpolate), ROW(normalise_along_i), ROW(normalise_along_k), ROW(pad), ROW(project), ROW(shrink),
};
const std::map<std::string, Entry> planted = {
    ROW(planted_control), ROW(planted_divergent_barrier), ROW(planted_divergent_shuffle), ROW(planted_missing_barrier), ROW(planted_overrun_read),
    ROW(planted_overrun_shared), ROW(planted_overrun_write), ROW(planted_race), ROW(planted_race_of_blocks), ROW(planted_two_barriers), ROW(planted_unknown),
};
#undef ROW

std::map<std::string, i32> threads_of(const std::map<std::string, Entry>& table) {
    std::map<std::string, i32> threads;
    for (const auto& [name, entry] : table) threads[name] = entry.threads;
    return threads;
}

Accesses launch(const std::string& name, i32 blocks, const nb::list& arguments, u64 seed) {
    const bool real = entries.contains(name);
    if (!real && !planted.contains(name)) throw std::invalid_argument("no entry point is named " + name);
    if (blocks < 1) throw std::invalid_argument("a launch of no blocks");
    return (real ? entries : planted).at(name).launch(blocks, seed, arguments);
}

}  // namespace

NB_MODULE(_native_emulation, m) {
    m.attr("SOURCE_HASH") = IGRT_SOURCE_HASH;
    nb::exception<emulation::Fault>(m, "Fault", PyExc_RuntimeError);
    m.def("entries", [] { return threads_of(entries); });
    m.def("planted", [] { return threads_of(planted); });
    m.def("launch", &launch, "name"_a, "blocks"_a, "arguments"_a, "seed"_a, "Runs every block; (reads, writes) of each argument.");
}
