"""A fast simulator of cone-beam images, in the image domain: a person's tissue in a known pose on a scanner's grid, then what scanners do.

Nothing is projected: 0.2 s an image where projection and reconstruction (igrt.simulation.scanner) take 20 s. What cone-beam images
have beside the anatomy is painted on: another scale of HU, cupping and shading, noise with the spectrum of a filtered
backprojection, rings, metal with streaks, gas that moved, breathing in two phases, the machine's couch top, and a cylinder beyond which
there is nothing. `evidence_report.py --simulators` compares the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from evidence_anatomies import Doubles, drawn
from evidence_people import Person
from numpy.typing import NDArray

from igrt.compute.device import Verbs
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame, RigidMotion
from igrt.simulation.phantoms import AIR_HU, to_hu16

Floats = NDArray[np.float32]
COUCH_GAP_MM, COUCH_SHELL_MM, COUCH_MM = 3.0, 2.0, 50.0
COUCH_SHELL_HU, COUCH_FOAM_HU, COUCH_HALF_WIDTH_MM = -350.0, -940.0, 265.0
METAL_HU, GAS_HU = 3000.0, -950.0
NOISE_CUTOFF = 0.32  # cycles per voxel: where the apodisation of the ramp filter has fallen to 1/e
PHASES = ((0.15, 0.6), (0.85, 0.4))  # share of the breath, weight


class Bend(Protocol):
    """A deformation: the tissue at a place (plan axes, after the rigid pose) is that of the plan at the place and `shift_mm` beside."""

    def shift_mm(self, places_mm: Doubles) -> Doubles:
        """(n, 3)."""


@dataclass(frozen=True)
class Curved:
    """The body bent about a place: turned ever further along z, by `turns_deg` (about x, y, z) each 100 mm."""

    centre_mm: Doubles
    turns_deg: Doubles

    def shift_mm(self, places_mm: Doubles) -> Doubles:
        """The small rotation that grows with the distance along z, about the place of the same height."""
        off = places_mm - self.centre_mm
        turn = np.radians(self.turns_deg) / 100.0 * off[:, 2:]
        arm = np.column_stack([off[:, :2], off[:, 2] / 2])
        return np.cross(turn, arm)


@dataclass(frozen=True)
class Pushed:
    """What lies about a place moved by `by_mm`, less the farther away (a Gaussian of `sd_mm`)."""

    centre_mm: Doubles
    sd_mm: float
    by_mm: Doubles

    def shift_mm(self, places_mm: Doubles) -> Doubles:
        """See the class."""
        near = np.exp(-0.5 * ((places_mm - self.centre_mm) ** 2).sum(axis=1) / self.sd_mm**2)
        return near[:, None] * self.by_mm


@dataclass(frozen=True)
class Inhaled:
    """What lies in front of a place moved along the patient, all of `along_mm` from 60 mm in front on; the back stays."""

    centre_mm: Doubles
    along_mm: float

    def shift_mm(self, places_mm: Doubles) -> Doubles:
        """See the class."""
        ahead = np.clip((self.centre_mm[1] - places_mm[:, 1]) / 60.0, 0, 1)
        return np.column_stack([np.zeros((len(ahead), 2)), self.along_mm * ahead])


@dataclass(frozen=True)
class Bead:
    """A ball in the daily image (daily LPS mm): a bubble of gas or a piece of metal."""

    centre_mm: Doubles
    radius_mm: float


@dataclass(frozen=True, kw_only=True)
class Look:
    """How an image looks beside its anatomy: HU unless said otherwise."""

    gain: float = 1.0
    offset_hu: float = 0.0
    noise_hu: float = 0.0
    cupping_hu: float = 0.0
    shading_hu: tuple[float, float, float] = (0.0, 0.0, 0.0)  # over 100 mm along x, y, z
    rings: tuple[tuple[float, float], ...] = ()  # radius (mm) and height
    gas: tuple[Bead, ...] = ()
    metal: tuple[Bead, ...] = ()
    streak_hu: float = 0.0  # beside the metal
    breath_mm: float = 0.0
    couch: bool = True


@dataclass(frozen=True, kw_only=True)
class Field:
    """What the scanner reconstructs: a cylinder of `radius_mm` about its axis; voxels in plane, between slices (mm), counts."""

    radius_mm: float
    voxel_mm: tuple[float, float]
    across: int
    along: int

    @property
    def grid(self) -> Grid:
        """Daily LPS, the machine isocentre at 0 in the middle."""
        count, size = np.array([self.across, self.across, self.along]), np.array([self.voxel_mm[0], self.voxel_mm[0], self.voxel_mm[1]])
        return Grid.aligned(
            Frame.DAILY, shape_kji=(self.along, self.across, self.across), origin_mm=-(count - 1) / 2 * size, spacing_mm=size
        )


def cone_beam(
    person: Person,
    *,
    plan_from_daily: RigidMotion,
    field: Field,
    look: Look,
    rng: np.random.Generator,
    verbs: Verbs,
    bends: Sequence[Bend] = (),
) -> Volume:
    """The daily image of a person in a pose; `rng` decides the noise and the streaks."""
    grid = field.grid
    if look.breath_mm:
        inhaled = [Inhaled(plan_from_daily.translation_mm, share * look.breath_mm) for share, _ in PHASES]
        phases = [
            weight * tissue(person, grid, plan_from_daily, [*bends, b], verbs) for b, (_, weight) in zip(inhaled, PHASES, strict=True)
        ]
        hu = phases[0] + phases[1]
    else:
        hu = tissue(person, grid, plan_from_daily, bends, verbs)
    x, y, z = axes_mm(grid)
    if look.couch:
        add_couch(
            hu,
            y,
            x,
            plan_from_daily.inverse().apply([*plan_from_daily.translation_mm[:1], person.back_mm, *plan_from_daily.translation_mm[2:]])[1],
        )
    for bead, value in [*((b, GAS_HU) for b in look.gas), *((b, METAL_HU) for b in look.metal)]:
        add_bead(hu, x, y, z, bead, value)
    radii = (85.0, 105.0) if person.kind == "head" else (175.0, 115.0)
    depth = np.minimum((x / radii[0]) ** 2 + ((y / radii[1]) ** 2)[:, None], 1.0).astype(np.float32)
    painted = look.gain * hu + np.float32(look.offset_hu)
    painted += np.float32(-look.cupping_hu) * (1 - depth) * np.clip(hu / 1000 + 1, 0, 1.2)
    sx, sy, sz = look.shading_hu
    painted += ((sx * x / 100) + (sy * y / 100)[:, None] + (sz * z / 100)[:, None, None]).astype(np.float32)
    if look.rings:
        painted += rings(x, y, look.rings)
    for bead in look.metal:
        add_streaks(painted, x, y, z, bead, look.streak_hu, rng)
    if look.noise_hu:
        painted += np.float32(look.noise_hu) * (np.float32(0.55) + np.float32(0.75) * (1 - depth)) * noise(grid.shape_kji, rng)
    painted[:, np.hypot(x, y[:, None]) > field.radius_mm] = AIR_HU
    return Volume(grid, to_hu16(painted))


def tissue(person: Person, grid: Grid, plan_from_daily: RigidMotion, bends: Sequence[Bend], verbs: Verbs) -> Floats:
    """HU (k, j, i) of the person's tissue, air where they are not known."""
    shift = (lambda places: shifted(places, bends)) if bends else None
    return drawn(person.tissue, grid, verbs, shift, plan_from_daily).astype(np.float32)


def shifted(places_mm: Doubles, bends: Sequence[Bend]) -> Doubles:
    """(n, 3) how far beside a place lies the tissue of the plan that is there."""
    total = np.zeros_like(places_mm)
    for bend in bends:
        total += bend.shift_mm(places_mm)
    return total


def carried(vertices_mm: Doubles, bends: Sequence[Bend]) -> Doubles:
    """(n, 3) where (plan axes, after the rigid pose) the bends have brought the plan's vertices."""
    places = np.array(vertices_mm, float)
    for _ in range(40 if bends else 0):
        places = vertices_mm - shifted(places, bends)
    return places


def axes_mm(grid: Grid) -> tuple[Doubles, Doubles, Doubles]:
    """Coordinates along i, j, k of a grid along its axes."""
    x, y, z = (grid.origin_mm[a] + grid.spacing_mm[a] * np.arange(grid.size_ijk[a]) for a in range(3))
    return x, y, z


def add_couch(hu: Floats, y: Doubles, x: Doubles, back_mm: float) -> None:
    """The machine's couch top under a back, where there is air."""
    top = back_mm + COUCH_GAP_MM
    wide = np.abs(x) < COUCH_HALF_WIDTH_MM
    for j in np.flatnonzero((y >= top) & (y <= top + COUCH_MM)):
        shell = y[j] < top + COUCH_SHELL_MM or y[j] > top + COUCH_MM - COUCH_SHELL_MM
        row = hu[:, j, :]
        np.copyto(row, np.float32(COUCH_SHELL_HU if shell else COUCH_FOAM_HU), where=(row < -700) & wide)


def add_bead(hu: Floats, x: Doubles, y: Doubles, z: Doubles, bead: Bead, value: float) -> None:
    """Paints a ball with an edge of a voxel."""
    window = tuple(
        slice(*np.searchsorted(a, [c - bead.radius_mm - 3, c + bead.radius_mm + 3]))
        for a, c in zip((z, y, x), bead.centre_mm[::-1], strict=True)
    )
    near = np.sqrt(
        (x[window[2]] - bead.centre_mm[0]) ** 2
        + ((y[window[1]] - bead.centre_mm[1]) ** 2)[:, None]
        + ((z[window[0]] - bead.centre_mm[2]) ** 2)[:, None, None]
    )
    share = np.clip(0.5 - (near - bead.radius_mm) / 2.0, 0, 1).astype(np.float32)
    hu[window] += share * (np.float32(value) - hu[window])


def rings(x: Doubles, y: Doubles, table: Sequence[tuple[float, float]]) -> Floats:
    """(j, i) circles about the axis of the scanner, a millimetre or two wide."""
    radius = np.hypot(x, y[:, None])
    return sum(height * np.exp(-(((radius - r) / 1.5) ** 2)) for r, height in table).astype(np.float32)


def add_streaks(hu: Floats, x: Doubles, y: Doubles, z: Doubles, bead: Bead, height_hu: float, rng: np.random.Generator) -> None:
    """Bright and dark rays from a piece of metal in the slices that it lies in, strongest near it, fading over 60 mm."""
    orders = np.arange(3, 26)
    sines, cosines = rng.normal(0, 1 / np.sqrt(len(orders)), (2, len(orders)))
    off_x, off_y = x - bead.centre_mm[0], y[:, None] - bead.centre_mm[1]
    angle, distance = np.arctan2(off_y, off_x), np.hypot(off_x, off_y)
    spokes = np.zeros_like(angle)
    turn, power = np.exp(1j * angle), np.exp(1j * orders[0] * angle)
    for sine, cosine in zip(sines, cosines, strict=True):
        spokes += cosine * power.real + sine * power.imag
        power = power * turn
    star = (height_hu * np.exp(-distance / 60.0) * spokes * (distance > bead.radius_mm)).astype(np.float32)
    for k in np.flatnonzero(np.abs(z - bead.centre_mm[2]) <= bead.radius_mm + 1.5):
        hu[k] += star


def noise(shape_kji: tuple[int, int, int], rng: np.random.Generator) -> Floats:
    """(k, j, i) noise of unit variance with the spectrum of a filtered backprojection: a ramp, apodised; neighbouring slices share some."""
    white = rng.standard_normal(shape_kji, np.float32)
    f = np.hypot(np.fft.fftfreq(shape_kji[1])[:, None], np.fft.rfftfreq(shape_kji[2]))
    transfer = np.sqrt(f) * np.exp(-((f / NOISE_CUTOFF) ** 2) / 2)
    weight = np.full(transfer.shape, 2.0)
    weight[:, 0] = 1.0
    if shape_kji[2] % 2 == 0:
        weight[:, -1] = 1.0
    transfer /= np.sqrt((weight * transfer**2).sum() / (shape_kji[1] * shape_kji[2]))
    out = np.fft.irfft2(np.fft.rfft2(white) * transfer.astype(np.float32), s=shape_kji[1:]).astype(np.float32)
    return np.float32(0.89) * out + np.float32(0.456) * np.roll(out, 1, axis=0)
