"""What the guard is told of machine and site."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import igrt
from igrt.engine.policy import chain_tolerance_of, image_policy_of, policy_of, read_records
from igrt.errors import InputError
from igrt.verification.closing import ChainTolerance
from igrt.verification.machine import load_machine
from igrt.verification.protocol import load_protocol
from igrt.verification.verification_image import ImagePolicy

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


def site_protocol(folder, old, new):
    (folder / "protocols").mkdir()
    text = (SHIPPED.parent / "protocols" / "default.toml").read_text()
    assert text.count(old) == 1
    (folder / "protocols" / "ours.toml").write_text(text.replace(old, new))
    return load_protocol("ours", folder)


def test_a_site_may_tighten_how_long_an_image_lives_and_where_the_couch_may_stand(tmp_path):
    assert policy_of(load_machine(), site_protocol(tmp_path, "lifetime_s = 300.0", "lifetime_s = 90.0")).lifetime_s == 90.0
    assert chain_tolerance_of(load_protocol()) == ChainTolerance()
    assert image_policy_of(load_protocol()) == ImagePolicy()
    assert image_policy_of(load_protocol("spine_sbrt")) == ImagePolicy(always=True)


@pytest.mark.parametrize(
    ("old", "new", "most"),
    [
        ("lifetime_s = 300.0", "lifetime_s = 300.1", "300"),
        ("lifetime_s = 300.0", "lifetime_s = 0.0", "above 0"),
        ("shift_mm = 0.5", "shift_mm = 0.51", "0.5"),
        ("turn_deg = 0.2", "turn_deg = 0.21", "0.2"),
        ("place_mm = 1.0", "place_mm = 1.01", "1"),
        ("shift_mm = 10.0", "shift_mm = 10.1", "10"),
        ("turn_deg = 2.0", "turn_deg = 2.1", "2"),
        ("rounds = 2", "rounds = 3", "2"),
        ("rounds = 2", "rounds = 0", "from 1"),
    ],
)
def test_no_site_may_loosen_them(tmp_path, old, new, most):
    with pytest.raises(InputError, match=rf"ours\.toml: .*{new.split(' ')[0]} = .* cannot be used; give .*{most}"):
        site_protocol(tmp_path, old, new)


def test_a_protocol_of_before_means_the_defaults(tmp_path):
    text = (SHIPPED.parent / "protocols" / "default.toml").read_text().split("\n# How long an image may move")[0]
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "old.toml").write_text(text)
    protocol = load_protocol("old", tmp_path)
    assert policy_of(load_machine(), protocol).lifetime_s == 300.0
    assert chain_tolerance_of(protocol) == ChainTolerance()
    assert image_policy_of(protocol) == ImagePolicy()


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
