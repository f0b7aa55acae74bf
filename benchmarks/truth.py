"""Reads the research images that benchmarks run on: pairs whose true pose is known."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion

DATA = Path(os.environ.get("IGRT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
REACH_MM = 80.0


@dataclass(frozen=True)
class Truth:
    """A pair: files, true pose, nominal start, plan isocentre (mm)."""

    case: str
    plan: Path
    daily: Path
    plan_from_daily: RigidMotion
    start: RigidMotion
    isocentre_mm: NDArray[np.float64]

    def errors_mm(self, answer: RigidMotion) -> NDArray[np.float64]:
        """Displacements between truth and answer over a 9x9x9 grid within 80 mm of the plan isocentre along each axis."""
        axis = np.linspace(-REACH_MM, REACH_MM, 9)
        points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3) + self.isocentre_mm
        return np.linalg.norm(answer.apply(self.plan_from_daily.inverse().apply(points)) - points, axis=1)


def pairs() -> list[Truth]:
    """Every pair that has a truth file."""
    found = []
    for file in sorted(DATA.glob("*/*_truth.json")):
        truth = json.loads(file.read_text())
        isocentre = np.array(truth["plan_isocentre_lps_mm"], float)
        start = RigidMotion(Frame.PLAN, Frame.DAILY, np.eye(3), isocentre - truth["daily_isocentre_lps_mm"])
        pose = RigidMotion.from_matrix(truth["plan_from_daily"], target=Frame.PLAN, source=Frame.DAILY)
        found.append(Truth(truth["case"], file.parent / truth["plan"], file.parent / truth["daily"], pose, start, isocentre))
    if not found:
        raise SystemExit(f"no truth files in {DATA}: set IGRT_DATA to the folder of research images")
    return found


def load(path: Path, frame: Frame) -> Volume:
    """A volume file in HU on its grid."""
    image = SimpleITK.ReadImage(str(path))
    hu = np.ascontiguousarray(SimpleITK.GetArrayFromImage(image), dtype=np.int16)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return Volume(Grid(frame, hu.shape, np.array(image.GetOrigin()), np.array(image.GetSpacing()), direction), hu)
