"""The cases of the fault-injection benchmark: one table of faults, and the list of cases. Everything follows from a case's key."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import evidence_faults as faults
import numpy as np
from evidence_anatomies import FIRST_SEED, REAL_CTS, REAL_SEED, SEEDS, STORED_SEED, RealCt
from evidence_people import People
from evidence_scenes import Scene, good

from igrt.simulation.patients import SITES

STORED = ("chest_a", "chest_b", "head_a", "thorax_a")


@dataclass(frozen=True, order=True)
class Case:
    """What a case is made from: the patient's site and seed (a name and -1 for a real one), the fault ("good" for none), a number."""

    site: str
    seed: int
    fault: str
    n: int

    @property
    def key(self) -> str:
        """Its name in the results."""
        return f"{self.site} {self.seed} {self.fault} {self.n}"


@dataclass(frozen=True)
class Fault:
    """A row: what is changed, how many cases each generated patient, each real one and each stored image gets, which target (None: any)."""

    name: str
    change: faults.Change | None
    generated: float
    real: int
    stored: int
    target: str | None = None

    @property
    def words(self) -> str:
        """For the report."""
        return "As on most days." if self.change is None else str(self.change.__doc__).split("\n")[0]


FAULTS = {
    f.name: f
    for f in (
        Fault("good", None, 13.5, 34, 10),
        Fault("wrong patient", faults.wrong_patient, 1.5, 6, 2),
        Fault("same proportions", faults.same_proportions, 1.5, 0, 0),
        Fault("wrong site", faults.wrong_site, 1.0, 3, 1),
        Fault("wrong part", faults.wrong_part, 1.0, 0, 0),
        Fault("wrong vertebra", faults.wrong_vertebra, 4.0, 16, 0, "spine"),
        Fault("start at another vertebra", faults.start_levels_off, 1.0, 4, 0, "spine"),
        Fault("start far off", faults.start_far_off, 1.0, 4, 2),
        Fault("patient far off", faults.patient_far_off, 2.0, 6, 0),
        Fault("truncated", faults.truncated, 1.5, 6, 4),
        Fault("half empty", faults.half_empty, 1.5, 6, 4),
        Fault("metal", faults.metal, 1.5, 6, 0),
        Fault("deformed", faults.deformed, 2.5, 8, 0),
        Fault("wrong spacing", faults.wrong_spacing, 2.0, 8, 4),
        Fault("flipped axis", faults.flipped_axis, 1.5, 6, 3),
        Fault("mirrored", faults.mirrored, 1.5, 6, 3),
        Fault("wrong position", faults.wrong_position, 1.5, 6, 3),
    )
}


def cases(
    *, share: float = 1.0, patients: int = 0, part: int = 0, parts: int = 1, archive: Mapping[str, RealCt] | None = None
) -> Iterator[Case]:
    """Every case, patient by patient, the sites and halves of the patients in turn.

    `share` of each patient's, of the first `patients` of each kind (0: all), of part `part` of `parts`. Of the
    CTs of an archive alone, where one is given.
    """
    for everyone, draws, together in _patients(archive):
        everyone = everyone[: patients * together or None]
        for count, (site, seed) in enumerate(everyone):
            for fault in FAULTS.values():
                wanted = share * draws(fault)
                first, last = (int(np.floor(wanted * n + 1e-9)) for n in (count // together, count // together + 1))
                if count * parts // len(everyone) == part:
                    yield from (Case(site, seed, fault.name, n) for n in range(last - first))


def _patients(archive: Mapping[str, RealCt] | None) -> Iterator[tuple[list[tuple[str, int]], Callable[[Fault], float], int]]:
    """Patients (site or name, seed), how many cases of a fault one gets, and how many follow each other that are counted together."""
    if archive:
        yield [(name, ct.seed) for name, ct in archive.items()], lambda fault: fault.real, 1
        return
    yield [(name, STORED_SEED) for name in STORED], lambda fault: fault.stored, 1
    yield [(name, REAL_SEED) for name in REAL_CTS], lambda fault: fault.real, 1
    yield [(site, seed) for seed in range(FIRST_SEED, FIRST_SEED + SEEDS) for site in SITES], lambda fault: fault.generated, len(SITES)


def scene_of(case: Case, people: People) -> tuple[Scene, np.random.Generator]:
    """The scene of a case, and the generator that goes on to its noise."""
    rng = np.random.default_rng(zlib.crc32(case.key.encode()))
    stored = people.stored(case.site) if case.seed == STORED_SEED else None
    fault = FAULTS[case.fault]
    patient = people.patient(stored.patient if stored else case.site, case.seed)
    scene = good(patient, rng, "site" if stored else fault.target, stored)
    if fault.change is not None:
        fault.change(scene, faults.Draw(rng, people))
    return scene, rng
