"""Laws of watching: nothing is fine without a judged frame, not a number is unknown, and the hold comes exactly when it is due."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.errors import InputError
from igrt.registration.marker_tracking import SeenDisplacement
from igrt.verification.watching import DEVIATIONS, Frame, Watch, WatchAlert, Watching, WatchLimits

LIMITS = WatchLimits(tolerance_mm=3.0, beyond_s=2.0, unknown_s=4.0, fresh_s=1.0)
START = 100.0


def seen(across=0.0, along=0.0, sd=0.1) -> SeenDisplacement:
    return SeenDisplacement(across, along, sd, sd, (0.0, 0.0, 1.0), 3)


def frame(number, taken, shown, answered=None) -> Frame:
    return Frame(number=number, taken_s=taken, answered_s=taken if answered is None else answered, seen=shown)


def begin(limits=LIMITS) -> Watching:
    return Watching.begin(limits, now_s=START)


def run(*frames, limits=LIMITS) -> Watching:
    watching = begin(limits)
    for one in frames:
        watching = watching.with_frame(one)
    return watching


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-10, 10)
shown = st.none() | st.builds(seen, numbers, numbers, numbers)
steps = st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1.5), st.integers(1, 3), shown, st.booleans()), max_size=25)


@given(steps)
def test_never_fine_without_a_judged_frame_within_the_time(plan) -> None:
    watching, now, number = begin(), START, 0
    last_good = None
    for wait, delay, step, what, is_tick in plan:
        now += wait
        if is_tick:
            watching = watching.tick(now)
        else:
            number += step
            taken = now
            now += delay
            watching = watching.with_frame(frame(number, taken, what, now))
            if what is not None and what.finite:
                good = math.hypot(what.across_mm, what.along_mm) + DEVIATIONS * max(what.across_sd_mm, what.along_sd_mm) <= 3.0
                last_good = (taken, good)
        if watching.state is Watch.FINE:
            assert last_good is not None
            assert last_good[1]
            assert now - last_good[0] <= LIMITS.fresh_s
        if last_good is None or now - last_good[0] > LIMITS.fresh_s:
            assert watching.state is Watch.UNKNOWN
        if now - (START if last_good is None else last_good[0]) >= LIMITS.unknown_s:
            assert watching.hold is not None


@given(steps)
def test_a_hold_once_asked_for_stays(plan) -> None:
    watching, now, first = begin(), START, None
    for number, (wait, delay, _, what, is_tick) in enumerate(plan):
        now += wait
        watching = watching.tick(now) if is_tick else watching.with_frame(frame(number, now, what, now + delay))
        now += 0 if is_tick else delay
        first = first or watching.hold
        assert watching.hold == first


@given(st.integers(1, 40), st.integers(0, 40))
def test_every_frame_is_counted_once(judged, unjudged) -> None:
    frames = [frame(n, START + 0.01 * n, seen() if n <= judged else None) for n in range(1, judged + unjudged + 1)]
    counts = run(*frames).counts
    assert (counts.judged, counts.unjudged, counts.dropped, counts.late) == (judged, unjudged, 0, 0)


@given(st.lists(st.integers(1, 60), min_size=1, unique=True).map(sorted))
def test_what_never_came_is_counted_as_dropped(came) -> None:
    counts = run(*(frame(n, START + 0.01 * n, seen()) for n in came)).counts
    assert counts.dropped == came[-1] - came[0] + 1 - len(came)
    assert counts.judged == len(came)


@pytest.mark.parametrize("bad", [None, seen(math.nan), seen(0.0, math.inf), seen(sd=math.nan), seen(sd=-1.0)])
def test_what_cannot_be_judged_is_unknown_and_never_fine(bad) -> None:
    watching = run(frame(1, START + 0.5, bad))
    assert watching.state is Watch.UNKNOWN
    assert watching.counts.unjudged == 1
    later = watching.tick(START + 4.0)
    assert later.hold.why is WatchAlert.UNKNOWN


def test_it_begins_unknown_and_holds_where_no_frame_ever_comes() -> None:
    assert begin().state is Watch.UNKNOWN
    assert begin().tick(START + 3.999).hold is None
    hold = begin().tick(START + 4.25).hold
    assert (hold.why, hold.since_s, hold.delay_s, hold.displacement_mm) == (WatchAlert.UNKNOWN, START, 0.25, None)


def test_a_displacement_holds_exactly_after_the_set_time() -> None:
    beyond = [frame(n, START + 0.5 * n, seen(4.0)) for n in range(1, 5)]
    assert run(*beyond).state is Watch.BEYOND
    assert run(*beyond).hold is None  # 1.5 s since the first
    last = run(*beyond, frame(5, START + 2.5, seen(4.0)))
    assert (last.hold.why, last.hold.since_s, last.hold.displacement_mm) == (WatchAlert.DISPLACED, START + 0.5, 4.0)
    assert last.hold.delay_s == pytest.approx(0.0)


def test_the_delay_counts_from_the_exposure() -> None:
    limits = dataclasses.replace(LIMITS, beyond_s=0.0)
    watching = run(frame(1, START + 1.0, seen(9.0), START + 1.3), limits=limits)
    assert watching.hold.delay_s == pytest.approx(0.3)


def test_a_return_within_tolerance_takes_the_displacement_back() -> None:
    back = run(frame(1, START + 0.5, seen(4.0)), frame(2, START + 2.0, seen(1.0)))
    assert back.state is Watch.FINE
    assert run(*(frame(n, START + 0.5 * n, seen(4.0 if n != 3 else 0.0)) for n in range(1, 7))).hold is None


def test_a_displacement_goes_on_while_nothing_is_known() -> None:
    watching = run(frame(1, START + 0.5, seen(4.0)), frame(2, START + 1.5, None), frame(3, START + 2.5, None))
    assert watching.hold.why is WatchAlert.DISPLACED


def test_the_deviation_is_held_against_the_tolerance_too() -> None:
    assert run(frame(1, START + 0.1, seen(2.9, sd=0.04))).state is Watch.FINE
    assert run(frame(1, START + 0.1, seen(2.9, sd=0.06))).state is Watch.BEYOND


def test_a_judged_frame_holds_only_so_long() -> None:
    watching = run(frame(1, START + 0.5, seen()))
    assert watching.tick(START + 1.5).state is Watch.FINE
    assert watching.tick(START + 1.51).state is Watch.UNKNOWN


def test_an_old_exposure_answered_late_is_not_fresh() -> None:
    assert run(frame(1, START + 0.5, seen(), START + 2.0)).state is Watch.UNKNOWN


def test_late_frames_tell_nothing() -> None:
    watching = run(frame(5, START + 0.5, seen(4.0)), frame(3, START + 0.6, seen(0.0)))
    assert watching.state is Watch.BEYOND
    assert watching.counts.late == 1


@pytest.mark.parametrize("clock", [math.nan, START - 1.0, -math.inf])
def test_a_clock_that_stands_back_or_is_no_number_holds(clock) -> None:
    watching = run(frame(1, START + 0.5, seen())).tick(clock)
    assert watching.hold.why is WatchAlert.UNKNOWN
    assert watching.state is Watch.UNKNOWN  # how old the last frame is cannot be told
    assert "not known" in watching.sentence
    assert watching.with_frame(frame(2, START + 0.4, seen(), START + 0.6)).state is Watch.UNKNOWN
    assert watching.with_frame(frame(2, START + 0.7, seen())).state is Watch.FINE


def test_a_frame_with_a_bad_clock_is_not_fine_either() -> None:
    watching = run(frame(1, START + 0.5, seen()), frame(2, START + 0.5, seen(), math.nan))
    assert (watching.state, watching.counts.unjudged) == (Watch.UNKNOWN, 1)


@pytest.mark.parametrize("taken", [START - 5.0, START + 9.0, math.nan])
def test_a_frame_of_another_time_is_not_judged(taken) -> None:
    watching = begin().with_frame(frame(1, taken, seen(), START + 0.5))
    assert watching.state is Watch.UNKNOWN
    assert watching.counts.unjudged == 1


@pytest.mark.parametrize(
    "changes", [{"tolerance_mm": 0.0}, {"tolerance_mm": math.nan}, {"beyond_s": -1.0}, {"unknown_s": math.inf}, {"fresh_s": 5.0}]
)
def test_limits_that_are_none_are_refused(changes) -> None:
    with pytest.raises(InputError):
        dataclasses.replace(LIMITS, **changes)


def test_the_sentence_says_what_is_not_seen() -> None:
    assert "along the beam unknown" in run(frame(1, START + 0.1, seen(1.0))).sentence
    assert "not known" in begin().sentence
