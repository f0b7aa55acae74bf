"""A session recorded here and replayed by the same build: bit for bit, or it fails."""

import dataclasses
import hashlib
import shutil
import stat

import numpy as np
import pydicom
import pytest

from igrt.compute import cpu
from igrt.engine.journal import Journal, JournalError, read_rows
from igrt.engine.journal_backup import backup
from igrt.engine.record import ANSWER, CLAIM, EVENT, FILE, PLAN, RELEASE, REPLY, SPOOL, STATE
from igrt.engine.replay import replay
from igrt.engine.retention import removal_row
from igrt.engine.spool_files import stored_images
from igrt.errors import InputError
from tests.replay.library import rewrite
from tests.replay.sessions import record, write_plan


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """An engine's folder after a session, and the plan of it."""
    folder = tmp_path_factory.mktemp("recorded")
    plan = write_plan(folder / "plan")
    return record("released", folder, plan), plan


@pytest.fixture
def engine(recorded, tmp_path):
    """A copy of the engine's folder, to be spoiled."""
    return shutil.copytree(recorded[0], tmp_path / "engine")


def fields(found) -> set[str]:
    """Every field that differs."""
    return {d.field for a in found.answers for d in a.differences} | {d.field for t in found.differing for d in t.differences}


def hashes(folder) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def changed_voxel(engine, *, by=1):
    """Change one voxel of soft tissue in the middle of the image."""
    path = engine / SPOOL / "first.hu"
    hu = np.memmap(path, "<i2", "r+")[: 20 * 51 * 54].reshape(20, 51, 54)
    hu[10, 25, 27] += by
    hu.flush()
    return hashlib.sha256(hu.tobytes()).hexdigest()


def test_the_same_build_gives_the_same_bits(recorded):
    found = replay(recorded[0])
    assert list(found.sentences) == []
    assert found.same
    assert [(a.image_id, a.exact) for a in found.answers] == [("first", True)]
    assert found.decisions["claim"] == 5


@pytest.mark.parametrize("instruction_set", cpu.INSTRUCTION_SETS)
def test_another_instruction_set_gives_the_same_within_tolerance(recorded, instruction_set):
    found = replay(recorded[0], device=f"cpu {instruction_set}")
    assert found.same
    assert found.answers[0].exact == (instruction_set == cpu.BEST)


def test_a_changed_voxel_is_not_the_image_that_was_answered(engine):
    changed_voxel(engine)
    with pytest.raises(InputError, match=r"first\.hu is not the image that was answered in row \d+"):
        replay(engine)


@pytest.mark.parametrize("by", [1, 40])
def test_a_changed_voxel_whose_hash_was_made_to_fit_is_found_by_its_answer(engine, tmp_path, by):
    digest = changed_voxel(engine, by=by)

    def fit(row, payload):
        return payload | {"basis": payload["basis"] | {"image_sha256": digest}} if row.kind == ANSWER else None

    found = replay(rewrite(engine / FILE, tmp_path / "other.sqlite", fit), images=engine / SPOOL)
    assert not found.same
    assert any(field.startswith("answer.plan_from_daily") for field in fields(found))
    assert not found.differing  # the decisions rest on the recorded answer
    assert "image first" in next(iter(found.sentences))


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        ("igrt.registration.solver.DAMPING", 1.01e-4),
        ("igrt.registration.samples.SEED", 20240228),
        ("igrt.registration.evidence.FLOOR_SD_MM", 0.01001),
        ("igrt.registration.rigid.SECOND_START_MM", 25.1),
        ("igrt.registration.body.COUCH_HALF_THICKNESS_MM", 15.0),
        ("igrt.registration.evidence.STANDARD_ERRORS", 2.001),
        ("igrt.registration.evidence.SIMILARITY_WINDOW_MM", 24.0),
        ("igrt.registration.evidence.REGIONS", 15),
        ("igrt.verification.points.MOST_VERTICES", 5),
    ],
)
def test_a_changed_constant_of_the_answer_fails(recorded, monkeypatch, constant, value):
    monkeypatch.setattr(constant, value)
    found = replay(recorded[0])
    assert not found.same
    assert found.answers[0].differences
    assert not found.differing


def test_a_changed_limit_of_the_protocol_fails(recorded, tmp_path):
    def tighten(row, payload):
        if row.kind == PLAN:
            payload["ready"]["used"]["protocol"]["tables"]["setup"]["translation_mm"]["inform"] = 0.25
            return payload
        return None

    found = replay(rewrite(recorded[0] / FILE, tmp_path / "other.sqlite", tighten), images=recorded[0] / SPOOL)
    assert not found.same
    assert any(field.startswith("answer.findings") for field in fields(found))


def test_what_stands_in_the_site_folder_now_changes_nothing(recorded, tmp_path, monkeypatch):
    folder = tmp_path / "protocols"
    folder.mkdir()
    (folder / "default.toml").write_text("this = 'is no protocol'")
    monkeypatch.setenv("IGRT_SITE", str(tmp_path))
    assert replay(recorded[0]).same


def test_an_answer_that_was_rewritten_is_found_to_the_last_bit(recorded, tmp_path):
    def nudge(row, payload):
        if row.kind == EVENT and payload["kind"] == "proposal":
            payload["answer"]["correction"]["lateral_mm"] = float(np.nextafter(payload["answer"]["correction"]["lateral_mm"], np.inf))
            return payload
        return None

    found = replay(rewrite(recorded[0] / FILE, tmp_path / "other.sqlite", nudge), images=recorded[0] / SPOOL)
    assert {d.field for a in found.answers for d in a.differences} == {"answer.correction.lateral_mm"}
    row = next(r.number for r in read_rows(recorded[0] / FILE) if r.kind == ANSWER)
    assert found.answers[0].row == row


def rightful(row, payload):
    """The claim with another token had the right one."""
    return payload | {"token_is_issued": True} if row.kind == CLAIM and not payload["token_is_issued"] else None


def no_denials(row, payload):
    """What was denied is said to have been a denial of nothing."""
    return payload | {"denials": []} if row.kind == REPLY and payload.get("denials") else None


def farther(row, payload):
    """Another target was released."""
    if row.kind == RELEASE:
        payload["target"]["lateral_mm"] += 0.001
        return payload
    return None


def later(row, payload):
    """The approval was given an hour later than its proposal lived."""
    if row.kind == STATE and payload["chain"]["approved"]:
        payload["chain"]["approved"]["header"]["monotonic_s"] += 3600.0
        return payload
    return None


@pytest.mark.parametrize("change", [rightful, no_denials, farther, later])
def test_a_decision_that_was_rewritten_is_found(recorded, tmp_path, change):
    found = replay(rewrite(recorded[0] / FILE, tmp_path / "other.sqlite", change), answers=False)
    assert not found.same
    assert {turn.what for turn in found.differing} & {"claim", "approve"}


def test_a_journal_that_was_only_copied_is_the_same(recorded, tmp_path):
    found = replay(rewrite(recorded[0] / FILE, tmp_path / "other.sqlite", lambda *_: None), answers=False)
    assert found.same
    assert found.decisions["claim"] == 5


def test_nothing_is_written_and_a_backup_serves_as_well(recorded, tmp_path):
    engine, plan = recorded
    backup(engine / FILE, tmp_path / "copy.sqlite")
    shutil.copytree(engine / SPOOL, tmp_path / "images")
    shutil.copytree(plan, tmp_path / "plans" / "plan")
    before = hashes(tmp_path), hashes(plan)
    for path in tmp_path.rglob("*"):
        path.chmod(stat.S_IRUSR | stat.S_IXUSR if path.is_dir() else stat.S_IRUSR)
    found = replay(tmp_path / "copy.sqlite", images=tmp_path / "images", plans=tmp_path / "plans")
    for path in tmp_path.rglob("*"):
        path.chmod(stat.S_IRWXU)
    assert found.same
    assert found.answers[0].exact
    assert (hashes(tmp_path), hashes(plan)) == before


def test_an_image_that_is_missing_is_named(engine):
    (engine / SPOOL / "first.hu").unlink()
    with pytest.raises(InputError, match=r"first\.hu cannot be read"):
        replay(engine)
    assert replay(engine, answers=False).same


def test_an_image_that_was_cut_short_is_named(engine):
    path = engine / SPOOL / "first.hu"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"first\.hu is not the image"):
        replay(engine)


def test_an_image_that_was_removed_by_command_is_counted_and_no_fault(engine):
    (image,) = stored_images(engine / SPOOL)
    with Journal(engine / FILE, session="retention") as journal:
        journal.append_all([removal_row(image, patient_id="PHANTOM")])
    assert replay(engine).answers  # still there
    image.path.unlink()
    found = replay(engine)
    assert found.same
    assert found.removed == ("first",)
    assert found.answers == ()
    assert "removed by command" in found.summary


def test_another_plan_and_a_missing_one_are_named(recorded, tmp_path):
    engine, plan = recorded
    with pytest.raises(InputError, match="the plan of image first is not there"):
        replay(engine, plans=tmp_path / "nowhere")
    other = shutil.copytree(plan, tmp_path / "plan")
    slice_ = pydicom.dcmread(other / "CT_0015.dcm")
    pixels = slice_.pixel_array.copy()
    pixels[29, 34] += 1
    slice_.PixelData = pixels.tobytes()
    slice_.save_as(other / "CT_0015.dcm")
    with pytest.raises(InputError, match="is not the plan that was in use"):
        replay(engine, plans=tmp_path)


def test_a_journal_that_does_not_hold_is_not_replayed(engine):
    with (engine / FILE).open("r+b") as file:
        content = file.read()
        at = content.index(b"PHANTOM")
        file.seek(at)
        file.write(b"PHANTOX")
    with pytest.raises(JournalError, match="restore a backup"):
        replay(engine)


def test_an_erased_patient_leaves_nothing_to_replay_and_no_fault(engine):
    with Journal(engine / FILE, session="erasing") as journal:
        assert journal.erase_patient("PHANTOM") is not None
    found = replay(engine)
    assert found.same
    assert found.erased > 10
    assert found.answers == ()
    assert found.decisions.get("claim", 0) == 0


def test_recordings_without_what_an_answer_rests_on_are_told(recorded, tmp_path):
    def forget(row, payload):
        return {"nothing": 1} if row.kind == ANSWER else None

    journal = rewrite(recorded[0] / FILE, tmp_path / "other.sqlite", forget)
    with pytest.raises(InputError, match=r"row \d+ of the journal \(answer\) cannot be read"):
        replay(journal)


def test_a_replay_as_json_is_plain(recorded):
    found = replay(recorded[0])
    tables = found.to_json()
    assert tables["version"] == "igrt-replay/1"
    assert tables["same"] is True
    assert tables["answers"][0]["bit_for_bit"] is True
    answer = dataclasses.replace(found.answers[0], differences=())
    assert tables["answers"][0]["row"] == answer.row
