"""What a machine and its site allow. Limits may be tightened, never loosened: a default is also the most that a site may give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from igrt.errors import InputError
from igrt.geometry.couch_model import AxisRange, CouchModel

LIFETIME_S = 300.0
LIFETIME_SBRT_S = 180.0
CALIBRATION, DAILY_QA = "calibration", "daily_qa"
ISOCENTRE_HEIGHT_MM = AxisRange(minimum=40.0, maximum=380.0, step=0.0)

LIMITS: Mapping[str, float] = {
    "lifetime_s": LIFETIME_S,
    "report_age_s": 5.0,
    "couch_shift_mm": 0.5,
    "couch_turn_deg": 0.2,
    "isocentre_mm": 0.1,
    "landmark_mm": 0.1,
    "residual_mm": 15.0,
    "largest_shift_mm": 100.0,
    "largest_turn_deg": 10.0,
}
"""The most that each limit of a policy may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredRecord:
    """A record that must be there, passed, and at most `valid_days` old."""

    name: str
    valid_days: float

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InputError("required record: name is blank; name the record as the site's files do")
        if not 0.0 < self.valid_days <= 400.0:
            raise InputError(f"required record {self.name}: valid_days is {self.valid_days}; give more than 0 and at most 400 days")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The guard's settings for one machine, from its profile and protocol; InputError where they would not guard.

    `simulated`: nothing real moves. `research`: the profile is one that no physicist has proven. `couch` is the couch that is there.
    `required`: records of the machine; a real one needs `calibration` and `daily_qa`. `isocentre_height_mm`: how far the isocentre may
    lie above the plane of the table top while a patient lies there; its ends are less than a factor of ten apart, so that no plausible
    height is still plausible when read in centimetres. The other fields are limits, each at most its row of `LIMITS`: age of image and of
    the linac's report, movement of the couch since the scan, agreement of isocentres and landmarks, residual at a landmark, correction.
    """

    machine: str
    simulated: bool
    research: bool
    couch: CouchModel
    required: tuple[RequiredRecord, ...]
    isocentre_height_mm: AxisRange = ISOCENTRE_HEIGHT_MM
    lifetime_s: float = LIMITS["lifetime_s"]
    report_age_s: float = LIMITS["report_age_s"]
    couch_shift_mm: float = LIMITS["couch_shift_mm"]
    couch_turn_deg: float = LIMITS["couch_turn_deg"]
    isocentre_mm: float = LIMITS["isocentre_mm"]
    landmark_mm: float = LIMITS["landmark_mm"]
    residual_mm: float = LIMITS["residual_mm"]
    largest_shift_mm: float = LIMITS["largest_shift_mm"]
    largest_turn_deg: float = LIMITS["largest_turn_deg"]

    def __post_init__(self) -> None:
        if not self.machine.strip():
            raise InputError("guard policy: machine is blank; name the machine as the linac reports it")
        for name in ("simulated", "research"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"guard policy of {self.machine}: {name} is {getattr(self, name)!r}; give true or false")
        for name, most in LIMITS.items():
            value = getattr(self, name)
            if not 0.0 < value <= most:
                raise InputError(f"guard policy of {self.machine}: {name} is {value}; give more than 0 and at most {most:g}")
        self._require_height()
        missing = {CALIBRATION, DAILY_QA} - {record.name for record in self.required}
        if missing and not self.simulated:
            raise InputError(
                f"guard policy of {self.machine}: required lacks {', '.join(sorted(missing))}; "
                "a machine that is not simulated is guarded by both records"
            )

    def _require_height(self) -> None:
        height = self.isocentre_height_mm
        # No height of zero or less passes this either.
        if not height.maximum < 10.0 * height.minimum:
            raise InputError(
                f"guard policy of {self.machine}: isocentre_height_mm is {height.minimum:g} to {height.maximum:g}; "
                "give heights above 0 whose ends are less than a factor of ten apart"
            )
