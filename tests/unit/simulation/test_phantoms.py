from itertools import pairwise

import numpy as np
import pytest

from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.simulation.couches import CT_COUCH, MACHINE_COUCH
from igrt.simulation.head import head
from igrt.simulation.pelvis import pelvis
from igrt.simulation.phantoms import Material, Part, Phantom, Placed, to_hu16, voxelise
from igrt.simulation.shapes import Ball, Points, Waves
from igrt.simulation.thorax import thorax

STILL = RigidMotion.identity(target=Frame.PLAN, source=Frame.PLAN)
SITES = {"head": head, "thorax": thorax, "pelvis": pelvis}


def grid_about(centre_mm, *, half_mm, spacing_mm, frame=Frame.PLAN) -> Grid:
    counts = np.ceil(2 * np.array(half_mm) / spacing_mm).astype(int)
    shape = tuple(int(n) for n in counts[::-1])
    return Grid.aligned(frame, shape_kji=shape, origin_mm=centre_mm - (counts - 1) / 2 * np.array(spacing_mm), spacing_mm=spacing_mm)


def one_ball(radius=20.0) -> Phantom:
    quiet = Waves(np.zeros((1, 3)), np.full(1, np.pi / 2))
    ball = Ball(np.array([3.0, -2.0, 5.0]), np.full(3, radius), np.eye(3))
    return Phantom((Part("ball", (ball,), ((0.0, Material(0.0)),)),), quiet, quiet)


def test_voxels_hold_the_volume_and_the_middle_of_a_ball() -> None:
    grid = grid_about((0, 0, 0), half_mm=(30, 30, 30), spacing_mm=(1.7, 1.3, 2.5))
    share = voxelise(grid, [Placed(one_ball(), STILL)]) / 1000 + 1
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape_kji), indexing="ij")
    centre = (grid.position_mm(np.stack([i, j, k], -1)) * share[..., None]).sum(axis=(0, 1, 2)) / share.sum()
    assert abs(share.sum() * grid.spacing_mm.prod() / (4 / 3 * np.pi * 20**3) - 1) < 0.005
    assert np.abs(centre - [3, -2, 5]).max() < 0.02


def test_voxels_do_not_depend_on_the_number_of_workers() -> None:
    grid = grid_about((0, 0, 0), half_mm=(90, 90, 60), spacing_mm=(2, 2, 2))
    anatomy = head(4)
    placed = [Placed(anatomy.phantom, RigidMotion(Frame.PLAN, Frame.PLAN, np.eye(3), anatomy.isocentre_mm))]
    assert np.array_equal(voxelise(grid, placed, workers=1), voxelise(grid, placed, workers=3))


@pytest.mark.parametrize("site", SITES)
def test_an_anatomy_is_one_function_of_place(site) -> None:
    """Voxels of a turned grid hold what the function says at their places."""
    anatomy = SITES[site](7)
    pose = RigidMotion(Frame.PLAN, Frame.DAILY, rotation_from_angles(pitch_deg=4, roll_deg=-6, yaw_deg=9), anatomy.isocentre_mm)
    grid = grid_about((0, 0, 0), half_mm=(60, 50, 20), spacing_mm=(2, 2, 2), frame=Frame.DAILY)
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape_kji), indexing="ij")
    places = pose.apply(grid.position_mm(np.stack([i, j, k], -1)))
    voxels = voxelise(grid, [Placed(anatomy.phantom, pose)], refine_ijk=(1, 1, 1))
    difference = np.abs(voxels - anatomy.phantom.hu(places, edge_mm=2.0))
    assert difference.max() < 10.0  # at the rim of the thinnest sheets a distance is only good to first order
    assert (difference > 1.0).mean() < 1e-3


@pytest.mark.parametrize("site", SITES)
def test_tissues_are_plausible(site) -> None:
    anatomy = SITES[site](5)
    hu = anatomy.phantom.hu(anatomy.isocentre_mm + np.random.default_rng(0).uniform(-60, 60, (20000, 3)))
    assert np.isfinite(hu).all()
    assert -1100 < hu.min() < -900
    assert 1000 < hu.max() < 3500
    assert ((hu > -150) & (hu < 150)).mean() > 0.2


@pytest.mark.parametrize("site", SITES)
def test_a_flip_shows(site) -> None:
    """Mirrored left to right about its own middle, an anatomy is not itself."""
    anatomy = SITES[site](6)
    places = anatomy.middle_mm + np.random.default_rng(1).uniform(-70, 70, (20000, 3))
    mirrored = places * [-1, 1, 1] + [2 * anatomy.middle_mm[0], 0, 0]
    difference = np.abs(anatomy.phantom.hu(places) - anatomy.phantom.hu(mirrored))
    assert (difference > 100).mean() > 0.05


@pytest.mark.parametrize("site", SITES)
def test_patients_differ(site) -> None:
    places = SITES[site](1).isocentre_mm + np.random.default_rng(2).uniform(-70, 70, (5000, 3))
    first, again, other = (SITES[site](seed).phantom.hu(places) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert (np.abs(first - other) > 50).mean() > 0.15


def test_one_vertebra_is_not_the_next() -> None:
    """Shifted by one level, the spine of a chest does not fall on itself."""
    phantom = thorax(3).phantom
    names = [f"T{n}" for n in range(4, 11)]
    middles = [np.mean(phantom.by_name[n].solids[0].box_mm, axis=0) for n in names]
    offsets = np.random.default_rng(3).uniform(-1, 1, (4000, 3)) * [30, 30, 10]
    near = [phantom.hu(m + offsets) for m in middles]
    for one, following in pairwise(near):
        assert (np.abs(one - following) > 150).mean() > 0.05


def test_reach() -> None:
    assert abs(one_ball().reach_mm((1.0, 0, 0), from_mm=(0.0, 0, 0)) - 23) <= 5
    assert abs(one_ball().reach_mm((0.0, -1, 0), from_mm=(0.0, 8, 0)) - 30) <= 5


@pytest.mark.parametrize("position", list(PatientPosition))
@pytest.mark.parametrize("couch", [CT_COUCH, MACHINE_COUCH])
def test_the_couch_lies_below_the_patient(couch, position) -> None:
    anatomy = pelvis(1)
    turn = position.fixed_from_lps
    patient_from_room = RigidMotion(Frame.PLAN, Frame.FIXED, turn.T, anatomy.isocentre_mm)
    here = RigidMotion.identity(target=Frame.FIXED, source=Frame.FIXED)
    placed = couch.under(anatomy.phantom, patient_from_room=patient_from_room, room_from_grid=here)
    top_mm = -placed.phantom_from_grid.translation_mm[2]
    room = np.random.default_rng(4).uniform(-230, 230, (30000, 3)) * [1, 0.3, 1]
    body = anatomy.phantom.distance_mm("body", Points(patient_from_room.apply(room))) < 0
    assert body.sum() > 1000
    lowest_mm = room[body][:, 2].min()
    assert 0 <= lowest_mm - top_mm < 15


def test_hu_are_clipped_to_what_scanners_store() -> None:
    assert to_hu16(np.array([[[-1500.0, 12.4, 12.6, 4000.0]]], np.float32)).tolist() == [[[-1024, 12, 13, 3071]]]


def test_a_part_without_solids_is_refused() -> None:
    with pytest.raises(ValueError, match="no solid"):
        Part("nothing", (), ((0.0, Material(0.0)),))
