"""The second solver: a known pose, the same bits twice, its measure, and images that it cannot match."""

import math

import numpy as np
import pytest

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.evidence import largest_displacement_mm
from igrt.registration.second import Second
from tests.registration_cases import ISOCENTRE_MM, daily_grid, grid_about, image, motion

TRUTH = motion((6.0, -9.0, 11.0), degrees=2.5)
PLAN = image(grid_about((0, 0, 0), shape_kji=(80, 72, 84), spacing_mm=(3.0, 3.0, 3.0)))
DAILY = image(daily_grid(), TRUTH, gain=0.8, offset=-120.0, noise=25.0)


def solved(daily=DAILY, start=None) -> Second:
    return Second(PLAN, daily, start=start or motion(), isocentre_mm=ISOCENTRE_MM)


@pytest.fixture(scope="module")
def second() -> Second:
    return solved()


def test_a_known_pose_is_found_through_another_scale_and_noise(second):
    assert largest_displacement_mm(TRUTH, second.plan_from_daily, ISOCENTRE_MM) < 0.6


def test_the_same_images_give_the_same_bits(second):
    again = solved()
    assert again.plan_from_daily.matrix.tobytes() == second.plan_from_daily.matrix.tobytes()
    one, other = second.against(TRUTH), again.against(TRUTH)
    assert (one.similarity, one.similarity_there) == (other.similarity, other.similarity_there)


@pytest.mark.parametrize("shift_mm", [3.0, 10.0, 30.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_displaced_pose_is_as_far_as_it_is_displaced_and_less_alike(second, shift_mm, axis):
    shift = np.zeros(3)
    shift[axis] = shift_mm
    found = second.against(RigidMotion(Frame.PLAN, Frame.DAILY, TRUTH.rotation, TRUTH.translation_mm + shift))
    assert abs(found.difference_mm - shift_mm) < 0.6
    assert found.similarity > 1.02 * found.similarity_there


def test_the_compared_pose_takes_no_part_in_the_search(second):
    before = second.plan_from_daily.matrix.copy()
    second.against(motion((40.0, 0.0, 0.0)))
    assert (second.plan_from_daily.matrix == before).all()
    assert second.against(second.plan_from_daily).difference_mm < 1e-9


def test_without_any_overlap_there_is_no_measure(second):
    assert math.isnan(second.against(motion((0.0, 0.0, 5000.0))).similarity_there)


def test_an_image_without_a_patient_is_not_matched():
    grid = daily_grid()
    noise = np.random.default_rng(1).normal(-1000, 5, grid.shape_kji).astype(np.int16)
    with pytest.raises(InputError, match="second solver"):
        solved(Volume(grid, noise))


def test_a_start_beside_the_patient_is_said_in_one_sentence():
    with pytest.raises(InputError, match=r"^SimpleITK cannot match the images \(.*\); judge the match without a second solver$"):
        solved(start=motion((0.0, 0.0, 5000.0)))
