"""One rigid match by another program, at its documented settings; run by `rigid.py` under the Python that has the peers (peers.txt).

    python peers.py NAME FIXED MOVING REPEATS

Images are volume files that lie on each other at the nominal start. Prints JSON: `seconds` of each repeat, images in memory (plastimatch, a
command, reads and writes files), `processor_seconds` of all its threads, and `moving_from_fixed` (4x4, LPS mm). Exit code 3 where the
program is not installed.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

Run = Callable[[], np.ndarray]
RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def homogeneous(rotation: object, translation: object, centre: object = (0, 0, 0)) -> np.ndarray:
    """(4, 4) of R (x - centre) + centre + translation."""
    matrix, middle = np.eye(4), np.asarray(centre, float)
    matrix[:3, :3] = np.reshape(rotation, (3, 3))
    matrix[:3, 3] = np.asarray(translation, float) + middle - matrix[:3, :3] @ middle
    return matrix


def simple_itk(fixed: Path, moving: Path, *, share: float, shrink: tuple[int, ...] = (4, 2, 1), iterations: int = 100) -> Run:
    """The registration introduction of the SimpleITK notebooks: Mattes, 50 bins, a share of the voxels, gradient descent, three levels."""
    import SimpleITK

    images = [SimpleITK.ReadImage(str(path), SimpleITK.sitkFloat32) for path in (fixed, moving)]

    def run() -> np.ndarray:
        method = SimpleITK.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=50)
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(share, 1)
        method.SetInterpolator(SimpleITK.sitkLinear)
        method.SetOptimizerAsGradientDescent(
            learningRate=1.0, numberOfIterations=iterations, convergenceMinimumValue=1e-6, convergenceWindowSize=10
        )
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetShrinkFactorsPerLevel(list(shrink))
        method.SetSmoothingSigmasPerLevel([n // 2 for n in shrink])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        start = SimpleITK.Euler3DTransform()
        size = images[0].GetSize()
        start.SetCenter(images[0].TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in size]))
        method.SetInitialTransform(start, inPlace=True)
        method.Execute(*images)
        return homogeneous(start.GetMatrix(), start.GetTranslation(), start.GetCenter())

    return run


def elastix(fixed: Path, moving: Path, *, changed: dict[str, str] | None = None) -> Run:
    """The default parameter map "rigid", but for what is changed; the result image is not resampled."""
    import itk

    images = [itk.imread(str(path), itk.F) for path in (fixed, moving)]
    parameters = itk.ParameterObject.New()
    settings = parameters.GetDefaultParameterMap("rigid")
    settings["WriteResultImage"] = ["false"]
    settings["AutomaticTransformInitialization"] = ["false"]
    for key, value in (changed or {}).items():
        settings[key] = [value]
    parameters.AddParameterMap(settings)

    def run() -> np.ndarray:
        _, found = itk.elastix_registration_method(*images, parameter_object=parameters, log_to_console=False, number_of_threads=2)
        values = found.GetParameterMap(0)
        transform = itk.Euler3DTransform[itk.D].New()
        transform.SetComputeZYX(values["ComputeZYX"][0] == "true")
        x, y, z, *shift = (float(value) for value in values["TransformParameters"])
        transform.SetRotation(x, y, z)
        return homogeneous(itk.array_from_matrix(transform.GetMatrix()), shift, [float(v) for v in values["CenterOfRotationPoint"]])

    return run


def ants(fixed: Path, moving: Path, **changed: object) -> Run:
    """`ants.registration(type_of_transform="Rigid")` from the nominal start instead of centres of mass."""
    import ants as antspy

    images = [antspy.image_read(str(path)) for path in (fixed, moving)]
    folder = Path(tempfile.mkdtemp())
    start = antspy.create_ants_transform(transform_type="Euler3DTransform", dimension=3)
    antspy.write_transform(start, str(folder / "start.mat"))

    def run() -> np.ndarray:
        found = antspy.registration(
            *images,
            type_of_transform="Rigid",
            initial_transform=str(folder / "start.mat"),
            outprefix=str(folder / "out"),
            random_seed=1,
            **changed,
        )
        transforms = [antspy.read_transform(path) for path in found["fwdtransforms"]]
        points = np.vstack([np.zeros(3), np.eye(3) * 100])
        moved = np.array([_through(transforms, point) for point in points])
        return homogeneous(((moved[1:] - moved[0]) / 100).T, moved[0])

    return run


def _through(transforms: list, point: np.ndarray) -> np.ndarray:
    """A fixed point in the moving image; the last transform of the list comes first."""
    for transform in reversed(transforms):
        point = np.asarray(transform.apply_to_point(point))
    return point


def greedy(fixed: Path, moving: Path, *, metric: str = "NMI", iterations: str = "100x50x10") -> Run:
    """The command of greedy's guide for an affine match, with 6 degrees of freedom: NMI, 100x50x10 iterations."""
    import SimpleITK
    from picsl_greedy import Greedy3D

    images = {
        "fixed": SimpleITK.ReadImage(str(fixed), SimpleITK.sitkFloat32),
        "moving": SimpleITK.ReadImage(str(moving), SimpleITK.sitkFloat32),
    }

    def run() -> np.ndarray:
        tool = Greedy3D()
        with Path("/dev/null").open("w") as nowhere:
            tool.execute(
                f"-threads 2 -a -dof 6 -m {metric} -n {iterations} -ia-identity -i fixed moving -o found",
                **images,
                found=None,
                out=nowhere,
                err=nowhere,
            )
        return RAS_FROM_LPS @ np.asarray(tool["found"]) @ RAS_FROM_LPS

    return run


PLASTIMATCH = """[GLOBAL]
fixed={fixed}
moving={moving}
xform_out={found}
[STAGE]
xform=rigid
optim=versor
metric=mi
max_its=50
res=4 4 2
[STAGE]
max_its=50
res=2 2 1
"""


def plastimatch(fixed: Path, moving: Path, *, command_file: str = PLASTIMATCH) -> Run:
    """A command file of two stages, rigid, versor optimiser, mutual information; reading and writing files are part of the seconds."""
    if shutil.which("plastimatch") is None:
        raise ImportError("no plastimatch command")
    import SimpleITK

    folder = Path(tempfile.mkdtemp())
    command = folder / "command.txt"
    command.write_text(command_file.format(fixed=fixed, moving=moving, found=folder / "found.tfm"))

    def run() -> np.ndarray:
        subprocess.run(["plastimatch", "register", str(command)], check=True, stdout=subprocess.DEVNULL)
        found = SimpleITK.VersorRigid3DTransform(SimpleITK.ReadTransform(str(folder / "found.tfm")))
        return homogeneous(found.GetMatrix(), found.GetTranslation(), found.GetCenter())

    return run


PEERS = {
    "SimpleITK": partial(simple_itk, share=0.01),  # as in the notebook
    "SimpleITK 10 %": partial(simple_itk, share=0.1),
    "elastix": elastix,
    "ANTs": ants,
    "greedy": greedy,
    "plastimatch": plastimatch,
}

# The grid of the sweep (peers_tuned.py): what each program's manual names for speed or for accuracy.
TUNED = {
    **{
        f"SimpleITK: share {share:g}, shrink {shrink}, {n} iterations": partial(simple_itk, share=share, shrink=shrink, iterations=n)
        for share in (0.002, 0.01, 0.05)
        for shrink in ((8, 4), (4, 2), (4, 2, 1))
        for n in (50, 200)
    },
    **{
        f"elastix: {samples} samples, {n} iterations, {levels} levels": partial(
            elastix,
            changed={"NumberOfSpatialSamples": samples, "MaximumNumberOfIterations": n, "NumberOfResolutions": levels},
        )
        for samples in ("1000", "2000", "8000")
        for n in ("100", "250", "500")
        for levels in ("2", "4")
    },
    **{
        f"ANTs: {iterations}, share {share:g}": partial(
            ants, aff_iterations=iterations, aff_shrink_factors=shrink, aff_smoothing_sigmas=sigmas, aff_random_sampling_rate=share
        )
        for iterations, shrink, sigmas in (((200, 100), (6, 4), (3, 2)), ((200, 100, 50), (6, 4, 2), (3, 2, 1)))
        for share in (0.05, 0.2)
    },
    **{
        f"greedy: {metric}, {n}": partial(greedy, metric=metric, iterations=n)
        for metric in ("NMI", "NCC 2x2x2")
        for n in ("50x20x0", "100x50x0", "50x20x10", "100x50x10")
    },
    **{
        f"plastimatch: {name}": partial(plastimatch, command_file=text)
        for name, text in {
            "both stages": PLASTIMATCH,
            "first stage": PLASTIMATCH[: PLASTIMATCH.rindex("[STAGE]")],
            "both stages, 20 iterations": PLASTIMATCH.replace("max_its=50", "max_its=20"),
            "first stage, mean squares": PLASTIMATCH[: PLASTIMATCH.rindex("[STAGE]")].replace("metric=mi", "metric=mse"),
        }.items()
    },
}


def processor_seconds() -> float:
    """What this process, all its threads, and the commands that it ran have spent: hardly longer where other work waits for the cores."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Match, and print."""
    name, fixed, moving, repeats = sys.argv[1:]
    try:
        run = (PEERS | TUNED)[name](Path(fixed), Path(moving))
    except ImportError as missing:
        print(missing, file=sys.stderr)
        raise SystemExit(3) from missing
    seconds, processor = [], []
    for _ in range(int(repeats)):
        begin, worked = time.perf_counter(), processor_seconds()
        matrix = run()
        seconds.append(time.perf_counter() - begin)
        processor.append(processor_seconds() - worked)
    print("\n" + json.dumps({"seconds": seconds, "processor_seconds": processor, "moving_from_fixed": matrix.tolist()}))


if __name__ == "__main__":
    main()
