"""Implanted markers to an answer: the same kind from a cone-beam CT and from radiographs, and none where they do not determine it."""

import dataclasses
import datetime as dt
import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

import igrt
from igrt.answer import Answer, verify
from igrt.errors import InputError, NothingToMatchError
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import fixed_from_daily, fixed_from_plan, start_pose
from igrt.images.fingerprint import plan_fingerprint
from igrt.images.records import Daily, Plan, PlanIdentity, Structure, StructureKind
from igrt.images.today import load_today
from igrt.images.write import WriteIdentity
from igrt.images.write_radiograph import write_radiograph
from igrt.registration.marker_fit import largest_apart_mm
from igrt.verification.findings import Level, Outcome, Verdict
from igrt.verification.protocol import load_protocol
from tests.marker_cases import ISOCENTRE_MM, KIND, PLACES_MM, POSITION, camera, integrals, motion, seeds, volume

NOW = dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC)
POSE = motion()
ORGAN = (0.0, 4.0, 0.0)  # by which the seeds have moved against all else


def protocol(**changes):
    shipped = load_protocol("prostate_markers")
    known = {"count": 4, "missing_max": 1, "diameter_mm": KIND.diameter_mm, "length_mm": KIND.length_mm}
    markers = msgspec.structs.replace(shipped.tables.markers, **(known | changes))
    # The phantom is a few smooth shapes, far simpler than a body: exchanged images agree to 1.4 mm alone.
    evidence = msgspec.structs.replace(shipped.tables.evidence, swap_difference_max_mm=3.0)
    return dataclasses.replace(shipped, tables=msgspec.structs.replace(shipped.tables, markers=markers, evidence=evidence))


@pytest.fixture(scope="module")
def plan() -> Plan:
    ct = volume(Frame.PLAN)
    square = np.array([[-10, -10], [10, -10], [10, 10], [-10, 10]]) + ISOCENTRE_MM[:2]
    ctv = Structure("CTV", StructureKind.CTV, tuple(np.c_[square, np.full(4, ISOCENTRE_MM[2] + z)] for z in (-9.0, 0.0, 9.0)))
    identity = PlanIdentity("P-001", "A^B", "plan", "1.2", "1.2.3")
    mark = plan_fingerprint(ct, ISOCENTRE_MM, POSITION, (ctv,))
    return Plan(
        ct=ct, position=POSITION, isocentre_mm=ISOCENTRE_MM, structures=(ctv,), identity=identity, fingerprint=mark, source="plan folder"
    )


def cone_beam(markers=None, pose=POSE, position=POSITION, table_angle_deg=0.0) -> Daily:
    image = volume(Frame.DAILY, pose, markers, noise_hu=20.0, seed=9)
    return Daily(image, position, ISOCENTRE_MM, "P-001", "1.2.3.4", "cone beam")


@pytest.fixture
def take(tmp_path):
    def make(markers=None, angles=(0.0, 90.0), pose=POSE, position=POSITION, table_angle_deg=0.0):
        identity = WriteIdentity(patient_id="P-001", patient_name="A^B", seed="kv", acquired=dt.datetime(2026, 3, 2, 8))
        cameras = [camera(angle) for angle in angles]
        paths, folder = [], tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for one, image in zip(cameras, integrals(pose, cameras, markers, position=position), strict=True):
            paths.append(folder / f"kv{one.source_angle_deg % 360:03.0f}.dcm")
            counts = np.clip(np.rint(60000 * np.exp(-image)), 1, 65535).astype(np.uint16)
            table = {"position": position, "table_angle_deg": table_angle_deg}
            write_radiograph(counts, paths[-1], camera=one, identity=identity, kvp=100, series="kv", **table)
        return load_today(paths)

    return make


def of(answer: Answer, code: str):
    return [finding for finding in answer.findings if finding.code == code]


def moved(by_mm, only=None):
    return [seed.displaced(by_mm) if only is None or n in only else seed for n, seed in enumerate(seeds())]


@pytest.fixture(params=["cone-beam CT", "kV radiographs"])
def today(request, take):
    return request.param, (cone_beam if request.param == "cone-beam CT" else take)


def test_the_correction_rests_on_the_markers_and_the_anatomy_lies_beside(plan, today) -> None:
    modality, image = today
    answer = verify(plan, image(moved(ORGAN)), protocol=protocol(), now=NOW)
    assert answer.outcome is Outcome.ACCEPTED, answer.reason
    assert answer.modality == modality
    assert answer.match.mode == "markers"
    assert answer.reason == "The match of the markers holds against every rule of theirs."  # what is believed of the anatomy is beside it
    here = ISOCENTRE_MM + PLACES_MM
    where = POSE.inverse().apply(here + ORGAN)
    np.testing.assert_allclose(answer.plan_from_daily.apply(where), here, atol=1.0)
    assert answer.markers.matched == 4
    assert answer.markers.anatomy_difference_mm == pytest.approx(4.0, abs=0.8)
    assert of(answer, "markers_anatomy")[0].level is Level.INFORM
    assert any(words.startswith("fiducial registration error") for words in answer.checked)
    back = Answer.from_json(json.loads(json.dumps(answer.to_json())))
    assert back.markers == answer.markers
    assert back.to_json() == answer.to_json()


def test_the_anatomy_decides_where_the_protocol_says_so(plan, today) -> None:
    _, image = today
    answer = verify(plan, image(moved(ORGAN)), protocol=protocol(decide="anatomy"), now=NOW)
    assert answer.outcome is Outcome.ACCEPTED, answer.reason
    assert answer.match.mode == "grey"
    assert not answer.markers.decides
    assert largest_apart_mm(POSE, answer.plan_from_daily, ISOCENTRE_MM + PLACES_MM) < 0.5
    assert answer.markers.anatomy_difference_mm == pytest.approx(4.0, abs=0.8)


def test_a_migrated_seed_stops_and_a_missing_one_warns(plan, today) -> None:
    _, image = today
    answer = verify(plan, image(moved((0.0, 5.0, 6.0), only={0})), protocol=protocol(), now=NOW)
    assert (answer.outcome, answer.verdict) == (Outcome.ACCEPTED, Verdict.STOP)
    assert of(answer, "marker_migrated")[0].value == pytest.approx(7.8, abs=1.0)
    answer = verify(plan, image(seeds()[1:]), protocol=protocol(), now=NOW)
    assert answer.outcome is Outcome.ACCEPTED, answer.reason
    assert len(of(answer, "marker_missing")) == 1
    assert answer.verdict is not Verdict.PROCEED
    assert verify(plan, image(seeds()[1:]), protocol=protocol(missing_max=0), now=NOW).outcome is Outcome.REFUSED


def test_every_key_of_the_markers_is_documented(plan) -> None:
    table = verify(plan, cone_beam(), protocol=protocol(), now=NOW).to_json()["markers"]
    page = (Path(igrt.__file__).parents[1] / "docs" / "json.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `markers\.([^`]+)` \|", page, flags=re.MULTILINE))
    inner = {f"markers[].{key}" for key in table["markers"][0]}
    assert documented == (set(table) - {"markers", "extra_mm"}) | inner | {"markers[]", "extra_mm[]"}


def test_too_few_markers_refuse_and_carry_no_pose(plan, today) -> None:
    _, image = today
    answer = verify(plan, image(seeds()[2:]), protocol=protocol(), now=NOW)
    assert (answer.outcome, answer.plan_from_daily, answer.correction) == (Outcome.REFUSED, None, None)
    assert of(answer, "markers_too_few")
    assert answer.markers.fre_mm is None
    beside = verify(plan, image(seeds()[2:]), protocol=protocol(decide="anatomy"), now=NOW)
    assert beside.outcome is Outcome.ACCEPTED, beside.reason
    assert of(beside, "markers_unknown")[0].level is Level.WARN


def test_a_planning_ct_with_another_number_refuses(plan) -> None:
    answer = verify(plan, cone_beam(), protocol=protocol(count=3, missing_max=0), now=NOW)
    assert answer.outcome is Outcome.REFUSED
    assert of(answer, "markers_planned")[0].value == 4


def test_one_radiograph_places_no_markers(plan, take) -> None:
    answer = verify(plan, take(angles=(0.0,)), protocol=protocol(), now=NOW)
    assert answer.outcome is Outcome.REFUSED
    assert of(answer, "markers_too_few")


def blank(_plan, _daily, _start):
    raise NothingToMatchError("the daily image shows too little to match: it is blank")


def test_an_anatomy_that_cannot_be_matched_at_all_leaves_the_markers_with_a_stop(plan) -> None:
    answer = verify(plan, cone_beam(), protocol=protocol(), matcher=blank, now=NOW)
    assert (answer.outcome, answer.verdict) == (Outcome.ACCEPTED, Verdict.STOP)
    assert "too little to match" in of(answer, "markers_anatomy_unknown")[0].sentence
    assert answer.markers.anatomy_difference_mm is None
    assert largest_apart_mm(POSE, answer.plan_from_daily, ISOCENTRE_MM + PLACES_MM) < 0.7
    assert verify(plan, cone_beam(seeds()[2:]), protocol=protocol(), matcher=blank, now=NOW).outcome is Outcome.REFUSED
    for rests_on_bones in (protocol(decide="anatomy"), load_protocol("pelvis")):
        with pytest.raises(InputError, match="too little to match"):
            verify(plan, cone_beam(), protocol=rests_on_bones, matcher=blank, now=NOW)


@pytest.mark.parametrize(("position", "angle_deg"), [(PatientPosition.FFP, 340.0), (PatientPosition.HFS, 25.0)])
def test_markers_go_to_their_planned_places_in_the_room_at_any_table_angle_and_position(plan, today, position, angle_deg) -> None:
    _, image = today
    room = {"plan_isocentre_mm": ISOCENTRE_MM, "daily_isocentre_mm": ISOCENTRE_MM, "plan_position": position, "daily_position": position}
    small = RigidMotion(Frame.PLAN, Frame.PLAN, POSE.rotation, POSE.translation_mm)
    pose = small @ start_pose(**room, table_angle_deg=angle_deg)
    today_image = image(pose=pose, position=position, table_angle_deg=angle_deg)
    turned = {"table_angle_deg": angle_deg, "image_table_angle_deg": angle_deg}
    answer = verify(dataclasses.replace(plan, position=position), today_image, protocol=protocol(), matcher=blank, now=NOW, **turned)
    assert answer.outcome is Outcome.ACCEPTED, answer.reason
    planned = ISOCENTRE_MM + PLACES_MM
    seen = fixed_from_daily(isocentre_mm=ISOCENTRE_MM, position=position).apply(pose.inverse().apply(planned))
    wanted = fixed_from_plan(isocentre_mm=ISOCENTRE_MM, position=position, table_angle_deg=angle_deg).apply(planned)
    assert np.linalg.norm(seen - wanted, axis=1).min() > 1.5
    np.testing.assert_allclose(answer.correction.motion.apply(seen), wanted, atol=0.7)
