"""What the engine has in hand: the session, its plan, its image, and what came of it; every change is told on the stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine import states
from igrt.engine.alerts import ClearedBy
from igrt.engine.spool import SlabData, Spool, free_bytes
from igrt.engine.states import LEAVING, Session, State, Trigger
from igrt.engine.stream import Stream
from igrt.engine.supervisor import Supervisor
from igrt.engine.tasks import AnswerTask, ImageTask, PlanReady, PlanTask, SlabTask

OF_AN_IMAGE = (ImageTask, SlabTask, AnswerTask)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Limits:
    """When silence and shortage become alerts, and how much of the disk is never filled."""

    stall_s: float = 10.0
    clock_jump_s: float = 1.0
    reserve_bytes: int = 1 << 30
    disk_low_bytes: int = 5 << 30


class Case:
    """One event loop's; disk work goes to `disk`, one thread, in order."""

    def __init__(self, stream: Stream, supervisor: Supervisor, *, folder: Path, limits: Limits, disk: ThreadPoolExecutor) -> None:
        self.stream, self.supervisor, self.folder, self.limits = stream, supervisor, folder, limits
        self.session = Session(since_s=time.monotonic())
        self.plan: PlanReady | None = None
        self.plan_asked: tuple[int, asyncio.Future[PlanReady]] | None = None
        self.spool: Spool | None = None
        self.result: m.Proposal | m.Refusal | m.ImageFailed | None = None
        self.last_byte_s = 0.0
        self._disk = disk
        self._utc_minus_monotonic_s = time.time() - time.monotonic()

    async def on_disk(self, work: Callable[[], _T]) -> _T:
        """Run disk work on the disk's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

    def move(self, trigger: Trigger, image_id: str | None = None) -> None:
        """Take the table's step and tell it."""
        previous = self.session.state
        self.session = states.step(self.session, trigger, now_s=time.monotonic(), image_id=image_id)
        self.stream.tell(
            m.StateChanged,
            previous=previous.value,
            state=self.session.state.value,
            trigger=trigger.value,
            image_id=self.session.image_id,
        )

    def leave(self) -> None:
        """End what is in hand, before another image or plan takes its place."""
        for trigger in LEAVING.get(self.session.state, ()):
            self.move(trigger)
        self.result = None
        self.stream.clear_all(ClearedBy.NEXT)
        self.stream.clear("image_stalled")
        self.supervisor.forget(OF_AN_IMAGE)
        self.close_spool()

    def drop_plan(self) -> None:
        """No plan is in use any more."""
        self.leave()
        self.supervisor.forget((PlanTask,))
        if self.session.state is not State.IDLE:
            self.move(Trigger.PLAN_DROPPED)
        self.plan = None
        self.stream.patient_id = self.stream.plan_fingerprint = None

    def plan_fails(self, error: WireError) -> None:
        """The plan that was asked for cannot be had; who asked is told."""
        assert self.plan_asked is not None
        _, ready = self.plan_asked
        self.plan_asked = None
        self.supervisor.forget((PlanTask,))
        ready.set_exception(error)

    def begin(self, spool: Spool) -> None:
        """Take an image in, in place of what was in hand."""
        self.leave()
        self.spool, d = spool, spool.description
        self.move(Trigger.IMAGE_BEGUN, d.image_id)
        self.last_byte_s = time.monotonic()
        self.supervisor.tell(ImageTask(number=self.supervisor.next_number(), description=d, path=str(spool.path)))
        for k_start, end in spool.stored:
            self._tell_slab(k_start, end - k_start)

    def end(self) -> None:
        """The image is whole: have it answered."""
        self.move(Trigger.IMAGE_ENDED)
        self.supervisor.tell(AnswerTask(number=self.supervisor.next_number()))

    def spool_of(self, image_id: str) -> Spool:
        """Of the image that is being taken in; WireError where that is not `image_id`."""
        spool = self.spool
        if spool is None or spool.description.image_id != image_id or self.session.state is not State.ACQUIRING:
            raise WireError("unknown_image", f"image {image_id} is not being taken in; begin it first")
        return spool

    def slabs_stored(self, spool: Spool, slabs: Sequence[SlabData], *, received_s: float) -> None:
        """New slabs of `spool` are on disk; the last byte of them came at `received_s` (monotonic)."""
        if spool is not self.spool or self.session.state is not State.ACQUIRING:
            return
        self.last_byte_s = max(self.last_byte_s, received_s)
        self.session = states.progressed(self.session, now_s=time.monotonic())
        self.stream.clear("image_stalled")
        for slab in slabs:
            spool.note(slab)
            self._tell_slab(slab.k_start, slab.slices)
        self.stream.tell(m.ImageProgress, image=self.image_state())

    def disk_failed(self, spool: Spool, error: OSError) -> None:
        """The disk did not keep slabs of `spool`: the image breaks off."""
        if spool is self.spool and self.session.state is State.ACQUIRING:
            self.fail_image("disk_failed", f"it cannot be kept on disk ({error.strerror}); look at the disk, then begin the image again")

    def fail_image(self, code: str, sentence: str) -> None:
        """No answer will come for the image in hand."""
        image_id = self.session.image_id
        assert image_id is not None
        self.supervisor.forget(OF_AN_IMAGE)
        self.move(Trigger.INTERRUPTION)
        self.close_spool()
        self.result = self.stream.tell(m.ImageFailed, image_id=image_id, code=code, sentence=sentence)
        self.stream.alert("answer_failed", image_id=image_id, sentence=sentence)

    def close_spool(self) -> None:
        """Let go of the image's file, after the disk work under way."""
        if self.spool:
            self._disk.submit(self.spool.close)
            self.spool = None

    def image_state(self) -> m.ImageState | None:
        """How much of the image in hand is on disk."""
        if self.spool is None:
            return None
        d = self.spool.description
        return m.ImageState(image_id=d.image_id, slices_stored=self.spool.slices_stored, slices_total=d.slices)

    def _tell_slab(self, k_start: int, slices: int) -> None:
        self.supervisor.tell(SlabTask(number=self.supervisor.next_number(), k_start=k_start, slices=slices))

    def watch(self, *, now_s: float, utc_s: float) -> None:
        """Raise and clear what time and the disk bring; called about twice a second with both clocks."""
        limits = self.limits
        if states.is_stalled(self.session, now_s=now_s, stall_s=limits.stall_s):
            self.stream.alert("image_stalled", image_id=self.session.image_id, stall_s=limits.stall_s)
        jump_s = utc_s - now_s - self._utc_minus_monotonic_s
        self._utc_minus_monotonic_s += jump_s  # slow drift, which the time service corrects, is no jump
        if not abs(jump_s) < limits.clock_jump_s:
            self.stream.alert("clock_jumped", jump_s=jump_s)
        free = free_bytes(self.folder)
        if free >= limits.disk_low_bytes:
            self.stream.clear("disk_low")
        elif "disk_low" not in self.stream.alerts:
            self.stream.alert("disk_low", free_gib=free / 2**30)
