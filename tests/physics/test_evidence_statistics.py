"""The statistics of the fault-injection benchmark: which answers are wrong, limits, intervals, the worth of an alarm."""

import numpy as np
import pytest
from evidence_report import reliability, scale_that_holds
from evidence_statistics import at_most, by_patient, fitted, good, rounded, taken, worth_of_an_alarm, wrong

EVIDENCE = {
    "identity": 0.95,
    "mirror_margin": -9.0,
    "stretch": 0.002,
    "similarity": 0.9,
    "translation_sd_mm": [0.1, 0.1, 0.2],
    "samples": 100_000,
    "converged": True,
}


def line(fault="good", *, error_mm=0.1, impossible=False, patient="someone 100", **evidence):
    return {
        "site": "thorax",
        "seed": int(patient.split()[1]),
        "patient": patient,
        "fault": fault,
        "error_mm": error_mm,
        "impossible": impossible,
        "deviations": [0.0],
        "evidence": EVIDENCE | evidence,
    }


def many(rng, count, fault="good", **how):
    """Lines whose similarity is spread about a value, of twenty patients."""
    middle = how.pop("similarity")
    return [line(fault, similarity=float(rng.normal(middle, 0.02)), patient=f"someone {n % 20}", **how) for n in range(count)]


def test_an_answer_over_2_mm_off_is_wrong_and_so_is_any_answer_to_another_anatomy():
    assert wrong(line(error_mm=2.01))
    assert not wrong(line(error_mm=1.99))
    assert wrong(line("mirrored", error_mm=0.1, impossible=True))
    assert wrong(line(error_mm=float("nan")))
    assert good(line())
    assert not good(line("metal"))
    assert not good(line(error_mm=2.01))


def test_measures_that_were_never_taken_have_no_limit():
    keys = [measure.key for measure in taken([line(), line()])]
    assert "similarity_min" in keys
    assert "mirror_margin_min" not in keys
    assert "overlap_min" not in keys


def test_limits_refuse_what_is_wrong_and_keep_what_is_good_of_other_lines():
    rng = np.random.default_rng(2)
    training = many(rng, 600, similarity=0.9) + many(rng, 400, "wrong patient", similarity=0.6, impossible=True)
    rules = fitted(training)
    other_good, other_bad = many(rng, 600, similarity=0.9), many(rng, 400, "wrong patient", similarity=0.6, impossible=True)
    assert rules.refusing(other_bad).any(axis=1).mean() > 0.99
    assert rules.refusing(other_good).any(axis=1).mean() < 0.01
    assert "similarity_min = 0." in rules.toml()


def test_limits_spend_no_more_of_the_good_than_allowed():
    rng = np.random.default_rng(3)
    training = many(rng, 1000, similarity=0.9) + many(rng, 400, "metal", similarity=0.88, error_mm=5.0)  # cannot be told apart
    right = [each for each in training if good(each)]
    assert fitted(training).refusing(right).any(axis=1).mean() <= 0.006


def test_what_did_not_converge_or_gave_no_answer_is_refused():
    rules = fitted([line(), line()])
    silent = {key: value for key, value in line().items() if key != "evidence"}
    assert rules.refusing([line(converged=False)]).any()
    assert rules.refusing([silent]).all()
    assert not rules.refusing([line()]).any()


def test_a_limit_is_rounded_towards_what_is_accepted():
    for limit in (0.12345, -0.12345, 123.45, -0.9):
        assert rounded(limit) >= limit
        assert abs(rounded(limit) / limit - 1) < 0.011


def test_intervals_by_patient_are_wider_where_patients_differ():
    lines = [line(patient=f"someone {n}") for n in range(20) for _ in range(50)]
    together = np.repeat(np.arange(20) < 2, 50)  # two patients always
    apart = np.tile(np.arange(50) < 5, 20)  # each patient a tenth of the time
    widths = []
    for counted in (together, apart):
        share, low, high = by_patient(lines, counted)
        assert share == pytest.approx(10.0)
        assert low <= share <= high
        widths.append(high - low)
    assert widths[0] > 10
    assert widths[1] == pytest.approx(0.0)


def test_no_case_of_n_excludes_three_over_n():
    assert at_most(0, 1000) == pytest.approx(100 * (1 - 0.05 ** (1 / 1000)), rel=1e-6)
    assert at_most(2, 1000) == pytest.approx(0.628, abs=0.002)


def test_an_alarm_is_worth_what_bayes_says():
    assert worth_of_an_alarm(1.0, 0.01, rate=0.01) == pytest.approx(1 / 1.99)
    assert worth_of_an_alarm(0.999, 0.005, rate=0.00044) == pytest.approx(0.0808, abs=0.001)


def test_intervals_of_true_deviations_hold_what_they_say():
    rng = np.random.default_rng(7)
    true, small = ([line() | {"deviations": (factor * rng.standard_normal(24)).tolist()} for _ in range(400)] for factor in (1.0, 0.5))
    assert np.abs(np.array(reliability(true, 1.0)) - [0.5, 0.6, 0.68, 0.8, 0.9, 0.95, 0.98, 0.99, 0.997]).max() < 0.015
    assert scale_that_holds(small) == pytest.approx(0.5, abs=0.02)
