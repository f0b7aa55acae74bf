"""examples/c against an engine: every value is drawn at random in each run, and looked for on the engine's side afterwards."""

import os
import random
import re
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.topics import EVENTS, REQUESTS, decode
from igrt.engine.journal import read_rows
from igrt.simulation.therapist import NAME, Therapist
from tests.bus.chain_cases import CHAIN_WORKER, LOADED
from tests.foreign.conftest import ROOT, SOURCES
from tests.foreign.relay import Relay

CLIENT_S = 60.0
MOVE_MS = 3000
LOST = ("state_changed", "image_progress", "progress", "proposal", "approved", "claim_denied", "chain_closed")


@dataclass(frozen=True)
class Drawn:
    """What one run is made of."""

    move: tuple[float, ...]
    couch: tuple[float, ...]
    shape_kji: tuple[int, int, int]
    origin_mm: tuple[float, ...]
    spacing_mm: tuple[float, ...]
    isocentre_mm: tuple[float, ...]
    image_id: str
    slab_slices: int
    break_after: int
    loses: str
    seed: int
    hu: np.ndarray

    @classmethod
    def of(cls, seed: int) -> "Drawn":
        draw = random.Random(seed)
        shape = (draw.randint(8, 40), draw.randint(1, 30), draw.randint(1, 30))
        slab_slices = draw.randint(1, 3)
        return cls(
            move=(*(round(draw.uniform(-5, 5), 1) for _ in range(3)), 0.0, 0.0, 0.0),
            couch=(
                round(draw.uniform(-150, 150), 1),
                round(draw.uniform(-800, 1300), 1),
                round(draw.uniform(-300, -60), 1),
                0.0,
                0.0,
                0.0,
            ),
            shape_kji=shape,
            origin_mm=tuple(draw.uniform(-300, 300) for _ in range(3)),
            spacing_mm=tuple(draw.uniform(0.5, 3) for _ in range(3)),
            isocentre_mm=tuple(draw.uniform(-50, 50) for _ in range(3)),
            image_id=f"scan.{draw.randrange(10**9)}-c_{draw.randrange(100)}",
            slab_slices=slab_slices,
            break_after=draw.randint(1, shape[0] // slab_slices - 1),
            loses=draw.choice(LOST),
            seed=draw.randrange(1, 2**31),
            hu=np.random.default_rng(seed).integers(-1024, 3000, shape).astype("<i2"),
        )

    def options(self, *, engine: Path, plan: Path, image: Path) -> list[str]:
        def listed(values) -> str:
            return ",".join(repr(v) for v in values)

        slices, rows, columns = self.shape_kji
        given = {
            "engine": engine,
            "plan": plan,
            "image": image,
            "image_id": self.image_id,
            "slices": slices,
            "rows": rows,
            "columns": columns,
            "origin_mm": listed(self.origin_mm),
            "spacing_mm": listed(self.spacing_mm),
            "daily_isocentre_mm": listed(self.isocentre_mm),
            "slab_slices": self.slab_slices,
            "break_after": self.break_after,
            "seed": self.seed,
            "couch": listed(self.couch),
            "isocentre_mm": listed(LOADED.isocentre_mm),
            **{f: getattr(LOADED, f) for f in LOADED.__struct_fields__ if f != "isocentre_mm"},
        }
        return [f"{name}={value}" for name, value in given.items()]


@pytest.fixture
def drawn() -> Drawn:
    """Another in each run; IGRT_FOREIGN_SEED repeats one."""
    seed = int(os.environ.get("IGRT_FOREIGN_SEED") or secrets.randbelow(2**31))
    print(f"to repeat this run: IGRT_FOREIGN_SEED={seed}")  # noqa: T201 - pytest shows it where the test fails
    return Drawn.of(seed)


@pytest.fixture
def engine(start_engine, monkeypatch):
    monkeypatch.chdir(ROOT)
    return start_engine(worker_command=CHAIN_WORKER)


@pytest.fixture
def relay(engine, drawn, tmp_path):
    relay = Relay(engine.endpoints, drawn.loses)
    relay.start(tmp_path / "relay")
    yield relay
    relay.end()


@pytest.fixture
def therapist(engine):
    therapist = Therapist(engine.endpoints)
    therapist.start()
    yield therapist
    therapist.end()


def axes(couch: m.CouchReadout) -> tuple[float, ...]:
    return couch.lateral_mm, couch.longitudinal_mm, couch.vertical_mm, couch.pitch_deg, couch.roll_deg, couch.yaw_deg


def test_a_client_in_c_goes_the_whole_way(c_client, engine, relay, therapist, drawn, plan_file, tmp_path):
    plan, image = plan_file(patient_id="P1", move=drawn.move), tmp_path / "image.raw"
    image.write_bytes(drawn.hu.tobytes())
    ran = subprocess.run(
        [str(c_client), *drawn.options(engine=tmp_path / "relay", plan=plan, image=image)], capture_output=True, text=True, timeout=CLIENT_S
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    said = ran.stdout.splitlines()
    target = tuple(float(v) for v in next(line for line in said if line.startswith("released")).split()[1:])

    assert target == pytest.approx([c + d for c, d in zip(drawn.couch, drawn.move, strict=True)], abs=1e-6)
    assert {line.split(":")[0] for line in said if line.startswith("denied")} == {"denied state", "denied token_unused"}
    assert f"approved by {NAME}" in said
    assert "closed within, no verification image needed" in said
    assert said[-2] == "machine reported, beam off: ready"
    assert any(line.startswith(f"image {drawn.image_id} sent,") and line.endswith("begun 2 times") for line in said)
    assert len(relay.lost) == 1
    assert said[-1].endswith("2 snapshots")
    check_engine(engine, drawn, target, plan)


def test_a_hold_is_heard_and_acknowledged(c_client, engine, therapist, drawn, plan_file, tmp_path):
    plan, image = plan_file(patient_id="P1", move=drawn.move), tmp_path / "image.raw"
    image.write_bytes(drawn.hu.tobytes())
    command = [str(c_client), *drawn.options(engine=engine.folder, plan=plan, image=image), f"move_ms={MOVE_MS}"]
    with Client(engine.endpoints) as client, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ran:
        client.wait_for(m.CouchReported, timeout_s=CLIENT_S)
        client.snapshot()
        client.reject(by="Test Therapist", why=f"reason {drawn.seed}")
        client.wait_for(m.HoldAcknowledged, timeout_s=CLIENT_S)
        said, why = ran.communicate(timeout=CLIENT_S)
        assert client.snapshot().standing.hold is None
    assert ran.returncode == 1
    assert f"reason {drawn.seed}" in why
    assert why.startswith("igrt_client: held: ")
    assert "couch during: withdrawn" in said
    assert "couch after" not in said


def check_engine(engine, drawn: Drawn, target: tuple[float, ...], plan: Path) -> None:
    """What the engine has of it: voxels on disk, requests and events in the journal, the state."""
    voxels = (engine.folder / "spool" / f"{drawn.image_id}.hu").read_bytes()[: drawn.hu.nbytes]
    assert voxels == drawn.hu.tobytes()
    with Client(engine.endpoints) as client:
        snapshot = client.snapshot()
    assert snapshot.state == "ready"
    assert axes(snapshot.standing.release.target) == target
    rows = list(read_rows(engine.folder / "journal.sqlite"))
    requests = [decode(row.payload, REQUESTS) for row in rows if row.kind == "request"]
    events = [decode(row.payload, EVENTS) for row in rows if row.kind == "event"]

    def only(kind, among=requests):
        (found,) = [message for message in among if isinstance(message, kind)]
        return found

    loaded = only(m.LoadPlan)
    assert (loaded.path, loaded.fraction) == (str(plan), LOADED.fraction)
    first, again = (message for message in requests if isinstance(message, m.BeginImage))
    assert msgspec.structs.replace(first, header=again.header) == again
    assert (first.image_id, first.position.value) == (drawn.image_id, "HFS")
    assert (first.grid.shape_kji, first.grid.origin_mm, first.grid.spacing_mm) == (drawn.shape_kji, drawn.origin_mm, drawn.spacing_mm)
    assert first.isocentre_mm == drawn.isocentre_mm
    assert axes(first.couch) == axes(only(m.EndImage).couch) == drawn.couch
    assert {message.loaded for message in requests if isinstance(message, m.ReportMachine)} == {LOADED}
    claimed = only(m.Claimed, events).release
    assert (axes(claimed.start), axes(claimed.target)) == (drawn.couch, target)
    assert {denial.rule for denial in only(m.ClaimDenied, events).denials} == {"state", "token_unused"}
    claims = [message for message in requests if isinstance(message, m.Claim)]
    assert len({claim.header.message_id for claim in claims}) == len(claims) == 2
    assert [message.phase for message in requests if isinstance(message, m.ReportCouch)] == ["start", "during", "after"]
    closed = only(m.ChainClosed, events)
    assert closed.within
    assert axes(closed.couch) == target


def test_the_header_for_machines_without_one_says_what_libzmq_says():
    text = (Path(__file__).with_name("zmq_abi") / "zmq.h").read_text()
    defined = dict(re.findall(r"#define ZMQ_(\w+) (\d+)", text))
    assert len(defined) == 7
    assert {name: int(value) for name, value in defined.items()} == {name: int(getattr(zmq, name)) for name in defined}


def test_every_option_is_in_the_readme_and_what_the_integrator_is_shown_exists():
    known = set(re.findall(r'\{"(\w+)", ', (SOURCES / "options.c").read_text()))
    assert len(known) > 20
    listed = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", (SOURCES / "README.md").read_text(), re.MULTILINE))))
    assert known == listed & known
    shown = (ROOT / "docs" / "integrator.md").read_text().split("$ examples/c/igrt_client")[1].split("\nplan ")[0]
    assert set(re.findall(r"(\w+)=", shown)) <= known
