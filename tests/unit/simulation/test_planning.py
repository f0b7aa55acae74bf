import numpy as np
import pytest

from igrt.geometry.position import PatientPosition
from igrt.images.masks import mask
from igrt.images.records import StructureKind
from igrt.simulation.patients import SITES
from igrt.simulation.phantoms import lattice
from igrt.simulation.planning import delineate, planning_ct


@pytest.fixture(scope="module", params=SITES)
def planned(request):
    site = SITES[request.param]
    anatomy = site.anatomy(1)
    position = PatientPosition.HFP if request.param == "pelvis" else PatientPosition.HFS
    ct = planning_ct(anatomy, position=position, scan=site.ct.coarser(2), seed=1)
    return anatomy, ct, delineate(anatomy, ct.grid)


def test_the_ct_holds_body_and_isocentre(planned) -> None:
    anatomy, ct, _ = planned
    assert ct.grid.contains(anatomy.isocentre_mm)
    assert (ct.hu[:, 0, :] < -900).mean() > 0.9
    assert ct.hu.max() > 900


def test_organs_are_drawn_where_they_are(planned) -> None:
    """A structure's mask is where the organ's own surface says, but for voxels that the surface crosses."""
    anatomy, ct, structures = planned
    assert [s.name for s in structures] == [o.name for o in anatomy.organs]
    for structure, organ in zip(structures, anatomy.organs, strict=True):
        if organ.minus:
            continue
        distance = anatomy.phantom.distance_mm(organ.part, lattice(ct.grid)) - organ.margin_mm
        drawn = mask(structure, ct.grid)
        wrong = (drawn != (distance < 0)) & (np.abs(distance) > ct.grid.spacing_mm.max())
        assert drawn.any(), structure.name
        assert wrong.sum() <= 0.01 * drawn.sum(), structure.name


def test_targets_nest(planned) -> None:
    _, ct, structures = planned
    masks = {s.kind: mask(s, ct.grid) for s in structures if s.kind in (StructureKind.CTV, StructureKind.PTV)}
    ctv, ptv = masks[StructureKind.CTV], masks[StructureKind.PTV]
    assert ptv[ctv].all()
    assert ptv.sum() > 1.3 * ctv.sum()


def test_lungs_leave_out_the_heart() -> None:
    site = SITES["thorax"]
    anatomy = site.anatomy(1)
    ct = planning_ct(anatomy, position=PatientPosition.HFS, scan=site.ct.coarser(4), seed=1)
    drawn = {s.name: mask(s, ct.grid) for s in delineate(anatomy, ct.grid)}
    assert (drawn["Lung_L"] & drawn["Heart"]).sum() <= 0.02 * drawn["Heart"].sum()
    assert ct.hu[drawn["Lung_R"]].mean() < -550
