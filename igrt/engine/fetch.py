"""The verb `fetch`: chunks of plan CT, contours and whole daily images, read off the event loop and neither journaled nor kept.

A content is held open under its plan's fingerprint or its image's id, and named by the SHA-256 of all of it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from igrt.bus import messages as m
from igrt.bus.topics import WireError
from igrt.engine.case import Case
from igrt.engine.fetch_content import Content, OpenFile, image_content
from igrt.engine.logs import log
from igrt.engine.plan_parts import PlanContents, Unreadable
from igrt.engine.requests import plan_in_use, reply_to

LOG = logging.getLogger(__name__)
READERS = 2
MOST_OPEN = 8
PLAN_S = 150.0


Key = tuple[str, str]
Contents = Mapping[str, Content]
_T = TypeVar("_T")


class Fetcher:
    """Of one event loop."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._threads = ThreadPoolExecutor(READERS, "fetch")
        self._opened: dict[Key, asyncio.Future[Contents]] = {}
        self._plan = ""
        self._reading: subprocess.Popen[bytes] | None = None
        self._closed = False

    def close(self) -> None:
        """End what is being read."""
        self._closed = True
        if self._reading:
            self._reading.kill()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def carry_out(self, request: m.Fetch) -> m.Reply:
        """One chunk; WireError where there is none."""
        case, fingerprint = self._case, plan_in_use(self._case, request.header)
        if request.what != "daily_image" and request.content_id != fingerprint:
            raise WireError("unknown_content", f"{request.content_id} is not the plan in use; ask for the snapshot")
        if fingerprint != self._plan:
            self._plan = fingerprint
            self._opened.clear()
        key = (request.what if request.what == "daily_image" else "plan", request.content_id)
        content = (await self._contents(key, fingerprint))[request.what]
        if request.version not in (None, content.sha256):
            raise WireError("changed_content", f"{request.what} {request.content_id} is another now; fetch it from its beginning")
        if request.offset_bytes > content.total_bytes:
            raise WireError(
                "unknown_content", f"{request.what} {request.content_id} has {content.total_bytes} bytes; ask for bytes within them"
            )
        try:
            data = await self._off_loop(lambda: content.read(request.offset_bytes, request.most_bytes))
        except WireError:
            self._opened.pop(key, None)  # what was taken off the disk is not held open
            raise
        return m.FetchReply(
            **reply_to(case, request),
            what=request.what,
            content_id=request.content_id,
            version=content.sha256,
            offset_bytes=request.offset_bytes,
            total_bytes=content.total_bytes,
            grid=content.grid,
            radiographs=content.radiographs,
            encoding="uint16" if content.radiographs else "msgpack" if content.grid is None else "int16",
            data=data,
        )

    async def _off_loop(self, work: Callable[[], _T]) -> _T:
        if self._closed:
            raise WireError("stopping", "the engine is stopping; start it again, then fetch")
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def _contents(self, key: Key, fingerprint: str) -> Contents:
        """Opened once, also for who asks meanwhile; what fails is tried again when it is asked for again."""
        opening = self._opened.pop(key, None)
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception())):
            opening = asyncio.ensure_future(self._open(key, fingerprint))
        self._opened[key] = opening  # the newest last
        while len(self._opened) > MOST_OPEN:
            del self._opened[next(iter(self._opened))]
        return await asyncio.shield(opening)

    async def _open(self, key: Key, fingerprint: str) -> Contents:
        what, content_id = key
        if what == "daily_image":
            return {what: await self._off_loop(lambda: image_content(self._case.folder, content_id, plan_fingerprint=fingerprint))}
        asked = self._case.plan_request
        assert asked is not None
        file, contents = await self._off_loop(lambda: self._read_plan(asked))
        if contents.fingerprint != fingerprint:
            raise WireError("unknown_content", "the plan's files are no longer those that were loaded; load the plan again")
        return {
            name: Content(file=file, start_bytes=p.start_bytes, total_bytes=p.total_bytes, sha256=p.sha256, grid=p.grid)
            for name, p in (("plan_ct", contents.plan_ct), ("contours", contents.contours))
        }

    def _read_plan(self, asked: m.LoadPlan) -> tuple[OpenFile, PlanContents]:
        """In a thread: have another process read the plan again, into a file without a name."""
        with tempfile.TemporaryFile(dir=self._case.folder) as file:
            contents = self._said(asked, file.fileno())
            if isinstance(contents, Unreadable):
                raise WireError("unknown_content", contents.sentence)
            return OpenFile(os.dup(file.fileno())), contents

    def _said(self, asked: m.LoadPlan, to: int) -> PlanContents | Unreadable:
        command = [sys.executable, "-m", "igrt.engine.plan_contents", "--to", str(to), "--parent", str(os.getpid())]
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL  # a traceback would name the patient's files
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, pass_fds=[to]) as process:  # noqa: S603 - the engine's own
            self._reading = process
            try:
                said, _ = process.communicate(m.encode(asked), timeout=0.0 if self._closed else PLAN_S)
            except subprocess.TimeoutExpired:
                said = b""
            finally:
                process.kill()
                self._reading = None
        if said and process.returncode == 0:
            return _SAID.decode(said)
        log(LOG, "the plan could not be read for fetching", level=logging.ERROR, exit_code=process.returncode)
        return Unreadable(sentence="the plan could not be read again; load it again, then fetch")


_SAID: msgspec.msgpack.Decoder[PlanContents | Unreadable] = msgspec.msgpack.Decoder(PlanContents | Unreadable)
