"""What the engine and its worker tell each other: tasks, done in order, and reports. Internal; not part of the bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from igrt.bus.messages import LoadPlan
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


class StopTask(Task, frozen=True, kw_only=True):
    """End the process."""


AnyTask = PlanTask | ImageTask | SlabTask | AnswerTask | StopTask


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


class PlanReady(Report, frozen=True, kw_only=True):
    """The plan is prepared. What its files do not state is None; `isocentre_mm` is plan LPS."""

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


class Answered(Report, frozen=True, kw_only=True):
    """The answer of igrt.answer, as its JSON object."""

    answer: dict[str, Any]


class Failed(Report, frozen=True, kw_only=True):
    """The task cannot be done; `code` is bad_input or defect."""

    code: str
    sentence: str


AnyReport = Started | Done | Advanced | PlanReady | Answered | Failed

NAMES: Mapping[type[Task], str] = {
    PlanTask: "loading the plan",
    ImageTask: "mapping the image",
    SlabTask: "taking in a slab",
    AnswerTask: "the answer",
    StopTask: "its end",
}
