"""Radiographs over the bus, with the real worker: a pair is answered as the library answers it, and released as a cone-beam image is."""

import os
import signal

import msgspec
import numpy as np
import pytest

import igrt
from igrt.bus import messages as m
from igrt.bus.errors import RefusedError, RefusedInputError
from igrt.bus.radiographs import sent
from igrt.engine.record import SPOOL
from igrt.engine.release import position
from igrt.engine.replay import replay
from tests.kv_cases import cone_beam, radiographs, write_kv_plan
from tests.radiograph_cases import ISOCENTRE_MM, POSITION
from tests.replay.sessions import COUCH, PERSON, WAIT_S, Session, engine_of

SHIFT_MM = (1.2, -2.0, 1.5)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return write_kv_plan(tmp_path_factory.mktemp("kv") / "plan")


@pytest.fixture
def session(plan, tmp_path):
    """An engine with the plan loaded; whatever happened, it is decided and answered the same again."""
    with engine_of(tmp_path, plan) as session:
        session.load()
        yield session
    found = replay(session.folder)
    assert list(found.sentences) == []
    assert all(answer.exact for answer in found.answers)


def send(session: Session, daily, **options):
    image_id = session.client.send_radiographs(daily, **({"couch": COUCH} | options))
    return session.client.wait_for_answer(image_id, timeout_s=WAIT_S)


def comparable(answer: dict) -> dict:
    """All but how long it took."""
    return msgspec.to_builtins({key: value for key, value in answer.items() if key != "seconds"})


def codes(event) -> dict[str, str]:
    return {finding["code"]: finding["level"] for finding in event.answer["findings"]}


def test_a_pair_over_the_bus_gives_the_answer_of_the_library(session, plan, tmp_path):
    daily = radiographs(tmp_path / "pair")
    expected = igrt.verify(igrt.load_plan(plan), daily, couch_start=position(COUCH)).to_json()
    assert expected["outcome"] == "accepted"
    event = send(session, daily)
    assert isinstance(event, m.Proposal)
    assert comparable(event.answer) == comparable(expected)
    assert [image["file"] for image in event.answer["radiographs"]["images"]] == [image.source for image in daily.images]


def test_a_pair_is_approved_claimed_moved_and_treated_as_a_cone_beam_image_is(session, tmp_path):
    release = session.claimed(send(session, radiographs(tmp_path / "pair", shift_mm=SHIFT_MM)))
    target, start = release.target, release.start
    moved = np.array([getattr(target, axis) - getattr(start, axis) for axis in ("lateral_mm", "longitudinal_mm", "vertical_mm")])
    # plan_from_daily shifts by (x, y, z) LPS; head first supine these are +x, +z, -y of the room.
    np.testing.assert_allclose(moved, [SHIFT_MM[0], SHIFT_MM[2], -SHIFT_MM[1]], atol=0.25)
    assert session.move(release).state == "in_position"
    assert session.report(beam_on=True) == "delivering"


def test_one_radiograph_is_partial_and_releases_nothing(session, tmp_path):
    event = send(session, radiographs(tmp_path / "one", angles=(90.0,)))
    assert isinstance(event, m.Refusal)
    assert (event.answer["outcome"], event.answer["verdict"], event.answer["correction"]) == ("partial", "caution", None)
    assert event.answer["radiographs"]["in_plane"] is not None
    now = session.client.snapshot()
    assert now.state == "refused"
    assert {alert.code for alert in now.alerts} == {"verdict_caution"}
    with pytest.raises(RefusedError):
        session.client.approve("0" * 32, by=PERSON)
    session.report()
    denied = session.client.claim("0" * 32, token="0" * 64, couch=COUCH)
    assert denied.release is None
    assert {"state", "proposal"} & {denial.rule for denial in denied.denials}
    assert isinstance(send(session, radiographs(tmp_path / "pair")), m.Proposal)  # a second image shows the depth


def test_a_pair_goes_on_where_it_stopped_in_another_run_and_is_fetched_as_it_was_sent(session, tmp_path):
    daily = radiographs(tmp_path / "pair")
    frames, pixels = zip(*(sent(image) for image in daily.images), strict=True)

    def begin():
        return session.client.begin_radiographs(frames, position=POSITION, patient_id="PHANTOM", couch=COUCH, image_id="kv")

    transfer = begin()
    transfer._dtype = "int16"
    transfer.send(0, np.stack(pixels[:1]).view(np.int16))
    with pytest.raises(RefusedInputError, match="image kv is uint16, not int16; send it as announced"):
        transfer.drain()
    transfer = begin()
    transfer.send(1, np.stack(pixels[1:]))
    transfer.drain()
    session.stop()
    session.start()
    transfer = begin()
    assert transfer.missing == [(0, 1)]
    transfer.send_missing(np.stack(pixels), slab_slices=1)
    pid = session.running.worker_pid
    os.kill(pid, signal.SIGSTOP)  # so that the answer is still open when it is killed
    transfer.end(couch=COUCH)
    os.kill(pid, signal.SIGKILL)
    assert isinstance(session.client.wait_for_answer("kv", timeout_s=WAIT_S), m.Proposal)
    fetched = session.client.fetch("daily_image", "kv")
    assert np.array_equal(fetched.frames, np.stack(pixels))
    assert fetched.radiographs == list(frames)
    assert (session.folder / SPOOL / "kv.hu").stat().st_size == sum(image.nbytes for image in pixels) + 2 * 8
    with pytest.raises(ValueError, match="no volume"):
        _ = fetched.hu


def test_the_table_angle_is_the_one_that_every_frame_states(session, tmp_path):
    daily = radiographs(tmp_path / "turned", table_angle_deg=4.0)
    event = send(session, daily, couch=None)
    assert event.answer["image_table_angle_deg"] == 4.0
    assert event.answer["table_angle_deg"] == 0.0
    with pytest.raises(RefusedInputError, match=r"support angle 4, .* is taken to be 0; give image_table_angle_deg"):
        send(session, daily, image_table_angle_deg=0.0)


@pytest.mark.parametrize(
    ("moved_mm", "couch", "found"),
    [
        ((0.0, 0.0, 0.0), COUCH, {"images_differ_shift": "inform", "images_differ_turn": "inform"}),
        ((0.0, 4.0, 0.0), COUCH, {"images_differ_shift": "warn", "images_differ_turn": "inform"}),
        ((0.0, 0.0, 0.0), None, {"images_incomparable": "inform"}),
    ],
)
def test_a_cone_beam_image_after_a_pair_says_how_far_they_differ(session, tmp_path, moved_mm, couch, found):
    assert isinstance(send(session, radiographs(tmp_path / "pair", shift_mm=SHIFT_MM)), m.Proposal)
    shift_mm = -np.array(SHIFT_MM) + moved_mm
    event = session.send(cone_beam(shift_mm), image_id="after", isocentre_mm=tuple(ISOCENTRE_MM), couch=couch)
    assert isinstance(event, m.Proposal), event.answer["reason"]
    of_two = {code: level for code, level in codes(event).items() if code.startswith("images_")}
    assert of_two == found
    assert event.answer["verdict"] == ("caution" if "warn" in found.values() else "proceed")
    by_code = {finding["code"]: finding for finding in event.answer["findings"]}
    if "images_differ_shift" in found:
        assert by_code["images_differ_shift"]["value"] == pytest.approx(np.linalg.norm(moved_mm), abs=0.3)
        assert by_code["images_differ_shift"]["limit"] == 2.0
    else:
        assert "where the couch stood is not known" in by_code["images_incomparable"]["sentence"]
