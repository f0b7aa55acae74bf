"""What can be wrong with an image or a start, one function each: it changes a good scene (evidence_scenes.py).

Each function states the ranges that its parameters are drawn from, and leaves them in the scene's `parameters`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from evidence_anatomies import Doubles
from evidence_images import Bead, Curved, Pushed
from evidence_people import People, Person, Target
from evidence_scenes import Scene

from igrt.compute.volume import Volume
from igrt.geometry.angles import rotation_from_angles, rotation_x, rotation_y, rotation_z
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion

EMPTY_HU = (-1000, 0)
BEYOND_MM = {"head": (-156.0,), "thorax": (-145.0, 145.0), "pelvis": (-196.0,)}  # the next 53 mm of the body that a planning CT leaves out


@dataclass(frozen=True)
class Draw:
    """What faults draw from."""

    rng: np.random.Generator
    people: People


Change = Callable[[Scene, Draw], None]


def _unit(rng: np.random.Generator) -> Doubles:
    v = rng.standard_normal(3)
    return v / np.linalg.norm(v)


def _set(scene: Scene, shown: Person, target: Target) -> None:
    """Someone else, set up at their own target as the patient would have been; an image that is there meets someone else's plan."""
    scene.impossible = True
    if scene.stored is not None:
        beside = scene.start.translation_mm - scene.target.isocentre_mm
        scene.start = RigidMotion(Frame.PLAN, Frame.DAILY, scene.start.rotation, target.isocentre_mm + beside)
        scene.patient, scene.target = shown, target
        return
    scene.shown = shown
    moved = scene.truth.translation_mm - scene.target.isocentre_mm + target.isocentre_mm
    scene.truth = RigidMotion(Frame.PLAN, Frame.DAILY, scene.truth.rotation, moved)


def wrong_patient(scene: Scene, draw: Draw) -> None:
    """Another patient of the same site and the same half of the patients, set up at their own target."""
    other = draw.people.another(scene.patient, draw.rng)
    scene.parameters["other"] = other.name
    _set(scene, other, other.targets[scene.target_name])


def same_proportions(scene: Scene, draw: Draw) -> None:
    """Another patient bent to the heights, widths and curves of this one: their organs and bones differ by a few percent alone."""
    other = draw.people.twin(scene.patient)
    scene.parameters["other"] = other.name
    _set(scene, other, other.targets[scene.target_name])


def wrong_site(scene: Scene, draw: Draw) -> None:
    """Another part of the body, of another patient."""
    other = draw.people.elsewhere(scene.patient, draw.rng)
    scene.parameters["other"] = other.name
    _set(scene, other, other.targets[scene.target_name])


def wrong_part(scene: Scene, draw: Draw) -> None:
    """The same patient beyond the end of the planning CT: an image of 53 mm along the body, 145 to 196 mm from the middle of the CT."""
    off = float(draw.rng.choice(BEYOND_MM[scene.patient.site]))
    x, y, _ = scene.target.isocentre_mm
    there = np.array([x, y, scene.patient.middle_mm[2] + off])
    scene.parameters["off_mm"] = off
    _set(scene, scene.patient, Target(there, scene.target.vertices_mm))
    scene.field = replace(scene.field, along=22)


def wrong_vertebra(scene: Scene, draw: Draw) -> None:
    """The patient lies one or two vertebrae off, in a field 38 to 96 mm long and 60 to 180 mm wide."""
    levels, shift = _levels(scene.patient, draw.rng)
    scene.truth = RigidMotion(Frame.PLAN, Frame.DAILY, scene.truth.rotation, scene.truth.translation_mm + shift)
    scene.field = replace(scene.field, along=int(draw.rng.integers(16, 41)), radius_mm=float(draw.rng.uniform(30, 90)))
    scene.parameters |= {"levels": levels, "shift_mm": float(np.linalg.norm(shift))}
    scene.parameters |= {"along": scene.field.along, "radius_mm": scene.field.radius_mm}


def start_levels_off(scene: Scene, draw: Draw) -> None:
    """A good image, but the match starts one or two vertebrae off."""
    levels, shift = _levels(scene.patient, draw.rng)
    scene.start = RigidMotion(Frame.PLAN, Frame.DAILY, scene.start.rotation, scene.start.translation_mm + shift)
    scene.start_only = True
    scene.parameters |= {"levels": levels, "shift_mm": float(np.linalg.norm(shift))}


def _levels(patient: Person, rng: np.random.Generator) -> tuple[int, Doubles]:
    """How many vertebrae above (+) or below the planned one, and the way there (mm); a generated pelvis has one to be taken for it."""
    levels = -1 if patient.site == "pelvis" else int(rng.choice([-2, -1, 1, 2]))
    middle = int(np.linalg.norm(patient.spine_mm - patient.targets["spine"].isocentre_mm, axis=1).argmin())
    return levels, patient.spine_mm[middle - levels] - patient.spine_mm[middle]


def start_far_off(scene: Scene, draw: Draw) -> None:
    """A good image, but the match starts 40 to 120 mm and 0 to 30 degrees off."""
    scene.start = _moved(scene, draw.rng, scene.start, 40, 120)
    scene.start_only = True


def patient_far_off(scene: Scene, draw: Draw) -> None:
    """The patient lies 50 to 140 mm and 0 to 30 degrees off."""
    scene.truth = _moved(scene, draw.rng, scene.truth, 50, 140)


def _moved(scene: Scene, rng: np.random.Generator, pose: RigidMotion, least_mm: float, most_mm: float) -> RigidMotion:
    shift, turn = rng.uniform(least_mm, most_mm) * _unit(rng), rng.uniform(0, 30) * _unit(rng)
    scene.parameters |= {"shift_mm": float(np.linalg.norm(shift)), "turn_deg": float(np.linalg.norm(turn))}
    rotation = rotation_from_angles(pitch_deg=turn[0], roll_deg=turn[1], yaw_deg=turn[2])
    c = scene.target.isocentre_mm
    return RigidMotion(Frame.PLAN, Frame.PLAN, rotation, c - rotation @ c + shift) @ pose


def truncated(scene: Scene, draw: Draw) -> None:
    """30 to 50 % of the field: of its width, of its length, or of both."""
    share, way = float(draw.rng.uniform(0.3, 0.5)), str(draw.rng.choice(["width", "length", "both"]))
    scene.parameters |= {"share": share, "way": way}

    def cut(image: Volume) -> Volume:
        hu, grid = image.hu.copy(), image.grid
        k, j, i = (np.arange(n) - (n - 1) / 2 for n in grid.shape_kji)
        if way in ("width", "both"):
            radius = share * min(scene.field.radius_mm, float(grid.spacing_mm[0] * len(i) / 2))
            hu[:, np.hypot(i * grid.spacing_mm[0], j[:, None] * grid.spacing_mm[1]) > radius] = EMPTY_HU[0]
        if way in ("length", "both"):
            hu[np.abs(k) > share * len(k) / 2] = EMPTY_HU[0]
        return Volume(grid, hu)

    scene.edits.append(cut)


def half_empty(scene: Scene, draw: Draw) -> None:
    """40 to 65 % of the image blank on one side (left or right, front or back, head or foot), as air or as 0."""
    share, axis, low = float(draw.rng.uniform(0.4, 0.65)), int(draw.rng.integers(3)), bool(draw.rng.random() < 0.5)
    value = int(draw.rng.choice(EMPTY_HU))
    scene.parameters |= {"share": share, "axis": "zyx"[axis], "low": low, "value": value}

    def blank(image: Volume) -> Volume:
        hu = image.hu.copy()
        count = round(share * hu.shape[axis])
        np.moveaxis(hu, axis, 0)[slice(None, count) if low else slice(-count, None)] = value
        return Volume(image.grid, hu)

    scene.edits.append(blank)


def metal(scene: Scene, draw: Draw) -> None:
    """4 to 10 pieces of metal, 6 to 20 mm wide, within 60 mm of the isocentre, with streaks of 500 to 3,000 HU."""
    count, streak = int(draw.rng.integers(4, 11)), float(draw.rng.uniform(500, 3000))
    beads = tuple(Bead(draw.rng.uniform(-60, 60, 3), draw.rng.uniform(3, 10)) for _ in range(count))
    scene.look = replace(scene.look, metal=beads, streak_hu=streak)
    scene.parameters |= {"pieces": count, "streak_hu": streak}


def deformed(scene: Scene, draw: Draw) -> None:
    """Bent by 3 to 15 degrees each 100 mm about any axis, the target's surroundings (20 to 45 mm) pushed 4 to 14 mm, or both."""
    way = str(draw.rng.choice(["bent", "pushed", "both"]))
    scene.parameters["way"] = way
    if way in ("bent", "both"):
        turns = draw.rng.uniform(3, 15) * _unit(draw.rng)
        off = scene.target.isocentre_mm + np.array([0, 0, draw.rng.uniform(-80, 80)])
        scene.bends.append(Curved(off, turns))
        scene.parameters["deg_each_100_mm"] = float(np.linalg.norm(turns))
    if way in ("pushed", "both"):
        by, sd = draw.rng.uniform(4, 14) * _unit(draw.rng), float(draw.rng.uniform(20, 45))
        scene.bends.append(Pushed(scene.target.isocentre_mm + draw.rng.normal(0, 8, 3), sd, by))
        scene.parameters |= {"pushed_mm": float(np.linalg.norm(by)), "sd_mm": sd}


def wrong_spacing(scene: Scene, draw: Draw) -> None:
    """The header's voxel size wrong by 2 to 20 % on one axis or all, either way, the middle of the image where it should be."""
    axis, factor = str(draw.rng.choice(["x", "y", "z", "all"])), float(draw.rng.uniform(1.02, 1.2) ** draw.rng.choice([-1, 1]))
    scene.parameters |= {"axis": axis, "factor": factor}

    def stretch(image: Volume) -> Volume:
        grid = image.grid
        spacing = grid.spacing_mm * [factor if axis in (a, "all") else 1.0 for a in "xyz"]
        origin = grid.centre_mm - grid.direction @ ((grid.size_ijk - 1) / 2 * spacing)
        return Volume(Grid(grid.frame, grid.shape_kji, origin, spacing, grid.direction), image.hu)

    scene.edits.append(stretch)


def flipped_axis(scene: Scene, draw: Draw) -> None:
    """Rows, columns or slices in the opposite order to what the header says."""
    axis = int(draw.rng.integers(3))
    scene.parameters["axis"] = "zyx"[axis]
    scene.edits.append(lambda image: Volume(image.grid, np.ascontiguousarray(np.flip(image.hu, axis))))
    scene.impossible = True


def mirrored(scene: Scene, _draw: Draw) -> None:
    """Left and right of the patient exchanged about the middle of the body, which lies where it should."""
    scene.impossible = True
    if scene.stored is not None:
        scene.edits.append(lambda image: Volume(image.grid, np.ascontiguousarray(np.flip(image.hu, 2))))
        return
    tissue = scene.shown.tissue
    columns = np.flatnonzero((tissue.hu[::3, ::3] > -300).any(axis=(0, 1)))
    middle = (columns[0] + columns[-1]) / 2
    grid = tissue.grid  # the same voxels, put down from the other side
    origin = grid.origin_mm + np.array([(2 * middle - (grid.size_ijk[0] - 1)) * grid.spacing_mm[0], 0, 0])
    turned = Grid(grid.frame, grid.shape_kji, origin, grid.spacing_mm, grid.direction)
    scene.shown = replace(scene.shown, tissue=Volume(turned, np.ascontiguousarray(np.flip(tissue.hu, 2))))


def wrong_position(scene: Scene, draw: Draw) -> None:
    """The patient lies prone, on a side, or feet first, and the header says as planned."""
    turns = {
        "prone": rotation_z(180),
        "left side": rotation_z(90),
        "right side": rotation_z(-90),
        "feet first": rotation_y(180),
        "feet first prone": rotation_x(180),
    }
    name = str(draw.rng.choice(list(turns)))
    scene.parameters["position"] = name
    scene.truth = RigidMotion(Frame.PLAN, Frame.DAILY, scene.truth.rotation @ turns[name], scene.truth.translation_mm)
    if scene.stored is not None:
        grid, back = scene.stored.grid, turns[name].T
        there = Grid(grid.frame, grid.shape_kji, back @ grid.origin_mm, grid.spacing_mm, back @ grid.direction)
        scene.stored = Volume(there, scene.stored.hu)
