"""The stream: numbers without gaps, alerts raised once and cleared once."""

import pytest

from igrt.bus import messages as m
from igrt.bus.topics import EVENTS, decode
from igrt.engine.alerts import ClearedBy
from igrt.engine.stream import Stream


@pytest.fixture
def published():
    return []


@pytest.fixture
def stream(published):
    return Stream(lambda frame: published.append(decode(frame, EVENTS)))


def test_events_count_up_and_heartbeats_do_not(stream, published):
    for _ in range(3):
        stream.tell(m.Stopping)
        stream.beat()
    assert [e.number for e in published if isinstance(e, m.Event)] == [1, 2, 3]
    assert [e.last_number for e in published if isinstance(e, m.Heartbeat)] == [1, 2, 3]
    assert len({e.header.message_id for e in published}) == 6
    assert {e.header.session for e in published} == {stream.session}


def test_headers_name_the_plan_in_use_and_the_welcome_does_not(stream, published):
    stream.patient_id, stream.plan_fingerprint = "P1", "f"
    stream.tell(m.Stopping)
    assert (published[0].header.patient_id, published[0].header.plan_fingerprint) == ("P1", "f")
    welcome = decode(stream.welcome(), EVENTS)
    assert welcome.header.patient_id is None
    assert welcome.header.session == stream.session


def test_an_alert_that_stands_is_not_raised_again_unless_it_says_something_else(stream, published):
    stream.alert("image_stalled", image_id="a", stall_s=10.0)
    stream.alert("image_stalled", image_id="a", stall_s=10.0)
    stream.alert("image_stalled", image_id="b", stall_s=10.0)
    assert [e.alert.sentence for e in published] == [f"Nothing of image {i} has come for 10 s." for i in "ab"]
    stream.clear("image_stalled")
    stream.clear("image_stalled")
    assert [type(e) for e in published[2:]] == [m.AlertCleared]
    assert stream.alerts == {}


def test_alerts_are_cleared_by_who_may(stream, published):
    stream.alert("answer_failed", image_id="a", sentence="no")
    stream.alert("plan_changed")
    stream.clear_all(ClearedBy.NEXT)
    assert list(stream.alerts) == ["plan_changed"]
    stream.clear_all(ClearedBy.PLAN)
    assert list(stream.alerts) == []
    assert [e.code for e in published if isinstance(e, m.AlertCleared)] == ["answer_failed", "plan_changed"]


def test_an_alert_that_is_not_in_the_table_cannot_be_raised(stream):
    with pytest.raises(KeyError):
        stream.alert("made_up")


def test_the_clock_stands_still_for_what_is_told_together(published):
    ticks = iter(range(100))
    stream = Stream(lambda frame: published.append(decode(frame, EVENTS)), clock=lambda: (1e9 + (n := next(ticks)), float(n)))
    with stream.together():
        first = stream.now_s
        stream.tell(m.Stopping)
        with stream.together():
            stream.tell(m.Stopping)
        assert (stream.now_s, stream.utc_unix_s) == (first, 1e9 + first)
    stream.tell(m.Stopping)
    times = [(e.header.monotonic_s, e.header.utc_unix_s) for e in published]
    assert times[:2] == [(first, 1e9 + first)] * 2
    assert times[2][0] > first
    assert times[2][1] - times[2][0] == 1e9
