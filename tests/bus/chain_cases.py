"""What the tests of the release chain share: an engine whose proposals can be released, a linac's report, a couch."""

import sys
from pathlib import Path

from igrt.bus import messages as m
from igrt.geometry.position import PatientPosition
from igrt.simulation.linac import UNITS
from tests.bus.chain_worker import ISOCENTRE_MM

CHAIN_WORKER = (sys.executable, "-m", "tests.bus.chain_worker")
HFS = PatientPosition.HFS
WAIT_S = 30.0
COUCH = m.CouchReadout(lateral_mm=10.0, longitudinal_mm=-200.0, vertical_mm=-150.0)
LOADED = m.LoadedPlan(
    patient_id="P1",
    plan_uid="1.2.3",
    plan_revision="20260301120000",
    plan_approval="APPROVED",
    fraction=4,
    isocentre_mm=ISOCENTRE_MM,
    beam="field 2",
    machine="research-default",
)
ROOT = Path(__file__).parents[2]


def propose(client, plan_file, volume, *, couch=COUCH, image_id=None, **behaviour) -> m.Proposal:
    """A plan, an image, a proposal."""
    client.load_plan(plan_file(**({"patient_id": "P1"} | behaviour)), fraction=4)
    return image(client, volume, couch=couch, image_id=image_id)


def image(client, volume, *, couch=COUCH, image_id=None) -> m.Proposal:
    """Another image of the plan in use."""
    sent = client.send_image(volume, position=HFS, couch=couch, image_id=image_id)
    proposal = client.wait_for_answer(sent, timeout_s=WAIT_S)
    assert isinstance(proposal, m.Proposal)
    return proposal


def report(client, *, loaded=LOADED, beam_on=False, simulated=True, units=UNITS) -> str:
    """The linac's report; the session's state after it."""
    return client.report_machine(loaded, beam_on=beam_on, simulated=simulated, units=units).state


def approve(client, proposal) -> str:
    """An approval; its token."""
    client.approve(proposal.proposal_id, by="Test Therapist", simulated=True)
    standing = client.snapshot().standing
    assert standing.approved is not None
    return standing.approved.token


def claim(client, proposal, token, *, couch=COUCH, **reported) -> m.ClaimReply:
    """The linac's report and its claim."""
    report(client, **reported)
    return client.claim(proposal.proposal_id, token=token, couch=couch)


def claimed(client, plan_file, volume, **behaviour) -> m.Release:
    """All the way to a released correction."""
    proposal = propose(client, plan_file, volume, **behaviour)
    reply = claim(client, proposal, approve(client, proposal))
    assert reply.denials == []
    assert reply.release is not None
    return reply.release


def moved(client, release, couch=None, phase="after") -> m.ReportCouchReply:
    """The couch's move, told at its start and its end."""
    client.report_couch(release.proposal_id, "start", release.start)
    return client.report_couch(release.proposal_id, phase, couch or release.target)


def rules(reply: m.ClaimReply) -> set[str]:
    """The rules that denied."""
    assert reply.release is None
    assert reply.denials
    return {denial.rule for denial in reply.denials}
