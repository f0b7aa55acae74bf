"""Regions by themselves: where known deformations put them, and what is no deformation."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.compute import cpu
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.registration.blocks import TARGET_MM
from igrt.registration.match import NOT_KNOWN, RegionResidual
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.regions import (
    FAR_TARGET_MM,
    FINE_REGIONS,
    LEAST_SAMPLES,
    Regions,
    beyond_doubt_mm,
    cross_matrices,
    disagreement_mm,
    region_residuals,
    rotations_of,
    stretch,
)
from igrt.registration.solver import rotation_of
from tests.registration_cases import ISOCENTRE_MM, anatomy_hu, axis_angle, daily_grid, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
PLAN = prepare_plan(image(grid_about((0, 0, 0))), VERBS)
TRUTH = motion()
GRID = daily_grid()


def of(volume: Volume, pose=TRUTH, verbs=VERBS) -> Regions:
    return region_residuals(PLAN, prepare_daily(volume, verbs), pose, isocentre_mm=ISOCENTRE_MM, verbs=verbs)


def deformed(displaced, noise=15.0) -> Volume:
    """The anatomy after `displaced` has moved it: `displaced` takes plan points (..., 3) where they lie now to where they come from."""
    index = np.stack(np.meshgrid(*map(np.arange, GRID.shape_kji), indexing="ij"), -1)[..., ::-1]
    hu = anatomy_hu(displaced(TRUTH.apply(GRID.position_mm(index)))) + np.random.default_rng(1).normal(0, noise, GRID.shape_kji)
    return Volume(GRID, np.rint(np.clip(hu, -1024, 3071)).astype(np.int16))


def columns(found: Regions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres about the isocentre, displacements, deviations, of all but the region at the isocentre."""
    rows = found.residuals[:-1] if found.target_mm != NOT_KNOWN else found.residuals
    centres, moved = (np.array([getattr(row, name) for row in rows]) for name in ("centre_mm", "displacement_mm"))
    return centres - ISOCENTRE_MM, moved, np.array([row.sd_mm for row in rows])


@pytest.mark.parametrize(("gain", "noise"), [(1.0, 10), (0.7, 40), (0.9, 100)])
def test_a_rigid_patient_lies_in_his_place(gain, noise) -> None:
    found = of(image(GRID, TRUTH, gain=gain, offset=-50, noise=noise))
    assert len(found.residuals) == FINE_REGIONS + 1
    assert found.residual_mm < 0.5
    assert found.target_mm < 0.5
    assert 0 <= found.stretch < 0.004


@pytest.mark.parametrize("shift_mm", [(3, 0, 0), (0, -4, 0), (2, 2, -3)])
def test_at_a_pose_that_is_off_every_region_lies_where_the_anatomy_does(shift_mm) -> None:
    found = of(image(GRID, TRUTH, noise=10), pose=motion(shift_mm))
    _, moved, sd = columns(found)
    sure = sd < 0.8
    assert sure.sum() >= 8
    assert np.median(np.linalg.norm(moved[sure] - shift_mm, axis=1)) < 0.6
    assert found.residual_mm == pytest.approx(np.linalg.norm(shift_mm), abs=1.0)
    assert found.target_mm == pytest.approx(np.linalg.norm(shift_mm), abs=1.0)
    assert found.stretch < 0.006


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_at_a_pose_that_is_turned_regions_are_turned_and_moved_with_it(axis) -> None:
    turned = motion(axis=axis, degrees=3)
    found = of(image(GRID, TRUTH, noise=10), pose=turned)
    centres, moved, sd = columns(found)
    expected = centres @ axis_angle(axis, 3.0).T - centres
    assert np.median(np.linalg.norm(moved - expected, axis=1)[sd < 0.8]) < 0.6
    turn = np.median(np.array([row.turn_deg for row in found.residuals[:-1]])[sd < 0.4], axis=0)
    assert np.linalg.norm(turn) == pytest.approx(3.0, abs=0.8)
    np.testing.assert_allclose(np.cross(np.radians(turn), centres), expected, atol=1.2)  # right-handed, as the displacements are
    assert found.stretch < 0.006


def test_a_half_that_turns_is_told_from_the_half_that_lies_still() -> None:
    back = axis_angle((1, 0, 0), -5.0)

    def articulated(points):
        upper = points[..., 2:] > 25.0
        return np.where(upper, (points - [0, 20, 25]) @ back.T + [0, 20, 25], points)

    found = of(deformed(articulated))
    centres, moved, sd = columns(found)
    heights, size = centres[:, 2] + ISOCENTRE_MM[2], np.linalg.norm(moved, axis=1)
    assert np.median(size[(heights < 5) & (sd < 0.8)]) < 0.8
    upper = heights > 40
    expected = (centres + ISOCENTRE_MM - [0, 20, 25]) @ (axis_angle((1, 0, 0), 5.0) - np.eye(3)).T
    assert upper.sum() >= 2
    assert np.median(np.linalg.norm(moved - expected, axis=1)[upper]) < 0.8
    assert found.residual_mm > 1.5


def test_a_target_that_moves_alone_is_seen_at_the_isocentre() -> None:
    def pushed(points):
        return points - np.array([0, 0, 5.0]) * np.exp(-((points - ISOCENTRE_MM) ** 2).sum(-1, keepdims=True) / (2 * 30.0**2))

    found = of(deformed(pushed))
    assert found.target_mm > 2.0
    assert np.array(found.residuals[-1].displacement_mm) @ [0, 0, 1] > 2.0
    assert of(deformed(lambda points: points)).target_mm < 0.5


def test_where_nothing_lies_near_the_isocentre_the_nearest_within_60_mm_stand_for_it() -> None:
    daily, pose = prepare_daily(image(GRID, TRUTH, noise=10), VERBS), motion((0, 3, 0))
    points = pose.apply(daily.levels[3].positions_mm.T + daily.centre_mm)
    beside = ISOCENTRE_MM + np.array([[0.0, -y, 0.0] for y in range(80, 240, 2)])  # out of the front of the body
    near = (np.linalg.norm(points - beside[:, None], axis=2)[..., None] <= [TARGET_MM, FAR_TARGET_MM]).sum(axis=1)
    lonely = beside[(near[:, 0] < LEAST_SAMPLES) & (near[:, 1] > 4 * LEAST_SAMPLES)]
    assert len(lonely)
    found = region_residuals(PLAN, daily, pose, isocentre_mm=lonely[0], verbs=VERBS)
    assert found.target_mm != NOT_KNOWN
    assert found.residuals[-1].displacement_mm[1] == pytest.approx(3.0, abs=1.0)  # the skin slides along itself, not across
    assert region_residuals(PLAN, daily, pose, isocentre_mm=beside[-1], verbs=VERBS).target_mm == NOT_KNOWN


@pytest.mark.parametrize("factors", [(1.03, 1, 1), (1, 1, 1.05), (1.04, 1.04, 1.04), (0.95, 1, 1)])
def test_a_header_with_wrong_voxel_sizes_shows_as_stretch(factors) -> None:
    right = image(GRID, TRUTH, noise=15)
    factors = np.array(factors, float)
    wrong = Grid(
        GRID.frame, GRID.shape_kji, GRID.centre_mm - factors * (GRID.centre_mm - GRID.origin_mm), GRID.spacing_mm * factors, np.eye(3)
    )
    largest = float(np.abs(factors - 1).max())
    assert 0.35 * largest < of(Volume(wrong, right.hu)).stretch < 1.3 * largest


@pytest.mark.parametrize("slices", [12, 20])
def test_an_image_too_thin_to_show_its_thickness_is_not_called_stretched(slices) -> None:
    thin = daily_grid(shape_kji=(slices, 76, 80))
    assert of(image(thin, TRUTH, noise=15)).stretch < 0.003


def test_a_part_that_moves_far_does_not_lead_the_rest_astray() -> None:
    def breathed(points):
        part = np.clip((20 - points[..., 1:2]) / 40, 0, 1) * np.clip((-points[..., 2:]) / 30, 0, 1)
        return points - np.array([0, 0, 12.0]) * part

    found = of(deformed(breathed))
    centres, moved, sd = columns(found)
    still = (centres[:, 2] + ISOCENTRE_MM[2] > 20) & (sd < 0.8)
    assert still.sum() >= 4
    assert np.linalg.norm(moved[still], axis=1).max() < 1.2
    assert found.stretch < 0.02


@given(
    strain=st.floats(-0.1, 0.1),
    turn=st.tuples(*[st.floats(-0.02, 0.02)] * 3),
    shift=st.tuples(*[st.floats(-4, 4)] * 3),
    axis=st.integers(0, 2),
)
def test_the_stretch_of_a_strain_is_the_strain_and_of_a_rigid_motion_nothing(strain, turn, shift, axis) -> None:
    places = np.array([[x, y, z] for x in (-80, 0, 80) for y in (-50, 50) for z in (-60, 0, 60)], float)
    rigid = places @ cross_matrices(np.array([turn]))[0].T + shift
    assert stretch(rows(places, rigid)) < 1e-3
    strained = rigid.copy()
    strained[:, axis] += strain * places[:, axis]
    found = stretch(rows(places, strained))
    assert found <= abs(strain) + 1e-3
    assert abs(strain) < 0.01 or found == pytest.approx(abs(strain), rel=0.12)


def rows(places, moved, sd=0.2) -> list[RegionResidual]:
    return [RegionResidual(tuple(c), tuple(d), (0.0, 0.0, 0.0), sd) for c, d in zip(places, moved, strict=True)]


def test_what_moves_in_one_part_alone_is_hardly_a_stretch() -> None:
    places = np.array([[x, y, z] for x in (-80, 0, 80) for y in (-50, 50) for z in (-60, 0, 60)], float)
    breathing = np.where((places[:, 1:2] < 0) & (places[:, 2:] < 0), [[0.0, 0.0, 8.0]], 0.0)
    assert stretch(rows(places, breathing)) < 0.01


def test_disagreement_is_of_nearly_all_regions_and_not_of_one() -> None:
    still = [RegionResidual((0, 0, 0), (0, 0, 0), (0, 0, 0), 0.2)] * 15
    one = RegionResidual((0, 0, 0), (9, 0, 0), (0, 0, 0), 0.2)
    assert disagreement_mm([*still, one]) == 0.0
    assert disagreement_mm([*still[:12], *[one] * 3]) == pytest.approx(8.8)
    unsure = dataclasses.replace(one, sd_mm=6.0)
    assert disagreement_mm([*still[:12], *[unsure] * 3]) < 3.1
    assert beyond_doubt_mm(dataclasses.replace(one, sd_mm=20.0)) == 0.0


def test_too_few_regions_say_nothing() -> None:
    some = [RegionResidual((0, 0, 0), (1, 0, 0), (0, 0, 0), 0.2)]
    assert disagreement_mm(some * 3) == NOT_KNOWN
    assert stretch(some * 7) == NOT_KNOWN
    nowhere = of(image(GRID, TRUTH), pose=motion((0, 0, 400)))
    assert (nowhere.residuals, nowhere.residual_mm, nowhere.stretch, nowhere.target_mm) == ((), NOT_KNOWN, NOT_KNOWN, NOT_KNOWN)


def test_the_same_bits_for_any_number_of_threads() -> None:
    volume, found = image(GRID, TRUTH, noise=30), []
    for threads in (1, 3):
        verbs = cpu.CpuVerbs(cpu.BEST)
        before = verbs.threads
        verbs.set_threads(threads)
        result = of(volume, pose=motion((1, 1, 1)), verbs=verbs)
        verbs.set_threads(before)
        found.append((result.residuals, result.residual_mm, result.stretch, result.target_mm))
    assert found[0] == found[1]


@given(w=st.tuples(*[st.floats(-2, 2)] * 3))
def test_rotations_of_many_are_those_of_one(w) -> None:
    np.testing.assert_allclose(rotations_of(np.array([w, w])), np.stack([rotation_of(np.array(w))] * 2), atol=1e-9)
    np.testing.assert_allclose(cross_matrices(np.array([w]))[0] @ [1, 2, 3], np.cross(w, [1, 2, 3]), atol=1e-12)
