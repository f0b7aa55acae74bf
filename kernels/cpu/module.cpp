// The Python module: one row a kernel. Array types, contiguity and fixed dimensions are checked here; igrt/compute/cpu.py
// checks the rest. Every kernel runs without the GIL.
#include <algorithm>
#include <stdexcept>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "kernels.hpp"
#include "pool.hpp"
#include "residual.hpp"
#include "score.hpp"
#include "source_hash.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace igrt;

namespace {

template <class T, class Shape> using In = nb::ndarray<const T, Shape, nb::c_contig, nb::device::cpu>;
template <class T, class Shape> using Out = nb::ndarray<T, Shape, nb::c_contig, nb::device::cpu>;
using Voxels = In<i16, nb::ndim<3>>;
using Affine = In<f64, nb::shape<3, 4>>;

template <class Array> cpu::Size size_of(const Array& a) {
    return {static_cast<i32>(a.shape(2)), static_cast<i32>(a.shape(1)), static_cast<i32>(a.shape(0))};
}

void require(bool holds, const char* sentence) {
    if (!holds) throw std::invalid_argument(sentence);
}

void interpolate(Voxels hu, Affine index_from_mm, In<f64, nb::shape<-1, 3>> points_mm, Out<f32, nb::ndim<1>> out) {
    require(out.size() == points_mm.shape(0), "interpolate: out must have one value a point");
    const nb::gil_scoped_release release;
    cpu::interpolate(hu.data(), size_of(hu), index_from_mm.data(), points_mm.data(), out.size(), out.data());
}

using Triple = In<i32, nb::shape<3>>;  // k, j, i

cpu::Size size_of(Triple kji) { return {kji(2), kji(1), kji(0)}; }

bool same_shape(const Voxels& a, const auto& b) { return a.shape(0) == b.shape(0) && a.shape(1) == b.shape(1) && a.shape(2) == b.shape(2); }

// Whether a window of 2 half + 1 voxels is one, and small enough for exact sums.
bool fits(Triple half) {
    i64 voxels = 1;
    for (int axis = 0; axis < 3; ++axis) {
        if (half(axis) < 0 || half(axis) > largest_window) return false;
        voxels = minimum<i64>(voxels * (2 * half(axis) + 1), largest_window + 1);
    }
    return voxels <= largest_window;
}

void shrink(Voxels hu, Triple factors, Out<i16, nb::ndim<3>> out) {
    for (int axis = 0; axis < 3; ++axis)
        require(factors(axis) > 0 && out.shape(axis) == hu.shape(axis) / factors(axis), "shrink: out must have the shape of hu over factors");
    const nb::gil_scoped_release release;
    cpu::shrink(hu.data(), size_of(hu), size_of(factors), out.data());
}

void normalise(Voxels hu, In<u8, nb::ndim<3>> valid, Triple half, i32 least, f32 floor_hu, Out<i16, nb::ndim<3>> out) {
    require(same_shape(hu, valid) && same_shape(hu, out), "normalise: hu, valid and out must have one shape");
    require(fits(half), "normalise: the window must hold at most 7000 voxels");
    require(least > 0 && floor_hu > 0, "normalise: least and floor_hu must be positive");
    const nb::gil_scoped_release release;
    cpu::normalise(hu.data(), valid.data(), size_of(hu), size_of(half), least, floor_hu, out.data());
}

void correlate(Voxels first, Voxels second, In<u8, nb::ndim<3>> valid, Triple half, f32 floor_hu, Out<f32, nb::ndim<3>> values,
               Out<f32, nb::ndim<3>> weights) {
    require(same_shape(first, second) && same_shape(first, valid) && same_shape(first, values) && same_shape(first, weights),
            "correlate: all arrays must have one shape");
    require(fits(half), "correlate: the window must hold at most 7000 voxels");
    require(floor_hu > 0, "correlate: floor_hu must be positive");
    const nb::gil_scoped_release release;
    cpu::correlate(first.data(), second.data(), valid.data(), size_of(first), size_of(half), floor_hu, values.data(), weights.data());
}

auto draw(Voxels scores, In<f32, nb::shape<3>> spacing_ijk_mm, Triple block, f64 wanted, u32 seed) {
    require(block(0) > 0 && block(1) > 0 && block(2) > 0, "draw: block must be positive");
    std::vector<i32>* chosen = nullptr;
    {
        const nb::gil_scoped_release release;
        chosen = new std::vector<i32>(cpu::draw(scores.data(), size_of(scores), spacing_ijk_mm.data(), size_of(block), wanted, seed));
    }
    const nb::capsule owner(chosen, [](void* p) noexcept { delete static_cast<std::vector<i32>*>(p); });
    return nb::ndarray<nb::numpy, i32, nb::shape<-1, 3>>(chosen->data(), {chosen->size() / 3, 3}, owner);
}

void accumulate(Voxels scores, In<f32, nb::shape<3, 4>> index_from_mm, In<f32, nb::shape<3, -1>> positions_mm, In<f32, nb::ndim<1>> values,
                In<f32, nb::shape<3, 3>> rotation, In<f32, nb::shape<3>> translation_mm, f32 scale, Out<f64, nb::shape<-1, terms>> out) {
    require(positions_mm.shape(1) == values.size(), "accumulate: give one value a position");
    require(out.shape(0) == cpu::accumulate_chunks(values.size()), "accumulate: out must have one row a chunk");
    require(scores.size() < (std::size_t(1) << 31), "accumulate: at most 2^31 voxels");
    cpu::Pose pose;
    std::copy_n(rotation.data(), 9, pose.rotation);
    std::copy_n(translation_mm.data(), 3, pose.translation);
    const nb::gil_scoped_release release;
    cpu::accumulate(scores.data(), size_of(scores), index_from_mm.data(), positions_mm.data(), values.data(), values.size(), pose, scale, out.data());
}

using Floats = In<f32, nb::ndim<3>>;

void project(Floats values, In<f64, nb::shape<3>> spacing_mm, In<f64, nb::shape<-1, 4, 3>> cameras, Out<f32, nb::ndim<3>> out) {
    require(out.shape(0) == cameras.shape(0), "project: out must have one image a camera");
    require(values.size() > 0 && values.size() < (std::size_t(1) << 30), "project: give 1 to 2^30 voxels");
    const cpu::Size images = size_of(out);
    const nb::gil_scoped_release release;
    cpu::project(values.data(), size_of(values), spacing_mm.data(), cameras.data(), images.k, images.j, images.i, out.data());
}

void backproject(Floats images, In<f64, nb::shape<-1, 3, 4>> pixel_from_index, Out<f32, nb::ndim<3>> out) {
    require(images.shape(0) == pixel_from_index.shape(0), "backproject: give one matrix an image");
    require(images.shape(1) > 1 && images.shape(2) > 1, "backproject: images must have at least two rows and two columns");
    const cpu::Size shape = size_of(images);
    const nb::gil_scoped_release release;
    cpu::backproject(images.data(), shape.k, shape.j, shape.i, pixel_from_index.data(), size_of(out), out.data());
}

void radiograph(Floats padded, In<f64, nb::shape<3>> spacing_mm, In<f64, nb::shape<4, 3>> camera, In<f64, nb::shape<-1, 4, 3>> changes,
                Out<f32, nb::ndim<3>> out) {
    const cpu::Size cells = size_of(padded);
    require(cells.i > 2 && cells.j > 2 && cells.k > 2, "radiograph: the field must have a layer of zeros around at least one voxel");
    require(padded.size() < (std::size_t(1) << 30), "radiograph: give at most 2^30 cells");
    require(changes.shape(0) == 0 || changes.shape(0) == 6, "radiograph: give the changes of all six motions or of none");
    require(out.shape(0) == changes.shape(0) + 1, "radiograph: out must have one plane for the image and one for each motion");
    const cpu::Size images = size_of(out);
    const nb::gil_scoped_release release;
    cpu::radiograph(padded.data(), {cells.i - 2, cells.j - 2, cells.k - 2}, spacing_mm.data(), camera.data(), changes.shape(0) ? changes.data() : nullptr,
                    images.j, images.i, out.data());
}

// What this processor has of the instruction sets that modules are built for, best last.
std::vector<std::string> instruction_sets() {
    std::vector<std::string> names{"baseline"};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) names.emplace_back("avx2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        names.emplace_back("avx512");
#endif
    return names;
}

}  // namespace

NB_MODULE(IGRT_MODULE_NAME, m) {
    m.attr("SOURCE_HASH") = IGRT_SOURCE_HASH;
    m.def("instruction_sets", &instruction_sets);
    m.def("set_threads", [](std::size_t count) { require(count > 0, "set_threads: give at least one thread"), cpu::set_threads(count); });
    m.def("threads", &cpu::threads);

    m.attr("SAMPLES_PER_CHUNK") = cpu::samples_per_chunk;
    m.attr("TERMS") = static_cast<int>(terms);

    m.def("interpolate", &interpolate, "hu"_a, "index_from_mm"_a, "points_mm"_a, "out"_a);
    m.def("shrink", &shrink, "hu"_a, "factors"_a, "out"_a);
    m.def("normalise", &normalise, "hu"_a, "valid"_a, "half"_a, "least"_a, "floor_hu"_a, "out"_a);
    m.def("correlate", &correlate, "first"_a, "second"_a, "valid"_a, "half"_a, "floor_hu"_a, "values"_a, "weights"_a);
    m.def("draw", &draw, "scores"_a, "spacing_ijk_mm"_a, "block"_a, "wanted"_a, "seed"_a);
    m.def("project", &project, "values"_a, "spacing_mm"_a, "cameras"_a, "out"_a);
    m.def("radiograph", &radiograph, "padded"_a, "spacing_mm"_a, "camera"_a, "changes"_a, "out"_a);
    m.def("backproject", &backproject, "images"_a, "pixel_from_index"_a, "out"_a);
    m.def("accumulate", &accumulate, "scores"_a, "index_from_mm"_a, "positions_mm"_a, "values"_a, "rotation"_a, "translation_mm"_a, "scale"_a, "out"_a);
}
