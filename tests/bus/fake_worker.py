"""A worker whose answers need no images: the plan is a JSON file that says how it behaves.

`crash` and `hang` name a task kind; both happen as long as the file `again` beside the plan is there (it is removed first, so that
once is the rule), or each time where `always` is true. `hold` names what it keeps waiting, `answer` or `pose`, until a file `go`
beside the plan appears.
"""

import hashlib
import json
import os
import time
from pathlib import Path

import numpy as np

from igrt.bus.grids import daily_grid
from igrt.engine.basis import Basis, Used, this_build
from igrt.engine.tasks import PlanReady
from igrt.engine.worker import main
from igrt.errors import InputError
from igrt.verification.machine import load_machine
from igrt.verification.protocol import load_protocol


class FakeSolver:
    """Answers with the mean of the voxels that it was told of, so that a lost or doubled slab shows."""

    def __init__(self, site: Path | None, _device: str | None) -> None:
        self.path, self.site = Path(), site

    def misbehave(self, task: str) -> None:
        if task in (self.plan.get("crash"), self.plan.get("hang")):
            once = self.path.with_name("again")
            if not self.plan.get("always"):
                if not once.exists():
                    return
                once.unlink()
            if self.plan.get("crash") == task:
                os._exit(7)
            time.sleep(600)

    def load(self, number, request, _progress):
        self.path = Path(request.path)
        if not self.path.is_file():
            raise InputError(f"{self.path}: there is no such plan; give one")
        text = self.path.read_text()
        self.plan = json.loads(text)
        self.misbehave("load")
        if self.plan.get("defect") == "load":
            raise RuntimeError(f"planned, {self.path}")
        used = Used.of(load_machine(request.machine, self.site), load_protocol(request.protocol, self.site))
        return PlanReady(
            number=number,
            fingerprint=hashlib.sha256(text.encode()).hexdigest(),
            patient_id=self.plan.get("patient_id"),
            plan_label="fake",
            machine="research-default",
            protocol="default",
            research=True,
            prepare_s=0.0,
            calibration_sha256=(used.machine.sha256, used.protocol.sha256),
            used=used,
        )

    def begin(self, description, path):
        shape = daily_grid(description.grid, source=description.source).shape_kji
        self.hu = np.memmap(path, dtype="<i2", mode="r", shape=shape)
        self.sums = np.full(shape[0], np.nan)
        self.adds = 0

    def add(self, k_start, slices):
        self.misbehave("add")
        self.adds += 1
        self.sums[k_start : k_start + slices] = self.hu[k_start : k_start + slices].astype(float).sum(axis=(1, 2))

    def answer(self, progress, *, pose=None):
        progress("register", 0.5)
        self.misbehave("answer" if pose is None else "pose")
        if self.plan.get("hold") == ("answer" if pose is None else "pose"):
            self.path.with_name("held").touch()
            while not self.path.with_name("go").exists():
                time.sleep(0.01)
        if self.plan.get("defect") == "answer":
            return {"outcome": object()}
        if self.plan.get("defect") == "words":
            return {"outcome": "perhaps"}
        if self.plan.get("bad_input"):
            raise InputError("daily image: this image does not belong to this plan; send the right one")
        return {
            "outcome": self.plan.get("outcome", "accepted"),
            "verdict": self.plan.get("verdict", "proceed"),
            "reason": "as planned",
            "findings": [{"code": "far", "sentence": "It is too far.", "level": "stop"}] if self.plan.get("verdict") == "stop" else [],
            "correction": {"axes": "fixed", "lateral_mm": float(self.sums.mean())},
            "match": {"manual": pose is not None, "pose": pose},
        }

    def basis(self):
        """The answer cannot be given again, but what followed from it can."""
        return Basis(image_sha256="0" * 64, judged_utc_unix_s=0.0, device="fake", build=this_build())


if __name__ == "__main__":
    main(make_solver=FakeSolver)
