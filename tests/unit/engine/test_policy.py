"""What the guard is told of machine and site."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import igrt
from igrt.engine.policy import policy_of, read_records
from igrt.errors import InputError
from igrt.verification.machine import load_machine
from igrt.verification.protocol import load_protocol

SHIPPED = Path(igrt.__file__).parents[1] / "calibration" / "machines"
RECORD = 'name = "daily_qa"\nmachine = "linac-3"\ndone_at = 2026-03-02T07:15:00Z\npassed = true\n'


def test_a_research_profile_is_guarded_as_simulated():
    policy = policy_of(load_machine(), load_protocol())
    assert (policy.simulated, policy.research, policy.required) == (True, True, ())
    assert policy.machine == "research-default"
    assert policy.couch == load_machine().couch


def test_a_proven_profile_needs_calibration_and_daily_qa(tmp_path):
    text = (SHIPPED / "c-arm-6dof.toml").read_text().replace("research = true", "research = false")
    text = text.replace("required = false", 'required = true\nfile = "check.toml"')
    text = text.replace('kind = "by-frame-of-reference"', 'kind = "image-origin"')
    (tmp_path / "machines").mkdir()
    (tmp_path / "machines" / "linac-3.toml").write_text(text)
    policy = policy_of(load_machine("linac-3", tmp_path), load_protocol())
    assert not policy.simulated
    assert policy.research  # the shipped protocol is one
    assert {(r.name, r.valid_days) for r in policy.required} == {("calibration", 365.0), ("daily_qa", 1.0)}


@pytest.mark.parametrize(("protocol", "lifetime_s"), [("default", 300.0), ("thorax", 300.0), ("spine_sbrt", 180.0)])
def test_an_image_lives_five_minutes_and_a_stereotactic_one_three(protocol, lifetime_s):
    assert policy_of(load_machine(), load_protocol(protocol)).lifetime_s == lifetime_s
    assert policy_of(load_machine(), load_protocol(protocol), most_lifetime_s=20.0).lifetime_s == 20.0


def test_records_are_read_from_the_sites_folder(tmp_path):
    assert read_records(tmp_path) == ()
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "today.toml").write_text(RECORD)
    (record,) = read_records(tmp_path)
    assert (record.name, record.machine, record.passed) == ("daily_qa", "linac-3", True)
    assert record.done_at == datetime(2026, 3, 2, 7, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "named"),
    [("passed = true", "passed"), ("07:15:00Z", "done_at"), ("name =", "nome")],
)
def test_a_wrong_record_is_named(tmp_path, change, named):
    (tmp_path / "records").mkdir()
    wrong = {"passed = true": "passed = 1", "07:15:00Z": "07:15:00", "name =": "nome ="}[change]
    (tmp_path / "records" / "today.toml").write_text(RECORD.replace(change, wrong))
    with pytest.raises(InputError, match=named):
        read_records(tmp_path)
