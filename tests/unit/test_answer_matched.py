"""verify() with the registration that ships, on a small analytic body sampled twice."""

import json
from dataclasses import replace

import numpy as np
import pytest

from igrt.answer import verify
from igrt.compute import device
from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import Correction, fixed_from_daily, fixed_from_plan
from igrt.images.records import Daily, Plan, PlanIdentity
from igrt.registration.options import Clipbox, Freedom, MatchOptions, Mode
from igrt.registration.preparation import DailyPreparation, prepare_plan
from igrt.verification.findings import Level, Outcome, Override, Verdict
from igrt.verification.protocol import load_protocol
from igrt.verification.record import Answer, MatchRecord
from tests.answer_cases import NOW, box

ISOCENTRE_MM = np.array([5.0, -10.0, 20.0])
SETUP = Correction(lateral_mm=4.0, longitudinal_mm=-6.0, vertical_mm=3.0, pitch_deg=1.0, roll_deg=-1.5, yaw_deg=2.0)


def body_hu(points_mm, seed=3):
    """HU (n,) of a body with soft-edged organs and bones, at points (n, 3) in plan LPS: a function, so that it can be sampled anywhere."""
    rng = np.random.default_rng(seed)
    x, y, z = points_mm.T
    outline = np.sqrt((x / 70) ** 2 + (y / 55) ** 2 + (z / 90) ** 2)
    hu = -1000.0 / (1 + np.exp((1 - outline) * 60))
    for _ in range(60):
        centre, size = rng.uniform([-45, -35, -75], [45, 35, 75]), rng.uniform(4, 14, 3)
        radius = np.sqrt((((points_mm - centre) / size) ** 2).sum(axis=1))
        hu += rng.choice([-300.0, 150.0, 700.0]) / (1 + np.exp((radius - 1) * 8))
    return hu


def sampled(frame, plan_from_frame, origin_mm, spacing_mm, shape_kji, seed=3):
    grid = Grid.aligned(frame, shape_kji=shape_kji, origin_mm=origin_mm, spacing_mm=spacing_mm)
    index = np.stack(np.meshgrid(*map(np.arange, shape_kji), indexing="ij"), axis=-1).reshape(-1, 3)[:, ::-1]
    hu = body_hu(plan_from_frame.apply(grid.position_mm(index)), seed) + np.random.default_rng(len(index)).normal(size=len(index)) * 5
    return Volume(grid, np.clip(np.rint(hu), -1024, 3071).astype(np.int16).reshape(shape_kji))


@pytest.fixture(scope="module")
def plan():
    still = RigidMotion.identity(target=Frame.PLAN, source=Frame.PLAN)
    ct = sampled(Frame.PLAN, still, (-88.0, -72.0, -108.0), (2.0, 2.0, 2.5), (88, 73, 89))
    structures = (box("CTV", "CTV", ISOCENTRE_MM, 10.0), box("Cord", "ORGAN", ISOCENTRE_MM + np.array([20.0, 0, 0]), 5.0))
    return Plan(ct, PatientPosition.HFS, ISOCENTRE_MM, structures, PlanIdentity("P1", None, None, None, "1.2.3"), "f" * 64, "plan")


def daily_of(seed=3):
    goal = fixed_from_plan(isocentre_mm=ISOCENTRE_MM, position=PatientPosition.HFS)
    now = fixed_from_daily(isocentre_mm=np.zeros(3), position=PatientPosition.HFS)
    plan_from_daily = goal.inverse() @ SETUP.motion @ now
    volume = sampled(Frame.DAILY, plan_from_daily, (-90.0, -75.0, -75.0), (1.8, 1.8, 2.2), (69, 84, 101), seed)
    return Daily(volume, PatientPosition.HFS, None, "P1", "1.2.9", "daily")


@pytest.fixture(scope="module")
def daily():
    return daily_of()


@pytest.fixture(scope="module")
def answer(plan, daily):
    return verify(plan, daily, now=NOW)


def test_the_set_up_error_is_found(answer):
    assert answer.outcome is Outcome.ACCEPTED, answer.reason
    for axis in ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg"):
        assert getattr(answer.correction, axis) == pytest.approx(getattr(SETUP, axis), abs=0.03)


def test_stages_and_device_are_told(plan, daily):
    told = []
    result = verify(plan, daily, now=NOW, progress=lambda stage, share: told.append((stage, share)))
    assert list(result.seconds) == ["prepare_plan", "prepare_daily", "register", "judge"]
    assert result.device == device.choose().name
    assert {stage for stage, _ in told} == set(result.seconds)
    assert all(0.0 <= share <= 1.0 for _, share in told)


def test_what_was_prepared_before_gives_the_same_bits(plan, daily, answer):
    verbs = device.choose().verbs
    preparation = DailyPreparation(daily.volume.grid, verbs)
    for k in range(0, daily.volume.grid.shape_kji[0], 10):
        preparation.add(k, daily.volume.hu[k : k + 10])
    result = verify(plan, daily, now=NOW, prepared_plan=prepare_plan(plan.ct, verbs), prepared_daily=preparation.finish())
    np.testing.assert_array_equal(result.plan_from_daily.matrix, answer.plan_from_daily.matrix)
    assert result.evidence == answer.evidence
    assert list(result.seconds) == ["register", "judge"]


def test_another_patients_anatomy_is_refused_by_evidence_alone(plan):
    result = verify(plan, daily_of(seed=4), now=NOW)
    assert result.outcome is Outcome.REFUSED
    assert result.plan_from_daily is None
    assert result.reason.startswith("This does not look like the patient of the plan")
    assert result.override is Override.MANUAL_POSE  # the images do not resemble each other there: the same is asked anew, and refuses below


def test_the_default_says_that_all_was_matched(answer):
    assert replace(answer.match, hypotheses=(), regions=()) == MatchRecord()
    assert {hypothesis.levels for hypothesis in answer.match.hypotheses} <= {-2, -1, 1, 2}
    assert answer.match.regions


def test_a_part_of_the_anatomy_and_the_motions_that_are_sought_stand_in_the_answer(plan, daily, answer):
    options = MatchOptions(region=Clipbox((-50, -50, -40), (55, 35, 75)), freedom=Freedom.TRANSLATIONS)
    result = verify(plan, daily, now=NOW, options=options)
    assert (result.match.region, result.match.freedom) == ("box -50 -50 -40 to 55 35 75 mm", "translations")
    assert result.match.whole_similarity is not None
    assert "match_restricted" in {finding.code for finding in result.findings}
    again = Answer.from_json(json.loads(json.dumps(result.to_json())))
    assert again.match == result.match


def test_a_manual_pose_where_the_match_ended_gives_the_same_correction(plan, daily, answer):
    result = verify(plan, daily, now=NOW, manual=answer.plan_from_daily)
    assert result.outcome is Outcome.ACCEPTED
    assert result.verdict is not Verdict.PROCEED
    assert result.evidence.similarity == pytest.approx(answer.evidence.similarity, rel=1e-6)
    assert result.match.manual
    assert result.match.automatic.difference_mm == pytest.approx(0, abs=1e-6)
    assert result.match.automatic.reason == ""
    assert result.reason.startswith("The pose was set by hand")
    for axis in ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg"):
        assert getattr(result.correction, axis) == pytest.approx(getattr(answer.correction, axis), abs=1e-6)
    assert Answer.from_json(json.loads(json.dumps(result.to_json()))).match == result.match


def test_a_manual_pose_of_a_strangers_image_is_refused_and_says_why(plan, answer):
    result = verify(plan, daily_of(seed=4), now=NOW, manual=answer.plan_from_daily)
    assert (result.outcome, result.override) == (Outcome.REFUSED, Override.NONE)
    assert {"evidence_similarity", "evidence_identity", "match_manual"} <= {finding.code for finding in result.findings}
    assert result.reason.startswith("This does not look like the patient of the plan")
    assert result.match.automatic.reason.startswith("This does not look like the patient of the plan")


def test_a_manual_pose_that_lacks_evidence_is_a_stop_and_says_why(plan, daily, answer):
    aside = RigidMotion(Frame.PLAN, Frame.PLAN, np.eye(3), np.array([0.0, 0.0, 3.0])) @ answer.plan_from_daily
    result = verify(plan, daily, now=NOW, manual=aside)
    assert (result.outcome, result.verdict) == (Outcome.ACCEPTED, Verdict.STOP), result.reason
    assert any(finding.code.startswith("evidence_") for finding in result.findings)
    assert result.match.automatic.difference_mm == pytest.approx(3.0, abs=1e-6)


def test_the_target_is_matched_beside_the_bones_where_the_protocol_asks(plan, daily, tmp_path):
    file = tmp_path / "dual.toml"
    text = load_protocol(None, tmp_path).file.path.read_text()
    file.write_text(text + "\n[match.target_position]\nmargin_mm = 10.0\ntolerance_mm = { inform = 1.0, warn = 2.0, stop = 4.0 }\n")
    result = verify(plan, daily, now=NOW, protocol=str(file), site=tmp_path)
    (finding,) = [f for f in result.findings if f.code in ("target_position", "target_position_unknown")]
    assert result.match.target.region == "CTV and 10 mm around"
    if finding.code == "target_position":
        assert finding.value == result.match.target.distance_mm
        assert finding.value < 1.0
    assert result.checked[-1] == "soft tissue of the target beside the match"
    assert Answer.from_json(json.loads(json.dumps(result.to_json()))).match == result.match


def test_a_matcher_of_the_callers_own_takes_no_options(plan, daily, answer):
    for settings in ({"options": MatchOptions(mode=Mode.BONE)}, {"manual": answer.plan_from_daily}):
        with pytest.raises(InputError, match="takes no options and no manual pose"):
            verify(plan, daily, now=NOW, matcher=lambda *_: None, **settings)


def test_a_target_without_soft_tissue_takes_no_answer_away(plan, daily):
    """A CTV that lies in air: nothing of it to match beside the whole."""
    in_air = replace(plan, structures=(box("CTV", "CTV", np.array([-80.0, -66.0, 100.0]), 4.0), plan.structures[1]))
    result = verify(in_air, daily, now=NOW, protocol="pelvis")
    assert result.outcome is Outcome.ACCEPTED
    unknown = next(finding for finding in result.findings if finding.code == "target_position_unknown")
    assert unknown.level is Level.WARN
    assert "holds nothing of the patient" in unknown.sentence
    assert result.match.target.distance_mm is None
    assert result.match.target.evidence is None
    assert Answer.from_json(json.loads(json.dumps(result.to_json()))).match == result.match


def test_what_reading_the_files_passed_over_is_told(plan, daily):
    result = verify(replace(plan, notes=("plan: 2 files passed over",)), replace(daily, notes=("daily: 1 file passed over",)), now=NOW)
    told = [finding for finding in result.findings if finding.code == "note"]
    assert [finding.sentence for finding in told] == ["plan: 2 files passed over", "daily: 1 file passed over"]
    assert {finding.level for finding in told} == {Level.INFORM}
