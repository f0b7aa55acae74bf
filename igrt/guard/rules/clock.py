"""Everything happened in order, on one clock that never ran backwards, and recently; the machine's records are in date."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from igrt.guard.facts import SUPPLY, Breach, Case, UnknownError, known, number, shown, text
from igrt.guard.policy import RequiredRecord
from igrt.guard.request import Record

NOW = "now.monotonic"
EXPIRED = "image again, for this image has expired"
MOMENTS = (
    "request.couch_at_scan_start.at",
    "request.couch_at_scan_end.at",
    "request.proposed_at",
    "request.approval.at",
    "request.linac.at",
    "request.couch_at_claim.at",
)
SCAN_START, SCAN_END, PROPOSED, APPROVED, REPORTED, READ = MOMENTS
ORDER = (
    (SCAN_START, SCAN_END),
    (SCAN_END, PROPOSED),
    (PROPOSED, APPROVED),
    (APPROVED, REPORTED),
    (APPROVED, READ),
    (REPORTED, NOW),
    (READ, NOW),
)


def one_clock(case: Case) -> Iterator[Breach]:
    """Every time is of the clock that the decision is made on: no other machine's, none from before a restart of this one."""
    ours = text(case, f"{NOW}.clock")
    for moment in MOMENTS:
        clock = text(case, f"{moment}.clock")
        if clock != ours:
            yield Breach(
                field=f"{_name(moment)}.clock",
                value=repr(clock),
                limit=f"only times of the clock {ours!r} can be compared with now",
                remedy="image again, for the machine was restarted or the time is another's",
            )


def in_order(case: Case) -> Iterator[Breach]:
    """Scan start, scan end, proposal, approval, the linac's report and now follow one another."""
    for earlier, later in ORDER:
        first_s, then_s = number(case, f"{earlier}.at_s"), number(case, f"{later}.at_s")
        if not first_s <= then_s:
            yield Breach(
                field=f"{_name(later)}.at_s",
                value=f"{then_s:.3f} s, before {_name(earlier)} at {first_s:.3f} s",
                limit="times may not run backwards",
                remedy="image again, and call service if the clock is wrong",
            )


def expiry(case: Case) -> Iterator[Breach]:
    """The image is young enough, counted from the end of its scan, and its scan took no longer than that: patients move."""
    yield from _young(case, SCAN_END, case.policy.lifetime_s, EXPIRED)
    scan_s = number(case, f"{SCAN_END}.at_s") - number(case, f"{SCAN_START}.at_s")
    if not scan_s <= case.policy.lifetime_s:
        limit = f"a scan may take {case.policy.lifetime_s:g} s"
        yield Breach(field=_name(SCAN_START), value=f"{scan_s:.3f} s before the scan's end", limit=limit, remedy=EXPIRED)


def fresh_report(case: Case) -> Iterator[Breach]:
    """The linac's report and the couch reading are from the claim, not from before it."""
    for moment in (REPORTED, READ):
        yield from _young(case, moment, case.policy.report_age_s, "have the linac report anew, then claim again")


def records(case: Case) -> Iterator[Breach]:
    """Every record that the policy requires is there once, of this machine, passed, dated, and in date."""
    now = _utc(known(case, "now.utc", datetime), "now.utc")
    given = known(case, "request.records", tuple)
    for required in case.policy.required:
        field = f"records[{required.name}]"
        matching = [record for record in given if isinstance(record, Record) and record.name == required.name]
        if len(matching) != 1:
            yield Breach(
                field=field,
                value=f"there {len(matching)} times",
                limit="it must be there once",
                remedy=f"do {required.name} on this machine and file its record",
            )
            continue
        yield from _in_date(case, matching[0], required, field, now)


def _in_date(case: Case, record: Record, required: RequiredRecord, field: str, now: datetime) -> Iterator[Breach]:
    do_again = f"do {required.name} again and file its record"
    if record.machine != case.policy.machine:
        limit = f"this machine is {case.policy.machine!r}"
        yield Breach(field=f"{field}.machine", value=repr(record.machine), limit=limit, remedy="file the record of this machine")
    if record.passed is not True:
        yield Breach(field=f"{field}.passed", value=repr(record.passed), limit="only a passed record counts", remedy=do_again)
    age = now - _utc(record.done_at, f"{field}.done_at")
    if not timedelta(0) <= age <= timedelta(days=required.valid_days):
        yield Breach(
            field=f"{field}.done_at",
            value=f"{record.done_at}, {age / timedelta(days=1):.4f} d ago",
            limit=f"it is valid for {required.valid_days:g} d and may not be of the future",
            remedy=do_again,
        )


def _young(case: Case, moment: str, limit_s: float, remedy: str) -> Iterator[Breach]:
    age_s = number(case, f"{NOW}.at_s") - number(case, f"{moment}.at_s")
    if not 0.0 <= age_s <= limit_s:
        yield Breach(field=_name(moment), value=f"{age_s:.3f} s ago", limit=f"it is valid for {limit_s:g} s", remedy=remedy)


def _utc(value: datetime | None, field: str) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        limit = "a date and time with time zone is needed"
        raise UnknownError(
            Breach(field=field, value=str(value) if isinstance(value, datetime) else shown(value), limit=limit, remedy=SUPPLY)
        )
    return value.astimezone(UTC)


def _name(path: str) -> str:
    return path.removeprefix("request.")
