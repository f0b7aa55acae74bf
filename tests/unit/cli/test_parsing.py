import argparse

import pytest

from igrt.cli import verify
from igrt.cli.main import build_parser
from igrt.cli.parsing import POSITIONS, existing, finite, port

VERIFY = ["verify", "--plan", ".", "--daily", "."]


@pytest.mark.parametrize("text", ["-4", "-.5", "-1e-3", "-160.", "-2.5E+1"])
def test_negative_numbers_are_numbers(text):
    options = build_parser().parse_args([*VERIFY, "--isocentre", text, text, text, "--table-angle", text])
    assert options.isocentre == [float(text)] * 3
    assert options.table_angle == float(text)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "one", ""])
def test_what_is_no_finite_number_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="finite"):
        finite(text)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("65535", 65535)])
def test_ports(text, number):
    assert port(text) == number


@pytest.mark.parametrize("text", ["-1", "65536", "http", "1.5"])
def test_what_is_no_port_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="not a port"):
        port(text)


def test_a_path_must_exist(tmp_path):
    assert existing(str(tmp_path)) == tmp_path
    with pytest.raises(argparse.ArgumentTypeError, match="does not exist"):
        existing(str(tmp_path / "gone"))


def test_positions_and_couch_fields_are_those_of_geometry():
    """Spelled out where the parser is, so that help imports no geometry."""
    from dataclasses import fields

    from igrt.geometry.couch import CouchPosition
    from igrt.geometry.position import PatientPosition

    assert tuple(PatientPosition) == POSITIONS
    assert tuple(field.name for field in fields(CouchPosition)) == verify.COUCH_FIELDS
