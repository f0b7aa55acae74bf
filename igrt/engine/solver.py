"""What the worker computes with: the images, registration and answer rooms, prepared as far as can be before it is asked."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igrt.answer import verify
from igrt.bus.grids import daily_grid
from igrt.bus.messages import LoadPlan
from igrt.bus.pose_messages import Pose
from igrt.compute import device as devices
from igrt.compute.volume import Volume
from igrt.engine.basis import Basis, Used, this_build
from igrt.engine.radiograph_solver import device_for, frames_of, prepare, radiographs_of
from igrt.engine.spool import Description
from igrt.engine.tasks import PlannedIsocentre, PlanReady
from igrt.geometry.couch import CouchPosition
from igrt.geometry.motion import Frame, RigidMotion
from igrt.images.load import load_plan
from igrt.images.radiographs import Radiographs
from igrt.images.records import Daily, Plan
from igrt.registration.preparation import DailyPreparation, PreparedPlan, prepare_plan
from igrt.verification.machine import MachineProfile, load_machine
from igrt.verification.protocol import Protocol, load_protocol

Progress = Callable[[str, float], None]


class AnswerSolver:
    """One plan and one image at a time."""

    def __init__(self, site: Path | None, device: str | None) -> None:
        """`site` and `device` as igrt.answer.verify takes them."""
        self._site, self._device = site, devices.choose(device)
        self._plan: Plan
        self._prepared_plan: PreparedPlan
        self._machine: MachineProfile
        self._protocol: Protocol
        self._description: Description
        self._stored: NDArray[Any]
        self._preparation: DailyPreparation | None
        self._basis: Basis
        this_build()  # its sources are read now, and not when they may have changed

    def load(self, number: int, request: LoadPlan, progress: Progress) -> PlanReady:
        """Load and prepare the plan, and read machine and protocol, so that what is wrong with them is said now."""
        used = Used.of(load_machine(request.machine, self._site), load_protocol(request.protocol, self._site))
        return self.load_for(number, request, used, progress)

    def load_for(self, number: int, request: LoadPlan, used: Used, progress: Progress) -> PlanReady:
        """As `load`, to be judged by `used`."""
        began_s = time.monotonic()
        self._machine, self._protocol = used.load()
        self._plan = load_plan(
            Path(request.path),
            isocentre_mm=request.isocentre_mm,
            position=request.position,
            isocentre_choice=request.isocentre_choice,
            setup_choice=request.setup_choice,
            progress=progress,
        )
        self._prepared_plan = prepare_plan(self._plan.ct, self._device.verbs)
        identity = self._plan.identity
        x_mm, y_mm, z_mm = self._plan.isocentre_mm.tolist()
        return PlanReady(
            number=number,
            fingerprint=self._plan.fingerprint,
            patient_id=identity.patient_id,
            plan_label=identity.plan_label,
            machine=self._machine.name,
            protocol=self._protocol.name,
            research=self._machine.research or self._protocol.research,
            prepare_s=time.monotonic() - began_s,
            plan_uid=identity.plan_uid,
            plan_revision=identity.plan_revision,
            plan_approval=identity.plan_approval,
            beams=identity.beams,
            isocentre_mm=(x_mm, y_mm, z_mm),
            position=self._plan.position,
            table_angles_deg=identity.table_angles_deg,
            isocentres=tuple(
                PlannedIsocentre(isocentre_mm=i.isocentre_mm, beams=i.beams, table_angles_deg=i.table_angles_deg)
                for i in identity.isocentres
            ),
            calibration_sha256=(used.machine.sha256, used.protocol.sha256),
            used=used,
        )

    def _plan_for(self, isocentre_mm: tuple[float, float, float] | None) -> Plan:
        """The plan about another of its isocentres; None is the one that it was loaded for."""
        if isocentre_mm is None:
            return self._plan
        identity = self._plan.identity
        beams, angles = next((i.beams, i.table_angles_deg) for i in identity.isocentres if i.isocentre_mm == isocentre_mm)
        identity = replace(identity, beams=beams, table_angles_deg=angles)
        return replace(self._plan, isocentre_mm=np.array(isocentre_mm), identity=identity)

    def begin(self, description: Description, path: Path) -> None:
        """Map the image's file."""
        self._description = description
        self._preparation = None
        if description.grid is None:
            self._stored = frames_of(description, path)
            prepare(self._plan_for(description.plan_isocentre_mm), device_for(self._device))
        else:
            grid = daily_grid(description.grid, source=description.source)
            self._stored = np.asarray(np.memmap(path, dtype="<i2", mode="r", shape=grid.shape_kji))
            self._preparation = DailyPreparation(grid, self._device.verbs)
        self._digest, self._digested = hashlib.sha256(), 0

    def add(self, k_start: int, slices: int) -> None:
        """Build the pyramid further."""
        if self._preparation is not None:
            self._preparation.add(k_start, self._stored[k_start : k_start + slices])
        if k_start == self._digested:
            self._digest_to(k_start + slices)

    def _digest_to(self, end: int) -> None:
        """Hash the slices up to `end`: while the image comes, so that little is left of it at the end."""
        self._digest.update(self._stored[self._digested : end].data)
        self._digested = end

    def basis(self) -> Basis:
        """What the last answer, given or failed, rests on."""
        return self._basis

    def answer(self, progress: Progress, *, judged_utc_unix_s: float | None = None, pose: Pose | None = None) -> dict[str, Any]:
        """The answer of igrt.answer.verify, given now, or as it was given at another time; at a pose set by hand where one is given."""
        d = self._description
        self._digest_to(len(self._stored))
        device = self._device if self._preparation is not None else device_for(self._device)
        self._basis = Basis(
            image_sha256=self._digest.hexdigest(),
            judged_utc_unix_s=time.time() if judged_utc_unix_s is None else judged_utc_unix_s,
            device=device.name,
            build=this_build(),
        )
        daily, began_s = self._daily(), time.perf_counter()
        prepared = self._preparation.finish() if self._preparation is not None else None
        prepared_s = time.perf_counter() - began_s
        progress("prepare_daily", 1.0)
        answer = verify(
            self._plan_for(d.plan_isocentre_mm),
            daily,
            machine=self._machine,
            protocol=self._protocol,
            site=self._site,
            couch_start=_couch(d),
            table_angle_deg=d.table_angle_deg,
            image_table_angle_deg=d.read_table_angle_deg,
            scan_offset_mm=d.scan_offset_mm,
            device=device.name,
            prepared_plan=self._prepared_plan,
            prepared_daily=prepared,
            progress=progress,
            now=self._basis.now,
            manual=None if pose is None else RigidMotion.from_matrix(pose, target=Frame.PLAN, source=Frame.DAILY),
        ).to_json()
        if prepared is not None:
            answer["seconds"]["prepare_daily"] = prepared_s  # what was left of it after the last slab
        return answer

    def _daily(self) -> Daily | Radiographs:
        """The image in hand; InputError where a field of it cannot be."""
        d = self._description
        if d.grid is None:
            return radiographs_of(d, self._stored)
        return Daily(
            volume=Volume(daily_grid(d.grid, source=d.source), self._stored),
            position=d.position,
            isocentre_mm=None if d.isocentre_mm is None else np.array(d.isocentre_mm),
            patient_id=d.patient_id,
            frame_of_reference_uid=d.frame_of_reference_uid,
            source=d.source,
        )


def _couch(description: Description) -> CouchPosition | None:
    couch = description.couch
    if couch is None:
        return None
    return CouchPosition(
        lateral_mm=couch.lateral_mm,
        longitudinal_mm=couch.longitudinal_mm,
        vertical_mm=couch.vertical_mm,
        pitch_deg=couch.pitch_deg,
        roll_deg=couch.roll_deg,
        yaw_deg=couch.yaw_deg,
    )
