"""The table of states: every row, and nothing beside it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.engine.states import (
    LEAVING,
    MEANING,
    TRANSITIONS,
    NotAllowedError,
    Session,
    State,
    Trigger,
    is_stalled,
    progressed,
    step,
    why_no_image_now,
    why_no_plan_now,
)

PAIRS = list(itertools.product(State, Trigger))


@pytest.mark.parametrize(("state", "trigger"), PAIRS)
def test_every_pair_is_a_row_of_the_table_or_not_allowed(state, trigger):
    before = Session(state, since_s=1.0, image_id="a", progress_s=1.0)
    if (state, trigger) not in TRANSITIONS:
        with pytest.raises(NotAllowedError, match=f"{trigger} cannot happen while the session is {state}"):
            step(before, trigger, now_s=2.0)
        return
    after = step(before, trigger, now_s=2.0, image_id="b")
    assert after.state is TRANSITIONS[state, trigger]
    assert after.since_s == after.progress_s == 2.0
    expected = {Trigger.IMAGE_BEGUN: "b", Trigger.PLAN_DROPPED: None}.get(trigger, "a")
    assert after.image_id == expected


def test_the_table_is_the_one_that_was_designed():
    assert {f"{a} {t} {b}" for (a, t), b in TRANSITIONS.items()} == {
        "idle plan_loaded ready",
        "ready plan_dropped idle",
        "ready image_begun acquiring",
        "acquiring image_ended registering",
        "acquiring interruption interrupted",
        "registering answer_accepted proposed",
        "registering answer_refused refused",
        "registering interruption interrupted",
        "proposed proposal_withdrawn withdrawn",
        "refused image_begun acquiring",
        "refused plan_dropped idle",
        "withdrawn image_begun acquiring",
        "withdrawn plan_dropped idle",
        "interrupted image_begun acquiring",
        "interrupted plan_dropped idle",
    }


def test_every_state_has_a_meaning_is_reached_and_is_left():
    assert set(MEANING) == set(State)
    assert set(TRANSITIONS.values()) == set(State)
    assert {a for a, _ in TRANSITIONS} == set(State)


@pytest.mark.parametrize("state", [s for s in State if s is not State.IDLE])
def test_after_leaving_a_state_its_plan_can_be_dropped_and_another_image_can_begin(state):
    session = Session(state, image_id="a")
    for trigger in LEAVING.get(state, ()):
        session = step(session, trigger, now_s=1.0)
    assert step(session, Trigger.PLAN_DROPPED, now_s=2.0).state is State.IDLE
    assert step(session, Trigger.IMAGE_BEGUN, now_s=2.0, image_id="b").state is State.ACQUIRING


@given(st.lists(st.sampled_from(Trigger), max_size=30))
def test_a_proposal_is_only_reached_from_a_whole_image_of_a_loaded_plan(triggers):
    session, taken = Session(), []
    for trigger in triggers:
        try:
            session = step(session, trigger, now_s=0.0, image_id="a")
        except NotAllowedError:
            continue
        taken.append(trigger)
    if session.state is State.PROPOSED:
        assert taken[-3:] == [Trigger.IMAGE_BEGUN, Trigger.IMAGE_ENDED, Trigger.ANSWER_ACCEPTED]
        assert Trigger.PLAN_LOADED in taken
        assert Trigger.PLAN_DROPPED not in taken[len(taken) - 1 - taken[::-1].index(Trigger.PLAN_LOADED) :]


@pytest.mark.parametrize(("now_s", "stalled"), [(10.0, False), (19.9, False), (20.0, True), (1000.0, True)])
def test_an_image_stalls_when_nothing_of_it_comes(now_s, stalled):
    session = progressed(Session(State.ACQUIRING, since_s=0.0, image_id="a"), now_s=10.0)
    assert is_stalled(session, now_s=now_s, stall_s=10.0) is stalled


@pytest.mark.parametrize("state", [s for s in State if s is not State.ACQUIRING])
def test_only_an_image_that_is_being_taken_in_stalls(state):
    assert not is_stalled(Session(state), now_s=1e9, stall_s=10.0)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("now_s", [1.0, 11.0])
def test_when_a_plan_or_an_image_may_take_the_place_of_what_is_in_hand(state, now_s):
    session = Session(state, image_id="a", progress_s=0.0)
    busy = state is State.REGISTERING or (state is State.ACQUIRING and now_s < 10.0)
    no_plan = why_no_plan_now(session, now_s=now_s, stall_s=10.0)
    no_image = why_no_image_now(session, now_s=now_s, stall_s=10.0)
    assert (no_plan is not None) is busy
    assert (no_image is not None) is (busy or state is State.IDLE)
    if busy:
        assert "image a" in no_plan or "answer for image a" in no_plan
        assert "image a" in no_image
    if state is State.IDLE:
        assert "load the patient's plan first" in no_image
