"""What it means, for a therapist, that a rule of the evidence does not hold. Pure.

A sentence takes the match and its measure in words, such as `0.31, at least 0.55`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from igrt.registration.match import Match, RegionResidual

LEVELS = {
    -2: "the second vertebra below the planned one",
    -1: "the vertebra below the planned one",
    1: "the vertebra above the planned one",
    2: "the second vertebra above the planned one",
}
# Axis of plan LPS, how an image is too large or too small along it, and what may be wrong with the file then.
_ALONG = (
    ("from left to right", "its pixel spacing may be wrong"),
    ("from front to back", "its pixel spacing may be wrong"),
    ("along the patient", "its slice spacing may be wrong"),
)
FITS = 0.5  # a score of the bones below which nothing that was tried fits: right images have 0.8 and more
FEWEST_REGIONS = 4  # that determine how an anatomy is stretched: twelve numbers of an affine map
# Of the squared displacements of parts: what one motion of the whole may leave where they lie off together. Poses 3 to 5 mm or 3 degrees
# off leave up to 0.09; an anatomy whose halves bend against each other leaves 0.125 at least.
AS_ONE = 0.1


class Stretch(NamedTuple):
    """How much larger (1 is 100 %; negative: smaller) an image is than the plan, and the plan axis (0, 1, 2) closest to the direction."""

    share: float
    axis: int


def fits(match: Match) -> bool:
    """Whether the bones fit at all, at the answer or at another vertebra."""
    return max([match.evidence.vertebra_score, *(hypothesis.score for hypothesis in match.hypotheses)]) >= FITS


def another_patient(_match: Match, measure: str) -> str:
    """The identity is too low."""
    return f"This does not look like the patient of the plan (identity {measure})."


def mirrored(match: Match, _measure: str) -> str:
    """The mirrored image matches as well, or better."""
    own = match.evidence.vertebra_score
    other = own - match.evidence.mirror_margin
    scores = f"(score {other:.2f} against {own:.2f})"
    if max(own, other) < FITS:
        return f"The bones of the plan are not in the image, neither as it is nor mirrored left to right {scores}."
    if match.evidence.mirror_margin > 0:
        return f"The image may be mirrored left to right: mirrored back it looks almost as much like the plan {scores}."
    return f"The image looks mirrored left to right: mirrored back it is more like the plan {scores}."


def another_vertebra(match: Match, measure: str) -> str:
    """A hypothesis of another vertebra does as well, or better."""
    own = match.evidence.vertebra_score
    if not match.hypotheses:
        return f"The planned vertebra was not told apart from those above and below it (lead {measure})."
    rival = max(match.hypotheses, key=lambda hypothesis: hypothesis.score)
    scores = f"(score {rival.score:.2f} against {own:.2f})"
    if not fits(match):
        return f"The bones of the plan are not in the image, neither as planned nor one or two vertebrae up or down {scores}."
    if rival.score > own:
        return f"This looks like {LEVELS[rival.levels]} {scores}."
    return f"This may be {LEVELS[rival.levels]}: it looks almost as much like it as like the planned one {scores}."


def stretched(match: Match, measure: str) -> str:
    """The image differs in size from the plan: by no less than the measure, which leaves out what may be error or bending."""
    share = f"{100 * match.evidence.stretch:.{0 if match.evidence.stretch >= 0.02 else 1}f} %"
    stretch = stretch_of(match.regions)
    if stretch is None:
        return f"The image and the plan differ in size by at least {share}: the spacing of one may be wrong (stretch {measure})."
    along, cause = _ALONG[stretch.axis]
    return f"The image is at least {share} {'larger' if stretch.share > 0 else 'smaller'} than the plan {along}: {cause}."


def not_rigid(match: Match, measure: str) -> str:
    """Regions lie too far off: as one, or too differently for any one correction."""
    if off_as_one(match.regions) is not None:
        return f"All parts of the anatomy lie off together: they are not where this pose has them ({measure})."
    return f"No one correction fits all parts of the anatomy, so posture or anatomy has changed (they disagree by {measure})."


def target_elsewhere(match: Match, measure: str) -> str:
    """The part at the isocentre lies elsewhere: with the rest, or by itself."""
    if off_as_one(match.regions) is not None:
        return f"What lies at the isocentre is not where this pose has it, and neither is the rest of the anatomy ({measure})."
    return f"What lies at the isocentre has moved by itself: matched alone, it is not where the rest of the anatomy has it ({measure})."


def second_metric_elsewhere(_match: Match, measure: str) -> str:
    """Another measure of likeness has its optimum elsewhere."""
    return f"Compared in a second way, by their grey values, the images place the patient elsewhere ({measure})."


def swap_elsewhere(_match: Match, measure: str) -> str:
    """The match of the exchanged images ends elsewhere."""
    return f"Matched the other way round, the plan to the image, the patient lies elsewhere ({measure})."


def another_position(_match: Match, measure: str) -> str:
    """Another optimum is as good."""
    return f"The patient may lie elsewhere: another position fits the images almost as well (lead {measure})."


def stretch_of(regions: tuple[RegionResidual, ...]) -> Stretch | None:
    """The largest principal stretch of the affine map that fits the regions best; None where they do not determine one."""
    if len(regions) < FEWEST_REGIONS:
        return None
    places: NDArray[np.float64] = np.array([region.centre_mm for region in regions])
    moved: NDArray[np.float64] = np.array([region.displacement_mm for region in regions])
    weights = 1 / np.maximum([[region.sd_mm] for region in regions], 0.1)
    design = np.column_stack([places - places.mean(axis=0), np.ones(len(places))])
    fitted, _, rank, _ = np.linalg.lstsq(design * weights, moved * weights, rcond=None)
    if rank < design.shape[1]:
        return None
    strain = (fitted[:3] + fitted[:3].T) / 2
    values, vectors = np.linalg.eigh(strain)
    worst = int(np.argmax(np.abs(values)))
    return Stretch(float(values[worst]), int(np.argmax(np.abs(vectors[:, worst]))))


def off_as_one(regions: tuple[RegionResidual, ...]) -> float | None:
    """How far (mm, root mean square) all parts lie off together, where one motion of the whole explains most of it; None where none does.

    So they do at a pose that is wrong by itself, such as one set by hand.
    """
    if len(regions) < FEWEST_REGIONS:
        return None
    places: NDArray[np.float64] = np.array([region.centre_mm for region in regions])
    moved: NDArray[np.float64] = np.array([region.displacement_mm for region in regions])
    weights = np.repeat(1 / np.maximum([region.sd_mm for region in regions], 0.1), 3)
    arms = places - places.mean(axis=0)
    turns = np.stack([np.cross(axis, arms) for axis in np.eye(3)], axis=-1)  # (n, 3, 3): what a turn about each axis moves
    design = np.concatenate([np.tile(np.eye(3), (len(regions), 1, 1)), turns], axis=-1).reshape(-1, 6) * weights[:, None]
    wanted = moved.ravel() * weights
    fitted, _, rank, _ = np.linalg.lstsq(design, wanted, rcond=None)
    left, whole = float(((wanted - design @ fitted) ** 2).sum()), float((wanted**2).sum())
    if rank < design.shape[1] or not left < AS_ONE * whole:
        return None
    return float(np.sqrt((moved**2).sum(axis=1).mean()))
