"""Couch tops: the planning scanner's and the machine's, which differ, and stay with their machine while the patient moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igrt.geometry.motion import Frame, RigidMotion
from igrt.simulation.phantoms import Material, Part, Phantom, Placed
from igrt.simulation.shapes import Ball, Capsule, Solid, Waves

_CARBON = Material(-250.0)
_FOAM = Material(-940.0)
_GAP_MM = 2.0
_LENGTH_MM = 1500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CouchTop:
    """A flat couch top: a carbon shell about foam, `rail_mm` tells how far from the middle two solid rails run, if any."""

    width_mm: float
    thickness_mm: float
    shell_mm: float
    rail_mm: float | None = None

    def phantom(self) -> Phantom:
        """The couch top in its own axes, those of IEC fixed, about the middle of its upper surface."""
        radii = np.array([self.width_mm / 2, _LENGTH_MM, self.thickness_mm / 2])
        middle = np.array([0.0, 0.0, -self.thickness_mm / 2])
        parts = [Part("couch", (Ball(middle, radii, np.eye(3), 8),), ((0.0, _CARBON), (self.shell_mm, _FOAM)))]
        if self.rail_mm is not None:
            rails: tuple[Solid, ...] = tuple(
                Capsule(middle + np.array([x, -_LENGTH_MM, 0.0]), middle + np.array([x, _LENGTH_MM, 0.0]), 5.0, 5.0)
                for x in (-self.rail_mm, self.rail_mm)
            )
            parts.append(Part("rails", rails, ((0.0, _CARBON),)))
        still = Waves(np.zeros((1, 3)), np.zeros(1))
        return Phantom(tuple(parts), still, still)

    def under(self, patient: Phantom, *, patient_from_room: RigidMotion, room_from_grid: RigidMotion) -> Placed:
        """The couch top just below a patient and in their middle, `patient_from_room` from IEC fixed axes about the isocentre."""

        def reach(*direction: float) -> float:
            return patient.reach_mm(patient_from_room.turn(np.array(direction)), from_mm=patient_from_room.translation_mm)

        middle, drop = (reach(1.0, 0.0, 0.0) - reach(-1.0, 0.0, 0.0)) / 2, reach(0.0, 0.0, -1.0) + _GAP_MM
        couch_from_room = RigidMotion(Frame.COUCH, room_from_grid.target, np.eye(3), np.array([-middle, 0.0, drop]))
        return Placed(self.phantom(), couch_from_room @ room_from_grid)


CT_COUCH = CouchTop(width_mm=430.0, thickness_mm=24.0, shell_mm=2.2)
MACHINE_COUCH = CouchTop(width_mm=530.0, thickness_mm=52.0, shell_mm=1.6, rail_mm=190.0)
