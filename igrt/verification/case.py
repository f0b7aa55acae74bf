"""What is to be answered: plan, image and set-up, complete and consistent before anything is matched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igrt.errors import InputError
from igrt.geometry.couch import CouchPosition, couch_move
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.setup import ImageAxes, fixed_from_plan, start_pose
from igrt.images.radiographs import Radiographs, agreed_table_angle
from igrt.images.records import Daily, Plan
from igrt.verification.checks import Facts
from igrt.verification.isocentre import daily_isocentre
from igrt.verification.machine import ImagePose, MachineProfile, load_machine
from igrt.verification.points import JudgedPoints, judged_points
from igrt.verification.protocol import OrganTable, Protocol, TargetTable, load_protocol
from igrt.verification.table_angle import TableAngles, common_angle_deg, table_angles

Shift = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is said of the day beside plan and image: the arguments of `igrt.answer.verify` of these names."""

    machine: str | MachineProfile | None = None
    protocol: str | Protocol | None = None
    site: Path | None = None
    couch_start: CouchPosition | None = None
    table_angle_deg: float | None = None
    image_table_angle_deg: float | None = None
    scan_offset_mm: Shift | None = None
    now: datetime | None = None

    def facts(self, plan: Plan, daily: Daily | Radiographs) -> Facts:
        """All that the checks need, with machine and protocol loaded; InputError where they cannot be."""
        machine = self.machine if isinstance(self.machine, MachineProfile) else load_machine(self.machine, self.site)
        protocol = self.protocol if isinstance(self.protocol, Protocol) else load_protocol(self.protocol, self.site)
        offset = self.scan_offset_mm
        return Facts(
            machine=machine,
            protocol=protocol,
            plan=plan.identity,
            daily_patient_id=daily.patient_id,
            daily_frame_of_reference_uid=daily.frame_of_reference_uid,
            scan_offset_mm=protocol.tables.setup.scan_offset_mm if offset is None else offset,
            now=self.now or datetime.now(UTC),
        )

    def angles(self, plan: Plan, daily: Daily | Radiographs, machine: MachineProfile) -> TableAngles:
        """Planned table angle and that of the image, from what is known."""
        imaged_deg = self.image_table_angle_deg
        if imaged_deg is None and self.couch_start is None and isinstance(daily, Radiographs):
            imaged_deg = common_angle_deg([image.stated.support_angle_deg for image in daily.images])
        return table_angles(
            planned_deg=plan.identity.table_angles_deg,
            couch=machine.couch,
            couch_yaw_deg=None if self.couch_start is None else self.couch_start.yaw_deg,
            table_angle_deg=self.table_angle_deg,
            image_table_angle_deg=imaged_deg,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """Plan and image with all that they are judged by.

    `isocentre_mm` is the machine isocentre in the daily image, `start` the pose `plan_from_daily` at which nothing is wrong with the
    set-up; `couch_start` is None where the image does not show the patient at that place.
    """

    plan: Plan
    daily: Daily | Radiographs
    facts: Facts
    isocentre_mm: NDArray[np.float64]
    isocentre_from: str
    image_axes: ImageAxes
    start: RigidMotion
    couch_start: CouchPosition | None
    angles: TableAngles
    fixed_from_plan: RigidMotion
    points: JudgedPoints


def case_of(plan: Plan, daily: Daily | Radiographs, setting: Setting) -> Case:
    """InputError where something does not fit together: said before the registration, not after it."""
    _require_another_image(plan, daily)
    facts = setting.facts(plan, daily)
    angles = setting.angles(plan, daily, facts.machine)
    if plan.position is not daily.position:
        raise InputError(
            f"{daily.source}: the daily image is {daily.position}, the plan ({plan.source}) is {plan.position}; "
            "choose the set-up of this position, or correct the position that is wrong"
        )
    isocentre_mm, isocentre_from = _isocentre(plan, daily, facts.machine, angles)
    image = facts.machine.tables.image
    axes = ImageAxes.ROOM if isinstance(daily, Radiographs) else image.axes_at_table_angle  # radiographs stay with the room
    goal = fixed_from_plan(isocentre_mm=plan.isocentre_mm, position=plan.position, table_angle_deg=angles.table_angle_deg)
    nominal = start_pose(
        plan_isocentre_mm=plan.isocentre_mm,
        daily_isocentre_mm=isocentre_mm,
        plan_position=plan.position,
        daily_position=daily.position,
        table_angle_deg=angles.table_angle_deg,
        image_table_angle_deg=angles.image_table_angle_deg,
        image_axes=axes,
    )
    intended = RigidMotion(Frame.FIXED, Frame.FIXED, np.eye(3), np.asarray(facts.scan_offset_mm, float))
    shows_a_correction = image.pose is ImagePose.AFTER_CORRECTION and isinstance(daily, Daily)
    couch_start = None if shows_a_correction else setting.couch_start
    _require_couch_start(couch_start, facts.machine, angles)
    return Case(
        plan=plan,
        daily=daily,
        facts=facts,
        isocentre_mm=isocentre_mm,
        isocentre_from=isocentre_from,
        image_axes=axes,
        start=goal.inverse() @ intended @ goal @ nominal,
        couch_start=couch_start,
        angles=angles,
        fixed_from_plan=goal,
        points=_points_of(plan, angles.table_angle_deg, facts.protocol.tables.target, facts.protocol.tables.organs),
    )


def _require_another_image(plan: Plan, daily: Daily | Radiographs) -> None:
    """InputError where the daily image is the planning CT: it would match perfectly, whoever lies on the couch."""
    if isinstance(daily, Radiographs):
        return
    same_series = daily.series_uid is not None and daily.series_uid == plan.identity.series_uid
    if same_series or np.array_equal(plan.ct.hu, daily.volume.hu):
        raise InputError(f"{daily.source} is the planning CT itself, not the day's image; give the image that was taken today")


def _isocentre(plan: Plan, daily: Daily | Radiographs, machine: MachineProfile, angles: TableAngles) -> tuple[NDArray[np.float64], str]:
    """The machine isocentre in the daily frame (mm), and who says so."""
    if not isinstance(daily, Radiographs):
        return daily_isocentre(plan, daily, machine)
    agreed_table_angle(daily.images, angles.image_table_angle_deg)
    return np.array(plan.isocentre_mm), "at the coordinates of the plan isocentre, where radiographs have it"


def _require_couch_start(couch_start: CouchPosition | None, machine: MachineProfile, angles: TableAngles) -> None:
    """InputError where the couch cannot stand there."""
    couch_move(
        RigidMotion.identity(target=Frame.FIXED, source=Frame.FIXED),
        model=machine.couch,
        reference_mm=np.zeros(3),
        scatter_mm2=None,
        start=couch_start,
        table_angle_deg=angles.image_table_angle_deg,
    )


@lru_cache(maxsize=1)
def _points_of(plan: Plan, table_angle_deg: float, target: TargetTable, organs: OrganTable) -> JudgedPoints:
    """The judged points of a plan; kept for the next daily image of the same plan, since structures take as long as a match."""
    goal = fixed_from_plan(isocentre_mm=plan.isocentre_mm, position=plan.position, table_angle_deg=table_angle_deg)
    return judged_points(plan, goal, target, organs)
