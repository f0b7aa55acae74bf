import numpy as np
import pytest

from igrt.images.load import load_daily
from tests.unit.images.conftest import MakeStudy, Study, a_grid, setting


def shift_all(study: Study, positions_mm: np.ndarray) -> None:
    for path, position in zip(study.slices(), positions_mm, strict=True):
        study.edit(path, setting(ImagePositionPatient=[f"{x:.4f}" for x in position]))


def positions(study: Study) -> np.ndarray:
    return np.array([study.volume.grid.position_mm((0, 0, k)) for k in range(len(study.volume.hu))])


def test_missing_slice(study: Study):
    study.slice(3).unlink()
    assert study.refused(study.plan) == (
        "DIR misses 1 slice(s), the first between CT_0003.dcm (-405.50 mm) and CT_0005.dcm (-400.50 mm) "
        "where slices are 2.50 mm apart; copy the whole series"
    )


def test_two_slices_missing_in_two_places(make_study: MakeStudy):
    study = make_study(hu=None)
    study.slice(1).unlink()
    study.slice(5).unlink()
    assert "misses 2 slice(s), the first between CT_0001.dcm" in study.refused(study.plan)


def test_the_same_slice_twice(study: Study):
    (study.folder / "copy.dcm").write_bytes(study.slice(2).read_bytes())
    assert study.refused(study.plan) == (
        "DIR holds a slice twice: CT_0003.dcm and copy.dcm both lie at -405.50 mm; remove one, or give one series alone"
    )


def test_unevenly_spaced(study: Study):
    at = positions(study)
    at[5:, 2] += 1.2
    shift_all(study, at)
    assert study.refused(study.plan) == (
        "DIR is spaced unevenly: 3.70 mm between CT_0005.dcm (-400.50 mm) and CT_0006.dcm (-396.80 mm), 2.50 mm elsewhere; "
        "reconstruct it with one slice spacing"
    )


def test_spacing_that_creeps(make_study: MakeStudy):
    study = make_study()
    at = positions(study)
    at[:, 2] += 0.03 * np.arange(8) ** 2
    shift_all(study, at)
    assert "spaced unevenly" in study.refused(study.plan)


def test_spacing_that_changes_a_little_and_adds_up(study: Study):
    at = positions(study)
    at[:, 2] = at[0, 2] + np.concatenate([[0], np.cumsum([2.56] * 4 + [2.44] * 3)])
    shift_all(study, at)
    assert study.refused(study.plan) == (
        "DIR is spaced unevenly: CT_0005.dcm lies 0.12 mm off a regular stack; reconstruct it with one slice spacing"
    )


@pytest.mark.parametrize("step_mm", [2.46875, 2.55, 0.625])
def test_positions_rounded_to_a_tenth_are_a_regular_stack(study: Study, step_mm: float):
    at = positions(study)
    at[:, 2] = np.round(-410.5 + step_mm * np.arange(8), 1)
    shift_all(study, at)
    grid = study.daily().volume.grid
    np.testing.assert_allclose(grid.position_mm([(0, 0, k) for k in range(8)]), at, atol=0.1)


def test_tilted_gantry(study: Study):
    at = positions(study)
    at[:, 1] += np.tan(np.radians(12)) * (at[:, 2] - at[0, 2])
    shift_all(study, at)
    assert study.refused(study.plan) == (
        "DIR was taken with a tilted gantry, its slices are sheared by 12.0 degrees; scan without tilt or resample it to right angles"
    )


def test_tilt_that_only_the_tag_states(study: Study):
    study.edit_all(setting(GantryDetectorTilt="-10"))
    assert study.refused(study.plan) == (
        "DIR states a gantry tilt of -10.0 degrees (0018,1120) and its orientation shows 0.0; "
        "scan without tilt or resample it to right angles"
    )


def test_tilt_of_a_stack_at_right_angles_is_only_an_orientation(make_study: MakeStudy):
    c, s = np.cos(np.radians(10)), np.sin(np.radians(10))
    study = make_study(grid=a_grid(direction=np.array([[1, 0, 0], [0, c, -s], [0, s, c]])))
    study.edit_all(setting(GantryDetectorTilt="10"))
    np.testing.assert_array_equal(study.plan().ct.hu, study.volume.hu)


def test_a_slice_beside_the_others(study: Study):
    at = positions(study)
    at[3, 0] += 4
    shift_all(study, at)
    assert study.refused(study.plan) == "DIR: CT_0004.dcm lies beside the stack of the other slices; give the slices of one scan"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"PixelSpacing": ["1.1", "1.0"]}, "have pixels of [1.1, 0.9] and [1.1, 1.0] mm; give the slices of one reconstruction"),
        (
            {"ImageOrientationPatient": [0, 1, 0, -1, 0, 0]},
            "differ in Image Orientation (0020,0037); give the slices of one reconstruction",
        ),
        ({"Rows": 20, "Columns": 96}, "have (40, 48) and (20, 96) rows and columns; give the slices of one reconstruction"),
    ],
)
def test_slices_of_different_reconstructions(study: Study, change: dict, sentence: str):
    study.edit(study.slice(4), setting(**change))
    assert study.refused(study.plan) == f"DIR: CT_0001.dcm and CT_0005.dcm {sentence}"


@pytest.mark.parametrize("orientation", [[1, 0, 0, 0.1, 0.995, 0], [2, 0, 0, 0, 2, 0], [0, 0, 0, 0, 0, 0]])
def test_orientation_that_is_none(study: Study, orientation: list):
    study.edit_all(setting(ImageOrientationPatient=orientation))
    assert "is no right angle of unit vectors; export it again" in study.refused(study.plan)


def test_pixel_spacing_of_nothing(study: Study):
    study.edit_all(setting(PixelSpacing=[0, 1]))
    assert "Pixel Spacing (0028,0030) is [0.0, 1.0]; export the series again" in study.refused(study.plan)


@pytest.mark.parametrize("left", [1, 2])
def test_too_few_slices(study: Study, left: int):
    for path in study.slices()[left:]:
        path.unlink()
    (study.folder / "RS.dcm").unlink()
    (study.folder / "RP.dcm").unlink()
    assert study.refused(lambda: load_daily(study.folder)) == (
        f"DIR holds {left} CT slice(s); a volume takes at least 3: give the whole series"
    )


def test_direction_cosines_of_four_digits_become_orthonormal(make_study: MakeStudy):
    c, s = np.cos(np.radians(7)), np.sin(np.radians(7))
    study = make_study(grid=a_grid(direction=np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])))
    study.edit_all(setting(ImageOrientationPatient=[f"{x:.4f}" for x in (c, s, 0, -s, c, 0)]))
    direction = study.plan().ct.grid.direction
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(direction, study.volume.grid.direction, atol=1e-4)
