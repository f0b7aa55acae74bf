"""The table of alerts: complete, fillable, and every code that is raised is in it."""

import re
import string
from pathlib import Path

import pytest

import igrt.engine
from igrt.engine.alerts import ALERTS, VERDICT_ALERTS
from igrt.verification.findings import Priority, Verdict

SOURCES = "\n".join(p.read_text() for p in Path(igrt.engine.__file__).parent.glob("*.py"))
SAMPLES = {"budget_s": 60.0, "stall_s": 10.0, "jump_s": -3.25, "free_gib": 1.5, "lifetime_s": 300.0}


@pytest.mark.parametrize("row", ALERTS.values(), ids=lambda r: r.code)
def test_every_row_fills_in_and_says_what_to_do(row):
    fields = {name for _, name, _, _ in string.Formatter().parse(row.sentence) if name}
    state = row.state(**{name: SAMPLES.get(name, "something") for name in fields})
    assert "{" not in state.sentence
    assert state.code == row.code
    assert state.remedy
    assert state.cleared_by
    assert state.priority in set(Priority)


def test_every_code_that_is_raised_or_cleared_is_in_the_table():
    codes = set(re.findall(r'stream\.(?:alert|clear)\(\s*"(\w+)"', SOURCES))
    assert codes <= set(ALERTS)
    verdicts = {code for code in VERDICT_ALERTS.values() if code}
    assert set(ALERTS) - codes - verdicts == {"heartbeat_lost"}  # raised by who follows


@pytest.mark.parametrize("verdict", Verdict)
def test_each_verdict_but_proceed_has_an_alert_of_its_priority(verdict):
    code = VERDICT_ALERTS[verdict]
    if verdict is Verdict.PROCEED:
        assert code is None
    else:
        assert ALERTS[code].priority is verdict.priority
