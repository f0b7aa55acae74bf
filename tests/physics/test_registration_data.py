"""Real anatomy with known poses: the errors that the project promises, and what tells a wrong patient."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from scipy.ndimage import map_coordinates

from igrt.compute import cpu
from igrt.compute.volume import Volume
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.match import Match
from igrt.registration.options import MatchOptions, Mode
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid
from igrt.verification.evidence_rules import judge_evidence
from igrt.verification.protocol import load_protocol

VERBS = cpu.CpuVerbs(cpu.BEST)
FOLDERS = {"chest_a": "chest", "chest_b": "chest", "head_a": "head", "thorax_a": "thorax4d"}


def load(path: Path, frame: Frame) -> Volume:
    volume = SimpleITK.ReadImage(str(path))
    hu = np.ascontiguousarray(SimpleITK.GetArrayFromImage(volume), dtype=np.int16)
    direction = np.array(volume.GetDirection()).reshape(3, 3)
    return Volume(Grid(frame, hu.shape, np.array(volume.GetOrigin()), np.array(volume.GetSpacing()), direction), hu)


class Pair:
    """A planning CT and a daily image with the pose that is true."""

    def __init__(self, data: Path, case: str) -> None:
        folder = data / FOLDERS[case]
        truth = json.loads((folder / f"{case}_truth.json").read_text())
        self.isocentre_mm = np.array(truth["plan_isocentre_lps_mm"], float)
        self.start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), self.isocentre_mm - truth["daily_isocentre_lps_mm"])
        self.truth = RigidMotion.from_matrix(truth["plan_from_daily"], target=Frame.PLAN, source=Frame.DAILY)
        self.plan = prepare_plan(load(folder / truth["plan"], Frame.PLAN), VERBS)
        self.daily = prepare_daily(load(folder / truth["daily"], Frame.DAILY), VERBS)

    def match(self, start: RigidMotion | None = None, options: MatchOptions | None = None) -> Match:
        settings = {"isocentre_mm": self.isocentre_mm, "verbs": VERBS, "options": options}
        return match_rigid(self.plan, self.daily, start=start or self.start, **settings)

    def errors_mm(self, answer: RigidMotion) -> np.ndarray:
        """Displacements over a grid within 80 mm of the plan isocentre along each axis."""
        axis = np.linspace(-80, 80, 9)
        points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3) + self.isocentre_mm
        return np.linalg.norm(answer.apply(self.truth.inverse().apply(points)) - points, axis=1)


@pytest.fixture(scope="module")
def pairs(shared_data) -> dict[str, Pair]:
    return {}


@pytest.fixture
def pair(shared_data, pairs, case) -> Pair:
    if case not in pairs:
        pairs[case] = Pair(shared_data, case)
    return pairs[case]


@pytest.mark.parametrize(("case", "largest_mean_mm"), [("chest_a", 0.10), ("chest_b", 0.10), ("head_a", 0.10), ("thorax_a", 0.6)])
def test_error_from_the_nominal_start(pair, largest_mean_mm) -> None:
    match = pair.match()
    assert pair.errors_mm(match.plan_from_daily).mean() < largest_mean_mm
    evidence = match.evidence
    assert evidence.similarity > load_protocol().tables.evidence.similarity_min
    assert evidence.overlap > 0.95
    assert evidence.second_start_difference_mm < 0.1
    assert evidence.converged
    assert max(evidence.translation_sd_mm) < 0.2
    assert judge_evidence(match, load_protocol().tables.evidence) == ()


@pytest.mark.parametrize("case", ["head_a"])
def test_a_ct_against_itself_in_another_pose(shared_data, pair) -> None:
    """Nothing differs but the pose: what is left is the match's own. The other image comes from a spline of fifth order."""
    ct = load(shared_data / "head" / "head_ct.nii.gz", Frame.PLAN)
    truth = RigidMotion(
        Frame.PLAN,
        Frame.DAILY,
        rotation_from_angles(pitch_deg=1.5, roll_deg=-2.0, yaw_deg=2.5),
        pair.isocentre_mm + np.array([4.3, -2.7, 3.1]),
    )
    shape, spacing = (48, 130, 130), np.array([1.5, 1.5, 2.0])
    grid = Grid.aligned(Frame.DAILY, shape_kji=shape, origin_mm=-(np.array(shape[::-1]) - 1) / 2 * spacing, spacing_mm=spacing)
    k, j, i = np.meshgrid(*map(np.arange, shape), indexing="ij")
    index = ct.grid.index_ijk(truth.apply(grid.position_mm(np.stack([i, j, k], -1).reshape(-1, 3))))
    hu = map_coordinates(ct.hu.astype(np.float32), index[:, ::-1].T, order=5, mode="constant", cval=-1000.0).reshape(shape)
    daily = prepare_daily(Volume(grid, np.rint(hu.clip(-1024, 3071)).astype(np.int16)), VERBS)
    found = match_rigid(pair.plan, daily, start=pair.start, isocentre_mm=pair.isocentre_mm, verbs=VERBS)
    points = pair.isocentre_mm + np.vstack([np.zeros(3), 80 * np.eye(3), -80 * np.eye(3)])
    assert np.linalg.norm(found.plan_from_daily.apply(truth.inverse().apply(points)) - points, axis=1).mean() < 0.03


@pytest.mark.parametrize("case", ["head_a"])
def test_a_mirrored_head_is_refused_by_what_it_shows(shared_data, pair) -> None:
    """A skull is nearly symmetric, so that both starts agree and settle; neither its inside nor its regions do."""
    image = load(shared_data / "head" / "head_a_cbct.nii.gz", Frame.DAILY)
    mirrored = prepare_daily(Volume(image.grid, np.ascontiguousarray(image.hu[:, :, ::-1])), VERBS)
    match = match_rigid(pair.plan, mirrored, start=pair.start, isocentre_mm=pair.isocentre_mm, verbs=VERBS)
    codes = {finding.code for finding in judge_evidence(match, load_protocol().tables.evidence)}
    assert {"evidence_similarity", "evidence_translation_sd", "evidence_rotation_sd"} <= codes


@pytest.mark.parametrize("case", FOLDERS)
def test_capture_from_40_mm_and_10_degrees(pair) -> None:
    rng = np.random.default_rng(5)
    for _ in range(3):
        axis, direction = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
        angle, cross = np.radians(10), np.cross(np.eye(3), -axis)
        turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        about = RigidMotion(Frame.PLAN, Frame.PLAN, turn, pair.isocentre_mm - turn @ pair.isocentre_mm + 40 * direction)
        match = pair.match(about @ pair.truth)
        assert pair.errors_mm(match.plan_from_daily).mean() < 0.6
        assert match.evidence.second_start_difference_mm < 0.5


def vertebrae_mm(pair: Pair) -> np.ndarray:
    """Bone of the planning CT behind the middle of the body, within 35 mm of its midline and 80 mm of the isocentre along the patient."""
    volume, body = pair.plan.region.volume, pair.plan.region.body
    inside, bone = (volume.grid.position_mm(np.argwhere(mask)[:, ::-1]) for mask in (body, body & (volume.hu > 200)))
    x, y, _ = np.median(inside, axis=0)
    near = (np.abs(bone[:, 0] - x) < 35) & (bone[:, 1] > y) & (np.abs(bone[:, 2] - pair.isocentre_mm[2]) < 80)
    return bone[near]


@pytest.mark.parametrize("case", FOLDERS)
def test_bone_alone_is_right_at_the_vertebrae(pair) -> None:
    match = pair.match(options=MatchOptions(mode=Mode.BONE))
    points = vertebrae_mm(pair)
    off_mm = np.linalg.norm(match.plan_from_daily.apply(pair.truth.inverse().apply(points)) - points, axis=1)
    assert len(points) > 1000
    assert off_mm.max() < 0.5
    assert judge_evidence(match, load_protocol().tables.evidence) == ()


def test_another_patient_or_site_does_not_resemble(shared_data, pairs) -> None:
    for case in ("chest_a", "head_a", "thorax_a"):
        if case not in pairs:
            pairs[case] = Pair(shared_data, case)
    for plan, daily in (("head_a", "chest_a"), ("chest_a", "head_a"), ("thorax_a", "chest_a"), ("chest_a", "thorax_a")):
        start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), pairs[plan].isocentre_mm - pairs[daily].daily.centre_mm)
        evidence = match_rigid(
            pairs[plan].plan, pairs[daily].daily, start=start, isocentre_mm=pairs[plan].isocentre_mm, verbs=VERBS
        ).evidence
        assert evidence.similarity < 0.4
