"""Imaging and treatment must share one isocentre, and someone must have looked lately."""

from __future__ import annotations

from igrt.verification.checks.facts import Facts
from igrt.verification.codes import found
from igrt.verification.findings import Finding, Level

SECONDS_A_DAY = 86_400.0


def find(facts: Facts) -> tuple[Finding, ...]:
    """Stop where the check is missing, dated in the future, too old, or found the isocentres too far apart."""
    table, check = facts.machine.tables.isocentre_check, facts.machine.last_check
    if not table.required:
        return ()
    if check is None:
        sentence = f"There is no isocentre check on file for {facts.machine.name} (looked for {table.file} in the site folder)."
        return (found("isocentre_check_missing", sentence, level=Level.STOP),)
    findings = []
    age_days = (facts.now - check.checked_at).total_seconds() / SECONDS_A_DAY
    if not age_days >= 0:
        sentence = f"The isocentre check of {facts.machine.name} is dated {check.checked_at:%Y-%m-%d %H:%M %Z}, which is in the future."
        findings.append(found("isocentre_check_future", sentence, level=Level.STOP))
    elif not age_days <= table.valid_days:
        sentence = f"The isocentre check of {facts.machine.name} is {age_days:.1f} days old; it is valid for {table.valid_days:g}."
        findings.append(
            found("isocentre_check_expired", sentence, level=Level.STOP, value=age_days, limit=table.valid_days, unit="days")
        )  # fmt: skip
    if not check.offset_mm <= table.limit_mm:
        sentence = f"Imaging and treatment isocentre of {facts.machine.name} are {check.offset_mm:.2f} mm apart."
        findings.append(
            found("isocentre_check_offset", sentence, level=Level.STOP, value=check.offset_mm, limit=table.limit_mm, unit="mm")
        )  # fmt: skip
    return tuple(findings)
