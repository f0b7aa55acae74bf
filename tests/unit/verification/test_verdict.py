from hypothesis import given
from hypothesis import strategies as st

from igrt.verification.findings import Finding, Level, Outcome, Verdict
from igrt.verification.verdict import verdict

findings = st.builds(Finding, st.just("code"), st.just("A sentence."), st.none(), st.none(), st.just("mm"), st.sampled_from(Level))
SEVERITY = list(Verdict)


def of(level):
    return Finding("code", "A sentence.", None, None, "", level)


def test_each_level_and_outcome_has_its_verdict():
    assert verdict(Outcome.ACCEPTED, []) is Verdict.PROCEED
    assert verdict(Outcome.ACCEPTED, [of(Level.INFORM)]) is Verdict.PROCEED
    assert verdict(Outcome.ACCEPTED, [of(Level.INFORM), of(Level.WARN)]) is Verdict.CAUTION
    assert verdict(Outcome.ACCEPTED, [of(Level.STOP), of(Level.WARN)]) is Verdict.STOP
    assert verdict(Outcome.PARTIAL, []) is Verdict.CAUTION
    assert verdict(Outcome.PARTIAL, [of(Level.STOP)]) is Verdict.STOP
    assert verdict(Outcome.REFUSED, []) is Verdict.REFUSED


@given(st.sampled_from(Outcome), st.lists(findings), findings)
def test_one_more_finding_never_makes_it_milder(outcome, some, one):
    assert SEVERITY.index(verdict(outcome, [*some, one])) >= SEVERITY.index(verdict(outcome, some))


@given(st.lists(findings), st.randoms())
def test_order_of_findings_does_not_matter(some, random):
    shuffled = list(some)
    random.shuffle(shuffled)
    assert verdict(Outcome.ACCEPTED, shuffled) is verdict(Outcome.ACCEPTED, some)


@given(st.lists(findings))
def test_refused_is_refused_and_only_a_refusal_is(some):
    assert verdict(Outcome.REFUSED, some) is Verdict.REFUSED
    assert verdict(Outcome.ACCEPTED, some) is not Verdict.REFUSED


def test_severity_is_the_order_of_the_exit_codes():
    assert [v.exit_code for v in Verdict] == [0, 1, 2, 3]
