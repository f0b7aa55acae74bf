"""The client that the imaging side and followers use: synchronous, every call with a timeout; one client per thread."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import zmq
from numpy.typing import ArrayLike

from igrt.bus import messages as m
from igrt.bus.errors import EngineSilentError, RefusedError, refused
from igrt.bus.fetch_client import FetchCalls
from igrt.bus.grids import vector_or_none, wire_grid
from igrt.bus.pose_client import PoseCalls
from igrt.bus.radiograph_client import RadiographCalls
from igrt.bus.release_client import REQUEST_TIMEOUT_S, ReleaseCalls
from igrt.bus.sockets import Endpoints, dealer, subscriber
from igrt.bus.topics import EVENTS, HEARTBEAT_LOST_S, REPLIES, SILENCE, WireError, decode
from igrt.bus.transfer import Progress, Transfer
from igrt.compute.volume import Volume
from igrt.geometry.grid import Grid
from igrt.geometry.position import PatientPosition

__all__ = ["Client", "CouchReadout", "Progress", "Transfer"]

CONNECT_TIMEOUT_S = 10.0
PLAN_TIMEOUT_S = 600.0
RESEND_S = 2.0
CouchReadout = m.CouchReadout
_MessageT = TypeVar("_MessageT", bound=m.Message)


class Client(ReleaseCalls, FetchCalls, PoseCalls, RadiographCalls):
    """Speaks to one engine. A context manager; not for use by two threads."""

    def __init__(self, endpoints: Endpoints | Path | str, *, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        """Connect and follow: from here on no event is missed unnoticed. `endpoints`, or the engine's folder or endpoints.json.

        InputError where no engine has left its addresses; EngineSilentError where none answers within `timeout_s`.
        """
        self.endpoints = endpoints if isinstance(endpoints, Endpoints) else Endpoints.read(Path(endpoints))
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._commands = dealer(self._context, self.endpoints.commands)
        self._images = dealer(self._context, self.endpoints.images)
        self._events = subscriber(self._context, self.endpoints.events)
        self._heard_s = time.monotonic()
        self._session = ""
        self._patient_id: str | None = None
        self._plan_fingerprint: str | None = None
        self._followed, self._number = "", 0
        self._unseen: m.SnapshotReply | None = None
        try:
            if not self._events.poll(int(timeout_s * 1000)):  # the welcome: the subscription stands
                raise EngineSilentError(f"no engine answers at {self.endpoints.events} within {timeout_s:g} s; look whether it runs")
            self._unseen = self._recover(timeout_s=timeout_s)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the engine."""
        self._context.destroy(linger=0)

    # ------------------------------------------------------------------------------------------- requests

    def load_plan(
        self,
        path: Path | str,
        *,
        machine: str | None = None,
        protocol: str | None = None,
        isocentre_mm: ArrayLike | None = None,
        position: PatientPosition | None = None,
        isocentre_choice: str | None = None,
        setup_choice: str | None = None,
        fraction: int | None = None,
        timeout_s: float = PLAN_TIMEOUT_S,
    ) -> m.LoadPlanReply:
        """Have the engine load a plan from its own disk; returns when it is prepared."""
        request = m.LoadPlan(
            header=self._header(),
            path=str(Path(path).resolve()),
            machine=machine,
            protocol=protocol,
            isocentre_mm=vector_or_none(isocentre_mm),
            position=position,
            isocentre_choice=isocentre_choice,
            setup_choice=setup_choice,
            fraction=fraction,
        )
        return self._request(request, m.LoadPlanReply, timeout_s=timeout_s)

    def snapshot(self, *, timeout_s: float = REQUEST_TIMEOUT_S) -> m.SnapshotReply:
        """The engine's state now; this client takes the plan in use from it."""
        return self._request(m.Snapshot(header=self._header()), m.SnapshotReply, timeout_s=timeout_s)

    def begin_image(
        self,
        grid: Grid,
        *,
        position: PatientPosition,
        image_id: str | None = None,
        isocentre_mm: ArrayLike | None = None,
        patient_id: str | None = None,
        frame_of_reference_uid: str | None = None,
        table_angle_deg: float | None = None,
        image_table_angle_deg: float | None = None,
        scan_offset_mm: ArrayLike | None = None,
        couch: m.CouchReadout | None = None,
        source: str = "daily image",
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Transfer:
        """Announce an image on `grid` (frame daily) for the plan that this client loaded or saw in a snapshot.

        RefusedError where the engine takes none now; RefusedInputError where a field is wrong.
        """
        chosen, on_wire = image_id or uuid.uuid4().hex, wire_grid(grid)

        def begin() -> m.BeginImageReply:
            request = m.BeginImage(
                header=self._header(),
                image_id=chosen,
                grid=on_wire,
                position=position,
                isocentre_mm=vector_or_none(isocentre_mm),
                image_patient_id=patient_id,
                frame_of_reference_uid=frame_of_reference_uid,
                table_angle_deg=table_angle_deg,
                image_table_angle_deg=image_table_angle_deg,
                scan_offset_mm=vector_or_none(scan_offset_mm),
                couch=couch,
                source=source,
            )
            return self._request(request, m.BeginImageReply, timeout_s=timeout_s)

        def end(couch_at_end: m.CouchReadout | None) -> m.EndImageReply:
            request = m.EndImage(header=self._header(), image_id=chosen, couch=couch_at_end)
            return self._request(request, m.EndImageReply, timeout_s=timeout_s)

        return Transfer(self._images, begin, end, self._header, shape_kji=grid.shape_kji, timeout_s=timeout_s)

    def send_image(
        self,
        volume: Volume,
        *,
        position: PatientPosition,
        isocentre_mm: ArrayLike | None = None,
        patient_id: str | None = None,
        frame_of_reference_uid: str | None = None,
        table_angle_deg: float | None = None,
        image_table_angle_deg: float | None = None,
        scan_offset_mm: ArrayLike | None = None,
        couch: m.CouchReadout | None = None,
        source: str = "daily image",
        image_id: str | None = None,
        slab_slices: int = 8,
        progress: Progress | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> str:
        """Send a whole image and end it, the couch unmoved; returns its id. `progress` hears slices on disk and slices in all.

        The id of an image that broke off goes on where it stopped.
        """
        transfer = self.begin_image(
            volume.grid,
            position=position,
            image_id=image_id,
            isocentre_mm=isocentre_mm,
            patient_id=patient_id,
            frame_of_reference_uid=frame_of_reference_uid,
            table_angle_deg=table_angle_deg,
            image_table_angle_deg=image_table_angle_deg,
            scan_offset_mm=scan_offset_mm,
            couch=couch,
            source=source,
            timeout_s=timeout_s,
        )
        transfer.send_missing(volume.hu, slab_slices=slab_slices, progress=progress)
        transfer.end(couch=couch)
        return transfer.image_id

    def _header(self) -> m.Header:
        return m.new_header(session=self._session, patient_id=self._patient_id, plan_fingerprint=self._plan_fingerprint)

    def _request(self, request: m.Message, reply_type: type[_MessageT], *, timeout_s: float) -> _MessageT:
        """Send, and send again while no reply comes: a repeated id gets the first reply."""
        frame = m.encode(request)
        deadline_s = time.monotonic() + timeout_s
        wait_s = min(RESEND_S, timeout_s)
        while True:
            self._commands.send(frame)
            resend_s = time.monotonic() + wait_s
            while (left_s := min(resend_s, deadline_s) - time.monotonic()) > 0:
                if not self._commands.poll(max(1, int(left_s * 1000))):
                    continue
                reply = decode(self._commands.recv(), REPLIES)
                if isinstance(reply, m.Reply) and reply.request_id == request.header.message_id:
                    return self._accept(reply, reply_type)
            if time.monotonic() >= deadline_s:
                raise EngineSilentError(f"no reply to {request.wire_kind()} within {timeout_s:g} s; look whether the engine runs")
            wait_s *= 2

    def _accept(self, reply: m.Reply, reply_type: type[_MessageT]) -> _MessageT:
        if isinstance(reply, m.Error):
            raise refused(reply)
        if not isinstance(reply, reply_type):
            raise WireError("malformed", f"the engine replied with {reply.wire_kind()}; run the same version on both sides")
        if isinstance(reply, m.LoadPlanReply | m.SnapshotReply):
            self._session = reply.header.session
            self._patient_id, self._plan_fingerprint = reply.header.patient_id, reply.header.plan_fingerprint
        return reply

    # --------------------------------------------------------------------------------------------- events

    def events(self, *, timeout_s: float | None = None) -> Iterator[m.SnapshotReply | m.Event]:
        """First the snapshot of the connection, then each event after it; after a gap, or another run of the engine, a new snapshot.

        Ends after `timeout_s` where given; EngineSilentError where not even a heartbeat comes.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        self._heard_s = time.monotonic()
        if self._unseen:
            snapshot, self._unseen = self._unseen, None
            yield snapshot
        while True:
            message = self._receive_one(deadline_s)
            if message is None:
                return
            if message.header.session != self._followed:
                yield self._recover()
            elif isinstance(message, m.Event):
                if message.number > self._number + 1:
                    yield self._recover()
                elif message.number == self._number + 1:
                    self._number = message.number
                    yield message
            elif isinstance(message, m.Heartbeat) and message.last_number > self._number:
                yield self._recover()

    def wait_for(self, kinds: type[_MessageT] | tuple[type[_MessageT], ...], *, timeout_s: float, image_id: str | None = None) -> _MessageT:
        """The next event of these types, others passed over; EngineSilentError where none comes in time.

        With `image_id` only events of that image, and what came of it already is found in the snapshot.
        """
        for event in self.events(timeout_s=timeout_s):
            found = event.result if image_id and isinstance(event, m.SnapshotReply) else event
            if isinstance(found, kinds) and (image_id is None or getattr(found, "image_id", None) == image_id):
                return found
        wanted = " or ".join(k.wire_kind() for k in (kinds if isinstance(kinds, tuple) else (kinds,)))
        raise EngineSilentError(f"no {wanted} within {timeout_s:g} s; ask for the snapshot to see how far the engine is")

    def wait_for_answer(self, image_id: str, *, timeout_s: float) -> m.Proposal | m.Refusal:
        """The proposal or refusal for an image; RefusedError where none will come."""
        event = self.wait_for((m.Proposal, m.Refusal, m.ImageFailed), timeout_s=timeout_s, image_id=image_id)
        if isinstance(event, m.ImageFailed):
            raise RefusedError(event.code, event.sentence)
        assert isinstance(event, m.Proposal | m.Refusal)
        return event

    def _recover(self, *, timeout_s: float = REQUEST_TIMEOUT_S) -> m.SnapshotReply:
        snapshot = self.snapshot(timeout_s=timeout_s)
        self._followed, self._number = snapshot.header.session, snapshot.number
        return snapshot

    def _receive_one(self, deadline_s: float | None) -> m.Message | None:
        """The next readable message of the stream; None at the deadline."""
        while True:
            now_s = time.monotonic()
            until_s = self._heard_s + HEARTBEAT_LOST_S
            if deadline_s is not None:
                until_s = min(until_s, deadline_s)
            if self._events.poll(max(0, int((until_s - now_s) * 1000) + 1)):
                self._heard_s = time.monotonic()
                try:
                    return decode(self._events.recv(), EVENTS)
                except WireError as error:
                    if error.code != "unknown_kind":
                        raise
                    continue  # a kind of a later engine; its number is then a gap, and the snapshot tells
            now_s = time.monotonic()
            if deadline_s is not None and now_s >= deadline_s:
                return None
            if now_s - self._heard_s >= HEARTBEAT_LOST_S:
                raise EngineSilentError(f"{SILENCE} Trust nothing shown before; look at the engine.")
