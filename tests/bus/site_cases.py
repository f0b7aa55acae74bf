"""A site with an engine of its own as it is served, a worker that logs, and sessions of patients whose names can be looked for."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from igrt.bus.client import Client
from igrt.bus.errors import RefusedError
from tests.bus.chain_cases import COUCH, HFS, LOADED, ROOT, WAIT_S, claim
from tests.bus.conftest import make_volume

PATIENT, NAME, UID = "QZX-4711", "DOEVSKAYA^ANASTASIA", "1.2.826.99.4711.1"
OTHER = "QZX-47110"
"""Another patient, whose id begins with the whole of the first one's."""

SERVE = """
import sys
from pathlib import Path
from igrt.engine.case import Limits
from igrt.engine.logs import logging_to
from igrt.engine.server import Settings, serve
folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
worker = (sys.executable, "-m", "tests.bus.chain_worker", "--log", str(folder))
limits = Limits(reserve_bytes=0, disk_low_bytes=0)
keep_days = float(sys.argv[2]) if sys.argv[2:] else None
with logging_to(folder, "engine"):
    serve(
        Settings(folder=folder, worker_command=worker, limits=limits, keep_days=keep_days, heartbeat_s=0.2),
        on_ready=lambda endpoints: print("ready", flush=True),
    )
"""


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """An engine in `folder`; ended by SIGTERM. Its standard error goes to `stderr.txt` beside the folder."""
    folder.parent.mkdir(exist_ok=True)
    with (
        (folder.parent / "stderr.txt").open("a") as errors,
        subprocess.Popen(
            [sys.executable, "-c", SERVE, str(folder), *arguments], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(WAIT_S) == 0
        finally:
            process.kill()


def plan(folder: Path, patient_id: str, **behaviour: object) -> Path:
    """A plan of the fake worker."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps({"patient_id": patient_id} | behaviour))
    return folder / "plan.json"


def session(client: Client, path: Path, patient_id: str, *, image_id: str, seed: int = 1) -> None:
    """A plan, an image, a proposal, a claim and a move."""
    client.load_plan(path, fraction=4)
    volume = make_volume(seed=seed)
    client.send_image(volume, position=HFS, couch=COUCH, image_id=image_id, patient_id=patient_id, frame_of_reference_uid=f"{UID}.{seed}")
    proposal = client.wait_for_answer(image_id, timeout_s=WAIT_S)
    client.approve(proposal.proposal_id, by="Test Therapist", simulated=True)
    token = client.snapshot().standing.approved.token
    loaded = msgspec.structs.replace(LOADED, patient_id=patient_id)
    assert claim(client, proposal, "0" * 64, loaded=loaded).release is None
    release = claim(client, proposal, token, loaded=loaded).release
    assert release is not None
    client.report_couch(release.proposal_id, "start", release.start)
    client.report_couch(release.proposal_id, "after", release.target)
    client.reject(by="Test Therapist", why=f"done with {patient_id}")


def mishaps(client: Client, folder: Path) -> None:
    """What goes wrong and is told with the patient's name in it: no plan, a worker that fails over it."""
    for path in (folder / NAME / "missing.json", plan(folder / NAME / "broken", PATIENT, defect="load")):
        with suppress(RefusedError):
            client.load_plan(path)


def a_day(site: Path) -> None:
    """Two patients, with mishaps, one after the other."""
    with served(site / "engine") as process, Client(site / "engine") as client:
        session(client, plan(site.parent / "plans" / NAME, PATIENT), PATIENT, image_id=f"{PATIENT}-scan")
        mishaps(client, site.parent / "plans")
        session(client, plan(site.parent / "plans" / "other", OTHER), OTHER, image_id="other-scan", seed=2)
        assert process.poll() is None


def naming(folder: Path, *names: str) -> list[str]:
    """Files below `folder` whose bytes hold a name, whatever its case, as `grep -ria` finds them; the other patient's id aside."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes().lower().replace(OTHER.lower().encode(), b"")
        found += [f"{path.relative_to(folder)}: {name}" for name in names if name.lower().encode() in content]
    return found
