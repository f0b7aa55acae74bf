"""Plan and daily image must be of one patient, where both say whose they are."""

from __future__ import annotations

from igrt.verification.checks.facts import Facts
from igrt.verification.codes import found
from igrt.verification.findings import Finding, Level


def find(facts: Facts) -> tuple[Finding, ...]:
    """Stop where the patient IDs differ; inform where one of them is not stated."""
    plan, daily = _stated(facts.plan.patient_id), _stated(facts.daily_patient_id)
    if plan is None or daily is None:
        which = "Neither plan nor daily image says" if plan is daily else f"The {'plan' if plan is None else 'daily image'} does not say"
        return (found("patient_unknown", f"{which} which patient it belongs to.", level=Level.INFORM),)
    if plan == daily:
        return ()
    return (found("patient_mismatch", f"The daily image is of patient {daily!r}, the plan of patient {plan!r}.", level=Level.STOP),)


def _stated(patient_id: str | None) -> str | None:
    """Spaces around an ID mean nothing (DICOM PS3.5, value representation LO); an empty ID states none."""
    return (patient_id or "").strip() or None
