"""Retention takes old images that nobody needs, says so first, and leaves none by half, wherever it breaks off."""

import os
from pathlib import Path

import msgspec
import pytest

from igrt.bus import messages as m
from igrt.engine.journal import Entry, Journal, read_rows
from igrt.engine.record import EVENT, FILE, IMAGE_REMOVED, RESTORED, SPOOL, STATE
from igrt.engine.retention import DAY_S, look, retain
from igrt.engine.spool import Spool
from igrt.engine.spool_files import finish_removals, stored_images
from igrt.engine.survey import InHand, survey
from igrt.errors import InputError
from tests.unit.engine.test_spool import describe

NOW = 1_790_000_000.0


def begun(image_id, patient_id="P1"):
    event = m.StateChanged(
        header=m.new_header(patient_id=patient_id), number=1, previous="ready", state="acquiring", trigger="image_begun", image_id=image_id
    )
    return Entry(EVENT, m.encode(event), patient_id=patient_id)


def stood(state, image_id=None, fingerprint=None):
    plan = fingerprint and {"fingerprint": fingerprint, "patient_id": "P9", "number": 4}
    return Entry(STATE, msgspec.msgpack.encode({"state": state, "image_id": image_id, "plan": plan, "boot": "b"}))


@pytest.fixture
def folder(tmp_path):
    """Images a (40 days old), b (20 days), in-hand (30 days), of-plan (30 days), unknown (50 days), unreadable (60 days)."""
    ages = {"a": 40, "b": 20, "in-hand": 30, "of-plan": 30, "unknown": 50, "unreadable": 60}
    with Journal(tmp_path / FILE, session="s") as journal:
        journal.append_all([begun(image_id) for image_id in ages if image_id != "unknown"])
        journal.append_all([stood("acquiring", "a", "f"), stood("acquiring", "in-hand", "plan-2")])
    for image_id, days in ages.items():
        described = describe(image_id=image_id, plan_fingerprint="plan-2" if image_id == "of-plan" else "f")
        Spool(tmp_path / SPOOL, described, reserve_bytes=0).close()
        os.utime(tmp_path / SPOOL / f"{image_id}.hu", (NOW - days * DAY_S,) * 2)
    (tmp_path / SPOOL / "unreadable.json").write_text("{")
    return tmp_path


def there(folder):
    return {path.name for path in (folder / SPOOL).iterdir()}


def test_only_what_is_old_journaled_and_done_with_may_go(folder):
    looked = look(folder, keep_days=25, now_utc_s=NOW)
    assert {judged.image.image_id: judged.why_kept for judged in looked.images} == {
        "unreadable": "its description cannot be read",
        "unknown": "the journal does not tell of it",
        "a": None,
        "in-hand": "it is the image in hand",
        "of-plan": "its session is open",
        "b": "it is not old enough",
    }
    assert [round(judged.age_days) for judged in looked.images] == [60, 50, 40, 30, 30, 20]
    assert looked.free_bytes > 0


@pytest.mark.parametrize(("keep_days", "gone"), [(39.99, {"a"}), (40, set()), (1, {"a", "b"})])
def test_older_than_is_older_than(folder, keep_days, gone):
    assert {judged.image.image_id for judged in look(folder, keep_days=keep_days, now_utc_s=NOW).may_go} == gone


def test_the_plan_of_a_closed_session_is_in_use_until_another_is_loaded(folder):
    with Journal(folder / FILE, session="s") as journal:
        journal.append_all([stood("ready", None, "plan-2")])
        kept = {j.image.image_id: j.why_kept for j in look(folder, keep_days=25, now_utc_s=NOW).images}
        assert (kept["in-hand"], kept["of-plan"]) == (None, "its plan is in use")
        journal.append_all([stood("ready", None, "plan-3")])
        kept = {j.image.image_id: j.why_kept for j in look(folder, keep_days=25, now_utc_s=NOW).images}
        assert kept["of-plan"] is None


def test_a_clock_in_the_past_takes_nothing(folder):
    assert look(folder, keep_days=1, now_utc_s=0.0).may_go == ()


def test_each_removal_is_a_row_of_the_images_patient_and_before_it(folder):
    before = there(folder)
    seen = []

    def removed(image):
        rows = [row for row in read_rows(folder / FILE) if row.kind == IMAGE_REMOVED]
        seen.append((image.image_id, [msgspec.msgpack.decode(row.payload)["image_id"] for row in rows]))

    gone = retain(folder, keep_days=15, now_utc_s=NOW, removed=removed)
    assert [judged.image.image_id for judged in gone] == ["a", "b"]
    assert seen == [("a", ["a", "b"]), ("b", ["a", "b"])]
    assert there(folder) == before - {"a.hu", "a.json", "b.hu", "b.json"}
    with Journal(folder / FILE, session="s") as journal:
        assert journal.erase_patient("P1").payloads == 5 + 2


@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("what", ["unlink", "fsync"])
def test_wherever_it_breaks_off_nothing_stays_by_half(folder, monkeypatch, at, what):
    class PowerCutError(BaseException):
        pass

    done, real = [], {"unlink": Path.unlink, "fsync": os.fsync}[what]

    def cut(*arguments, **options):
        done.append(arguments)
        if len(done) > at:
            raise PowerCutError
        return real(*arguments, **options)

    before = there(folder)
    with monkeypatch.context() as patched:
        patched.setattr(*((Path, "unlink") if what == "unlink" else (os, "fsync")), cut)
        try:
            retain(folder, keep_days=15, now_utc_s=NOW)
        except PowerCutError:
            pass
        else:
            assert len(done) <= at
    retain(folder, keep_days=15, now_utc_s=NOW)
    assert there(folder) == before - {"a.hu", "a.json", "b.hu", "b.json"}


def test_halves_are_finished_and_wholes_left(folder):
    whole = there(folder)
    for name in ("x.json", "y.hu", "z.json.tmp"):
        (folder / SPOOL / name).touch()
    assert finish_removals(folder / SPOOL) == ["x", "y", "z"]
    assert there(folder) == whole
    assert finish_removals(folder / SPOOL) == finish_removals(folder / "nowhere") == []


def test_a_folder_without_a_journal_is_refused_and_stays_as_it_is(tmp_path):
    for use in (look, retain):
        with pytest.raises(InputError, match="there is no journal"):
            use(tmp_path, keep_days=30, now_utc_s=NOW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("days", [0.99, 0, -1, float("nan")])
def test_less_than_a_day_is_no_age(folder, days):
    with pytest.raises(InputError, match="kept for a day at least"):
        retain(folder, keep_days=days, now_utc_s=NOW)


def test_an_image_that_vanishes_meanwhile_is_not_listed(folder):
    (folder / SPOOL / "a.hu").unlink()
    assert "a" not in [image.image_id for image in stored_images(folder / SPOOL)]


# ------------------------------------------------------------------------------------------------ the survey


def test_a_survey_knows_whose_images_are_and_which_names_are_shared(tmp_path):
    with Journal(tmp_path / FILE, session="s") as journal:
        journal.append_all([begun("a"), begun("b", "P2"), begun("a", "P3"), begun("c", None), stood("moving", "c", "f")])
        told = survey(journal.rows())
        assert (told.images, told.shared, told.patients) == ({"a": "P3", "b": "P2", "c": None}, {"a"}, {"P1", "P2", "P3"})
        assert (told.last.state, told.last.image_id, told.last.is_open, told.last_number) == ("moving", "c", True, 5)
        journal.append("event", msgspec.msgpack.encode({"header": {}, "of": "a later engine"}))
        journal.append_all([Entry(RESTORED, b"\x80")])
        assert survey(journal.rows()).last == InHand()


def test_a_state_that_is_not_known_is_open():
    assert InHand(state="of a later engine").is_open
