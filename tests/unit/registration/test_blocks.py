"""Regions of samples: each sample in one of them, alike in number, compact."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from igrt.compute import cpu
from igrt.compute.reference import INSIDE_COUNT, NORMAL_VECTOR, SAMPLES_PER_CHUNK
from igrt.registration.blocks import TARGET_MM, Blocks, nearest, split
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.samples import Samples
from igrt.registration.solver import Centres, LevelProblem, Pose
from tests.registration_cases import ISOCENTRE_MM, daily_grid, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
PLAN = prepare_plan(image(grid_about((0, 0, 0))), VERBS)
DAILY = prepare_daily(image(daily_grid(), motion(), noise=10), VERBS)
POSE = motion((1, -2, 1), degrees=2)


def blocks(regions=8, level=3) -> Blocks:
    return Blocks(
        PLAN.levels[level],
        DAILY.levels[level],
        POSE,
        daily_centre_mm=DAILY.centre_mm,
        isocentre_mm=ISOCENTRE_MM,
        regions=regions,
        verbs=VERBS,
    )


def unmoved(found: Blocks) -> tuple[np.ndarray, np.ndarray]:
    n = len(found.centres_mm)
    return np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))


@given(splits=st.integers(0, 5), each=st.integers(2, 20), seed=st.integers(0, 99))
def test_every_place_is_in_one_region_and_all_are_alike_in_number(splits, each, seed) -> None:
    places = np.random.default_rng(seed).normal(0, [[80], [50], [30]], (3, each * 2**splits)).astype(np.float32)
    parts = split(places, 2**splits)
    assert parts.shape == (2**splits, each)
    assert sorted(parts.ravel()) == list(range(places.shape[1]))


def test_regions_are_compact() -> None:
    places = np.random.default_rng(0).uniform(0, [[160], [80], [80]], (3, 4096)).astype(np.float32)
    parts = split(places, 8)
    sides = np.array([np.ptp(places[:, part], axis=1) for part in parts])
    assert sides.max() < 85  # 160 x 80 x 80 mm in 8: about 40 x 40 x 80 or 80 x 40 x 40 at most
    assert np.prod(sides, axis=1).max() < 1.2 * 160 * 80 * 80 / 8


@given(radius=st.floats(5, 90), count=st.integers(0, 3000), seed=st.integers(0, 99))
def test_the_nearest_samples_are_nearest_and_none_is_far(radius, count, seed) -> None:
    positions = np.random.default_rng(seed).uniform(-radius, radius, (3, count)).astype(np.float32)
    place = np.array([3.0, -2.0, 1.0])
    found = nearest(Samples(positions, np.zeros(count, np.float32)), place, TARGET_MM)
    distance = np.linalg.norm(positions.T - place, axis=1)
    within = int((distance <= TARGET_MM).sum())
    assert abs(len(found) - min(within, SAMPLES_PER_CHUNK)) <= 1  # of float32 at the very rim
    assert len(set(found)) == len(found)
    if len(found):
        left_out = np.setdiff1d(np.arange(count), found)
        assert distance[found].max() <= TARGET_MM + 1e-3
        assert not len(left_out) or distance[left_out].min() >= distance[found].max() - 1e-3 or len(found) < SAMPLES_PER_CHUNK


def test_the_sums_of_regions_add_up_to_those_of_the_whole() -> None:
    found = blocks(regions=16)
    sums = found.sums(*unmoved(found), scale=1.0)
    count = len(DAILY.levels[3].values)
    each = min(count // 16, SAMPLES_PER_CHUNK)
    chosen = np.arange(each * 16) * count // (each * 16)
    samples = Samples(np.ascontiguousarray(DAILY.levels[3].positions_mm[:, chosen]), np.ascontiguousarray(DAILY.levels[3].values[chosen]))
    whole = LevelProblem(PLAN.levels[3], samples, ISOCENTRE_MM, VERBS).evaluate(Pose.of(POSE, Centres(ISOCENTRE_MM, DAILY.centre_mm)), 1.0)
    parts, together = sums[:-1].sum(axis=0), whole.sum(axis=0)
    assert together[INSIDE_COUNT] > 0.9 * each * 16
    np.testing.assert_allclose(parts[INSIDE_COUNT], together[INSIDE_COUNT], rtol=2e-3)
    scale = np.abs(whole[:, NORMAL_VECTOR]).sum(axis=0)
    assert np.all(np.abs(parts[NORMAL_VECTOR] - together[NORMAL_VECTOR]) <= 0.01 * scale)


def test_the_last_region_lies_at_the_isocentre() -> None:
    found = blocks()
    assert np.linalg.norm(found.centres_mm[-1]) < 20  # about the isocentre
    inside = found.local_mm[-1][:, np.abs(found.local_mm[-1][0]) < 1e5].T + found.centres_mm[-1]
    assert np.linalg.norm(inside, axis=1).max() <= TARGET_MM + 1e-3


def test_an_image_with_hardly_a_sample_has_regions_without_any() -> None:
    few = Samples(np.zeros((3, 5), np.float32), np.zeros(5, np.float32))
    found = Blocks(PLAN.levels[3], few, POSE, daily_centre_mm=DAILY.centre_mm, isocentre_mm=ISOCENTRE_MM + 500, regions=8, verbs=VERBS)
    assert not found.sums(*unmoved(found), scale=1.0).any()
