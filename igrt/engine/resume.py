"""From one run of the engine to the next: what is kept, and how a run goes on with it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine.alerts import ALERTS, ClearedBy
from igrt.engine.basis import this_build
from igrt.engine.case import Case
from igrt.engine.chain import Chain, Kept
from igrt.engine.record import RunRow
from igrt.engine.second_case import told_again
from igrt.engine.states import EXPIRING, Session, State
from igrt.engine.tasks import PlanTask
from igrt.errors import InputError

_WITH_IMAGE = (State.ACQUIRING, State.REGISTERING)
_NOTHING_RESUMES = (State.CLAIMED, State.MOVING)
BEFORE_ANY_S = -1e9
"""Where the time of another boot stands: before every time of this one, so that what it dates has expired."""


def kept(case: Case) -> bytes:
    """All that another run needs to go on."""
    alerts = case.stream.alerts
    state = Kept(
        boot=case.boot,
        state=case.session.state.value,
        image_id=case.session.image_id,
        plan_request=case.plan_request,
        plan=case.plan,
        result=case.result,
        last_byte_s=case.last_byte_s,
        chain=case.chain,
        began=case.began,
        alerts={code: alert for code, alert in alerts.items() if ALERTS[code].cleared_by is not ClearedBy.ITSELF},
    )
    return msgspec.msgpack.encode(state)


def resume(case: Case, body: bytes, *, journal: Path) -> None:
    """Go on where the last run stopped: what was released and not in position is interrupted and held. InputError if unreadable."""
    try:
        last = msgspec.msgpack.decode(body, type=Kept)
        state = State(last.state)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InputError(f"{journal}: its last state cannot be read ({error}); use the igrt that wrote it, or move it away") from error
    same_boot = last.boot == case.boot
    now_s = case.stream.now_s
    case.session = Session(state, now_s, last.image_id, now_s - case.limits.stall_s)
    case.result, case.last_byte_s = last.result, last.last_byte_s if same_boot else 0.0
    case.chain = last.chain if same_boot else _of_another_boot(last.chain)
    case.began = last.began if same_boot else dict.fromkeys(last.began, BEFORE_ANY_S)
    case.stream.alerts.update(last.alerts)
    if last.plan is not None:  # what is told from here on is of this patient, also where the plan cannot be had any more
        case.stream.patient_id, case.stream.plan_fingerprint = last.plan.patient_id, last.plan.fingerprint
    told_again(case)
    if not _plan_again(case, last):
        return
    if state in _WITH_IMAGE:
        _image_again(case)
    elif state in _NOTHING_RESUMES:
        case.stream.alert("release_interrupted")
        case.break_off("The engine was started again while a correction was released.")
    elif state in EXPIRING and not same_boot:
        case.expire()


def _of_another_boot(chain: Chain) -> Chain:
    """Its times do not compare with now: the scan is long over, and what the linac said is no longer so."""
    start, end = (reading and msgspec.structs.replace(reading, at_s=BEFORE_ANY_S) for reading in (chain.scan_start, chain.scan_end))
    return chain.with_(scan_start=start, scan_end=end, machine=None)


def _plan_again(case: Case, last: Kept) -> bool:
    """Have the worker prepare the plan again; False where there is none, or none any more."""
    if last.plan is None or last.plan_request is None:
        return False
    number = case.supervisor.next_number()
    try:
        case.use_plan(msgspec.structs.replace(last.plan, number=number), last.plan_request)
    except InputError as error:
        case.drop_plan(last.plan)
        case.stream.alert("plan_lost", sentence=str(error))
        return False
    assert case.profile is not None
    assert case.protocol is not None
    if last.plan.calibration_sha256 not in (None, (case.profile.file.sha256, case.protocol.file.sha256)):
        case.drop_plan()  # before anything is decided by files that are others now
        case.stream.alert("plan_changed")
        return False
    case.supervisor.tell(PlanTask(number=number, request=last.plan_request))
    return True


def _image_again(case: Case) -> None:
    """Open the image and tell the worker what is on disk of it; what was acknowledged is not taken again."""
    assert case.session.image_id is not None
    try:
        case.spool = case.spool_again(case.session.image_id, whole=case.session.state is State.REGISTERING)
    except (OSError, msgspec.MsgspecError, WireError) as error:
        case.fail_image("disk_failed", f"it is no longer on disk as it was kept ({error}); look at the disk, then image again")
        return
    case.tell_image()
    if case.session.state is State.REGISTERING:
        case.ask()


def run_row(case: Case, *, engine: str) -> bytes:
    """What the journal says of the start of a run."""
    row = RunRow(
        session=case.stream.session,
        boot=case.boot,
        engine=engine,
        version=m.VERSION,
        build=this_build(),
        lifetime_s=case.limits.lifetime_s,
        second_solver=case.second is not None,
    )
    return msgspec.msgpack.encode(row)
