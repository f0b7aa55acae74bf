"""The table of states: every row, and nothing beside it."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.engine.states import (
    EXPIRING,
    LEAVING,
    MEANING,
    RELEASED,
    STANDING,
    TRANSITIONS,
    NotAllowedError,
    Session,
    State,
    Trigger,
    is_expired,
    is_stalled,
    progressed,
    step,
    why_no_image_now,
    why_no_plan_now,
    why_not,
)

PAIRS = list(itertools.product(State, Trigger))


@pytest.mark.parametrize(("state", "trigger"), PAIRS)
def test_every_pair_is_a_row_of_the_table_or_not_allowed(state, trigger):
    before = Session(state, since_s=1.0, image_id="a", progress_s=1.0)
    if (state, trigger) not in TRANSITIONS:
        with pytest.raises(NotAllowedError, match=f"{trigger} cannot happen while the session is {state}"):
            step(before, trigger, now_s=2.0)
        assert f"the session is {state}" in why_not(before, trigger, remedy="wait")
        return
    assert why_not(before, trigger, remedy="wait") is None
    after = step(before, trigger, now_s=2.0, image_id="b")
    assert after.state is TRANSITIONS[state, trigger]
    assert after.since_s == after.progress_s == 2.0
    expected = {Trigger.IMAGE_BEGUN: "b", Trigger.PLAN_DROPPED: None}.get(trigger, "a")
    assert after.image_id == expected


DESIGNED = """
idle plan_loaded ready
ready plan_dropped idle
ready image_begun acquiring
ready interruption interrupted
acquiring image_ended registering
acquiring interruption interrupted
registering answer_accepted proposed
registering answer_refused refused
registering interruption interrupted
proposed approval approved
proposed override approved
proposed rejection rejected
proposed expiry expired
proposed proposal_withdrawn withdrawn
proposed interruption interrupted
approved claim claimed
approved rejection rejected
approved expiry expired
approved proposal_withdrawn withdrawn
approved interruption interrupted
claimed move_started moving
claimed expiry expired
claimed proposal_withdrawn withdrawn
claimed interruption interrupted
moving arrival in_position
moving proposal_withdrawn withdrawn
moving interruption interrupted
in_position beam_on delivering
in_position image_begun acquiring
in_position put_aside ready
in_position proposal_withdrawn withdrawn
in_position interruption interrupted
delivering beam_off ready
delivering interruption interrupted
refused image_begun acquiring
refused put_aside ready
refused plan_dropped idle
refused interruption interrupted
rejected image_begun acquiring
rejected put_aside ready
rejected plan_dropped idle
rejected interruption interrupted
expired image_begun acquiring
expired put_aside ready
expired plan_dropped idle
expired interruption interrupted
withdrawn image_begun acquiring
withdrawn put_aside ready
withdrawn plan_dropped idle
withdrawn interruption interrupted
interrupted image_begun acquiring
interrupted couch_at_target in_position
interrupted couch_confirmed ready
interrupted plan_dropped idle
"""


def test_the_table_is_the_one_that_was_designed():
    assert {f"{a} {t} {b}" for (a, t), b in TRANSITIONS.items()} == set(DESIGNED.split("\n")) - {""}


def test_a_proposal_stands_from_its_telling_to_the_end_of_the_beam_and_can_be_ended_all_that_time():
    assert {State(name) for name in ["proposed", "approved", "claimed", "moving", "in_position", "delivering"]} == STANDING
    assert STANDING >= RELEASED | EXPIRING
    for state in STANDING:
        ends = {Trigger.PROPOSAL_WITHDRAWN, Trigger.INTERRUPTION} & {t for s, t in TRANSITIONS if s is state}
        assert Trigger.PROPOSAL_WITHDRAWN in ends or LEAVING[state] == (Trigger.INTERRUPTION,)


def test_every_state_has_a_meaning_is_reached_and_is_left():
    assert set(MEANING) == set(State)
    assert set(TRANSITIONS.values()) == set(State)
    assert {a for a, _ in TRANSITIONS} == set(State)


def test_every_trigger_is_in_the_table():
    assert {t for _, t in TRANSITIONS} == set(Trigger)


def test_nothing_is_claimed_but_what_is_approved_and_nothing_moves_but_what_is_claimed():
    assert [a for (a, t) in TRANSITIONS if t is Trigger.CLAIM] == [State.APPROVED]
    assert {a for (a, _), b in TRANSITIONS.items() if b is State.CLAIMED} == {State.APPROVED}
    assert {a for (a, _), b in TRANSITIONS.items() if b is State.MOVING} == {State.CLAIMED}
    assert {a for (a, _), b in TRANSITIONS.items() if b is State.APPROVED} == {State.PROPOSED}
    assert {a for (a, _), b in TRANSITIONS.items() if b is State.DELIVERING} == {State.IN_POSITION}


@pytest.mark.parametrize("state", [s for s in State if s is not State.IDLE])
def test_after_leaving_a_state_another_image_can_begin(state):
    session = Session(state, image_id="a")
    for trigger in LEAVING.get(state, ()):
        session = step(session, trigger, now_s=1.0)
    assert step(session, Trigger.IMAGE_BEGUN, now_s=2.0, image_id="b").state is State.ACQUIRING


@pytest.mark.parametrize("state", [s for s in State if s not in (State.IDLE, State.IN_POSITION)])
def test_after_leaving_a_state_its_plan_can_be_dropped(state):
    session = Session(state, image_id="a")
    for trigger in LEAVING.get(state, ()):
        session = step(session, trigger, now_s=1.0)
    assert step(session, Trigger.PLAN_DROPPED, now_s=2.0).state is State.IDLE


@given(st.lists(st.sampled_from(Trigger), max_size=60))
def test_what_is_released_came_from_a_whole_image_of_a_loaded_plan_that_was_approved_after_it(triggers):
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
    if session.state is State.CLAIMED:
        assert taken[-5:-2] == [Trigger.IMAGE_BEGUN, Trigger.IMAGE_ENDED, Trigger.ANSWER_ACCEPTED]
        assert taken[-2] in (Trigger.APPROVAL, Trigger.OVERRIDE)


def test_a_claim_needs_its_own_image_each_time():
    """On every path of the table, between two claims lies an answer: nothing is released twice."""
    reached = {State.CLAIMED}
    frontier = [State.CLAIMED]
    while frontier:
        here = frontier.pop()
        for (state, trigger), after in TRANSITIONS.items():
            if state is here and trigger is not Trigger.ANSWER_ACCEPTED and after not in reached:
                reached.add(after)
                frontier.append(after)
    assert State.APPROVED not in reached
    assert State.PROPOSED not in reached


@pytest.mark.parametrize(("now_s", "stalled"), [(10.0, False), (19.9, False), (20.0, True), (1000.0, True)])
def test_an_image_stalls_when_nothing_of_it_comes(now_s, stalled):
    session = progressed(Session(State.ACQUIRING, since_s=0.0, image_id="a"), now_s=10.0)
    assert is_stalled(session, now_s=now_s, stall_s=10.0) is stalled


@pytest.mark.parametrize("state", [s for s in State if s is not State.ACQUIRING])
def test_only_an_image_that_is_being_taken_in_stalls(state):
    assert not is_stalled(Session(state), now_s=1e9, stall_s=10.0)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    ("now_s", "too_old"), [(100.0, False), (400.0, False), (400.001, True), (99.999, True), (math.nan, True), (math.inf, True)]
)
def test_what_waits_for_the_couch_expires_with_its_image(state, now_s, too_old):
    expected = too_old and state in EXPIRING
    assert is_expired(Session(state), now_s=now_s, seen_s=100.0, lifetime_s=300.0) is expected
    assert ((state, Trigger.EXPIRY) in TRANSITIONS) is (state in EXPIRING)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("now_s", [1.0, 11.0])
def test_when_a_plan_or_an_image_may_take_the_place_of_what_is_in_hand(state, now_s):
    session = Session(state, image_id="a", progress_s=0.0)
    busy = state is State.REGISTERING or (state is State.ACQUIRING and now_s < 10.0)
    no_plan = why_no_plan_now(session, now_s=now_s, stall_s=10.0)
    no_image = why_no_image_now(session, now_s=now_s, stall_s=10.0)
    assert (no_plan is not None) is (busy or state in RELEASED)
    assert (no_image is not None) is (busy or state is State.IDLE)
    if busy:
        assert "image a" in no_plan or "answer for image a" in no_plan
        assert "image a" in no_image
    if state in RELEASED:
        assert "reject it or let it end" in no_plan
    if state is State.IDLE:
        assert "load the patient's plan first" in no_image


MEANINGS = """
idle: no plan is loaded
ready: a plan is prepared; an image may begin
acquiring: an image is being taken in
registering: the image is whole; its answer is being worked out
proposed: a correction is proposed; nothing is released
approved: a person approved the proposal; the linac may claim it, once
claimed: the correction is released to the linac; the couch has not moved yet
moving: the couch is on its way to the target
in_position: the couch was read back at its target; a verification image may follow
delivering: the beam is on
refused: the match is not to be trusted, or one radiograph shows no depth; there is no correction
rejected: a person wanted nothing of the proposal
expired: the image is too old to move a patient by
withdrawn: a newer image or plan, a person or the second solver took the proposal away; a linac that had it was told to hold
interrupted: an image, a move or a beam broke off; confirm the couch, or image again
"""


def test_what_each_state_means_is_said_so():
    """These words end in sentences that a therapist reads."""
    assert "".join(f"{state}: {meaning}\n" for state, meaning in MEANING.items()) == MEANINGS.lstrip()


def test_a_session_begins_idle_at_no_time_with_no_image():
    assert Session() == Session(State.IDLE, since_s=0.0, image_id=None, progress_s=0.0)


@pytest.mark.parametrize(
    ("state", "no_plan", "no_image"),
    [
        (State.IDLE, None, "no plan is loaded; load the patient's plan first"),
        (State.ACQUIRING, "image a is being taken in; load a plan after it", "image a is being taken in; end it first"),
        (
            State.REGISTERING,
            "the answer for image a is being worked out; load a plan after it",
            "the answer for image a is being worked out; begin after it",
        ),
        (State.DELIVERING, "the session is delivering: the beam is on; reject it or let it end, then load a plan", None),
    ],
)
def test_why_not_now_is_said_with_what_to_do(state, no_plan, no_image):
    session = Session(state, image_id="a")
    assert why_no_plan_now(session, now_s=1.0, stall_s=10.0) == no_plan
    assert why_no_image_now(session, now_s=1.0, stall_s=10.0) == no_image


def test_what_cannot_happen_is_said_with_the_state_and_a_remedy():
    session = Session(State.DELIVERING)
    assert why_not(session, Trigger.CLAIM, remedy="wait") == "the session is delivering: the beam is on; wait"
    with pytest.raises(NotAllowedError, match=r"^claim cannot happen while the session is delivering: the beam is on$"):
        step(session, Trigger.CLAIM, now_s=1.0)
