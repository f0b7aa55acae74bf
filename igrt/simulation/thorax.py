"""The chest: lungs with vessels, heart and great vessels, ribs, thoracic spine, liver dome; a tumour in the right lung."""

from __future__ import annotations

import numpy as np

from igrt.images.records import StructureKind
from igrt.simulation import anatomy as a
from igrt.simulation.anatomy import Anatomy, Builder, Organ, tilt
from igrt.simulation.phantoms import Material
from igrt.simulation.shapes import Ball, Capsule, Solid

_CAGE_CENTRE = np.array([0.0, -4.0, 12.0])
_CAGE_RADII = np.array([127.0, 88.0, 178.0])
_ORGANS = (
    Organ("GTV", StructureKind.GTV, "tumour"),
    Organ("CTV", StructureKind.CTV, "tumour", margin_mm=4.0),
    Organ("PTV", StructureKind.PTV, "tumour", margin_mm=10.0),
    Organ("BODY", StructureKind.EXTERNAL, "body"),
    Organ("Lung_R", StructureKind.ORGAN, "lung right", minus=("heart", "liver", "mediastinum", "tumour")),
    Organ("Lung_L", StructureKind.ORGAN, "lung left", minus=("heart", "spleen", "mediastinum", "aorta")),
    Organ("Heart", StructureKind.ORGAN, "heart"),
    Organ("Oesophagus", StructureKind.ORGAN, "oesophagus"),
    Organ("SpinalCord", StructureKind.ORGAN, "cord"),
    Organ("Trachea", StructureKind.ORGAN, "trachea"),
)


def thorax(seed: int) -> Anatomy:
    """A chest of its own for every seed."""
    b = Builder(seed, np.array([6.0, -171.0, -412.0]))
    b.body(
        [
            b.ball((0, 0, -30), (164, 111, 460)),
            b.ball((0, 4, -30), (146, 98, 420), power=4),
            b.ball((-82, -62, 28), (52, 44, 58)),
            b.ball((84, -60, 25), (50, 45, 60)),
            *b.tube([(-105, 20, 175), (-175, -5, 118)], 48),
            *b.tube([(105, 20, 175), (178, -5, 124)], 48),
        ],
        fat_mm=12.0,
        ripple_mm=3.0,
    )
    _back_muscles(b)
    _lungs(b)
    _mediastinum(b)
    _upper_abdomen(b)
    _skeleton(b)
    tumour = b.ball((-64, 22, 6), (15, 13, 16), wander_mm=4.0, vary=0.1)
    b.add("tumour", [tumour], a.SOFT, ripple_mm=1.2)
    b.add("granuloma", [b.ball((70, 38, 52), (3.2, 3.2, 3.2), wander_mm=6)], a.CALCIUM)
    return Anatomy(b.phantom(), _ORGANS, np.round(tumour.centre_mm), b.offset_mm)


def _back_muscles(b: Builder) -> None:
    sheath = ((0.0, a.FAT), (2.0, a.MUSCLE))
    for sign in (-1, 1):
        b.add("erector", [b.ball((sign * 32, 82, -30), (30, 17, 320))], sheath, ripple_mm=1.0)
        b.add("latissimus", [b.ball((sign * 128, 45, 0), (16, 42, 170), axes=tilt(about_si_deg=sign * 32))], sheath, ripple_mm=1.5)
        b.add("pectoral", [b.ball((sign * 70, -86, 70), (55, 10, 48), axes=tilt(about_si_deg=sign * 22))], sheath, ripple_mm=1.0)


def _lungs(b: Builder) -> None:
    cage = Ball(b.point(*_CAGE_CENTRE), (_CAGE_RADII - 8) * b.scale, np.eye(3))
    lobes = {
        "right": b.ball((-64, 4, 14), (54, 79, 138), axes=tilt(about_ap_deg=5), power=4, wander_mm=2.0),
        "left": b.ball((66, 4, 18), (52, 77, 134), axes=tilt(about_ap_deg=-6), power=4, wander_mm=2.0),
    }
    for side, lobe in lobes.items():
        b.add(f"lung {side}", [lobe], a.LUNG, ripple_mm=1.5, within=cage)
        b.add(f"vessels {side}", _vessel_tree(b, -1 if side == "right" else 1), a.BLOOD, within=lobe)


def _vessel_tree(b: Builder, sign: int) -> list[Capsule]:
    """Branches from the hilum outward and up or down, each dividing twice."""
    tubes: list[Capsule] = []
    hilum = b.point(sign * 34, 8, 24)
    for _ in range(16):
        heading = np.array([sign * abs(b.random.normal(0.8, 0.5)), b.random.normal(0.1, 0.8), b.random.normal(-0.1, 1.1)])
        heading /= np.linalg.norm(heading)
        _branch(b, tubes, hilum, heading, length_mm=float(b.random.uniform(28, 46)), radius_mm=float(b.random.uniform(3.0, 5.2)), depth=3)
    return tubes


def _branch(
    b: Builder, tubes: list[Capsule], start: np.ndarray, heading: np.ndarray, *, length_mm: float, radius_mm: float, depth: int
) -> None:
    end = start + heading * length_mm
    tubes.append(Capsule(start, end, radius_mm, 0.72 * radius_mm))
    for _ in range(2 if depth > 1 else 0):
        turned = heading + b.random.normal(0, 0.42, 3)
        turned /= np.linalg.norm(turned)
        _branch(b, tubes, end, turned, length_mm=0.74 * length_mm, radius_mm=0.66 * radius_mm, depth=depth - 1)


def _mediastinum(b: Builder) -> None:
    b.add("mediastinum", [b.ball((2, -2, 40), (25, 74, 210), power=4)], a.LOOSE_FAT, ripple_mm=3.0)
    axes = tilt(about_ap_deg=32, about_si_deg=24)
    heart = b.ball((27, -34, -32), (58, 43, 50), axes=axes, wander_mm=2.0)
    b.add("pericardial fat", [Ball(heart.centre_mm, heart.radii_mm + 5, axes)], a.LOOSE_FAT, ripple_mm=2.0)
    b.add("heart", [heart, b.ball((-14, -22, -18), (32, 34, 40))], a.BLOOD, ripple_mm=1.5)
    b.add("myocardium", [b.ball((40, -34, -40), (40, 31, 36), axes=axes)], ((0.0, a.MUSCLE), (9.0, a.BLOOD)))
    b.add("groove", b.tube([(2, -70, -8), (18, -66, -30), (42, -72, -52)], 3.0), a.LOOSE_FAT)
    arch = [
        (6, -26, -8),
        (-8, -32, 24),
        (-8, -30, 48),
        (2, -14, 66),
        (16, 10, 70),
        (24, 32, 56),
        (23, 40, 20),
        (19, 40, -60),
        (12, 38, -200),
    ]
    b.add("aorta", b.tube(arch, (16, 15.5, 15, 14, 13.5, 13, 12.5, 12, 11)), ((0.0, a.SOFT), (1.5, a.BLOOD)))
    b.add("arch calcium", b.tube([(12, 6, 83), (22, 22, 77)], 1.6), a.CALCIUM)
    b.add("pulmonary trunk", b.tube([(18, -42, 6), (20, -26, 34), (2, -8, 36), (-34, 6, 28)], (14, 13, 11, 9)), a.BLOOD)
    b.add("left pulmonary", b.tube([(20, -24, 36), (38, 8, 34)], (12, 9)), a.BLOOD)
    b.add("caval", b.tube([(-24, -14, 0), (-25, -18, 60), (-20, -22, 120)], (11, 9.5, 8)), a.BLOOD)
    b.add("neck vessels", [*b.tube([(2, -18, 76), (-18, -8, 130)], 6.5), *b.tube([(18, 0, 80), (34, 8, 140)], 5.5)], a.BLOOD)
    b.add(
        "oesophagus", b.tube([(4, 30, 150), (6, 34, 60), (3, 30, -20), (12, 20, -90)], 8.0), ((0.0, a.MUSCLE), (4.5, a.GAS)), ripple_mm=0.9
    )
    airway = [*b.tube([(0, 6, 160), (-1, 12, 50)], 9.5)]
    airway += [
        *b.tube([(-1, 12, 50), (-22, 16, 32), (-38, 14, 20)], (8.5, 7, 5)),
        *b.tube([(-1, 12, 50), (20, 18, 30), (40, 18, 16)], (8.5, 6.5, 5)),
    ]
    b.add("trachea", airway, ((0.0, a.SOFT), (1.6, a.AIR)))


def _upper_abdomen(b: Builder) -> None:
    cage = Ball(b.point(*_CAGE_CENTRE), (_CAGE_RADII - 7) * b.scale, np.eye(3))
    b.add(
        "liver",
        [b.ball((-54, -6, -158), (88, 84, 94), wander_mm=3.0), b.ball((10, -38, -140), (62, 40, 46))],
        a.LIVER,
        ripple_mm=1.5,
        within=cage,
    )
    b.add(
        "liver veins",
        [*b.tube([(-20, 20, -100), (-50, 5, -85), (-86, 0, -96)], 4), *b.tube([(-30, 10, -110), (-60, -30, -110)], 3.5)],
        Material(85.0),
    )
    b.add("spleen", [b.ball((74, 20, -150), (52, 56, 66), wander_mm=3.0)], Material(54.0, 8.0), ripple_mm=1.0, within=cage)
    b.add("stomach", [b.ball((52, -26, -128), (42, 38, 46), wander_mm=3.0)], ((0.0, a.MUSCLE), (4.0, a.FLUID)), ripple_mm=1.0, within=cage)
    b.add("stomach gas", [b.ball((55, -42, -120), (27, 15, 30))], a.GAS)


def _skeleton(b: Builder) -> None:
    levels = []
    z, gap = 142.0, 19.5
    for n in range(14):
        lean = 9.0 * np.sin((z - 10) / 90.0)
        levels.append((f"T{n + 1}" if n < 12 else f"L{n - 11}", z, 57.0 + 10.0 * np.cos((z - 25) / 95.0), float(lean)))
        z, gap = z - gap - float(b.random.normal(0, 0.5)), gap + 0.55
    b.spine(levels, width_mm=13.8, growth=0.032, reach_mm=24.0)
    b.add("cord", b.tube([(0, y + 20.5, z) for _, z, y, _ in levels], 5.0, wander_mm=0.0), a.SOFT)
    for n, (_, height, y, _) in enumerate(levels[:12]):
        for sign in (-1, 1):
            _rib(b, f"rib {n + 1} {'right' if sign < 0 else 'left'}", sign, height, y, n)
    b.add("manubrium", [b.ball((0, -83, 92), (26, 7.5, 24), axes=tilt(about_lr_deg=-12), power=4)], a.THIN_BONE)
    b.add("sternum", [b.ball((1, -91, 22), (16, 6.5, 50), axes=tilt(about_lr_deg=-4), power=4)], a.THIN_BONE)
    for sign in (-1, 1):
        b.add("clavicle", b.tube([(sign * 20, -78, 112), (sign * 62, -66, 122), (sign * 120, -30, 138)], (8, 6, 7), wander_mm=1.5), a.BONE)
        blade = tilt(about_si_deg=sign * -27, about_ap_deg=sign * 8)
        b.add(
            "scapula",
            [b.ball((sign * 102, 72, 70), (36, 3.6, 62), axes=blade), *b.tube([(sign * 72, 90, 104), (sign * 150, 40, 128)], 6)],
            a.THIN_BONE,
        )
        b.add("humerus", [b.ball((sign * 160, 6, 138), (23, 23, 23))], a.BONE)


def _rib(b: Builder, name: str, sign: int, height: float, spine_y: float, level: int) -> None:
    """From beside its vertebra around the cage, sinking toward the front, the last quarter cartilage."""
    reach = (0.62, 0.80, 0.92, 1, 1, 1, 1, 0.95, 0.88, 0.80, 0.62, 0.45)[level]
    drop = (12, 24, 34, 44, 50, 54, 58, 60, 62, 62, 40, 25)[level] + float(b.random.normal(0, 2))
    points = [(sign * 15.0, spine_y + 6, height + 4), (sign * 30.0, spine_y + 19, height + 2)]
    for angle in np.radians(np.linspace(62, 62 - 132 * reach, 12)):
        fall = (62 - np.degrees(angle)) / 132
        z = height - drop * fall**1.2
        ring = np.sqrt(max(0.05, 1 - ((z - _CAGE_CENTRE[2]) / _CAGE_RADII[2]) ** 2))
        x, y = _CAGE_RADII[:2] * ring * [np.cos(angle), np.sin(angle)] + _CAGE_CENTRE[:2]
        points.append((sign * x, y, z))
    bony = points[:11] if reach > 0.7 else points
    solids: list[Solid] = [*b.tube(bony, [5.2, *[4.6] * (len(bony) - 1)], wander_mm=0.4)]
    if len(bony) < len(points):
        b.add(f"{name} cartilage", b.tube(points[len(bony) - 1 :], 5.0, wander_mm=0.0), a.CARTILAGE)
    b.add(name, solids, a.THIN_BONE)
