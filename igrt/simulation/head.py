"""The head and neck: skull with sinuses and orbits, jaw and teeth, brain, cervical spine, airway; a tumour in the left brain."""

from __future__ import annotations

import numpy as np

from igrt.images.records import StructureKind
from igrt.simulation import anatomy as a
from igrt.simulation.anatomy import Anatomy, Builder, Organ, tilt
from igrt.simulation.phantoms import Material
from igrt.simulation.shapes import Ball, Solid

_ORGANS = (
    Organ("GTV", StructureKind.GTV, "tumour"),
    Organ("CTV", StructureKind.CTV, "tumour", margin_mm=5.0),
    Organ("PTV", StructureKind.PTV, "tumour", margin_mm=8.0),
    Organ("BODY", StructureKind.EXTERNAL, "body"),
    Organ("Brain", StructureKind.ORGAN, "brain"),
    Organ("Brainstem", StructureKind.ORGAN, "brainstem"),
    Organ("Eye_R", StructureKind.ORGAN, "eye right"),
    Organ("Eye_L", StructureKind.ORGAN, "eye left"),
    Organ("Mandible", StructureKind.ORGAN, "mandible"),
    Organ("SpinalCord", StructureKind.ORGAN, "cord"),
)
_SKULL = ((0.0, a.CORTEX), (1.9, a.SPONGY), (4.4, a.CORTEX), (6.3, a.FLUID))


def head(seed: int) -> Anatomy:
    """A head of its own for every seed."""
    b = Builder(seed, np.array([-4.0, -132.0, 58.0]))
    b.body(
        [
            b.ball((0, 8, 32), (77, 97, 86)),
            b.ball((0, -30, -46), (62, 66, 66), power=4),
            b.ball((0, -62, -62), (48, 50, 56)),
            *b.tube([(0, -92, 2), (0, -106, -28)], (8, 13)),
            b.ball((0, 16, -150), (62, 58, 150), power=4),
            b.ball((0, 20, -215), (190, 95, 62)),
            b.ball((0, 14, -30), (69, 70, 52), power=4),
            b.ball((72, 18, -6), (7, 17, 30), axes=tilt(about_si_deg=-22)),
            b.ball((-73, 17, -7), (7, 17, 31), axes=tilt(about_si_deg=22)),
        ],
        fat_mm=5.0,
        ripple_mm=1.0,
    )
    _neck(b)
    _cranium(b)
    tumour = _brain(b)
    _face(b)
    _jaw(b)
    return Anatomy(b.phantom(), _ORGANS, np.round(tumour.centre_mm), a.beside(b.offset_mm, 0, 0, 12))


def _neck(b: Builder) -> None:
    sheath = ((0.0, a.FAT), (1.8, a.MUSCLE))
    for sign in (-1, 1):
        b.add("nape", [b.ball((sign * 22, 62, -105), (20, 13, 90))], sheath, ripple_mm=1.0)
        b.add("sternomastoid", b.tube([(sign * 60, 30, -45), (sign * 48, -8, -110), (sign * 24, -38, -165)], (9, 11, 10)), sheath)
        b.add("parotid", [b.ball((sign * 57, -6, -48), (10, 17, 22))], a.LOOSE_FAT)
        b.add("carotid", b.tube([(sign * 30, -2, -40), (sign * 31, -6, -90), (sign * 26, -10, -160)], 4.0), a.BLOOD)
        b.add("jugular", b.tube([(sign * 38, 4, -40), (sign * 42, -2, -160)], 5.5 + sign), a.BLOOD)
    gaps = [(-66.0, 14.0, 0.0), (-84.0, 10.0, -4.0), (-101.5, 8.0, -4.0), (-119.0, 9.0, 0.0), (-137.5, 13.0, 6.0), (-157.0, 20.0, 10.0)]
    levels = [(f"C{n + 2}", z + float(b.random.normal(0, 0.4)), y, lean) for n, (z, y, lean) in enumerate(gaps)]
    b.spine(levels, width_mm=10.5, growth=0.04, reach_mm=17.0)
    b.add("dens", b.tube([(0, 13, -66), (0, 9, -40)], (6.5, 4.5)), a.BONE)
    ring = [
        (0, 1, -48),
        (20, 9, -48),
        (31, 18, -47),
        (22, 36, -49),
        (0, 45, -50),
        (-22, 36, -49),
        (-31, 18, -47),
        (-20, 9, -48),
        (0, 1, -48),
    ]
    b.add("C1", b.tube(ring, (3.5, 5, 7, 4.5, 4, 4.5, 7, 5, 3.5), wander_mm=0.5), a.BONE)
    b.add("cord", b.tube([(0, 25, -30), *[(0, y + 14.5, z) for _, z, y, _ in levels]], 4.8, wander_mm=0.0), a.SOFT)


def _cranium(b: Builder) -> None:
    b.add("skull", [b.ball((0, 8, 28), (70, 89, 77)), b.ball((0, 38, -14), (52, 50, 34))], _SKULL, ripple_mm=0.35)
    b.add("clivus", b.tube([(0, -18, -14), (0, 12, -36)], (10, 8)), a.BONE)
    for sign, cells in ((-1, 9), (1, 6)):
        b.add("mastoid", [b.ball((sign * 56, 28, -32), (12, 16, 19))], a.BONE)
        spots = b.random.normal(0, 1, (cells, 3)) * [3.5, 5.5, 6.5] + [sign * 56, 28, -30]
        b.add("mastoid cells", [b.ball(s, (2.6, 2.6, 3.0)) for s in spots], a.GAS)
        b.add("ear canal", b.tube([(sign * 80, 14, -14), (sign * 50, 12, -14)], 3.2), a.AIR)
    b.add("occipital crest", b.tube([(0, 88, -2), (0, 82, -26)], (5.5, 5)), a.BONE)


def _brain(b: Builder) -> Ball:
    cavity = [b.ball((0, 8, 29), (62, 81, 69), vary=0.004, wander_mm=0.2), b.ball((0, 38, -12), (44, 42, 27), vary=0.01, wander_mm=0.3)]
    b.add("brain", cavity, a.BRAIN, ripple_mm=0.8)
    b.add("white matter", [b.ball((sign * 29, 8, 36), (20, 54, 36)) for sign in (-1, 1)], Material(26.0, 4.0), ripple_mm=3.0)
    b.add("falx", [Ball(b.point(1, 8, 62), np.array([1.4, 70.0, 34.0]), tilt(about_si_deg=1.5))], Material(65.0))
    b.add("tentorium", [b.ball((0, 52, 2), (46, 32, 1.5), axes=tilt(about_lr_deg=20))], Material(60.0))
    for sign, size in ((-1, 1.0), (1, 1.3)):
        tube = [(sign * 9, -26, 30), (sign * 12, 4, 38), (sign * 22, 38, 28), (sign * 26, 20, 8)]
        b.add("ventricle", b.tube(tube, (5 * size, 6 * size, 6.5 * size, 3 * size)), a.FLUID, ripple_mm=0.5)
    b.add("brainstem", b.tube([(0, 6, 8), (0, 16, -16), (0, 25, -40)], (13, 12, 7)), a.BRAIN)
    b.add("choroid calcium", [b.ball((23, 40, 27), (3, 3.6, 3))], a.CALCIUM)
    for sign in (-1, 1):
        b.add(
            "petrous", [b.ball((sign * 36, 16, -20), (28, 9, 9.5), axes=tilt(about_si_deg=sign * 38))], ((0.0, a.CORTEX), (5.0, a.SPONGY))
        )
    tumour = b.ball((30, 22, 32), (15, 18, 14), wander_mm=3.0, vary=0.1)
    b.add("oedema", [Ball(tumour.centre_mm, tumour.radii_mm + 7, np.eye(3))], Material(22.0, 4.0), ripple_mm=2.0)
    b.add("tumour", [tumour], ((0.0, Material(58.0, 6.0)), (7.0, Material(14.0, 5.0))), ripple_mm=1.0)
    return tumour


def _face(b: Builder) -> None:
    for sign in (-1, 1):
        rim = [(sign * (33 + 20 * np.cos(t)), -70 + 10 * max(0.0, np.cos(t)), -8 + 17 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 11)]
        b.add("orbital fat", [b.ball((sign * 30, -54, -9), (17, 27, 16))], a.FAT)
        b.add("orbital rim", b.tube(rim, 4.0, wander_mm=0.5), a.BONE)
        b.add("optic nerve", b.tube([(sign * 32, -58, -9), (sign * 12, -24, -6)], 2.6), a.SOFT)
        b.add(
            f"eye {'right' if sign < 0 else 'left'}", [b.ball((sign * 33, -66, -9), (12.2, 12.2, 12.2))], ((0.0, a.MUSCLE), (1.2, a.FLUID))
        )
        b.add("lens", [b.ball((sign * 33, -75.5, -9), (4.5, 2, 4.5))], Material(90.0))
        arch = [(sign * 42, -70, -30), (sign * 57, -54, -28), (sign * 63, -28, -25), (sign * 61, 2, -20)]
        b.add("zygoma", b.tube(arch, (9, 6, 3.6, 4.5)), a.BONE)
        b.add("masseter", b.tube([(sign * 57, -34, -34), (sign * 49, -20, -78)], (7, 8)), a.MUSCLE)
    b.add("maxilla", [b.ball((0, -66, -44), (39, 29, 25), power=4)], ((0.0, a.CORTEX), (2.2, a.SPONGY)))
    b.add("sinus right", [b.ball((-26, -60, -38), (14.5, 20, 19), axes=tilt(about_si_deg=-12))], ((0.0, a.CORTEX), (1.4, a.GAS)))
    b.add("sinus left", [b.ball((25, -60, -39), (12, 18, 16), axes=tilt(about_si_deg=14))], ((0.0, a.CORTEX), (1.4, a.SOFT), (4.0, a.GAS)))
    b.add("nasal cavity", [b.ball((0, -64, -30), (12.5, 38, 21), power=4)], ((0.0, a.CORTEX), (1.2, a.SOFT), (2.2, a.GAS)))
    b.add("septum", [b.ball((0.5, -62, -28), (1.4, 36, 20), axes=tilt(about_si_deg=4, about_ap_deg=5))], Material(300.0, 60.0))
    b.add("turbinates", [*b.tube([(7, -84, -40), (8, -44, -38)], 3.4), *b.tube([(-6.5, -82, -36), (-7, -46, -36)], 2.8)], a.MUSCLE)
    b.add(
        "ethmoid",
        [b.ball((s * x, y, -6), (4.6, 6.5, 8)) for s in (-1, 1) for x, y in ((6, -66), (7, -52), (7, -39))],
        ((0.0, a.CORTEX), (1.1, a.GAS)),
    )
    b.add("frontal sinus", [b.ball((-9, -79, 16), (15, 5, 10)), b.ball((12, -79, 13), (9, 4.5, 7))], ((0.0, a.CORTEX), (1.2, a.GAS)))
    b.add("sphenoid sinus", [b.ball((-5, -24, -14), (10, 11, 9)), b.ball((8, -26, -15), (7, 9, 8))], ((0.0, a.CORTEX), (1.3, a.GAS)))
    b.add("nose", b.tube([(0, -88, 0), (0, -101, -22)], (3.5, 3.0)), a.BONE)
    b.add("nostrils", [*b.tube([(5, -92, -34), (6, -106, -42)], 3.2), *b.tube([(-5, -92, -34), (-6, -106, -42)], 3.6)], a.AIR)


def _jaw(b: Builder) -> None:
    half = [(52, 0, -24), (50, -2, -46), (47, -12, -82), (36, -48, -93), (22, -76, -98), (0, -89, -99)]
    mirrored = [(-x, y, z) for x, y, z in half[-2::-1]]
    b.add("mandible", b.tube(half + mirrored, (6, 6.5, 8, 8.5, 9, 9.5, 9, 8.5, 8, 6.5, 6)), ((0.0, a.CORTEX), (2.6, a.SPONGY)))
    b.add("mouth", [b.ball((0, -52, -76), (30, 36, 22))], a.SOFT, ripple_mm=1.0)
    b.add("tongue", [b.ball((0, -44, -78), (23, 33, 18))], a.MUSCLE, ripple_mm=0.8)
    enamel: list[Solid] = []
    missing = {(0, 3), (1, 11), (1, 12)}
    for row, (top, bottom) in enumerate(((-64.0, -75.0), (-77.0, -88.0))):
        for n, t in enumerate(np.radians(np.linspace(-78, 78, 14))):
            if (row, n) not in missing:
                x, y = (27 - 2 * row) * np.sin(t) * 1.05, -50 - (36 - 2 * row) * np.cos(t)
                enamel += b.tube([(x, y, top), (x, y, bottom)], (3.2, 3.6) if abs(t) < 0.8 else (4.0, 4.6), wander_mm=0.4)
    b.add("alveolar bone", b.tube([(26 * np.sin(t), -50 - 35 * np.cos(t), -62) for t in np.linspace(-1.3, 1.3, 9)], 6.0), a.BONE)
    b.add("teeth", enamel, ((0.0, a.TOOTH), (2.6, Material(1300.0))))
    b.add("filling", [b.ball((25.5, -58, -74), (2.4, 2.4, 1.6))], a.METAL)
    b.add("airway", b.tube([(0, -26, -34), (0, -8, -58), (0, -10, -92)], (9, 8, 8)), ((0.0, a.SOFT), (1.5, a.AIR)))
    b.add("larynx", b.tube([(0, -12, -92), (1, -20, -118), (0, -22, -180)], (8, 9, 10)), ((0.0, a.CARTILAGE), (2.4, a.AIR)))
    b.add("hyoid", b.tube([(22, -16, -98), (14, -36, -101), (0, -42, -102), (-14, -36, -101), (-22, -16, -98)], 2.8), a.BONE)
    b.add("thyroid", [b.ball((17, -22, -138), (9, 9, 20)), b.ball((-18, -22, -136), (10, 9, 22))], Material(95.0))
