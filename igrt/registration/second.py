"""A second solver of other code: the same two images matched by SimpleITK, whose pose confirms or contradicts ours.

Mattes mutual information over the patient's body in the daily image, at three resolutions of its own, from starts of its own about
the nominal one. None of our kernels, pyramids, masks, costs or searches takes part, so that an error in one of them is not repeated
here. One thread and fixed seeds: the same images give the same pose.
"""

from __future__ import annotations

import importlib
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.evidence import largest_displacement_mm

AIR_HU, DENSE_HU = -1000.0, 1500.0
BINS = 32
SEED = 1
COUCH_VOXELS = 2
BODY_MM = 4.0
LEAST_VOXELS = 500
SAMPLES = 40_000
LEVELS_MM = (8.0, 4.0, 2.0)
STARTS_MM = tuple(itertools.product((-15.0, 0.0, 15.0), (-15.0, 0.0, 15.0), (-40.0, -20.0, 0.0, 20.0, 40.0)))
"""Shifts of the nominal start along plan x, y, z: along the spine as far as a neighbouring vertebra."""
REFINED_STARTS, APART_MM = 2, 18.0
ITERATIONS, SHORTEST_STEP_MM, RELAXATION = 60, 0.005, 0.6


@dataclass(frozen=True, slots=True, eq=False)
class SecondMatch:
    """What the second solver found.

    `similarity` is the mutual information (nats, the greater the more alike) at its own pose, `similarity_there` that at the pose which
    was to be checked, both over the same samples of the finest level; NaN where it cannot be had. `difference_mm` is the largest
    displacement between the two poses within 80 mm of the plan isocentre.
    """

    plan_from_daily: RigidMotion
    similarity: float
    similarity_there: float
    difference_mm: float


class Second:
    """The second solver's pose for two images, from `start` (`plan_from_daily`): found once, compared with any other.

    `isocentre_mm` (3,) is the plan's, about which it turns. InputError where SimpleITK finds no patient in the daily image, or no overlap.
    """

    def __init__(self, plan: Volume, daily: Volume, *, start: RigidMotion, isocentre_mm: NDArray[np.float64]) -> None:
        self._itk = importlib.import_module("SimpleITK")
        self._itk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        self._isocentre_mm, self._pivot_mm = isocentre_mm, start.inverse().apply(isocentre_mm)
        try:
            self._solver = _Solver(self._itk, plan, daily)
            pose = self._solver.solve(_transform(self._itk, start, self._pivot_mm))
            self._similarity = self._solver.similarity(pose)
        except RuntimeError as error:
            raise InputError(f"SimpleITK cannot match the images ({_reason(error)}); judge the match without a second solver") from error
        self.plan_from_daily = _motion(pose)

    def against(self, checked: RigidMotion) -> SecondMatch:
        """Its pose beside another `plan_from_daily`."""
        ours = _transform(self._itk, checked, self._pivot_mm)
        return SecondMatch(
            self.plan_from_daily,
            self._similarity,
            self._solver.similarity(ours),
            largest_displacement_mm(checked, self.plan_from_daily, self._isocentre_mm),
        )


class _Solver:
    """The two images, and SimpleITK's registration over them at any spacing."""

    def __init__(self, itk: Any, plan: Volume, daily: Volume) -> None:
        self._itk = itk
        self._plan, self._daily = (itk.Clamp(_image(itk, volume), itk.sitkFloat32, AIR_HU, DENSE_HU) for volume in (plan, daily))
        self._body = _body(itk, _resampled(itk, self._daily, BODY_MM))
        if np.count_nonzero(itk.GetArrayViewFromImage(self._body)) < LEAST_VOXELS:
            raise InputError("SimpleITK finds no patient in the daily image; judge the match without a second solver")
        self._levels: dict[float, tuple[Any, Any, Any]] = {}

    def solve(self, nominal: Any) -> Any:
        """The pose, from the coarsest level to the finest."""
        pose = self._coarse(nominal)
        for spacing_mm in LEVELS_MM[1:]:
            _, pose = self._refine(pose, spacing_mm, first_step_mm=spacing_mm / 4)
        return pose

    def _coarse(self, nominal: Any) -> Any:
        """The best of several starts at the coarsest level, refined there."""
        spacing_mm = LEVELS_MM[0]
        shifts = [(self._value(_shifted(self._itk, nominal, shift), spacing_mm), shift) for shift in STARTS_MM]
        chosen: list[tuple[float, ...]] = []
        for _, shift in sorted(shifts):
            if all(math.dist(shift, other) > APART_MM for other in chosen) and len(chosen) < REFINED_STARTS:
                chosen.append(shift)
        refined = [self._refine(_shifted(self._itk, nominal, shift), spacing_mm, first_step_mm=spacing_mm / 2) for shift in chosen]
        return min(refined, key=lambda one: one[0])[1]

    def _refine(self, pose: Any, spacing_mm: float, *, first_step_mm: float) -> tuple[float, Any]:
        """Its cost and the pose at the minimum next to `pose`."""
        method, fixed, moving = self._method(spacing_mm)
        method.SetOptimizerAsRegularStepGradientDescent(first_step_mm, SHORTEST_STEP_MM, ITERATIONS, RELAXATION)
        method.SetOptimizerScalesFromPhysicalShift()
        found = self._itk.Euler3DTransform(pose)
        method.SetInitialTransform(found, inPlace=True)
        method.Execute(fixed, moving)
        return float(method.GetMetricValue()), found

    def similarity(self, pose: Any) -> float:
        """Mutual information at the finest level; NaN where too little of the images overlaps."""
        cost = self._value(pose, LEVELS_MM[-1])
        return -cost if math.isfinite(cost) else math.nan

    def _value(self, pose: Any, spacing_mm: float) -> float:
        """The cost at a pose: the greater the worse, infinite where too little overlaps."""
        method, fixed, moving = self._method(spacing_mm)
        method.SetInitialTransform(self._itk.Euler3DTransform(pose), inPlace=False)
        method.SetMetricUseFixedImageGradientFilter(False)  # noqa: FBT003 - a value needs no gradients; SimpleITK takes no keyword here
        method.SetMetricUseMovingImageGradientFilter(False)  # noqa: FBT003
        try:
            return float(method.MetricEvaluate(fixed, moving))
        except RuntimeError:  # ITK says so of samples that all lie outside
            return math.inf

    def _method(self, spacing_mm: float) -> tuple[Any, Any, Any]:
        """A registration over the body's samples at that spacing, and its two images."""
        itk = self._itk
        if spacing_mm not in self._levels:
            fixed, moving = (_resampled(itk, image, spacing_mm) for image in (self._daily, self._plan))
            self._levels[spacing_mm] = fixed, moving, itk.Resample(self._body, fixed, itk.Transform(), itk.sitkNearestNeighbor)
        fixed, moving, body = self._levels[spacing_mm]
        method = itk.ImageRegistrationMethod()
        method.SetNumberOfThreads(1)
        method.SetMetricAsMattesMutualInformation(BINS)
        method.SetInterpolator(itk.sitkLinear)
        method.SetMetricFixedMask(body)
        share = SAMPLES / max(int(np.count_nonzero(itk.GetArrayViewFromImage(body))), 1)
        if share < 1.0:
            method.SetMetricSamplingStrategy(method.RANDOM)
            method.SetMetricSamplingPercentage(share, SEED)
        return method, fixed, moving


def _image(itk: Any, volume: Volume) -> Any:
    image, grid = itk.GetImageFromArray(volume.hu.astype(np.float32)), volume.grid
    image.SetOrigin(grid.origin_mm.tolist())
    image.SetSpacing(grid.spacing_mm.tolist())
    image.SetDirection(grid.direction.ravel().tolist())
    return image


def _resampled(itk: Any, image: Any, spacing_mm: float) -> Any:
    """Smoothed to that spacing and on a grid of it; an axis that is coarser already keeps its values."""
    steps_mm = np.array(image.GetSpacing())
    extent_mm = (np.array(image.GetSize()) - 1) * steps_mm
    for axis, step_mm in enumerate(steps_mm):
        sigma_mm = math.sqrt(max(spacing_mm**2 - step_mm**2, 0.0)) / 2
        if sigma_mm > 0.3 * step_mm and image.GetSize()[axis] >= 4:  # fewer the recursive filter does not take
            image = itk.RecursiveGaussian(image, sigma=sigma_mm, direction=axis)
    size = [int(length_mm / spacing_mm) + 1 for length_mm in extent_mm]
    return itk.Resample(
        image, size, itk.Transform(), itk.sitkLinear, image.GetOrigin(), [spacing_mm] * 3, image.GetDirection(), AIR_HU, itk.sitkFloat32
    )


def _body(itk: Any, image: Any) -> Any:
    """The patient (1) without the couch: what is brighter than Otsu's threshold, opened, its largest part, filled slice by slice."""
    bright = itk.BinaryMorphologicalOpening(itk.OtsuThreshold(image, 0, 1), [COUCH_VOXELS] * 3)
    parts = itk.GetArrayFromImage(itk.RelabelComponent(itk.ConnectedComponent(bright), sortByObjectSize=True))
    slices = [itk.GetArrayFromImage(itk.BinaryFillhole(itk.GetImageFromArray(plane))) for plane in (parts == 1).astype(np.uint8)]
    filled = itk.GetImageFromArray(np.stack(slices))
    filled.CopyInformation(image)
    return filled


def _transform(itk: Any, motion: RigidMotion, pivot_mm: NDArray[np.float64]) -> Any:
    """`plan_from_daily` as ITK has it: from points of the fixed image (daily) to the moving one, turned about `pivot_mm` (daily)."""
    transform = itk.Euler3DTransform()
    transform.SetCenter(pivot_mm.tolist())
    transform.SetMatrix(motion.rotation.ravel().tolist(), 1e-6)
    transform.SetTranslation((motion.apply(pivot_mm) - pivot_mm).tolist())
    return transform


def _motion(transform: Any) -> RigidMotion:
    rotation = np.array(transform.GetMatrix()).reshape(3, 3)
    centre_mm, shift_mm = np.array(transform.GetCenter()), np.array(transform.GetTranslation())
    return RigidMotion(Frame.PLAN, Frame.DAILY, rotation, centre_mm + shift_mm - rotation @ centre_mm)


def _shifted(itk: Any, transform: Any, shift_mm: Sequence[float]) -> Any:
    moved = itk.Euler3DTransform(transform)
    moved.SetTranslation([a + b for a, b in zip(transform.GetTranslation(), shift_mm, strict=True)])
    return moved


def _reason(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no reason given"
