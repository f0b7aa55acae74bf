"""A small patient written as DICOM, and a way to spoil one thing at a time."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame
from igrt.geometry.position import PatientPosition
from igrt.images.dicom_files import tolerant_reading
from igrt.images.load import load_daily, load_plan
from igrt.images.records import Daily, Plan, Structure, StructureKind
from igrt.images.write import PlannedBeam, Scanner, WriteIdentity, WrittenSeries, write_ct_series, write_rtplan, write_structure_set

SHAPE = (8, 40, 48)
IDENTITY = WriteIdentity(patient_id="P-001", patient_name="Ærø^Åse", seed="unit", acquired=dt.datetime(2026, 3, 1, 8, 30))
SCANNER = Scanner(manufacturer="igrt", model="simulated CT", series_description="planning CT", kvp=120)


def box(grid: Grid, low_ijk: tuple[float, float, float], high_ijk: tuple[float, float, float]) -> tuple[np.ndarray, ...]:
    """Contours of a box in index coordinates on every slice from low to high, in mm."""
    (i0, j0, k0), (i1, j1, k1) = low_ijk, high_ijk
    corners = [(i0, j0), (i1, j0), (i1, j1), (i0, j1)]
    return tuple(grid.position_mm([(i, j, k) for i, j in corners]) for k in np.arange(k0, k1 + 1))


def asymmetric(shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """HU that no flip, shift or exchange of axes leaves as they are, from one end of int16 to the other."""
    k, j, i = np.indices(shape)
    hu = (k * 211 + j * 17 + i * 3 - 1000).astype(np.int16)
    hu[0, 0, 0], hu[-1, -1, -1] = -32768, 32767
    return hu


def a_grid(frame: Frame = Frame.PLAN, direction: np.ndarray | None = None, shape: tuple[int, int, int] = SHAPE) -> Grid:
    return Grid(frame, shape, np.array([-31.7, 12.25, -410.5]), np.array([0.9, 1.1, 2.5]), np.eye(3) if direction is None else direction)


@dataclass
class Study:
    """A folder with CT_0001.dcm ..., RS.dcm and RP.dcm, and what was written into it."""

    folder: Path
    volume: Volume
    isocentre_mm: np.ndarray
    structures: tuple[Structure, ...]
    series: WrittenSeries

    def plan(self, **named: object) -> Plan:
        return load_plan(self.folder, **named)

    def daily(self, **named: object) -> Daily:
        for name in ("RS.dcm", "RP.dcm"):
            (self.folder / name).unlink(missing_ok=True)
        return load_daily(self.folder, **named)

    def slice(self, k: int) -> Path:
        return self.folder / f"CT_{k + 1:04d}.dcm"

    def slices(self) -> list[Path]:
        return sorted(self.folder.glob("CT_*.dcm"))

    def edit(self, name: str | Path, change: Callable[[Dataset], None]) -> None:
        """Spoil one file."""
        with tolerant_reading():
            ds = pydicom.dcmread(self.folder / name)
            change(ds)
            ds.save_as(self.folder / name)

    def edit_all(self, change: Callable[[Dataset], None]) -> None:
        for path in self.slices():
            self.edit(path, change)

    def refused(self, call: Callable[[], object]) -> str:
        """The sentence that the call is refused with, folder left out."""
        with pytest.raises(InputError) as caught:
            call()
        return str(caught.value).replace(str(self.folder), "DIR")


def setting(**values: object) -> Callable[[Dataset], None]:
    """A change that sets elements by keyword; None deletes."""

    def change(ds: Dataset) -> None:
        for keyword, value in values.items():
            if value is None:
                delattr(ds, keyword)
            else:
                setattr(ds, keyword, value)

    return change


MakeStudy = Callable[..., Study]


@pytest.fixture
def make_study(tmp_path: Path) -> Iterator[MakeStudy]:
    def make(
        name: str = "plan",
        *,
        grid: Grid | None = None,
        position: PatientPosition = PatientPosition.HFS,
        identity: WriteIdentity = IDENTITY,
        hu: np.ndarray | None = None,
    ) -> Study:
        folder = tmp_path / name
        at = a_grid() if grid is None else grid
        volume = Volume(at, asymmetric(at.shape_kji) if hu is None else hu)
        structures = (
            Structure("CTV", StructureKind.CTV, box(at, (5, 4, 2), (12, 9, 5))),
            Structure("Spinal Cord", StructureKind.ORGAN, box(at, (14, 12, 1), (16, 14, 6))),
            Structure("BODY", StructureKind.EXTERNAL, box(at, (1, 1, 0), (22, 18, 7))),
        )
        isocentre_mm = at.position_mm((8.5, 6.25, 3.75))
        series = write_ct_series(volume, folder, identity=identity, position=position, scanner=SCANNER)
        uid = write_structure_set(structures, folder / "RS.dcm", grid=at, series=series, label="organs")
        beams = [PlannedBeam(name="AP", gantry_deg=0), PlannedBeam(name="LL", gantry_deg=90, table_deg=10)]
        write_rtplan(
            folder / "RP.dcm",
            identity=identity,
            label="plan 1",
            isocentre_mm=isocentre_mm,
            position=position,
            beams=beams,
            structure_set_uid=uid,
        )
        return Study(folder, volume, isocentre_mm, structures, series)

    return make


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    return make_study()
