"""The pelvis: hip bones, femora, sacrum and lumbar spine, bladder, prostate, rectum with gas, bowel; the target is the prostate."""

from __future__ import annotations

import numpy as np

from igrt.images.records import StructureKind
from igrt.simulation import anatomy as a
from igrt.simulation.anatomy import Anatomy, Builder, Organ, tilt
from igrt.simulation.phantoms import Material
from igrt.simulation.shapes import Ball, Capsule, Solid

_ORGANS = (
    Organ("CTV", StructureKind.CTV, "prostate"),
    Organ("PTV", StructureKind.PTV, "prostate", margin_mm=7.0),
    Organ("BODY", StructureKind.EXTERNAL, "body"),
    Organ("Bladder", StructureKind.ORGAN, "bladder"),
    Organ("Rectum", StructureKind.ORGAN, "rectum"),
    Organ("FemoralHead_R", StructureKind.ORGAN, "femoral head right"),
    Organ("FemoralHead_L", StructureKind.ORGAN, "femoral head left"),
)


def pelvis(seed: int) -> Anatomy:
    """A pelvis of its own for every seed."""
    b = Builder(seed, np.array([3.0, -158.0, -655.0]))
    b.body(
        [
            b.ball((0, 2, 40), (176, 112, 330)),
            b.ball((0, 4, 40), (158, 96, 300), power=4),
            b.ball((62, 74, -40), (72, 46, 88)),
            b.ball((-62, 74, -42), (72, 47, 88)),
            b.ball((0, -62, 90), (112, 56, 100)),
            *b.tube([(86, 8, -60), (80, 8, -320)], (84, 66)),
            *b.tube([(-86, 8, -60), (-80, 8, -320)], (84, 66)),
        ],
        fat_mm=19.0,
        ripple_mm=4.0,
    )
    _muscles(b)
    _abdomen(b)
    _hips(b)
    _spine(b)
    prostate = _organs(b)
    return Anatomy(b.phantom(), _ORGANS, np.round(prostate.centre_mm), b.offset_mm)


def _muscles(b: Builder) -> None:
    sheath = ((0.0, a.FAT), (2.6, a.MUSCLE))
    for sign in (-1, 1):
        b.add("gluteus", [b.ball((sign * 72, 66, -14), (56, 26, 82), axes=tilt(about_si_deg=sign * -28))], sheath, ripple_mm=2.0)
        b.add("gluteus medius", [b.ball((sign * 116, 18, 22), (20, 40, 56), axes=tilt(about_ap_deg=sign * 12))], sheath, ripple_mm=1.5)
        b.add("rectus femoris", b.tube([(sign * 92, -62, -20), (sign * 96, -56, -200)], (19, 26)), sheath, ripple_mm=1.0)
        b.add("adductors", b.tube([(sign * 38, -18, -92), (sign * 62, -4, -230)], (24, 36)), sheath, ripple_mm=1.5)
        b.add("hamstrings", b.tube([(sign * 62, 46, -100), (sign * 78, 50, -230)], (20, 30)), sheath, ripple_mm=1.5)
        b.add("rectus abdominis", [b.ball((sign * 28, -92, 60), (26, 7, 130), axes=tilt(about_si_deg=sign * 10))], sheath)


def _abdomen(b: Builder) -> None:
    b.add("pelvic fat", [b.ball((0, -8, 58), (86, 70, 150), power=4), b.ball((0, 0, -42), (50, 52, 52))], a.LOOSE_FAT, ripple_mm=3.0)
    for sign in (-1, 1):
        b.add(
            "psoas",
            b.tube([(sign * 38, 36, 150), (sign * 56, 14, 60), (sign * 76, -22, -5), (sign * 100, -4, -72)], (22, 21, 17, 9)),
            a.MUSCLE,
            ripple_mm=1.0,
        )
        b.add("obturator", [b.ball((sign * 58, 2, -42), (9, 34, 30), axes=tilt(about_si_deg=sign * 14))], a.MUSCLE, ripple_mm=0.8)
        b.add(
            "iliac vessels",
            b.tube([(sign * 14, 14, 100), (sign * 46, -4, 40), (sign * 70, -46, -28), (sign * 72, -58, -120)], 6.5),
            a.BLOOD,
        )
        b.add("iliac veins", b.tube([(sign * 12, 24, 90), (sign * 44, 8, 40), (sign * 60, -40, -28), (sign * 60, -52, -120)], 7.5), a.BLOOD)
    b.add("iliac calcium", b.tube([(20, 7, 92), (34, 0, 66)], (1.6, 2.0)), a.CALCIUM)
    loops: list[Capsule] = []
    gas: list[Capsule] = []
    for n in range(9):
        x, y, z = b.random.uniform([-62, -66, 28], [62, -10, 128])
        path = np.cumsum(np.vstack([[x, y, z], b.random.normal(0, [20, 12, 12], (3, 3))]), axis=0).clip([-72, -70, 20], [72, 10, 140])
        tube = b.tube(path, 11.0)
        loops += tube
        gas += list(tube[:1]) if n % 3 == 0 else []
    b.add("bowel", loops, ((0.0, a.MUSCLE), (2.2, a.STOOL)), ripple_mm=0.8)
    b.add("bowel gas", [Capsule(c.start_mm, c.end_mm, 6.0, 7.0) for c in gas], a.GAS, ripple_mm=0.8)


def _hips(b: Builder) -> None:
    for sign, side in ((-1, "right"), (1, "left")):
        wing = tilt(about_ap_deg=sign * 24, about_si_deg=sign * -22)
        socket = b.point(sign * 88, -4, -34, wander_mm=1.5)
        ilium: list[Solid] = [
            b.ball((sign * 96, 10, 52), (6.5, 50, 52), axes=wing),
            *b.tube([(sign * 62, 52, 40), (sign * 84, 26, 12), (sign * 86, 4, -14)], (12, 13, 15)),
        ]
        b.add("ilium", ilium, a.BONE, ripple_mm=0.6)
        b.add(
            "acetabulum",
            [Ball(socket, np.full(3, 33.0) * b.mean_scale, np.eye(3))],
            a.BONE,
            within=b.ball((sign * 64, 0, -28), (32, 46, 42)),
        )
        b.add("pubis", b.tube([(sign * 72, -26, -34), (sign * 42, -52, -48), (sign * 11, -62, -62)], (11, 7.5, 9)), a.BONE)
        b.add("ischium", b.tube([(sign * 76, 18, -44), (sign * 62, 32, -84), (sign * 50, 16, -100)], (14, 13, 12)), a.BONE)
        b.add("ramus", b.tube([(sign * 50, 14, -100), (sign * 34, -22, -92), (sign * 12, -56, -70)], (9, 6, 7.5)), a.BONE)
        joint = [Ball(socket, np.full(3, 26.5) * b.mean_scale, np.eye(3))]
        b.add("joint", joint, a.CARTILAGE)
        b.add(
            f"femoral head {side}",
            [Ball(socket, np.full(3, 23.5 - 0.6 * sign) * b.mean_scale, np.eye(3))],
            ((0.0, a.CORTEX), (1.6, Material(330.0, 60.0))),
        )
        knee = b.point(sign * 104, 4, -280)
        neck, shaft = b.point(sign * 118, 8, -58, wander_mm=1.5), b.point(sign * 126, 12, -82, wander_mm=1.5)
        reach = socket + 0.55 * (neck - socket)
        b.add("femur", [Capsule(reach, neck, 15.0, 17.0), Capsule(neck, shaft, 17.0, 17.5), Capsule(shaft, knee, 17.0, 14.0)], a.THICK_BONE)
        b.add("trochanter", [b.ball((sign * 136, 20, -50), (15, 20, 21))], a.BONE)
    b.add("symphysis", [b.ball((0, -62, -62), (4, 10, 18))], a.CARTILAGE)
    b.add("bone island", [b.ball((86, -2, -40), (4.0, 4.5, 4.0))], a.CORTEX)


def _spine(b: Builder) -> None:
    levels = [("L3", 156.0, 32.0, -4.0), ("L4", 121.0, 28.0, 0.0), ("L5", 86.0, 33.0, 12.0)]
    b.spine(levels, width_mm=24.0, growth=0.03, reach_mm=30.0)
    sacrum = [b.ball((0, 50, 54), (26, 18, 16), axes=tilt(about_lr_deg=28), power=4)]
    for n, (y, z, width) in enumerate([(63, 30, 22), (73, 8, 19), (78, -13, 15), (76, -32, 11)]):
        sacrum.append(b.ball((0, y, z), (width, 12 - n, 12), axes=tilt(about_lr_deg=24 - 14 * n), power=4))
    for sign in (-1, 1):
        sacrum.append(b.ball((sign * 36, 58, 46), (24, 15, 28), axes=tilt(about_si_deg=sign * -16)))
        sacrum.append(b.ball((sign * 24, 72, 12), (18, 10, 26), axes=tilt(about_ap_deg=sign * -20)))
    b.add("sacrum", [*sacrum, *b.tube([(0, 84, 40), (0, 93, 0)], (7, 5))], a.BONE, ripple_mm=0.6)
    holes = [
        s
        for sign in (-1, 1)
        for y, z in ((58, 44), (68, 20), (75, -4))
        for s in b.tube([(sign * 19, y - 12, z), (sign * 17, y + 12, z)], 4.0)
    ]
    b.add("foramina", holes, a.LOOSE_FAT)
    b.add("coccyx", b.tube([(0, 74, -44), (1, 66, -58), (2, 56, -66)], (7, 5, 3.5)), a.BONE)


def _organs(b: Builder) -> Ball:
    rectum = b.tube(
        [(0, 34, -104), (0, 32, -76), (2, 36, -52), (5, 48, -26), (2, 56, -2), (-10, 48, 18), (-26, 26, 30)],
        (10, 12, 15, 16, 15, 14, 13),
        wander_mm=2.0,
    )
    b.add("rectum", rectum, ((0.0, a.MUSCLE), (3.2, a.STOOL)), ripple_mm=0.9)
    b.add(
        "rectal gas", [b.ball((4, 38, -42), (8, 7, 16), wander_mm=2.0), b.ball((-6, 46, 8), (7, 6, 9), wander_mm=2.0)], a.GAS, ripple_mm=0.6
    )
    b.add("bladder", [b.ball((1, -22, -8), (38, 31, 28), wander_mm=2.0, vary=0.06)], ((0.0, a.MUSCLE), (3.5, a.FLUID)), ripple_mm=1.0)
    b.add("vesicles", [*b.tube([(4, 12, -32), (26, 18, -22)], (6, 5)), *b.tube([(-4, 12, -32), (-25, 17, -24)], (6, 5))], a.SOFT)
    prostate = b.ball((0, -6, -56), (24, 19, 21), wander_mm=1.5, vary=0.06)
    b.add("prostate", [prostate], a.SOFT, ripple_mm=0.9)
    b.add("prostate calcium", [b.ball((5, -3, -52), (2.2, 2.0, 2.6))], a.CALCIUM)
    b.add("penile bulb", [b.ball((0, -2, -92), (14, 16, 12))], a.SOFT)
    b.add("phlebolith", [b.ball((-40, 24, -48), (2.4, 2.4, 2.4))], a.CALCIUM)
    return prostate
