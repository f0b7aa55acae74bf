"""What an implanted marker is: a small cylinder of metal."""

from __future__ import annotations

from dataclasses import dataclass

from igrt.errors import InputError

LEAST_MM, MOST_DIAMETER_MM, MOST_LENGTH_MM = 0.5, 5.0, 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerKind:
    """Diameter and length (mm) of a seed, coil or clip; a ball is as long as it is wide."""

    diameter_mm: float
    length_mm: float

    def __post_init__(self) -> None:
        if not LEAST_MM <= self.diameter_mm <= MOST_DIAMETER_MM or not self.diameter_mm <= self.length_mm <= MOST_LENGTH_MM:
            raise InputError(
                f"a marker of diameter {self.diameter_mm} mm and length {self.length_mm} mm is not sought; give a diameter of "
                f"{LEAST_MM:g} to {MOST_DIAMETER_MM:g} mm and a length from it to {MOST_LENGTH_MM:g} mm"
            )
