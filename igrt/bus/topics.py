"""What may be said on each socket: one table of verbs, one of slab messages, one of events, one of errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from igrt.bus import messages as m

HEARTBEAT_PERIOD_S = 1.0
HEARTBEAT_LOST_S = 3.0
SILENCE = f"The engine has not been heard for {HEARTBEAT_LOST_S:.0f} s."


@dataclass(frozen=True, slots=True)
class Verb:
    """A request of the command socket, what answers it where all is well, and whether its header must name the plan in use."""

    request: type[m.Message]
    reply: type[m.Reply]
    names_plan: bool = True


def _by_kind(types: Iterable[type[m.Message]]) -> dict[str, type[m.Message]]:
    return {t.wire_kind(): t for t in types}


VERBS: Mapping[str, Verb] = {
    v.request.wire_kind(): v
    for v in (
        Verb(m.LoadPlan, m.LoadPlanReply, names_plan=False),
        Verb(m.BeginImage, m.BeginImageReply),
        Verb(m.EndImage, m.EndImageReply),
        Verb(m.Snapshot, m.SnapshotReply, names_plan=False),
        Verb(m.Fetch, m.FetchReply),
        Verb(m.EvaluatePose, m.EvaluatePoseReply),
        Verb(m.ReportMachine, m.ReportMachineReply, names_plan=False),
        Verb(m.Approve, m.ApproveReply),
        Verb(m.Override, m.OverrideReply),
        Verb(m.Reject, m.RejectReply),
        Verb(m.Claim, m.ClaimReply),
        Verb(m.ReportCouch, m.ReportCouchReply),
        Verb(m.ConfirmCouch, m.ConfirmCouchReply),
        Verb(m.AcknowledgeHold, m.AcknowledgeHoldReply, names_plan=False),
        Verb(m.ClearAlert, m.ClearAlertReply, names_plan=False),
    )
}
EVENTS: Mapping[str, type[m.Message]] = _by_kind(
    (
        m.Welcome,
        m.Heartbeat,
        m.StateChanged,
        m.ImageProgress,
        m.Progress,
        m.Proposal,
        m.Refusal,
        m.Verdict,
        m.SecondSolver,
        m.ImagesCompared,
        m.ImageFailed,
        m.PoseEvaluated,
        m.PoseNotEvaluated,
        m.MachineReported,
        m.Approved,
        m.Rejected,
        m.Expired,
        m.Claimed,
        m.ClaimDenied,
        m.CouchReported,
        m.ChainClosed,
        m.CouchConfirmed,
        m.Hold,
        m.HoldAcknowledged,
        m.Alert,
        m.AlertCleared,
        m.Stopping,
    )
)
REQUESTS: Mapping[str, type[m.Message]] = {kind: v.request for kind, v in VERBS.items()}
REPLIES: Mapping[str, type[m.Message]] = _by_kind([*(v.reply for v in VERBS.values()), m.Error])
SLABS: Mapping[str, type[m.Message]] = _by_kind((m.Slab,))
SLAB_REPLIES: Mapping[str, type[m.Message]] = _by_kind((m.SlabStored, m.Error))

ERRORS: Mapping[str, str] = {
    "malformed": "the message could not be read as MessagePack of the type that it names",
    "unknown_version": "the message has another protocol version",
    "unknown_kind": "the socket has no message of this kind",
    "wrong_session": "the message speaks of another run of the engine: ask for the snapshot",
    "wrong_plan": "the message speaks of another plan than the one in use: ask for the snapshot",
    "wrong_proposal": "the message speaks of another proposal than the one that stands: ask for the snapshot",
    "not_now": "the session's state does not allow it now",
    "bad_input": "a file or field is wrong; the sentence is the one that the command line prints",
    "incomplete": "slices are missing",
    "disk_full": "the image does not fit on the disk",
    "disk_failed": "the disk did not keep what was written to it",
    "unknown_image": "no such image is being taken in",
    "unknown_content": "there is nothing of that kind and id to fetch",
    "changed_content": "what is fetched is another now: fetch it from its beginning",
    "bad_slab": "the slab's length, place or checksum is wrong: send it again",
    "no_credit": "more slabs are unacknowledged than the credit allows: wait for acknowledgements",
    "worker_failed": "the worker failed several times on the same task",
    "defect": "a defect of igrt: report it",
    "stopping": "the engine is stopping",
}


class WireError(Exception):
    """A frame that cannot be taken in: `code` of the table of errors, a sentence, and the request's id where readable."""

    def __init__(self, code: str, sentence: str, request_id: str = "") -> None:
        super().__init__(sentence)
        self.code, self.sentence, self.request_id = code, sentence, request_id


class _ProbeHeader(Struct, frozen=True):
    version: str = ""
    message_id: str = ""


class _Probe(Struct, frozen=True):
    header: _ProbeHeader
    kind: str = ""


_PROBE = msgspec.msgpack.Decoder(_Probe)
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


def decode(frame: bytes | memoryview, kinds: Mapping[str, type[m.Message]]) -> m.Message:
    """The message in `frame`, one of `kinds`; WireError where it is malformed, of another version, or of no such kind."""
    try:
        probe = _PROBE.decode(frame)
    except _UNREADABLE as error:
        raise WireError("malformed", f"the message cannot be read: {error}; send MessagePack as docs/bus.md describes it") from error
    request_id = probe.header.message_id[:64]
    if probe.header.version != m.VERSION:
        raise WireError(
            "unknown_version",
            f"the message has version {probe.header.version[:32]!r}; this side speaks {m.VERSION!r}, use that",
            request_id,
        )
    kind = kinds.get(probe.kind)
    if kind is None:
        raise WireError("unknown_kind", f"there is no {probe.kind[:64]!r} here; this socket takes {', '.join(sorted(kinds))}", request_id)
    try:
        return msgspec.msgpack.decode(frame, type=kind)
    except _UNREADABLE as error:
        raise WireError("malformed", f"{probe.kind} cannot be read: {error}; correct the field", request_id) from error
