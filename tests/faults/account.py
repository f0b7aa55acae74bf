"""What was acknowledged, heard and released, against what stands in the journal and the spool of the engine that died so often."""

from __future__ import annotations

import itertools
import zlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from igrt.bus import messages as m
from igrt.bus.topics import EVENTS, REPLIES, REQUESTS, decode
from igrt.engine.journal import Row, read_rows
from igrt.engine.journal_redaction import redact
from igrt.engine.journal_verify import verify
from igrt.engine.record import EVENT, FILE, RELEASE, REPLY, RUN
from tests.faults.follow import believed, raw_frames
from tests.faults.scenarios import Scenario


@dataclass
class Tally:
    """What kills came to. The four lists must be empty; `counts` says how much was looked at."""

    counts: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    images_lost: list[str] = field(default_factory=list)
    events_lost: list[str] = field(default_factory=list)
    released_twice: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take another room's in."""
        self.counts += other.counts
        self.killed += other.killed
        for name in ("images_lost", "events_lost", "released_twice", "other"):
            getattr(self, name).extend(getattr(other, name))

    @classmethod
    def read(cls, text: bytes) -> Tally:
        """From its JSON."""
        fields = msgspec.json.decode(text)
        return cls(**(fields | {name: Counter(fields[name]) for name in ("counts", "killed")}))

    @property
    def clean(self) -> bool:
        """Nothing was lost and nothing was wrong."""
        return not (self.images_lost or self.events_lost or self.released_twice or self.other)


class Account:
    """Takes in what the client told, then compares."""

    def __init__(self, folder: Path, tally: Tally, scenario: Scenario) -> None:
        self.folder, self.tally, self.scenario = folder, tally, scenario
        self.asked: dict[str, m.Message] = {}
        self.replies: dict[str, bytes] = {}
        self.tokens: dict[str, str] = {}
        self.unanswered: bytes | None = None
        self.stored: dict[str, set[int]] = defaultdict(set)
        self.stored_when_asked: dict[str, set[int]] = {}
        self.slabs: set[tuple[str, int, int]] = set()
        self.ended: set[str] = set()
        self.released: dict[str, set[str]] = defaultdict(set)

    # ------------------------------------------------------------------------------------- what is told

    def hear(self, kind: str, what: Any) -> None:
        """One record of the pipe."""
        if kind == "sent":
            self.unanswered = what
            request = decode(what, REQUESTS)
            if request.header.message_id not in self.asked and isinstance(request, m.BeginImage):
                self.stored_when_asked[request.header.message_id] = set(self.stored[request.image_id])
            self.asked[request.header.message_id] = request
        elif kind == "got":
            self.unanswered = None
            self._got(what)
        elif kind == "stored":
            image_id, first, count = what
            self.slabs.add((image_id, first, count))
            self.stored[image_id].update(range(first, first + count))
        elif kind == "token":
            self.tokens[what[0]] = what[1]

    def _got(self, frame: bytes) -> None:
        reply = decode(frame, REPLIES)
        assert isinstance(reply, m.Reply)
        if self.replies.setdefault(reply.request_id, frame) != frame:
            self.tally.other.append(f"request {reply.request_id} had two replies")
        if isinstance(reply, m.BeginImageReply):
            asked_again = {k for a, b in reply.missing for k in range(a, b)} & self.stored_when_asked[reply.request_id]
            self.tally.images_lost += [f"{reply.image_id}: slice {k} was acknowledged and is asked for again" for k in sorted(asked_again)]
        elif isinstance(reply, m.EndImageReply):
            self.ended.add(reply.image_id)
        elif isinstance(reply, m.ClaimReply):
            if reply.release is None:
                self.tally.counts["claims denied"] += 1
            else:
                self.released[reply.release.proposal_id].add(reply.request_id)

    # ------------------------------------------------------------------------------------- what is there

    def close(self) -> Tally:
        """Compare all of it."""
        found = verify(self.folder / FILE)
        if not found.holds:
            self.tally.other.append(found.sentence)
        rows = list(read_rows(self.folder / FILE))
        self._images(rows)
        self._events(rows)
        self._replies(rows)
        self._releases(rows)
        return self.tally

    def _images(self, rows: list[Row]) -> None:
        for image_id, slices in self.stored.items():
            wanted = self.scenario.volume(image_id).hu
            path = self.folder / "spool" / f"{image_id}.hu"
            data = path.read_bytes()[: wanted.nbytes] if path.exists() else b""  # a kill may leave an empty file before anything is sent
            there = np.frombuffer(data.ljust(wanted.nbytes, b"\0"), "<i2").reshape(wanted.shape)
            self.tally.images_lost += [f"{image_id}: slice {k} is not on disk" for k in sorted(slices) if (there[k] != wanted[k]).any()]
        answered, answers = Counter[str](), set[bytes]()
        for event in (decode(row.payload, EVENTS) for row in rows if row.kind == EVENT and row.payload):
            if isinstance(event, m.Proposal | m.Refusal):
                answered[event.image_id] += 1
                if isinstance(event, m.Proposal):
                    answers.add(msgspec.json.encode([event.answer[part] for part in ("correction", "plan_from_daily", "couch")]))
                hu = self.scenario.volume(event.image_id).hu
                told = event.answer.get("slices_told"), event.answer.get("crc32")
                if self.scenario.image is None and told != (list(range(len(hu))), zlib.crc32(hu.tobytes())):
                    self.tally.images_lost.append(f"{event.image_id}: the worker answered for other voxels than were sent")
            elif isinstance(event, m.ImageFailed):
                self.tally.images_lost.append(f"{event.image_id}: {event.sentence}")
        self.tally.images_lost += [f"{image_id} was whole and was never answered" for image_id in self.ended if not answered[image_id]]
        self.tally.other += [f"{image_id} was answered {n} times" for image_id, n in answered.items() if n > 1]
        if len(answers) > 1:
            self.tally.other.append(f"{len(answers)} different corrections came of the same patient")
        self.tally.counts["slabs acknowledged"] += len(self.slabs)
        self.tally.counts["images ended"] += len(self.ended)
        self.tally.counts["images answered"] += len(answered)

    def _events(self, rows: list[Row]) -> None:
        """Numbered without a gap, states without a jump, and all that was heard as it was heard."""
        kept: dict[tuple[str, int], bytes] = {}
        session, number, state = "", 0, "idle"
        for row in rows:
            assert row.payload is not None
            if row.kind == RUN:
                session, number = row.session, 0
            if row.kind != EVENT:
                continue
            event, number = decode(row.payload, EVENTS), number + 1
            assert isinstance(event, m.Event)
            if event.number != number:
                self.tally.events_lost.append(f"{session}: the journal goes on with {event.number} where {number} was due")
                number = event.number
            kept[session, number] = row.payload
            if isinstance(event, m.StateChanged):
                if event.previous != state:
                    self.tally.events_lost.append(f"{session} {number}: from {event.previous}, but the session was {state}")
                state = event.state
        heard: dict[tuple[str, int], bytes] = {}
        for frame in raw_frames(self.folder.parent / "heard"):
            event = decode(frame, EVENTS)
            assert isinstance(event, m.Event)
            place, frame = (event.header.session, event.number), redact(frame)
            if heard.setdefault(place, frame) != frame:
                self.tally.events_lost.append(f"{place}: heard twice, and differently")
            if kept.get(place) != frame:
                self.tally.events_lost.append(f"{place}: heard, and not in the journal as it was")
        self._recovered(session, number, state)
        self.tally.counts["events in journals"] += len(kept)
        self.tally.counts["events heard"] += len(heard)
        self.tally.counts["runs of the engine"] += sum(row.kind == RUN for row in rows)

    def _recovered(self, session: str, number: int, state: str) -> None:
        """The client that recovers by snapshot ends where the session is, and never goes back."""
        lines = believed(self.folder.parent / "believed")
        for before, after in itertools.pairwise(lines):
            if before["session"] == after["session"] and after["number"] < before["number"]:
                self.tally.events_lost.append(f"a follower went back from {before} to {after}")
        last = lines[-1] if lines else {}
        if (last.get("session"), last.get("state")) != (session, state) or last["number"] > number:
            self.tally.events_lost.append(f"a follower ended at {last}, the session at {session} {number} {state}")
        self.tally.counts["recoveries by snapshot"] += sum(line["snapshot"] for line in lines)

    def _replies(self, rows: list[Row]) -> None:
        kept = {row.request_id: row.payload for row in rows if row.kind == REPLY}
        self.tally.other += [
            f"the reply to {request_id} was heard, and is not in the journal as it was"
            for request_id, frame in self.replies.items()
            if kept.get(request_id) != frame
        ]
        self.tally.counts["replies heard"] += len(self.replies)

    def _releases(self, rows: list[Row]) -> None:
        """One of a proposal, of the newest image, approved; in the journal before it was heard."""
        rows_of, replies_of, newest, approved = Counter[str](), Counter[str](), "", ""
        for row in rows:
            assert row.payload is not None
            if row.kind == RELEASE:
                proposal_id = msgspec.msgpack.decode(row.payload)["proposal_id"]
                rows_of[proposal_id] += 1
                if not proposal_id == newest == approved:
                    self.tally.released_twice.append(f"{proposal_id} was released, {newest} the newest, {approved} approved")
            elif row.kind == REPLY:
                reply = decode(row.payload, REPLIES)
                if isinstance(reply, m.ClaimReply) and reply.release:
                    replies_of[reply.release.proposal_id] += 1
            elif row.kind == EVENT:
                event = decode(row.payload, EVENTS)
                newest = event.proposal_id if isinstance(event, m.Proposal) else newest
                approved = event.proposal_id if isinstance(event, m.Approved) else approved
        if rows_of != replies_of:
            self.tally.other.append("releases and the replies that release do not match")
        self.tally.released_twice += [f"{p}: {n} times in the journal" for p, n in rows_of.items() if n > 1]
        self.tally.released_twice += [f"{p}: {n} replies" for p, n in replies_of.items() if n > 1]
        self.tally.released_twice += [f"{p}: released to {len(by)} requests" for p, by in self.released.items() if len(by) > 1]
        self.tally.released_twice += [f"{p}: heard, and not in the journal" for p in self.released if p not in rows_of]
        self.tally.counts["corrections released"] += len(rows_of)
        self.tally.counts["releases heard"] += len(self.released)
