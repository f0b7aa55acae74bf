"""What the closed loop is for: mistakes in geometry, and faults of the couch, each of which must show."""

import math

import numpy as np
import pytest

from igrt.geometry import couch, iec, position
from igrt.geometry.angles import angles_from_rotation, rotation_x, rotation_y, rotation_z
from igrt.geometry.couch import CouchPosition, YawAxis
from igrt.geometry.position import PatientPosition
from igrt.geometry.setup import ImageAxes
from igrt.simulation.couch import AXES, Fault, SimulatedCouch, simple_mechanics
from igrt.verification.closing import close_chain
from igrt.verification.findings import Level
from tests.closed_loop_cases import AT_MATCH_POINT_MM, EXACT_MM, POSITIONS, STARTS, couch_model, largest, length, loop

START = CouchPosition(lateral_mm=12, longitudinal_mm=-640, vertical_mm=-150, pitch_deg=0.4, roll_deg=-0.3, yaw_deg=0)
TARGET = CouchPosition(lateral_mm=15, longitudinal_mm=-645, vertical_mm=-142, pitch_deg=1.6, roll_deg=0.9, yaw_deg=-2)


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        (Fault(), []),
        (Fault(flipped=frozenset({"longitudinal_mm"})), ["chain_sign", "chain_place"]),
        (Fault(flipped=frozenset({"yaw_deg"})), ["chain_sign", "chain_place"]),
        (Fault(swapped=("lateral_mm", "vertical_mm")), ["chain_swapped", "chain_place"]),
        (Fault(swapped=("pitch_deg", "yaw_deg"), flipped=frozenset({"yaw_deg"})), ["chain_swapped", "chain_place"]),
        (Fault(scale={"vertical_mm": 10.0}), ["chain_scale", "chain_place"]),
        (Fault(scale={"vertical_mm": 0.1}), ["chain_scale", "chain_place"]),
        (Fault(scale={"vertical_mm": 1.3}), ["chain_scale", "chain_place"]),
        (Fault(scale={"longitudinal_mm": 0.0}), ["chain_stayed", "chain_place"]),
        (Fault(offset={"lateral_mm": 0.8}), ["chain_scale"]),
        (Fault(offset={"pitch_deg": 0.15}), ["chain_place"]),
        (Fault(after=0.6), ["chain_short", "chain_place"]),
    ],
    ids=str,
)
def test_every_fault_of_the_simulated_couch_is_named_when_the_chain_is_closed(fault, codes):
    mechanics = simple_mechanics()
    standing = SimulatedCouch(mechanics=mechanics, **{axis: getattr(START, axis) for axis in AXES})
    achieved = standing.move_to(TARGET, fault=fault).end
    model = couch_model(6, YawAxis.TURNTABLE, 0.0)
    findings = close_chain(start=START, target=TARGET, achieved=achieved, model=model, table_angle_deg=0.0, reference_mm=(40, 90, -20))
    assert [finding.code for finding in findings] == codes
    assert all(finding.level is Level.STOP for finding in findings)


def use_angles(monkeypatch, rotation, angles):
    """Another order or sense of the table's turns, the same wherever geometry needs it: rotation of pitch, roll, yaw and back."""
    monkeypatch.setattr(iec, "rotation_from_angles", lambda *, pitch_deg, roll_deg, yaw_deg: rotation(pitch_deg, roll_deg, yaw_deg))
    monkeypatch.setattr(couch, "angles_from_rotation", lambda r: tuple(angles(r)))


def pitched_the_other_way(monkeypatch):
    use_angles(
        monkeypatch,
        lambda pitch, roll, yaw: rotation_z(yaw) @ rotation_x(-pitch) @ rotation_y(roll),
        lambda r: np.multiply(angles_from_rotation(r), (-1, 1, 1)),
    )


def rolled_before_pitched(monkeypatch):
    use_angles(
        monkeypatch,
        lambda pitch, roll, yaw: rotation_z(yaw) @ rotation_y(roll) @ rotation_x(pitch),
        lambda r: np.degrees([math.atan2(r[2, 1], r[2, 2]), math.asin(-r[2, 0]), math.atan2(r[1, 0], r[0, 0])]),
    )


def turned_clockwise(monkeypatch):
    monkeypatch.setattr(iec, "rotation_z", lambda angle_deg: rotation_z(-angle_deg))
    monkeypatch.setattr(couch, "angles_from_rotation", lambda r: tuple(np.multiply(angles_from_rotation(r), (1, 1, -1))))


def turned_about_the_isocentre(monkeypatch):
    """Whatever the turntable's real axis."""
    monkeypatch.setattr(couch, "fixed_from_support", lambda *, angle_deg, **_axis: iec.fixed_from_support(angle_deg=angle_deg))


def lying_on_the_other_side(monkeypatch):
    for one, other in (("HFS", "HFP"), ("HFDR", "HFDL"), ("FFS", "FFP"), ("FFDR", "FFDL")):
        here, there = PatientPosition(one).fixed_from_lps, PatientPosition(other).fixed_from_lps
        monkeypatch.setitem(position._FIXED_FROM_LPS, PatientPosition(one), there)
        monkeypatch.setitem(position._FIXED_FROM_LPS, PatientPosition(other), here)


@pytest.mark.parametrize(
    "plant", [pitched_the_other_way, rolled_before_pitched, turned_clockwise, turned_about_the_isocentre, lying_on_the_other_side]
)
def test_a_mistake_in_geometry_that_agrees_with_itself_leaves_the_patient_elsewhere(plant, monkeypatch):
    """Target and promise share the mistake, and agree; only the couch that shares nothing tells."""
    plant(monkeypatch)
    rng = np.random.default_rng(5)
    outcomes = [loop(lying, 30.0, STARTS[1], ImageAxes.ROOM, 6, YawAxis.TURNTABLE, 0.0, rng) for lying in POSITIONS]
    assert largest(length(outcome.promised) for outcome in outcomes) <= EXACT_MM
    assert min(largest([length(outcome.left)]) for outcome in outcomes) > EXACT_MM
    assert largest(length(outcome.left) for outcome in outcomes) > (0.001 if plant is turned_about_the_isocentre else AT_MATCH_POINT_MM)
