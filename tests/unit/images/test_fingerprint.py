import re

import numpy as np

from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.position import PatientPosition
from igrt.images.fingerprint import plan_fingerprint
from igrt.images.records import Structure, StructureKind
from tests.unit.images.conftest import MakeStudy, Study


def fingerprint(study: Study, **changed: object) -> str:
    parts = {"ct": study.volume, "isocentre_mm": study.isocentre_mm, "position": PatientPosition.HFS, "structures": study.structures}
    return plan_fingerprint(**{**parts, **changed})


def test_everything_that_decides_an_answer_changes_it(study: Study):
    hu = study.volume.hu.copy()
    hu[3, 2, 1] += 1
    grid = study.volume.grid
    moved = Grid(grid.frame, grid.shape_kji, grid.origin_mm + np.array([0, 0, 1e-5]), grid.spacing_mm, grid.direction)
    first = study.structures[0]
    contours = (first.contours_mm[0] + np.array([0, 1e-5, 0]), *first.contours_mm[1:])
    seen = [
        fingerprint(study),
        fingerprint(study, ct=Volume(grid, hu)),
        fingerprint(study, ct=Volume(moved, study.volume.hu.copy())),
        fingerprint(study, isocentre_mm=study.isocentre_mm + np.array([1e-5, 0, 0])),
        fingerprint(study, position=PatientPosition.HFP),
        fingerprint(study, structures=study.structures[1:]),
        fingerprint(study, structures=(Structure("CTV", first.kind, contours), *study.structures[1:])),
        fingerprint(study, structures=(Structure("CTV", StructureKind.GTV, first.contours_mm), *study.structures[1:])),
        fingerprint(study, structures=(Structure("CTX", first.kind, first.contours_mm), *study.structures[1:])),
        fingerprint(study, structures=()),
    ]
    assert len(set(seen)) == len(seen)
    assert all(re.fullmatch("[0-9a-f]{64}", s) for s in seen)


def test_order_signed_zeros_and_the_last_bits_do_not(study: Study):
    assert fingerprint(study, isocentre_mm=study.isocentre_mm * (1 + 1e-15)) == fingerprint(study)
    reordered = tuple(Structure(s.name, s.kind, s.contours_mm[::-1]) for s in study.structures[::-1])
    assert fingerprint(study, structures=reordered) == fingerprint(study)
    assert fingerprint(study, isocentre_mm=np.array([0.0, 0, 0])) == fingerprint(study, isocentre_mm=np.array([-0.0, 0, 0]))


def test_parts_do_not_run_into_each_other(study: Study):
    contour = study.structures[0].contours_mm
    one = fingerprint(study, structures=(Structure("aCTV", StructureKind.OTHER, contour),))
    other = fingerprint(study, structures=(Structure("a", StructureKind.CTV, contour),))
    assert one != other


def test_the_same_on_every_machine_and_in_every_folder(make_study: MakeStudy):
    """A changed value here changes every stored fingerprint: raise the version in the digest's first bytes."""
    assert make_study("a").plan().fingerprint == make_study("b").plan().fingerprint
    assert make_study("c").plan().fingerprint[:16] == "93d74a5ec7c3f4ac"
