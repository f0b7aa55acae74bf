"""The simulator of the fault-injection benchmark: geometry, the scale of HU, noise, and faults that are what they say."""

from dataclasses import replace

import numpy as np
import pytest
from evidence_anatomies import Proportions
from evidence_cases import FAULTS, Case, cases, scene_of
from evidence_faults import Draw, flipped_axis, mirrored, truncated, wrong_position, wrong_spacing
from evidence_images import Bead, Curved, Field, Look, Pushed, carried, cone_beam, noise
from evidence_people import Person, Target, following
from evidence_run import deviations_mm, error_at_isocentre
from evidence_scenes import Scene

from igrt.compute import device
from igrt.compute.volume import Volume
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion

VERBS = device.choose(None).verbs
ISOCENTRE = np.array([20.0, -30.0, 400.0])
FIELD = Field(radius_mm=70.0, voxel_mm=(2.0, 2.0), across=80, along=60)
POSE = RigidMotion(
    Frame.PLAN, Frame.DAILY, rotation_from_angles(pitch_deg=3, roll_deg=-2, yaw_deg=4), ISOCENTRE + np.array([4.0, -3.0, 5.0])
)
BARE = Look(couch=False)


def person(spot_mm, *, hu: float = 0.0, spot_hu: float = 1000.0) -> Person:
    """Water all over, with a round soft spot (a Gaussian of 6 mm) at a place of the plan."""
    shape, step = (100, 110, 120), 1.8
    origin = ISOCENTRE - (np.array(shape[::-1]) - 1) / 2 * step
    grid = Grid.aligned(Frame.PLAN, shape_kji=shape, origin_mm=origin, spacing_mm=(step,) * 3)
    k, j, i = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    near = np.linalg.norm(grid.position_mm(np.stack([i, j, k], -1)) - spot_mm, axis=-1)
    tissue = np.rint(hu + (spot_hu - hu) * np.exp(-0.5 * (near / 6.0) ** 2)).astype(np.int16)
    target = Target(ISOCENTRE, ISOCENTRE + np.array([[10.0, 0, 0], [0, 10, 0], [0, 0, 10], [-10, 0, 0]]))
    return Person("someone", "thorax", 7, Volume(grid, tissue), {"site": target}, np.zeros((0, 3)), 0.0, ISOCENTRE, "thorax")


def centroid_mm(image: Volume, *, above_hu: float = 300.0) -> np.ndarray:
    """Of what is well brighter than water."""
    weight = np.clip(image.hu.astype(float) - above_hu, 0, None)
    k, j, i = np.nonzero(weight)
    return np.average(image.grid.position_mm(np.column_stack([i, j, k])), axis=0, weights=weight[k, j, i])


def scene(spot_mm) -> Scene:
    someone = person(spot_mm)
    start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), ISOCENTRE)
    return Scene(someone, someone.targets["site"], "site", someone, POSE, start, FIELD, BARE)


def image_of(a_scene: Scene) -> Volume:
    return a_scene.image(np.random.default_rng(0), VERBS)


def draw(seed: int = 0) -> Draw:
    return Draw(np.random.default_rng(seed), None)


def test_a_known_pose_is_where_the_image_has_it():
    spot = ISOCENTRE + np.array([12.0, -9.0, 7.0])
    assert np.abs(centroid_mm(image_of(scene(spot))) - POSE.inverse().apply(spot)).max() < 0.1


@pytest.mark.parametrize(
    "bends", [[Pushed(ISOCENTRE, 30.0, np.array([6.0, -5.0, 4.0]))], [Curved(ISOCENTRE, np.array([20.0, -25.0, 15.0]))]]
)
def test_bends_carry_tissue_to_where_the_truth_says(bends):
    spot = ISOCENTRE + np.array([5.0, 8.0, 24.0])
    bent = scene(spot)
    bent.bends += bends
    there = POSE.inverse().apply(carried(spot[None], bends))[0]
    assert np.linalg.norm(there - POSE.inverse().apply(spot)) > 1.5
    assert np.abs(centroid_mm(image_of(bent)) - there).max() < 0.3


def test_the_scale_of_hu_is_the_one_asked_for_and_beyond_the_field_is_air():
    look = Look(gain=0.8, offset_hu=-50.0, couch=False)
    image = cone_beam(
        person(ISOCENTRE, spot_hu=1000), plan_from_daily=POSE, field=FIELD, look=look, rng=np.random.default_rng(0), verbs=VERBS
    )
    k, j, i = (n // 2 for n in image.hu.shape)
    spot = np.rint(image.grid.index_ijk(POSE.inverse().apply(ISOCENTRE))).astype(int)
    assert 700 < image.hu[spot[2], spot[1], spot[0]] <= 750  # 0.8 x 1000 - 50, the voxel near the top
    assert abs(int(image.hu[k, j + 20, i + 20]) + 50) <= 2
    assert (image.hu[:, 0, 0] == -1000).all()
    assert (image.hu[:, j, [0, -1]] == -1000).all()  # 79 mm from the axis
    assert (image.hu[:, j, i] > -100).all()


def test_cupping_darkens_the_middle_and_not_the_rim():
    plain, cupped = (
        cone_beam(person(ISOCENTRE, spot_hu=0), plan_from_daily=POSE, field=FIELD, look=look, rng=np.random.default_rng(0), verbs=VERBS).hu
        for look in (BARE, replace(BARE, cupping_hu=150.0))
    )
    fall = plain.astype(int) - cupped
    assert abs(fall[30, 40, 40] - 150) < 3
    assert fall[30, 40, 70] < fall[30, 40, 55] < fall[30, 40, 40]


def test_noise_has_unit_variance_no_mean_and_the_spectrum_of_a_ramp():
    field = noise((24, 96, 96), np.random.default_rng(3))
    assert abs(float(field.std()) - 1) < 0.03
    assert abs(float(field.mean())) < 0.01
    power = (np.abs(np.fft.fft2(field)) ** 2).mean(axis=0)
    radius = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(96))
    low, middle, high = (power[(radius > a) & (radius < b)].mean() for a, b in ((0.005, 0.03), (0.15, 0.25), (0.48, 0.5)))
    assert low < 0.3 * middle
    assert high < 0.5 * middle


def test_gas_and_metal_lie_where_they_are_put():
    look = replace(BARE, gas=(Bead(np.array([15.0, 0.0, 8.0]), 8.0),), metal=(Bead(np.array([-21.0, 5.0, -9.0]), 5.0),), streak_hu=300.0)
    plain, image = (
        cone_beam(person(ISOCENTRE, spot_hu=0), plan_from_daily=POSE, field=FIELD, look=each, rng=np.random.default_rng(0), verbs=VERBS)
        for each in (BARE, look)
    )
    assert np.abs(centroid_mm(image, above_hu=1500.0) - [-21, 5, -9]).max() < 0.6
    k, j, i = np.nonzero(image.hu < -500)
    inside = image.grid.position_mm(np.column_stack([i, j, k]))
    inside = inside[np.hypot(inside[:, 0], inside[:, 1]) < 60]
    assert np.abs(inside.mean(axis=0) - [15, 0, 8]).max() < 0.6
    streaked = np.abs(image.hu.astype(int) - plain.hu).max(axis=(1, 2)) > 100
    assert streaked[25]  # the slice of the metal, 9 mm below the middle
    assert not streaked[:18].any()


def test_mirrored_means_mirrored_about_the_middle_of_the_body():
    spot = ISOCENTRE + np.array([14.0, 6.0, -8.0])
    changed = scene(spot)
    changed.truth = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), ISOCENTRE)
    before = centroid_mm(image_of(changed))
    mirrored(changed, draw())
    after = centroid_mm(image_of(changed))
    assert changed.impossible
    assert np.abs(after - before * [-1, 1, 1]).max() < 0.1


def test_a_flipped_axis_flips_one_axis():
    changed = scene(ISOCENTRE + np.array([14.0, 6.0, -8.0]))
    before = centroid_mm(image_of(changed))
    flipped_axis(changed, draw())
    after = centroid_mm(image_of(changed))
    flips = np.sign(after * before)
    assert (flips < 0).sum() == 1
    assert np.abs(after - flips * before).max() < 0.1


def test_a_wrong_position_turns_the_patient_and_the_truth():
    spot = ISOCENTRE + np.array([14.0, 6.0, -8.0])
    changed = scene(spot)
    wrong_position(changed, draw())
    assert np.abs(centroid_mm(image_of(changed)) - changed.truth.inverse().apply(spot)).max() < 0.1
    assert np.linalg.norm(changed.errors_mm(POSE), axis=1).max() > 10


def test_a_wrong_spacing_stretches_the_header_and_not_the_truth():
    changed = scene(ISOCENTRE)
    wrong_spacing(changed, draw())
    grid = image_of(changed).grid
    assert np.abs(grid.centre_mm - FIELD.grid.centre_mm).max() < 1e-9
    off = grid.spacing_mm / FIELD.grid.spacing_mm - 1
    assert 0.016 < np.abs(off).max() < 0.21
    assert np.abs(changed.errors_mm(POSE)).max() < 1e-9


def test_a_truncated_image_keeps_its_middle():
    changed = scene(ISOCENTRE)
    truncated(changed, draw(2))
    whole, cut = scene(ISOCENTRE), image_of(changed)
    share = float((cut.hu > -999).sum() / (image_of(whole).hu > -999).sum())
    assert 0.02 < share < 0.51
    assert cut.hu[30, 40, 40] == image_of(whole).hu[30, 40, 40]


def test_errors_are_those_of_the_target():
    here = scene(ISOCENTRE)
    shift = RigidMotion(Frame.PLAN, Frame.PLAN, np.eye(3), np.array([0.0, 3.0, 4.0]))
    assert np.abs(np.linalg.norm(here.errors_mm(shift @ POSE), axis=1) - 5).max() < 1e-9
    error = error_at_isocentre(shift, here)
    assert np.abs(error - [0, 3, 4, 0, 0, 0]).max() < 1e-12


def test_deviations_are_those_of_small_motions_drawn_from_the_covariance():
    rng = np.random.default_rng(5)
    half = rng.normal(size=(6, 6)) * [1, 1, 1, 0.01, 0.01, 0.01]
    covariance = half.T @ half
    arm = np.array([[30.0, -20.0, 50.0]])
    drawn = rng.multivariate_normal(np.zeros(6), covariance, 40_000)
    moved = drawn[:, :3] + np.cross(drawn[:, 3:], arm)
    assert np.abs(deviations_mm(covariance, arm)[0] / moved.std(axis=0) - 1).max() < 0.02


def test_proportions_lead_to_the_anatomy_and_back():
    own = Proportions.of(3, ISOCENTRE)
    there = ISOCENTRE + np.random.default_rng(1).uniform(-80, 80, (50, 3))
    here = own.person_from_anatomy(there)
    assert np.abs(here + own.shift_mm(here) - there).max() < 1e-6
    assert np.linalg.norm(here - there, axis=1).mean() > 2


def test_the_cases_are_the_same_each_time_and_each_patient_stays_in_one_half():
    listed = list(cases())
    assert listed == list(cases())
    assert len({case.key for case in listed}) == len(listed)
    assert {case.fault for case in listed} == set(FAULTS)
    generated = {(case.site, case.seed) for case in listed if case.seed >= 0}
    assert len(generated) >= 200
    assert sum(case.fault == "good" for case in listed) >= 3000
    assert all((following(seed) - seed) % 2 == 0 for _, seed in generated)
    first, second = (list(cases(part=part, parts=2)) for part in (0, 1))
    assert sorted(first + second) == sorted(listed)


class OnePatient:
    """Stands in for people: everyone is the same."""

    def __init__(self) -> None:
        someone = person(ISOCENTRE)
        self.someone = replace(someone, targets={"site": someone.targets["site"], "spine": someone.targets["site"]})

    def patient(self, _site, _seed):
        return self.someone


def test_a_case_is_the_same_bits_each_time_and_another_number_is_not():
    images = []
    for n in (0, 0, 1):
        a_scene, rng = scene_of(Case("thorax", 7, "metal", n), OnePatient())
        images.append(a_scene.image(rng, VERBS).hu)
    assert (images[0] == images[1]).all()
    assert images[0].shape != images[2].shape or (images[0] != images[2]).any()
