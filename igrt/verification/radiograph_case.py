"""From radiographs as filed to their match, with the conventions of the machine profile."""

from __future__ import annotations

from functools import lru_cache

from igrt.compute.device import Device
from igrt.compute.radiographs import RadiographVerbs, water_attenuation
from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.camera import XrayCamera
from igrt.geometry.motion import RigidMotion
from igrt.geometry.setup import fixed_from_daily
from igrt.images.detector import line_integrals
from igrt.images.radiographs import KvConventions, Radiographs
from igrt.images.records import Plan
from igrt.registration.projection import RadiographMatch, match_radiographs
from igrt.registration.radiograph_levels import RadiographDaily, RadiographPlan, prepare_radiograph_plan, prepare_radiographs
from igrt.verification.stages import Stages


def cameras_of(daily: Radiographs, kv: KvConventions) -> tuple[XrayCamera, ...]:
    """The camera of every image; InputError where file and profile together do not make one, or where it is no kV image."""
    for image in daily.images:
        if image.kvp is not None:
            try:
                water_attenuation(image.kvp)
            except InputError as problem:
                raise InputError(f"{image.source}: {problem}") from problem
    return tuple(image.camera(kv) for image in daily.images)


def daily_from_fixed(plan: Plan) -> RigidMotion:
    """The daily frame of radiographs: LPS axes by patient position, the machine isocentre at the plan isocentre's coordinates."""
    return fixed_from_daily(isocentre_mm=plan.isocentre_mm, position=plan.position).inverse()


def verbs_of(device: Device) -> RadiographVerbs:
    """The device's verbs with radiographs; InputError where it has none."""
    kind, _, instruction_set = device.name.partition(" ")
    if kind != "cpu":
        raise InputError(f"device {device.name!r} does not match radiographs; choose cpu")
    return RadiographVerbs(instruction_set)


@lru_cache(maxsize=1)
def prepare_plan(ct: Volume, instruction_set: str) -> RadiographPlan:
    """The planning CT, ready for radiographs; kept for the next ones of the same plan, about any of its isocentres."""
    return prepare_radiograph_plan(ct, RadiographVerbs(instruction_set))


def prepare_daily(plan: Plan, daily: Radiographs, kv: KvConventions) -> RadiographDaily:
    """The radiographs, ready to be matched."""
    images = [line_integrals(image, kv) for image in daily.images]
    kvps = [image.kvp for image in daily.images]
    return prepare_radiographs(cameras_of(daily, kv), images, kvps=kvps, daily_from_fixed=daily_from_fixed(plan))


def match(plan: Plan, daily: Radiographs, start: RigidMotion, *, device: Device, kv: KvConventions, stages: Stages) -> RadiographMatch:
    """Prepare both and match them from `start` (`plan_from_daily`), stage by stage."""
    verbs = verbs_of(device)
    with stages.stage("prepare_daily"):
        moving = prepare_daily(plan, daily, kv)
    with stages.stage("prepare_plan"):
        fixed = prepare_plan(plan.ct, verbs.instruction_set)
    with stages.stage("register") as progress:
        return match_radiographs(fixed, moving, start=start, isocentre_mm=plan.isocentre_mm, verbs=verbs, progress=progress)
