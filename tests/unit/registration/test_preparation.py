"""Preparation: as slabs arrive or at once, the same bits; what does not fit is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.compute import cpu
from igrt.compute.reference import NO_SCORE
from igrt.registration.levels import LEVELS
from igrt.registration.preparation import DailyPreparation, PreparedDaily, Pyramid, prepare_daily, prepare_plan
from tests.registration_cases import axis_angle, daily_grid, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
DAILY = image(daily_grid(shape_kji=(23, 60, 64)), motion((4, -3, 2), degrees=2), noise=15)
WHOLE = prepare_daily(DAILY, VERBS)


def same(first: PreparedDaily, second: PreparedDaily) -> bool:
    pairs = [(a.positions_mm, b.positions_mm) for a, b in zip(first.levels, second.levels, strict=True)]
    pairs += [(a.values, b.values) for a, b in zip(first.levels, second.levels, strict=True)]
    pairs += [
        (first.region.volume.hu, second.region.volume.hu),
        (first.region.body, second.region.body),
        (first.centre_mm, second.centre_mm),
    ]
    return all(np.array_equal(a, b) for a, b in pairs)


@settings(max_examples=8)
@given(st.lists(st.integers(1, 22), max_size=4, unique=True), st.randoms())
def test_slabs_of_any_size_in_any_order_give_the_same_bits(cuts, random) -> None:
    edges = [0, *sorted(cuts), 23]
    slabs = list(itertools.pairwise(edges))
    random.shuffle(slabs)
    preparation = DailyPreparation(DAILY.grid, VERBS)
    for begin, end in slabs:
        preparation.add(begin, np.array(DAILY.hu[begin:end]))
    assert same(preparation.finish(), WHOLE)


def test_a_slab_sent_twice_changes_nothing() -> None:
    preparation = DailyPreparation(DAILY.grid, VERBS)
    for begin in (0, 0, 8, 16, 8):
        preparation.add(begin, DAILY.hu[begin : begin + 8])
    assert same(preparation.finish(), WHOLE)


def test_missing_slices_are_named() -> None:
    preparation = DailyPreparation(DAILY.grid, VERBS)
    preparation.add(0, DAILY.hu[:8])
    preparation.add(10, DAILY.hu[10:])
    with pytest.raises(ValueError, match="2 slices of the image, the first 8, were never added"):
        preparation.finish()


@pytest.mark.parametrize(
    ("k_start", "slab"),
    [
        (20, np.zeros((4, 60, 64), np.int16)),
        (-1, np.zeros((4, 60, 64), np.int16)),
        (0, np.zeros((4, 60, 63), np.int16)),
        (0, np.zeros((4, 60, 64), np.int32)),
        (0, np.zeros((60, 64), np.int16)),
        (0, np.zeros((0, 60, 64), np.int16)),
    ],
)
def test_slabs_that_do_not_fit(k_start, slab) -> None:
    with pytest.raises(ValueError, match="does not fit the grid"):
        DailyPreparation(DAILY.grid, VERBS).add(k_start, slab)


def test_the_pyramid_holds_block_means() -> None:
    pyramid = Pyramid(DAILY.grid, VERBS)
    pyramid.add(0, DAILY.hu)
    for factors, volume in zip(pyramid.factors, pyramid.volumes, strict=True):
        np.testing.assert_array_equal(volume, VERBS.shrink(DAILY.hu, factors))


def test_samples_lie_on_the_body_and_are_about_as_many_as_asked() -> None:
    plan = prepare_plan(image(grid_about((0, 0, 0))), VERBS)
    daily = prepare_daily(image(daily_grid(), motion()), VERBS)
    for level, samples, scored, on_plan in zip(LEVELS, daily.levels, daily.scores, plan.levels, strict=True):
        voxels = int((scored.scores != NO_SCORE).sum())  # fewer, where the voxels are large
        assert min(0.3 * level.samples, 0.7 * voxels) < len(samples.values) < 1.1 * level.samples
        position = motion().apply(samples.positions_mm.T + daily.centre_mm)
        assert (np.linalg.norm(position / (122, 92, 320), axis=1) < 1).all()  # half axes of the body and the margin
        index = np.rint(on_plan.grid.index_ijk(position)).astype(int)
        inside = ((index >= 0) & (index < on_plan.grid.size_ijk)).all(axis=1)
        assert (on_plan.scores[tuple(index[inside].T[::-1])] != NO_SCORE).mean() > 0.97


def test_an_oblique_grid_moves_samples_with_it() -> None:
    turn = axis_angle((3, 1, 2), 25)
    straight = prepare_daily(image(daily_grid()), VERBS)
    oblique_grid = daily_grid(direction=turn)
    oblique = prepare_daily(type(DAILY)(oblique_grid, image(daily_grid()).hu), VERBS)
    for a, b in zip(straight.levels, oblique.levels, strict=True):
        np.testing.assert_allclose(turn @ a.positions_mm, b.positions_mm, atol=1e-3)
        np.testing.assert_array_equal(a.values, b.values)
