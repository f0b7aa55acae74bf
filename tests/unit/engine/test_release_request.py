"""The request that the guard is asked: whatever is missing is None, and denied, never an exception."""

import dataclasses
import itertools

import msgspec
import pytest

from igrt.bus import messages as m
from igrt.engine.chain import Chain, Reading
from igrt.engine.policy import policy_of
from igrt.engine.release import Facts, difference, position, readout, release_request
from igrt.engine.tasks import PlanReady
from igrt.geometry.setup import ImageAxes
from igrt.guard.decision import Denied, decide
from igrt.guard.request import Moment, Now
from igrt.simulation.linac import UNITS
from igrt.verification.machine import load_machine
from igrt.verification.protocol import load_protocol
from tests.bus.chain_cases import COUCH, LOADED

PROFILE = load_machine()
PLAN = PlanReady(
    number=1, fingerprint="f", patient_id="P1", plan_label=None, machine="m", protocol="p", research=True, prepare_s=0.0, beams=("a", "b")
)
READING = Reading(couch=COUCH, table_angle_deg=0.0, at_s=1.0)
UNREAD = Reading(couch=None, table_angle_deg=0.0, at_s=1.0)
TIMES = {"number": 1, "image_id": "i", "last_byte_received_monotonic_s": 0.0, "published_monotonic_s": 0.0}
REFUSAL = m.Refusal(header=m.new_header(), answer={"outcome": "refused"}, **TIMES)
BARE = m.Proposal(header=m.new_header(), proposal_id="p", expires_monotonic_s=0.0, answer={}, **TIMES)
REPORT = m.MachineReported(header=m.new_header(), number=1, loaded=LOADED, beam_on=False, simulated=True, units=UNITS)
UNKNOWN = m.MachineReported(
    header=m.new_header(),
    number=1,
    loaded=None,
    beam_on=None,
    simulated=None,
    units=m.StatedUnits(length=None, angle=None, couch_scale=None),
)


def facts(*, result=None, chain=None, couch=None, **changes):
    claim = m.Claim(header=m.new_header(), proposal_id="p", token="", couch=couch)
    known = {
        "state": "approved",
        "newest_image_id": None,
        "result": result,
        "chain": chain or Chain(),
        "plan": PLAN,
        "fraction": None,
        "profile": PROFILE,
        "records": (),
        "clock": "boot",
        "claim": claim,
        "claimed_s": 2.0,
        "token": "t" * 64,
        "token_used": False,
    }
    return Facts(**(known | changes))


@pytest.mark.parametrize(
    ("result", "machine", "scan", "couch"),
    [*itertools.product([None, REFUSAL, BARE], [None, UNKNOWN, REPORT], [None, READING, UNREAD], [None, COUCH])],
)
def test_what_is_not_known_is_denied_and_never_an_exception(result, machine, scan, couch):
    request = release_request(facts(result=result, chain=Chain(machine=machine, scan_start=scan, scan_end=scan), couch=couch))
    now = Now(monotonic=Moment(clock="boot", at_s=2.0), utc=None)
    decision = decide(request, policy_of(PROFILE, load_protocol()), now=now)
    assert isinstance(decision, Denied)
    assert len(decision.reasons) > 10


def test_the_beam_that_is_loaded_is_meant_where_it_is_the_plans_and_the_first_where_not():
    for beam, meant in (("b", "b"), ("c", "a"), (None, "a")):
        report = msgspec.structs.replace(REPORT, loaded=msgspec.structs.replace(LOADED, beam=beam))
        assert release_request(facts(result=BARE, chain=Chain(machine=report))).proposed.beam == meant


def test_the_turntables_angle_is_its_yaw_where_nothing_else_is_said():
    turned = msgspec.structs.replace(COUCH, yaw_deg=12.0)
    told = msgspec.structs.replace(turned, table_angle_deg=12.5)
    for couch, angle in ((turned, 12.0), (told, 12.5)):
        chain = Chain(scan_start=Reading(couch=couch, table_angle_deg=12.0, at_s=1.0))
        assert release_request(facts(chain=chain)).couch_at_scan_start.table_angle_deg == angle


def test_positions_go_to_the_bus_and_back():
    assert readout(position(COUCH)) == COUCH


def test_differences_of_angles_are_within_half_a_turn():
    apart = difference(msgspec.structs.replace(COUCH, yaw_deg=-179.0, lateral_mm=13.0), msgspec.structs.replace(COUCH, yaw_deg=179.0))
    assert (apart.yaw_deg, apart.lateral_mm) == (2.0, 3.0)


def test_radiographs_stay_with_the_room_where_a_volume_turns_with_the_table():
    image = msgspec.structs.replace(PROFILE.tables.image, axes_at_table_angle=ImageAxes.TABLE)
    profile = dataclasses.replace(PROFILE, tables=msgspec.structs.replace(PROFILE.tables, image=image))
    for modality, axes in (("cone-beam CT", ImageAxes.TABLE), ("kV radiographs", ImageAxes.ROOM)):
        proposal = msgspec.structs.replace(BARE, answer={"modality": modality})
        assert release_request(facts(result=proposal, profile=profile)).image_axes is axes
