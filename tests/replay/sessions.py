"""Sessions to be recorded: real engines, real workers and real images of a small phantom; one function a session."""

import datetime as dt
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from igrt.compute.volume import Volume
from igrt.engine.case import Limits
from igrt.engine.record import FILE, SPOOL
from igrt.engine.settings import Settings
from igrt.geometry.position import PatientPosition
from igrt.images.load import load_plan
from igrt.images.write import Approval, PlannedBeam, Scanner, WriteIdentity, write_ct_series, write_rtplan, write_structure_set
from igrt.simulation.linac import UNITS
from tests.answer_cases import box
from tests.bus.conftest import Running
from tests.phantom_radiographs import kv
from tests.registration_cases import ISOCENTRE_MM, daily_grid, grid_about, image, motion

WAIT_S = 120.0
HFS = PatientPosition.HFS
COUCH = m.CouchReadout(lateral_mm=10.0, longitudinal_mm=-200.0, vertical_mm=-150.0)
PERSON = "Test Therapist"
GRID = {"shape_kji": (20, 51, 54), "spacing_mm": (3.75, 3.75, 4.5)}


def write_plan(folder: Path) -> Path:
    """Planning CT, structures and an approved plan."""
    identity = WriteIdentity(patient_id="PHANTOM", patient_name="Phantom", seed="replay", acquired=dt.datetime(2026, 3, 1, 9, 0))
    ct = image(grid_about(ISOCENTRE_MM, shape_kji=(30, 58, 68), spacing_mm=(3.75, 3.75, 5.0)))
    scanner = Scanner(manufacturer="igrt", model="tests", series_description="plan", kvp=120)
    series = write_ct_series(ct, folder, identity=identity, position=HFS, scanner=scanner)
    structures = [box("CTV", "CTV", ISOCENTRE_MM), box("Cord", "ORGAN", ISOCENTRE_MM + np.array([0.0, 50.0, 0.0]), 5.0)]
    drawn = write_structure_set(structures, folder / "RS.dcm", grid=ct.grid, series=series, label="phantom")
    write_rtplan(
        folder / "RP.dcm",
        identity=identity,
        label="phantom",
        isocentre_mm=ISOCENTRE_MM,
        position=HFS,
        beams=[PlannedBeam(name="AP", gantry_deg=0.0)],
        structure_set_uid=drawn,
        approval=Approval.APPROVED,
    )
    return folder


def anatomy(translation_mm=(1.5, -1.0, 1.2), degrees=0.5) -> Volume:
    """The day's image, the patient so far from where the plan has them."""
    return image(daily_grid(**GRID), motion(translation_mm, degrees=degrees))


class Session:
    """An engine in `folder`, which may be started again, and a client of it."""

    def __init__(self, folder: Path, plan: Path, **settings: object) -> None:
        self.folder, self.plan, self._settings = folder / "engine", plan, settings
        self.running: Running | None = None
        self.start()

    def start(self) -> None:
        """Start the engine, or start it again."""
        limits = Limits(reserve_bytes=0, disk_low_bytes=0, **self._settings)
        settings = Settings(folder=self.folder, site=self.folder.parent / "site", limits=limits, heartbeat_s=0.2)
        self.running = Running(self.folder, settings)
        self.running.start()
        self.client = Client(self.running.endpoints)
        self.client.snapshot()

    def stop(self) -> None:
        """End client and engine."""
        if self.running is not None:
            self.client.close()
            self.running.stop()
            self.running = None

    def load(self, **choices: object) -> None:
        """The plan."""
        self.client.load_plan(self.plan, fraction=1, **choices)

    def send(self, volume: Volume, *, image_id: str, **options: object) -> m.Proposal | m.Refusal:
        """An image, and what comes of it."""
        sent = self.client.send_image(
            volume, **({"position": HFS, "isocentre_mm": (0, 0, 0), "couch": COUCH, "image_id": image_id} | options)
        )
        return self.client.wait_for_answer(sent, timeout_s=WAIT_S)

    def loaded(self, **changes: object) -> m.LoadedPlan:
        """What the linac has loaded."""
        plan = load_plan(self.plan)
        return m.LoadedPlan(
            **{
                "patient_id": plan.identity.patient_id,
                "plan_uid": plan.identity.plan_uid,
                "plan_revision": plan.identity.plan_revision,
                "plan_approval": plan.identity.plan_approval,
                "fraction": 1,
                "isocentre_mm": tuple(plan.isocentre_mm.tolist()),
                "beam": plan.identity.beams[0],
                "machine": "research-default",
            }
            | changes
        )

    def report(self, *, beam_on: bool = False, **changes: object) -> str:
        """The linac's report; the state after it."""
        return self.client.report_machine(self.loaded(**changes), beam_on=beam_on, simulated=True, units=UNITS).state

    def token(self) -> str:
        """Of the approval that stands."""
        approved = self.client.snapshot().standing.approved
        assert approved is not None
        return approved.token

    def approve(self, proposal: m.Proposal | m.Refusal) -> None:
        """By a person, or by name and with the reason where the verdict is stop."""
        assert isinstance(proposal, m.Proposal), proposal.answer["reason"]
        if proposal.answer["verdict"] == "stop":
            self.client.override(proposal.proposal_id, by=PERSON, why="seen, and meant", simulated=True)
        else:
            self.client.approve(proposal.proposal_id, by=PERSON, simulated=True)

    def claim(self, proposal: m.Proposal | m.Refusal, *, couch: m.CouchReadout = COUCH, token: str | None = None) -> m.ClaimReply:
        """The linac's."""
        assert isinstance(proposal, m.Proposal)
        return self.client.claim(proposal.proposal_id, token=token or self.token(), couch=couch)

    def claimed(self, proposal: m.Proposal | m.Refusal) -> m.Release:
        """Approved, reported, claimed."""
        self.approve(proposal)
        self.report()
        reply = self.claim(proposal)
        assert reply.release is not None, reply.denials
        return reply.release

    def move(self, release: m.Release, couch: m.CouchReadout | None = None, phase: str = "after") -> m.ReportCouchReply:
        """The couch on its way, and at its end."""
        self.client.report_couch(release.proposal_id, "start", release.start)
        return self.client.report_couch(release.proposal_id, phase, couch or release.target)


def released(s: Session) -> None:
    """Denied for another patient, for the couch, for another token; then released, moved, and treated."""
    s.load()
    proposal = s.send(anatomy(), image_id="first")
    s.approve(proposal)
    s.report(patient_id="SOMEBODY")
    assert s.claim(proposal).release is None
    s.report()
    assert s.claim(proposal, couch=msgspec.structs.replace(COUCH, vertical_mm=-151.0)).release is None
    assert s.claim(proposal, token="0" * 64).release is None
    release = s.claim(proposal).release
    assert release is not None
    assert s.claim(proposal, token="0" * 64).release is None
    halfway = {axis: (getattr(release.start, axis) + getattr(release.target, axis)) / 2 for axis in ("lateral_mm", "vertical_mm")}
    s.client.report_couch(release.proposal_id, "start", release.start)
    s.client.report_couch(release.proposal_id, "during", msgspec.structs.replace(release.start, **halfway))
    assert s.client.report_couch(release.proposal_id, "after", release.target).state == "in_position"
    assert s.report(beam_on=True) == "delivering"
    assert s.report(beam_on=False) == "ready"


def refused(s: Session) -> None:
    """An image of nobody; then one that lies otherwise than the plan, which is bad input."""
    s.load()
    grid = daily_grid(**GRID)
    noise = np.random.default_rng(1).integers(-1000, 1000, (5, 9, 9)).astype(np.int16)
    nobody = np.kron(noise, np.ones((4, 6, 6), np.int16))[: grid.shape_kji[0], : grid.shape_kji[1], : grid.shape_kji[2]]
    assert isinstance(s.send(Volume(grid, np.ascontiguousarray(nobody)), image_id="nobody"), m.Refusal)
    s.client.reject(by=PERSON, why="nobody lies there")
    with pytest.raises(RefusedError, match="FFS"):
        s.send(anatomy(), image_id="otherwise", position=PatientPosition.FFS)
    assert s.client.snapshot().state == "interrupted"


def worker_died(s: Session) -> None:
    """The worker is killed at its answer; another gives it, and a person wants nothing of it."""
    s.load()
    assert s.running is not None
    pid = s.running.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    sent = s.client.send_image(anatomy(), position=HFS, isocentre_mm=(0, 0, 0), couch=COUCH, image_id="twice")
    os.kill(pid, signal.SIGKILL)
    assert isinstance(s.client.wait_for_answer(sent, timeout_s=WAIT_S), m.Proposal)
    s.client.reject(by=PERSON, why="not today")


def resumed(s: Session) -> None:
    """The engine is started again in the middle of an image, and again once a correction is released: then the couch is confirmed."""
    s.load()
    volume = anatomy()

    def begin():
        return s.client.begin_image(volume.grid, position=HFS, isocentre_mm=(0, 0, 0), couch=COUCH, image_id="halves")

    transfer = begin()
    transfer.send(3, volume.hu[3:9])
    transfer.drain()
    s.stop()
    s.start()
    transfer = begin()
    transfer.send_missing(volume.hu)
    transfer.end(couch=COUCH)
    proposal = s.client.wait_for_answer("halves", timeout_s=WAIT_S)
    release = s.claimed(proposal)
    s.stop()
    s.start()
    now = s.client.snapshot()
    assert now.state == "interrupted"
    assert now.standing.hold is not None
    s.client.acknowledge_hold(now.standing.hold.hold_id)
    assert s.client.confirm_couch(by=PERSON, couch=release.target).state == "in_position"


def expired(s: Session) -> None:
    """Nobody claims in time, and then it is too late."""
    s.load()
    proposal = s.send(anatomy(), image_id="old")
    token = None
    if s.client.snapshot().state == "proposed":
        s.approve(proposal)
        token = s.token()
    until_s = time.monotonic() + WAIT_S
    while s.client.snapshot().state != "expired":
        assert time.monotonic() < until_s
        time.sleep(0.05)
    s.report()
    assert s.claim(proposal, token=token or "0" * 64).release is None


def withdrawn(s: Session) -> None:
    """A newer image takes a released correction away; then a person takes a released one away."""
    s.load()
    s.claimed(s.send(anatomy(), image_id="one"))
    second = s.send(anatomy((1.0, 0.5, -1.0), 0.3), image_id="two")
    hold = s.client.snapshot().standing.hold
    assert hold is not None
    s.client.acknowledge_hold(hold.hold_id)
    s.claimed(second)
    assert s.client.reject(by=PERSON, why="the patient coughs").state == "withdrawn"


def overridden(s: Session) -> None:
    """A verdict of stop is set aside; the couch goes the wrong way, and is seen to."""
    s.load()
    proposal = s.send(anatomy((20.0, -14.0, 12.0), 1.0), image_id="far")
    assert isinstance(proposal, m.Proposal), proposal.answer["reason"]
    assert proposal.answer["verdict"] == "stop"
    with pytest.raises(RefusedError, match="override"):
        s.client.approve(proposal.proposal_id, by=PERSON)
    release = s.claimed(proposal)
    wrong = {"lateral_mm": 2 * release.start.lateral_mm - release.target.lateral_mm}
    assert s.move(release, msgspec.structs.replace(release.target, **wrong)).hold
    s.client.clear_alert("chain_broken", by=PERSON)


def radiographs(s: Session) -> None:
    """One radiograph, which moves nothing; a pair, which does; then a cone-beam image of a patient who lay still."""
    s.load()
    first = s.client.send_radiographs(kv(((1.5, -1.0, 1.2), 0.5), (0.0,)), couch=COUCH, image_id="one")
    assert s.client.wait_for_answer(first, timeout_s=WAIT_S).answer["outcome"] == "partial"
    s.client.send_radiographs(kv(((1.5, -1.0, 1.2), 0.5), (0.0, 270.0)), couch=COUCH, image_id="pair")
    s.claimed(s.client.wait_for_answer("pair", timeout_s=WAIT_S))
    found = {finding["code"] for finding in s.send(anatomy(), image_id="after").answer["findings"]}
    assert {"images_differ_shift", "images_differ_turn"} <= found


SESSIONS: Mapping[str, tuple[Callable[[Session], None], Mapping[str, object]]] = {
    "released": (released, {}),
    "refused": (refused, {}),
    "worker_died": (worker_died, {}),
    "resumed": (resumed, {}),
    "expired": (expired, {"lifetime_s": 3.0}),
    "withdrawn": (withdrawn, {}),
    "overridden": (overridden, {}),
    "radiographs": (radiographs, {}),
}


@contextmanager
def engine_of(folder: Path, plan: Path, **settings: object) -> Iterator[Session]:
    """An engine that ends."""
    session = Session(folder, plan, **settings)
    try:
        yield session
    finally:
        session.stop()


def record(name: str, folder: Path, plan: Path) -> Path:
    """Let a session happen; the engine's folder."""
    happen, settings = SESSIONS[name]
    with engine_of(folder, plan, **settings) as session:
        happen(session)
    assert (session.folder / FILE).exists()
    assert (session.folder / SPOOL).is_dir()
    return session.folder
