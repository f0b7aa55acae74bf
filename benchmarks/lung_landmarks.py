"""Rigid match of two breath holds of one lung: landmark errors of igrt and of SimpleITK's rigid registration, as a markdown table.

    python benchmarks/lung_landmarks.py

A rigid motion cannot follow a lung: the numbers compare two rigid answers, they are no accuracy. One of the 51 points moves 15 mm
unlike its neighbours and is most likely misplaced, so errors are given with and without it.
"""

import time

import numpy as np
import SimpleITK
import truth
from numpy.typing import NDArray

from igrt.compute import device
from igrt.geometry.motion import Frame, RigidMotion
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_rigid

MISPLACED = 20  # the 21st point
FOLDER = truth.DATA / "lung"


def ours() -> RigidMotion:
    """Igrt from the centres of the two images laid on each other."""
    verbs = device.choose().verbs
    ct, image = truth.load(FOLDER / "lung_baseline.nii.gz", Frame.PLAN), truth.load(FOLDER / "lung_followup.nii.gz", Frame.DAILY)
    start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), ct.grid.centre_mm - image.grid.centre_mm)
    match = match_rigid(prepare_plan(ct, verbs), prepare_daily(image, verbs), start=start, isocentre_mm=ct.grid.centre_mm, verbs=verbs)
    evidence = match.evidence
    print(
        f"similarity {evidence.similarity:.2f}, second start {evidence.second_start_difference_mm:.3f} mm, converged {evidence.converged}\n"
    )
    return match.plan_from_daily


def simpleitk() -> RigidMotion:
    """SimpleITK: Mattes mutual information, three levels, gradient descent, from the same start."""
    fixed = SimpleITK.ReadImage(str(FOLDER / "lung_followup.nii.gz"), SimpleITK.sitkFloat32)
    moving = SimpleITK.ReadImage(str(FOLDER / "lung_baseline.nii.gz"), SimpleITK.sitkFloat32)
    kind = SimpleITK.CenteredTransformInitializerFilter.GEOMETRY
    initial = SimpleITK.CenteredTransformInitializer(fixed, moving, SimpleITK.Euler3DTransform(), kind)
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.1, seed=1)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=1e-3, numberOfIterations=300, relaxationFactor=0.6, gradientMagnitudeTolerance=1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInitialTransform(initial, inPlace=True)
    method.Execute(fixed, moving)
    origin = np.array(initial.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(initial.TransformPoint(tuple(map(float, unit)))) - origin for unit in np.eye(3)]
    return RigidMotion(Frame.PLAN, Frame.DAILY, np.column_stack(columns), origin)


def errors_mm(plan_from_daily: RigidMotion) -> NDArray[np.float64]:
    """Distances at the landmarks in the baseline (n,)."""
    table = np.loadtxt(FOLDER / "landmarks.csv", delimiter=",", skiprows=1)
    return np.linalg.norm(plan_from_daily.apply(table[:, 3:]) - table[:, :3], axis=1)


def best_rigid() -> RigidMotion:
    """The motion that fits the landmarks best (least squares over the 50): no rigid answer can do better on the mean square."""
    table = np.delete(np.loadtxt(FOLDER / "landmarks.csv", delimiter=",", skiprows=1), MISPLACED, axis=0)
    plan, daily = table[:, :3], table[:, 3:]
    u, _, v = np.linalg.svd((daily - daily.mean(axis=0)).T @ (plan - plan.mean(axis=0)))
    turn = v.T @ np.diag([1, 1, np.linalg.det(v.T @ u.T)]) @ u.T
    return RigidMotion(Frame.PLAN, Frame.DAILY, turn, plan.mean(axis=0) - turn @ daily.mean(axis=0))


def main() -> None:
    """Print the table."""
    rows = []
    for name, method in (("igrt", ours), ("SimpleITK, Mattes", simpleitk), ("best rigid fit to the points", best_rigid)):
        begin = time.perf_counter()
        errors = errors_mm(method())
        seconds = time.perf_counter() - begin
        fifty = np.delete(errors, MISPLACED)
        rows.append(f"| {name} | {fifty.mean():.2f} | {np.median(fifty):.2f} | {fifty.max():.2f} | {errors.mean():.2f} | {seconds:.1f} |")
    print("| method | mean of 50, mm | median of 50, mm | max of 50, mm | mean of 51, mm | s, reading included |")
    print("|" + " --- |" * 6)
    print("\n".join(rows))


if __name__ == "__main__":
    main()
