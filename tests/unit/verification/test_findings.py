import math

import pytest

from igrt.verification.findings import EXIT_BAD_INPUT, EXIT_DEFECT, Finding, Level, Priority, Verdict


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["value", "limit"])
def test_a_finding_holds_finite_numbers_or_none(field, bad):
    numbers = {"value": 1.0, "limit": 2.0, field: bad}
    with pytest.raises(ValueError, match=f"finding code: {field} is"):
        Finding(code="code", sentence="A sentence.", unit="mm", level=Level.STOP, **numbers)
    Finding(code="code", sentence="A sentence.", unit="", level=Level.STOP, **{**numbers, field: None})


def test_each_verdict_has_its_exit_code_and_priority():
    rows = {verdict: (verdict.exit_code, verdict.priority) for verdict in Verdict}
    assert rows == {
        Verdict.PROCEED: (0, Priority.INFORMATION),
        Verdict.CAUTION: (1, Priority.LOW),
        Verdict.STOP: (2, Priority.MEDIUM),
        Verdict.REFUSED: (3, Priority.HIGH),
    }
    assert not {EXIT_BAD_INPUT, EXIT_DEFECT} & {code for code, _ in rows.values()}
