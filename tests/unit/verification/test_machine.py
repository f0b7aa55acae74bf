import re
import tomllib
from datetime import UTC, datetime

import pytest

from igrt.errors import InputError
from igrt.verification.machine import MachineTables, load_machine
from igrt.verification.schema import keys
from igrt.verification.site import Kind, available, shipped_folder
from tests.toml_tables import text, with_key, without_key

SHIPPED = sorted((shipped_folder() / "machines").glob("*.toml"))
BASE = tomllib.loads((shipped_folder() / "machines" / "c-arm-6dof.toml").read_text())
KEYS = {key.name: key for key in keys(MachineTables)}


def load(tables, tmp_path):
    file = tmp_path / "room1.toml"
    file.write_text(text(tables))
    return load_machine(str(file), tmp_path)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_profile_is_valid_and_marked_research(file, tmp_path):
    machine = load_machine(file.stem, tmp_path)
    assert machine.research
    assert machine.file.shipped
    assert machine.couch.degrees_of_freedom in (3, 4, 6)


def test_without_a_name_it_is_the_research_default(tmp_path):
    machine = load_machine(None, tmp_path)
    assert machine.name == "research-default"
    assert "research-default" in available(Kind.MACHINE, tmp_path)


@pytest.mark.parametrize("name", [name for name, key in KEYS.items() if not key.optional])
def test_every_required_key_is_asked_for_by_file_name_and_remedy(name, tmp_path):
    with pytest.raises(InputError, match=rf"room1\.toml: {re.escape(name)} is missing; give "):
        load(without_key(BASE, name), tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("image.pose", "as_it_lay", r'image.pose = "as_it_lay" cannot be used; give "before_correction" or "after_correction"'),
        ("image.axes_at_table_angle", "couch", r'give "room" or "table"'),
        ("image.isocentre.kind", "centre", r'give "image-origin" or "plan-isocentre"'),
        ("image.isocentre.kind", "point", r"point_mm = None; give point_mm exactly where"),
        ("image.isocentre.point_mm", [0.0, 0.0], r"image.isocentre.point_mm = \[0.0, 0.0\] cannot be used; give a list of 3"),
        ("image.isocentre.point_mm", [0.0, 0.0, 0.0], r'image.isocentre.kind = "image-origin" does not fit'),
        ("couch.scale", "varian-standard", r'couch.scale = "varian-standard" cannot be used; give "iec61217"'),
        ("couch.degrees_of_freedom", 5, r"couch.degrees_of_freedom = 5 cannot be used; give 3 or 4 or 6"),
        ("couch.degrees_of_freedom", 4, r"couch.pitch is given for couch.degrees_of_freedom = 4; .*exactly these turns: yaw"),
        ("couch.yaw_axis", "gantry", r'give "turntable" or "tabletop"'),
        ("couch.lateral.minimum_mm", 300.0, r"couch.lateral.minimum_mm = 300.0 is not below maximum_mm = 230.0; exchange"),
        ("couch.lateral.maximum_mm", float("nan"), r"couch.lateral.maximum_mm = nan cannot be used; give a number from -2500 to 2500"),
        ("couch.lateral.step_mm", 0.0, r"couch.lateral.step_mm = 0.0 cannot be used; give a number above 0 up to 10"),
        ("couch.pitch.step_deg", 9.0, r"couch.pitch.step_deg = 9.0 is larger than the range of 6.0"),
        ("couch.lateral.minimum_mm", True, r"couch.lateral.minimum_mm = true cannot be used; give a number"),
        ("couch.lateral.min", 1.0, r"couch.lateral.min = 1.0 is not a key of this file; use one of couch.lateral.minimum_mm"),
        ("couch.lateral", 1.0, r"couch.lateral = 1.0 cannot be used; give the table \[couch.lateral\]"),
        ("kv.source_offset_deg", 180, r"kv.source_offset_deg = 180 cannot be used; give 0 or 90 or -90"),
        ("kv.panel_offset_mm", [0.0, float("inf")], r"kv.panel_offset_mm = \[0.0, inf\] cannot be used"),
        ("profile.research", "yes", r'profile.research = "yes" cannot be used; give true or false'),
        ("isocentre_check.file", "", r'isocentre_check.file = "" names no file; give'),
        ("isocentre_check.valid_days", 0, r"isocentre_check.valid_days = 0 cannot be used; give a number above 0 up to 400"),
        ("colour", "red", r'colour = "red" is not a key of this file'),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_file_key_value_and_remedy(name, value, sentence, tmp_path):
    with pytest.raises(InputError, match=rf"room1\.toml: .*{sentence}"):
        load(with_key(BASE, name, value), tmp_path)


def test_a_missing_turn_names_the_degrees_of_freedom(tmp_path):
    with pytest.raises(InputError, match=r"couch.roll is missing for couch.degrees_of_freedom = 6; .*: pitch, roll, yaw"):
        load(without_key(BASE, "couch.roll"), tmp_path)


def test_the_couch_is_the_files(tmp_path):
    couch = load(with_key(BASE, "couch.turntable_axis_mm", [0.5, -0.25, 0.0]), tmp_path).couch
    assert (couch.pitch.minimum, couch.pitch.maximum, couch.pitch.step) == (-3.0, 3.0, 0.1)
    assert (couch.vertical.minimum, couch.vertical.maximum, couch.vertical.step) == (-650.0, 390.0, 0.1)
    assert couch.turntable_axis_mm == (0.5, -0.25, 0.0)


def test_a_whole_number_will_do_for_a_length(tmp_path):
    assert load(with_key(BASE, "couch.lateral.minimum_mm", -100), tmp_path).couch.lateral.minimum == -100.0


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("image.isocentre.kind", "by-frame-of-reference", r'image.isocentre.kind = "by-frame-of-reference" is a guess for research; give'),
        ("isocentre_check.required", False, r"isocentre_check.required = false leaves treatment without a check; give true"),
    ],
)
def test_a_profile_for_treatment_rests_on_no_guess(name, value, sentence, tmp_path):
    load(with_key(BASE, name, value), tmp_path)
    proven = with_key(BASE, "profile.research", value=False)
    assert not load(proven, tmp_path).research
    with pytest.raises(InputError, match=rf"room1\.toml: {sentence}"):
        load(with_key(proven, name, value), tmp_path)


def check_file(tmp_path, content):
    file = tmp_path / "isocentre" / "c-arm-6dof.toml"
    file.parent.mkdir()
    file.write_text(content)


def test_the_last_check_is_read_from_the_site(tmp_path):
    assert load(BASE, tmp_path).last_check is None
    check_file(tmp_path, "checked_at = 2026-03-02T07:15:00Z\noffset_mm = 0.4\n")
    check = load(BASE, tmp_path).last_check
    assert (check.checked_at, check.offset_mm) == (datetime(2026, 3, 2, 7, 15, tzinfo=UTC), 0.4)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("checked_at = 2026-03-02T07:15:00\noffset_mm = 0.4\n", r"checked_at = .* cannot be used; give a date and time with time zone"),
        ("checked_at = 2026-03-02T07:15:00Z\noffset_mm = nan\n", r"offset_mm = nan cannot be used; give a number from 0 to 100"),
        ("checked_at = 2026-03-02T07:15:00Z\n", r"offset_mm is missing"),
    ],
)
def test_a_wrong_check_file_is_named(content, sentence, tmp_path):
    check_file(tmp_path, content)
    with pytest.raises(InputError, match=rf"isocentre/c-arm-6dof\.toml: {sentence}"):
        load(BASE, tmp_path)


def test_no_check_is_looked_for_where_none_is_required(tmp_path):
    assert load(with_key(BASE, "isocentre_check.required", value=False), tmp_path).last_check is None
