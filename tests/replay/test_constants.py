"""A constant of the decisions that changed, a row of a table that went: some recorded session fails."""

import dataclasses

import pytest

from igrt.engine import states
from igrt.engine.alerts import ALERTS
from igrt.engine.policy import policy_of
from igrt.engine.record import SPOOL
from igrt.engine.replay import replay
from igrt.engine.states import State, Trigger
from igrt.guard import decision
from igrt.guard.table import RULES
from tests.replay.library import PLAN, unpack
from tests.replay.sessions import SESSIONS


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Every recorded session, unpacked."""
    folder = tmp_path_factory.mktemp("library")
    unpack(PLAN, folder)
    return {name: unpack(name, folder) for name in SESSIONS}


def decide(folder):
    return replay(folder, images=folder / SPOOL, answers=False)


def kinds(found) -> set[str]:
    return {turn.what for turn in found.differing}


def test_the_decisions_of_every_session_are_the_same(library):
    for name, folder in library.items():
        found = decide(folder)
        assert list(found.sentences) == [], name
        assert found.answers == ()


@pytest.mark.parametrize(
    ("session", "constant", "value", "kind"),
    [
        ("expired", "igrt.guard.rules.session.SHORTEST_TOKEN", 65, "claim"),
        ("resumed", "igrt.engine.resume._NOTHING_RESUMES", (), "start"),
    ],
)
def test_a_changed_constant_fails(library, monkeypatch, session, constant, value, kind):
    monkeypatch.setattr(constant, value)
    assert kind in kinds(decide(library[session]))


@pytest.mark.parametrize(
    ("limit", "value", "kind"),
    [
        ("lifetime_s", 299.0, "answer"),
        ("report_age_s", 1e-9, "claim"),
        ("largest_shift_mm", 0.5, "claim"),
        ("largest_turn_deg", 0.1, "claim"),
    ],
)
def test_a_changed_limit_of_the_guard_fails(library, monkeypatch, limit, value, kind):
    def changed(*given, **options):
        return dataclasses.replace(policy_of(*given, **options), **{limit: value})

    monkeypatch.setattr("igrt.engine.case.policy_of", changed)
    assert kind in kinds(decide(library["released"]))


@pytest.mark.parametrize("name", ["patient", "couch_unmoved", "token", "token_unused"])
def test_a_rule_of_the_guard_that_went_fails(library, monkeypatch, name):
    monkeypatch.setattr(decision, "RULES", tuple(rule for rule in RULES if rule.name != name))
    assert RULES != decision.RULES
    found = decide(library["released"])
    assert kinds(found) == {"claim"}
    assert len(found.differing) < 5  # a claim that is decided otherwise makes no other turn differ


def test_a_couch_that_nobody_checks_fails(library, monkeypatch):
    monkeypatch.setattr("igrt.engine.linac_desk.close_chain", lambda **_: ())
    assert "report_couch" in kinds(decide(library["overridden"]))


@pytest.mark.parametrize(
    ("session", "row"),
    [
        ("released", (State.APPROVED, Trigger.CLAIM)),
        ("released", (State.DELIVERING, Trigger.BEAM_OFF)),
        ("refused", (State.REGISTERING, Trigger.ANSWER_REFUSED)),
        ("resumed", (State.INTERRUPTED, Trigger.COUCH_AT_TARGET)),
        ("withdrawn", (State.CLAIMED, Trigger.PROPOSAL_WITHDRAWN)),
        ("worker_died", (State.IDLE, Trigger.PLAN_LOADED)),
    ],
)
def test_a_transition_that_went_fails(library, monkeypatch, session, row):
    monkeypatch.setattr(states, "TRANSITIONS", {key: state for key, state in states.TRANSITIONS.items() if key != row})
    found = decide(library[session])
    assert any(str(row[1]) in sentence for sentence in found.sentences)


def test_a_transition_that_leads_elsewhere_fails(library, monkeypatch):
    monkeypatch.setattr(states, "TRANSITIONS", {**states.TRANSITIONS, (State.IDLE, Trigger.PLAN_LOADED): State.IDLE})
    (turn,) = decide(library["worker_died"]).differing
    assert [str(d) for d in turn.differences] == ["transition by plan_loaded: recorded 'ready', replayed 'idle'"]


def test_an_alert_of_another_priority_fails(library, monkeypatch):
    row = ALERTS["correction_withdrawn"]
    monkeypatch.setitem(ALERTS, "correction_withdrawn", dataclasses.replace(row, priority=ALERTS["disk_low"].priority))
    assert ALERTS["correction_withdrawn"].priority != row.priority
    assert "reject" in kinds(decide(library["withdrawn"]))
