"""Radiographs to an answer: the same kind as from a cone-beam CT, and from one radiograph only what one can tell."""

import dataclasses
import datetime as dt
import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pydicom
import pytest

from igrt.answer import Answer, verify
from igrt.compute import device as devices
from igrt.compute.volume import Volume
from igrt.engine.radiograph_solver import device_for
from igrt.errors import InputError
from igrt.geometry.couch import CouchPosition
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import correction_motion
from igrt.images.fingerprint import plan_fingerprint
from igrt.images.radiographs import Radiographs
from igrt.images.records import Daily, Plan, PlanIdentity, Structure, StructureKind
from igrt.images.today import load_today
from igrt.images.write import WriteIdentity
from igrt.images.write_radiograph import write_radiograph
from igrt.registration.projection import InPlane, RadiographMatch
from igrt.verification import radiograph_case
from igrt.verification.findings import Level, Outcome, Verdict
from igrt.verification.protocol import ImagesTable, MatchTable, ResetupTable, TargetPositionTable, load_protocol
from igrt.verification.superseding import OF_TWO_IMAGES, held_against, with_differences
from igrt.verification.tolerance import Tolerance
from tests.answer_cases import GOOD
from tests.radiograph_cases import ISOCENTRE_MM, POSITION, camera, integrals, largest_error_mm, motion, patient

NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
POSE = motion(shift_mm=(2.0, -1.5, 1.0), pitch=0.4, roll=-0.5, yaw=0.6)


@pytest.fixture(scope="module")
def plan() -> Plan:
    ct = patient()
    square = np.array([[-10, -10], [10, -10], [10, 10], [-10, 10]]) + ISOCENTRE_MM[:2]
    ctv = Structure("CTV", StructureKind.CTV, tuple(np.c_[square, np.full(4, ISOCENTRE_MM[2] + z)] for z in (-9.0, 0.0, 9.0)))
    return Plan(
        ct=ct,
        position=POSITION,
        isocentre_mm=ISOCENTRE_MM,
        structures=(ctv,),
        identity=PlanIdentity("P-001", "A^B", "plan", "1.2", "1.2.3"),
        fingerprint=plan_fingerprint(ct, ISOCENTRE_MM, POSITION, (ctv,)),
        source="plan folder",
    )


@pytest.fixture
def take(tmp_path: Path):
    """Writes the radiographs of the patient in a pose and reads them again."""

    def make(angles=(0.0, 90.0), pose=POSE, *, ct=None, patient_id="P-001", **changes) -> Radiographs:
        identity = WriteIdentity(patient_id=patient_id, patient_name="A^B", seed="kv", acquired=dt.datetime(2026, 3, 2, 8))
        cameras = [camera(angle) for angle in angles]
        paths = []
        for one, image in zip(cameras, integrals(ct or patient(), pose, cameras), strict=True):
            paths.append(tmp_path / f"kv{one.source_angle_deg % 360:03.0f}.dcm")
            counts = np.clip(np.rint(60000 * np.exp(-image)), 1, 65535).astype(np.uint16)
            write_radiograph(counts, paths[-1], camera=one, identity=identity, position=POSITION, kvp=100, series="kv")
            ds = pydicom.dcmread(paths[-1])
            for keyword, value in changes.items():
                setattr(ds, keyword, value)
            ds.save_as(paths[-1])
        return load_today(paths)

    return make


def codes(answer: Answer) -> set[str]:
    return {finding.code for finding in answer.findings}


def test_a_pair_is_accepted_with_the_correction_that_follows(plan, take) -> None:
    answer = verify(plan, take(), now=NOW)
    assert answer.outcome is Outcome.ACCEPTED, answer.reason
    assert largest_error_mm(answer.plan_from_daily, POSE) < 0.15
    place = {"plan_isocentre_mm": ISOCENTRE_MM, "daily_isocentre_mm": ISOCENTRE_MM, "plan_position": POSITION, "daily_position": POSITION}
    np.testing.assert_allclose(answer.correction.motion.matrix, correction_motion(answer.plan_from_daily, **place).matrix, atol=1e-9)
    assert answer.daily_isocentre_mm == answer.plan_isocentre_mm == tuple(ISOCENTRE_MM)
    assert np.array_equal(answer.start.matrix, np.eye(4))
    assert "radiographs have it" in answer.daily_isocentre_from
    assert len(answer.radiographs.images) == 2
    assert answer.radiographs.leave_one_out_mm < 0.5
    assert answer.radiographs.in_plane is None
    assert any(words.startswith("move without one of the images") for words in answer.checked)
    assert {"prepare_plan", "prepare_daily", "register", "judge"} <= set(answer.seconds)


def test_one_radiograph_is_partial(plan, take) -> None:
    answer = verify(plan, take([0.0]), now=NOW)
    assert answer.outcome is Outcome.PARTIAL
    assert answer.verdict is Verdict.CAUTION
    assert (answer.plan_from_daily, answer.correction, answer.couch, answer.residuals) == (None, None, None, None)
    assert "one_radiograph" in codes(answer)
    assert "N/A" in next(finding.sentence for finding in answer.findings if finding.code == "one_radiograph")
    seen = answer.radiographs.in_plane
    room = {"plan_isocentre_mm": ISOCENTRE_MM, "daily_isocentre_mm": ISOCENTRE_MM, "plan_position": POSITION, "daily_position": POSITION}
    right = correction_motion(POSE, **room).translation_mm
    assert abs(seen.across_mm - right[0]) < 0.3
    assert abs(seen.along_mm - right[1]) < 0.3
    assert answer.radiographs.leave_one_out_mm is None
    assert any("within the radiograph's plane" in words for words in answer.checked)


def test_one_radiograph_of_a_patient_far_away_is_stopped(plan, take) -> None:
    answer = verify(plan, take([0.0], motion(shift_mm=(35.0, 0.0, 0.0), pitch=0, roll=0, yaw=0)), now=NOW)
    assert answer.outcome is Outcome.PARTIAL
    assert answer.verdict is Verdict.STOP
    assert "setup_translation" in codes(answer)


def test_one_radiograph_of_a_patient_who_must_be_set_up_again_is_refused(plan, take) -> None:
    table = load_protocol(None, None)
    tables = msgspec.structs.replace(table.tables, resetup=ResetupTable(translation_mm=1.0, rotation_deg=0.1))
    answer = verify(plan, take([0.0]), protocol=dataclasses.replace(table, tables=tables), now=NOW)
    assert (answer.outcome, answer.verdict) == (Outcome.REFUSED, Verdict.REFUSED)
    assert {"resetup_translation", "resetup_rotation"} <= codes(answer)
    assert "one_radiograph" not in codes(answer)
    assert answer.radiographs.in_plane is None


def test_a_radiographs_match_is_no_match_of_a_volume(plan) -> None:
    volume = Volume(dataclasses.replace(plan.ct.grid, frame=Frame.DAILY), np.ascontiguousarray(plan.ct.hu[::-1]))
    daily = Daily(volume, POSITION, ISOCENTRE_MM, "P-001", None, "daily folder")
    seen = InPlane(across_mm=1.0, along_mm=1.0, turn_deg=0.0, across_sd_mm=0.1, along_sd_mm=0.1, turn_sd_deg=0.1)
    good = dataclasses.replace(GOOD, similarity=0.95)

    def matcher(_plan, _daily, start):
        return RadiographMatch(start, np.eye(6) * 1e-4, good, in_plane=seen)

    with pytest.raises(InputError, match="for a cone-beam CT"):
        verify(plan, daily, matcher=matcher, now=NOW)


@pytest.mark.parametrize("angles", [(0.0,), (0.0, 90.0)])
def test_what_the_protocol_asks_of_the_match_and_radiographs_cannot_is_said(plan, take, angles) -> None:
    table = load_protocol(None, None)
    position = TargetPositionTable(margin_mm=5.0, tolerance_mm=Tolerance(inform=1.0, warn=2.0, stop=3.0))
    match = MatchTable(mode="bone", region="target", target_position=position)
    evidence = msgspec.structs.replace(table.tables.evidence, samples_min=10_000_000)
    restricted = msgspec.structs.replace(table.tables, match=match)
    daily = take(angles)
    answer = verify(plan, daily, protocol=dataclasses.replace(table, tables=restricted), now=NOW)
    assert answer.outcome is not Outcome.REFUSED
    assert {"match_unrestricted", "target_position_unknown"} <= codes(answer)
    tightened = msgspec.structs.replace(restricted, evidence=evidence)
    refused = verify(plan, daily, protocol=dataclasses.replace(table, tables=tightened), now=NOW)
    assert refused.outcome is Outcome.REFUSED
    assert "evidence_samples" in codes(refused)


def test_json_and_back_and_every_key_documented(plan, take) -> None:
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
    documented = {key for key in re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE) if key.startswith("radiographs")}
    answer = verify(plan, take([90.0]), now=NOW)
    tables = json.loads(json.dumps(answer.to_json(), allow_nan=False))
    again = Answer.from_json(tables)
    assert again.to_json() == answer.to_json()
    told = tables["radiographs"]
    written = {"radiographs", "radiographs.images[]", *(f"radiographs.{key}" for key in told if key != "images")}
    written |= {f"radiographs.images[].{key}" for key in told["images"][0]} | {f"radiographs.in_plane.{key}" for key in told["in_plane"]}
    assert written == documented
    del tables["radiographs"]  # an answer of an earlier release
    assert Answer.from_json(tables).radiographs is None


def test_another_patient_is_refused_by_name_and_by_looks(plan, take, tmp_path) -> None:
    other = verify(plan, take(patient_id="P-002"), now=NOW)
    assert other.outcome is Outcome.REFUSED
    assert "patient_mismatch" in codes(other)
    for path in tmp_path.iterdir():
        path.unlink()
    stranger = verify(plan, take(ct=patient(seed=7)), now=NOW)
    assert stranger.outcome is Outcome.REFUSED
    assert "evidence_similarity" in codes(stranger)
    assert stranger.radiographs.in_plane is None


def test_table_angle_and_position_must_fit(plan, take) -> None:
    pair = take()
    with pytest.raises(InputError, match="the image was taken at table angle 0, but the correction is for 90"):
        verify(plan, pair, table_angle_deg=90.0, now=NOW)
    with pytest.raises(InputError, match="the daily image is FFS"):
        verify(plan, dataclasses.replace(pair, position=PatientPosition.FFS), now=NOW)


def test_megavoltage_and_the_reference_device_are_refused(plan, take) -> None:
    with pytest.raises(InputError, match="tube voltage is 6000 kV"):
        verify(plan, take(KVP="6000"), now=NOW)


def test_the_reference_device_does_not_match_radiographs(plan, take) -> None:
    with pytest.raises(InputError, match="does not match radiographs; choose cpu"):
        verify(plan, take(), device="reference", now=NOW)


def test_radiographs_are_matched_by_the_processor_where_there_is_a_gpu(plan, take, monkeypatch) -> None:
    """`None` chooses the best device there is; a GPU would refuse radiographs."""
    ours = devices.choose
    asked = []

    def choose(name=None):
        asked.append(name)
        return ours(name) if name is not None else dataclasses.replace(ours("cpu"), name="cuda")

    monkeypatch.setattr(devices, "choose", choose)
    answer = verify(plan, take(), now=NOW)
    assert answer.device.startswith("cpu")
    assert None not in asked
    assert device_for(choose(None)).name.startswith("cpu")
    with pytest.raises(InputError, match="'cuda' does not match radiographs"):
        radiograph_case.verbs_of(choose(None))


def test_the_table_angle_that_every_file_states_is_taken_where_nobody_gives_another(plan, take) -> None:
    turned = take(PatientSupportAngle="4")
    answer = verify(plan, turned, now=NOW)
    assert (answer.image_table_angle_deg, answer.table_angle_deg) == (4.0, 0.0)
    couch = CouchPosition(lateral_mm=0.0, longitudinal_mm=0.0, vertical_mm=0.0, pitch_deg=0.0, roll_deg=0.0, yaw_deg=0.0)
    for given in ({"image_table_angle_deg": 0.0}, {"couch_start": couch}):
        with pytest.raises(InputError, match="patient support angle 4, but the table angle of the images is taken to be 0"):
            verify(plan, turned, now=NOW, **given)


def test_a_pair_is_held_against_the_image_before_it(plan, take, tmp_path) -> None:
    first, moved = verify(plan, take(), now=NOW), RigidMotion.identity(target=Frame.FIXED, source=Frame.FIXED)
    same = held_against(first, first, moved=moved)
    values = {finding.code: (finding.value, finding.level) for finding in same.findings if finding.code in OF_TWO_IMAGES}
    assert values["images_differ_shift"][0] == pytest.approx(0.0, abs=1e-9)
    assert same.verdict is first.verdict
    slipped = RigidMotion(Frame.FIXED, Frame.FIXED, np.eye(3), np.array([0.0, 2.5, 0.0]))
    differs = held_against(first, first, moved=slipped)
    (shift,) = (finding for finding in differs.findings if finding.code == "images_differ_shift")
    assert shift.value == pytest.approx(2.5, abs=1e-9)
    assert (shift.level, differs.verdict) == (Level.WARN, Verdict.CAUTION)
    lax = held_against(differs, first, moved=slipped, limits=ImagesTable(shift_mm=0.5))
    assert {f.limit for f in lax.findings if f.code == "images_differ_shift"} == {0.5}
    assert codes(held_against(first, differs, moved=None)) & set(OF_TWO_IMAGES) == {"images_incomparable"}  # and what stood there is gone
    for path in tmp_path.iterdir():
        path.unlink()
    refused = verify(plan, take(patient_id="P-002"), now=NOW)
    assert held_against(first, refused, moved=moved) is refused
    assert held_against(refused, first, moved=moved) is first
    again = with_differences(first.to_json(), [f for f in differs.findings if f.code in OF_TWO_IMAGES])
    assert again == differs.to_json()
    assert with_differences(again, ()) == first.to_json()
