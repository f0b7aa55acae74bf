"""The library of recorded sessions, replayed by the code as it is now: within tolerance, since it is another build than recorded them."""

import pytest

from igrt.engine.record import SPOOL
from igrt.engine.replay import replay
from tests.replay.library import PLAN, RECORDINGS, unpack
from tests.replay.sessions import SESSIONS

# What each session must at least have decided again, and how many images it answered.
HOLDS = {
    "released": ({"claim": 5, "report_couch": 3, "report_machine": 4, "approve": 1}, 1),
    "refused": ({"answer": 2, "reject": 1}, 2),
    "worker_died": ({"answer": 1, "reject": 1}, 1),
    "resumed": ({"start": 1, "claim": 1, "acknowledge_hold": 1, "confirm_couch": 1}, 1),
    "expired": ({"expiry": 1, "claim": 1}, 1),
    "withdrawn": ({"claim": 2, "reject": 1, "acknowledge_hold": 1}, 2),
    "overridden": ({"override": 1, "approve": 1, "claim": 1, "clear_alert": 1}, 1),
    "radiographs": ({"answer": 3, "end_image": 3, "approve": 1, "claim": 1}, 3),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_recorded_session_gives_the_same_again(name, tmp_path):
    unpack(PLAN, tmp_path)
    folder = unpack(name, tmp_path)
    found = replay(folder, images=folder / SPOOL, plans=tmp_path)
    assert list(found.sentences) == []
    assert found.same
    decided, images = HOLDS[name]
    assert decided.items() <= found.decisions.items()
    assert len(found.answers) == images
    assert found.removed == ()
    assert found.erased == 0


def test_the_library_is_small_and_complete():
    zips = {path.stem: path.stat().st_size for path in RECORDINGS.glob("*.zip")}
    assert zips.keys() == {PLAN, *SESSIONS}
    assert max(zips.values()) < 250_000
