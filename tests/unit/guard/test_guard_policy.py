"""A policy that would not guard cannot be built: limits are tightened, never loosened."""

import math
from dataclasses import replace

import pytest

from igrt.errors import InputError
from igrt.geometry.couch_model import AxisRange
from igrt.guard.policy import CALIBRATION, DAILY_QA, LIFETIME_S, LIFETIME_SBRT_S, LIMITS, Policy, RequiredRecord
from tests.unit.guard.guard_cases import couch

BOTH = (RequiredRecord(name=CALIBRATION, valid_days=365.0), RequiredRecord(name=DAILY_QA, valid_days=1.0))
POLICY = Policy(machine="linac-3", simulated=False, research=False, couch=couch(), required=BOTH)


def test_the_limits_are_those_that_are_promised():
    assert dict(LIMITS) == {
        "lifetime_s": 300.0,
        "report_age_s": 5.0,
        "couch_shift_mm": 0.5,
        "couch_turn_deg": 0.2,
        "isocentre_mm": 0.1,
        "landmark_mm": 0.1,
        "residual_mm": 15.0,
        "largest_shift_mm": 100.0,
        "largest_turn_deg": 10.0,
    }
    assert (LIFETIME_S, LIFETIME_SBRT_S) == (300.0, 180.0)
    assert {name: getattr(POLICY, name) for name in LIMITS} == dict(LIMITS)
    assert POLICY.isocentre_height_mm == AxisRange(minimum=40.0, maximum=380.0, step=0.0)


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_may_be_tightened_and_not_loosened(name):
    assert getattr(replace(POLICY, **{name: LIMITS[name] / 2}), name) == LIMITS[name] / 2
    for value in (0.0, -1.0, LIMITS[name] * 1.001, math.inf, math.nan):
        with pytest.raises(
            InputError, match=rf"^guard policy of linac-3: {name} is {value}; give more than 0 and at most {LIMITS[name]:g}$"
        ):
            replace(POLICY, **{name: value})


@pytest.mark.parametrize("name", ["simulated", "research"])
def test_yes_and_no_are_said_as_such(name):
    for value in (None, 0, "no"):
        with pytest.raises(InputError, match=rf"^guard policy of linac-3: {name} is {value!r}; give true or false$"):
            replace(POLICY, **{name: value})


def test_a_machine_has_a_name():
    with pytest.raises(InputError, match=r"^guard policy: machine is blank; name the machine as the linac reports it$"):
        replace(POLICY, machine=" ")


@pytest.mark.parametrize(("required", "lacking"), [((), "calibration, daily_qa"), (BOTH[:1], "daily_qa"), (BOTH[1:], "calibration")])
def test_a_real_machine_is_guarded_by_calibration_and_daily_qa(required, lacking):
    with pytest.raises(
        InputError,
        match=rf"^guard policy of linac-3: required lacks {lacking}; a machine that is not simulated is guarded by both records$",
    ):
        replace(POLICY, required=required)
    assert replace(POLICY, required=required, simulated=True).required == required


@pytest.mark.parametrize(("lowest", "highest"), [(40.0, 400.0), (0.0, 5.0), (-10.0, 40.0), (30.0, 380.0)])
def test_a_height_that_centimetres_could_pass_for_is_no_height(lowest, highest):
    problem = rf"isocentre_height_mm is {lowest:g} to {highest:g}; give heights above 0 whose ends are less than a factor of ten apart"
    with pytest.raises(InputError, match=rf"^guard policy of linac-3: {problem}$"):
        replace(POLICY, isocentre_height_mm=AxisRange(minimum=lowest, maximum=highest, step=0.0))


def test_a_height_just_below_a_factor_of_ten():
    height = AxisRange(minimum=0.5, maximum=4.999, step=0.0)
    assert replace(POLICY, isocentre_height_mm=height).isocentre_height_mm is height


def test_a_required_record_has_a_name_and_a_time():
    with pytest.raises(InputError, match=r"^required record: name is blank; name the record as the site's files do$"):
        RequiredRecord(name=" ", valid_days=1.0)
    for days in (0.0, -1.0, 400.1, math.nan):
        with pytest.raises(InputError, match=rf"^required record daily_qa: valid_days is {days}; give more than 0 and at most 400 days$"):
            RequiredRecord(name=DAILY_QA, valid_days=days)
    assert RequiredRecord(name=DAILY_QA, valid_days=400.0).valid_days == 400.0
    assert RequiredRecord(name=DAILY_QA, valid_days=0.5).valid_days == 0.5
