"""Thirty kills of the engine in whatever it was doing: nothing acknowledged, told or released is lost or doubled."""

from tests.faults.kills import run

KILLS = 30


def test_kill_9_loses_nothing_and_releases_nothing_twice(tmp_path):
    tally = run(tmp_path, count=KILLS, seed=9)
    assert tally.kills == KILLS
    assert (tally.images_lost, tally.events_lost, tally.released_twice) == ([], [], [])
    assert tally.released > 0
    assert tally.acknowledged_slabs > KILLS
    assert len(tally.states) >= 6
