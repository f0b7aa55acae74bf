"""Over the bus: every rule of the guard broken in turn, each claim denied by that rule, in a sentence, with nothing released."""

from dataclasses import dataclass, field, replace

import msgspec
import pytest

from igrt.bus.client import Client
from igrt.engine.record import FILE
from igrt.guard.table import RULES
from igrt.simulation.linac import UNITS
from igrt.verification.site import shipped_folder
from tests.bus.chain_cases import COUCH, LOADED, ROOT, image, report
from tests.bus.test_setup_images import WORKER

SIMULATED, FOUR_AXES, REAL = "research-default", "c-arm-4dof", "linac-3"


@dataclass(frozen=True)
class Broken:
    """What is wrong: with the answer (`spoil`, `move`), the linac's report, the couch, the order of things, or inside the engine."""

    machine: str = SIMULATED
    spoil: dict = field(default_factory=dict)
    move: tuple = (1.0, -2.0, 3.0, 0.0, 0.0, 0.0)
    loaded: dict = field(default_factory=dict)
    reported: dict = field(default_factory=dict)
    imaged: dict = field(default_factory=dict)
    claimed: dict = field(default_factory=dict)
    approved: bool = True
    report_first: bool = False
    twice: bool = False
    token: str | None = None
    inside: object = None


def inside(**changes):
    """The chain that the engine keeps, changed."""

    def change(case):
        case.chain = case.chain.with_(**{name: make(case) for name, make in changes.items()})

    return change


def older(name, seconds):
    """A reading of the couch from earlier."""
    return lambda case: msgspec.structs.replace(getattr(case.chain, name), at_s=getattr(case.chain, name).at_s - seconds)


def old_report(case):
    header = case.chain.machine.header
    return msgspec.structs.replace(case.chain.machine, header=msgspec.structs.replace(header, monotonic_s=header.monotonic_s - 6.0))


def answered(**changes):
    def change(case):
        case.result = msgspec.structs.replace(case.result, answer=case.result.answer | changes)

    return change


def of_another_image(case):
    case.session = replace(case.session, image_id="another")


def without_a_boot(case):
    case.boot = " "


SCALED = [[1.001, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
BREAKS = {
    "units": Broken(reported={"units": msgspec.structs.replace(UNITS, length="cm")}),
    "frames": Broken(spoil={"plan_from_daily": None}),
    "rigid": Broken(spoil={"plan_from_daily": SCALED}),
    "patient": Broken(loaded={"patient_id": "P2"}),
    "plan": Broken(loaded={"plan_uid": "1.2.4"}),
    "plan_approval": Broken(loaded={"plan_approval": "UNAPPROVED"}),
    "fraction": Broken(loaded={"fraction": 5}),
    "isocentre": Broken(loaded={"isocentre_mm": (12.0, -34.0, 56.2)}),
    "beam": Broken(loaded={"beam": "field 3"}),
    "machine": Broken(loaded={"machine": "linac-4"}),
    "patient_position": Broken(spoil={"position": "HFP"}),
    "couch_model": Broken(spoil={"couch.model": "another couch"}),
    "couch_unmoved": Broken(claimed={"longitudinal_mm": -200.6}),
    "table_angle": Broken(spoil={"table_angle_deg": 11.0}),
    "travel": Broken(spoil={"couch.target.lateral_mm": 400.0}),
    "steps": Broken(spoil={"couch.target.lateral_mm": 11.05}),
    "held_axes": Broken(machine=FOUR_AXES, spoil={"couch.target.pitch_deg": 1.0}),
    "isocentre_height": Broken(imaged={"vertical_mm": -15.0}, claimed={"vertical_mm": -15.0}),
    "size": Broken(move=(101.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
    "correction_follows": Broken(spoil={"correction.lateral_mm": 1.2}),
    "move_follows": Broken(spoil={"couch.target.lateral_mm": 11.2}),
    "promise_kept": Broken(spoil={"couch.made.lateral_mm": 1.2}),
    "residual": Broken(spoil={"couch.target.lateral_mm": 26.5}),
    "one_clock": Broken(inside=without_a_boot),
    "in_order": Broken(report_first=True),
    "expiry": Broken(inside=inside(scan_end=older("scan_end", 301.0), scan_start=older("scan_start", 301.0))),
    "fresh_report": Broken(inside=inside(machine=old_report)),
    "records": Broken(machine=REAL),
    "state": Broken(approved=False),
    "approval": Broken(approved=False),
    "approver_real": Broken(machine=REAL),
    "outcome": Broken(inside=answered(outcome="partial")),
    "verdict": Broken(inside=answered(verdict="stop")),
    "newest_image": Broken(inside=of_another_image),
    "token": Broken(token="t" * 64),
    "token_unused": Broken(twice=True),
    "beam_off": Broken(reported={"beam_on": True}),
    "same_reality": Broken(reported={"simulated": False}),
    "research": Broken(machine=REAL),
}


@pytest.fixture
def engine(start_engine, tmp_path, monkeypatch):
    """One with a site whose linac-3 a physicist has proven, on paper."""
    monkeypatch.chdir(ROOT)
    (tmp_path / "machines").mkdir()
    text = (shipped_folder() / "machines" / "c-arm-6dof.toml").read_text().replace("research = true", "research = false")
    (tmp_path / "machines" / f"{REAL}.toml").write_text(text)
    return start_engine(worker_command=(*WORKER, "--site", str(tmp_path)), site=tmp_path)


def claim_of(engine, client, plan_file, volume, broken):
    """The reply to the claim in which this is broken."""
    plan = plan_file(patient_id="P1", move=broken.move, spoil=broken.spoil)
    client.load_plan(plan, machine=broken.machine, fraction=4)
    proposal = image(client, volume, couch=msgspec.structs.replace(COUCH, **broken.imaged))
    loaded = msgspec.structs.replace(LOADED, **({"machine": broken.machine} | broken.loaded))
    says = {"loaded": loaded, "simulated": True} | broken.reported
    if broken.report_first:
        report(client, **says)
    token = "t" * 64
    if broken.approved:
        client.approve(proposal.proposal_id, by="Test Therapist", simulated=True)
        token = client.snapshot().standing.approved.token
    if not broken.report_first:
        report(client, **says)
    case = engine.engine._case
    boot = case.boot
    if broken.inside:
        engine.on_loop(lambda: broken.inside(case))
    couch = msgspec.structs.replace(COUCH, **(broken.imaged | broken.claimed))
    reply = client.claim(proposal.proposal_id, token=broken.token or token, couch=couch)
    if broken.twice:
        assert reply.denials == []
        report(client, **says)
        reply = client.claim(proposal.proposal_id, token=token, couch=couch)
    case.boot = boot
    return reply


def test_there_is_a_way_to_break_every_rule():
    assert list(BREAKS) == [rule.name for rule in RULES]


def is_denied(engine, plan_file, volume, name):
    """The claim in which this rule is broken is denied by it, in a sentence, and nothing is released."""
    broken = BREAKS[name]
    with Client(engine.endpoints) as client:
        reply = claim_of(engine, client, plan_file, volume, broken)
        assert reply.release is None, name
        sentences = [denial.sentence for denial in reply.denials if denial.rule == name]
        assert sentences, (name, reply.denials)
        assert all(": " in words and words.endswith(".") for words in sentences), sentences
        assert (client.snapshot().state == "claimed") is broken.twice, name
        if broken.twice:
            client.reject(by="Test Therapist", why="next")


def test_every_rule_broken_in_turn_denies_the_claim_and_says_so(engine, plan_file, volume):
    for name, broken in BREAKS.items():
        if not broken.inside:
            is_denied(engine, plan_file, volume, name)


def test_what_only_a_fault_of_the_engine_could_break_is_denied_too(engine, plan_file, volume):
    for name, broken in BREAKS.items():
        if broken.inside:
            is_denied(engine, plan_file, volume, name)
    engine.stop()
    (engine.folder / FILE).unlink()  # it tells of an engine that was tampered with, so it is no longer decided the same again


@pytest.mark.parametrize("machine", [SIMULATED, FOUR_AXES])
def test_with_nothing_broken_it_is_released(engine, client, plan_file, volume, machine):
    within = {"longitudinal_mm": 200.0} if machine == FOUR_AXES else {}
    assert claim_of(engine, client, plan_file, volume, Broken(machine=machine, imaged=within)).denials == []


@pytest.mark.parametrize("path", ["couch.target.lateral_mm", "correction.yaw_deg", "couch.made.pitch_deg"])
def test_an_answer_whose_numbers_are_none_is_denied_and_no_defect(engine, client, plan_file, volume, path):
    reply = claim_of(engine, client, plan_file, volume, Broken(spoil={path: None}))
    assert reply.release is None
    assert any("is missing" in denial.sentence for denial in reply.denials)
