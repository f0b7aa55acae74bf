"""What the engine and its worker tell each other: tasks, done in order, and reports. Internal; not part of the bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from igrt.bus.messages import LoadPlan
from igrt.bus.pose_messages import Pose
from igrt.engine.basis import Basis, Used
from igrt.engine.spool import Description
from igrt.geometry.position import PatientPosition


class Task(Struct, frozen=True, kw_only=True, tag_field="task", tag=str.lower):
    """Something to do; `number` comes back with its report."""

    number: int


class PlanTask(Task, frozen=True, kw_only=True):
    """Load and prepare a plan."""

    request: LoadPlan


class ImageTask(Task, frozen=True, kw_only=True):
    """Forget the last image and map this one."""

    description: Description
    path: str


class SlabTask(Task, frozen=True, kw_only=True):
    """Slices that are on disk now."""

    k_start: int
    slices: int


class AnswerTask(Task, frozen=True, kw_only=True):
    """The image is whole: answer."""


class PoseTask(Task, frozen=True, kw_only=True):
    """Answer once more, at a pose that `by` set by hand."""

    image_id: str
    evaluation_id: str
    by: str
    plan_from_daily: Pose


class StopTask(Task, frozen=True, kw_only=True):
    """End the process."""


AnyTask = PlanTask | ImageTask | SlabTask | AnswerTask | PoseTask | StopTask


class Report(Struct, frozen=True, kw_only=True, tag_field="report", tag=str.lower):
    """From the worker; `number` is the task's (0 for Started)."""

    number: int


class Started(Report, frozen=True, kw_only=True):
    """The process is up."""


class Done(Report, frozen=True, kw_only=True):
    """An image was mapped, or a slab taken in."""


class Advanced(Report, frozen=True, kw_only=True):
    """How far the task is; it goes on."""

    stage: str
    fraction: float


class PlannedIsocentre(Struct, frozen=True, kw_only=True):
    """One of a plan's isocentres (plan LPS), its beams, and the table angles of those that treat."""

    isocentre_mm: tuple[float, float, float]
    beams: tuple[str, ...]
    table_angles_deg: tuple[float, ...]


class PlanReady(Report, frozen=True, kw_only=True):
    """The plan is prepared. What its files do not state is None.

    `isocentre_mm` (plan LPS), `beams` and `table_angles_deg` are of the isocentre that the plan was loaded for, `isocentres` all that it
    has. `used` is what its images are judged by, `calibration_sha256` the hashes of machine profile and protocol, for who keeps no more.
    """

    fingerprint: str
    patient_id: str | None
    plan_label: str | None
    machine: str
    protocol: str
    research: bool
    prepare_s: float
    plan_uid: str | None = None
    plan_revision: str | None = None
    plan_approval: str | None = None
    beams: tuple[str, ...] = ()
    isocentre_mm: tuple[float, float, float] | None = None
    position: PatientPosition | None = None
    table_angles_deg: tuple[float, ...] = ()
    isocentres: tuple[PlannedIsocentre, ...] = ()
    calibration_sha256: tuple[str, str] | None = None
    used: Used | None = None

    def at(self, isocentre_mm: Sequence[float] | None) -> PlannedIsocentre | None:
        """One of its isocentres; None where it has none such."""
        return next((i for i in self.isocentres if isocentre_mm is not None and i.isocentre_mm == tuple(isocentre_mm)), None)

    def table_angles_at(self, isocentre_mm: Sequence[float] | None) -> tuple[float, ...]:
        """Of the beams about an isocentre; None is the one that the plan was loaded for."""
        other = self.at(isocentre_mm)
        return other.table_angles_deg if other else self.table_angles_deg

    def beams_at(self, isocentre_mm: Sequence[float] | None) -> tuple[str, ...]:
        """The beams about an isocentre; None is the one that the plan was loaded for."""
        other = self.at(isocentre_mm)
        return other.beams if other else self.beams


class Answered(Report, frozen=True, kw_only=True):
    """The answer of igrt.answer, as its JSON object, and what it rests on."""

    answer: dict[str, Any]
    basis: Basis | None = None


class Failed(Report, frozen=True, kw_only=True):
    """The task cannot be done; `code` is bad_input or defect. `basis` is of the answer that could not be given."""

    code: str
    sentence: str
    basis: Basis | None = None


class DeviceFailed(Report, frozen=True, kw_only=True):
    """The device failed during the task: this worker ends, and the next one computes on the processor."""

    sentence: str


AnyReport = Started | Done | Advanced | PlanReady | Answered | Failed | DeviceFailed

NAMES: Mapping[type[Task], str] = {
    PlanTask: "loading the plan",
    ImageTask: "mapping the image",
    SlabTask: "taking in a slab",
    AnswerTask: "the answer",
    PoseTask: "measuring a pose",
    StopTask: "its end",
}
