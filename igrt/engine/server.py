"""The engine's process: three sockets, the worker's keeper and the clock, around the desk."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from itertools import islice

import zmq
import zmq.asyncio

from igrt.bus import messages as m
from igrt.bus.sockets import (
    CREDIT_SLABS,
    ENDPOINTS_FILE,
    LARGEST_COMMAND_BYTES,
    LARGEST_SLAB_BYTES,
    Endpoints,
    bind,
    loopback_host,
    publisher,
    router,
)
from igrt.bus.topics import REQUESTS, WireError, decode
from igrt.engine.ballast import LARGEST_BYTES, Ballast
from igrt.engine.basis import software_version
from igrt.engine.case import Case
from igrt.engine.desk import WAITING, Desk
from igrt.engine.intake import Intake
from igrt.engine.journal import Entry, Journal
from igrt.engine.lock import OnlyOne
from igrt.engine.logs import Ref, log
from igrt.engine.notify import Notifier
from igrt.engine.record import FILE as JOURNAL_FILE
from igrt.engine.record import RELEASE, REPLY, REQUEST, RUN, last_state
from igrt.engine.reports import on_death, on_give_up, on_report
from igrt.engine.requests import as_told
from igrt.engine.resume import kept, resume, run_row
from igrt.engine.second_case import second_reports
from igrt.engine.second_process import SecondProcess
from igrt.engine.settings import Settings as Settings
from igrt.engine.spool_files import finish_removals
from igrt.engine.stream import Stream, blanked
from igrt.engine.supervisor import Supervisor
from igrt.engine.tidying import Tidying
from igrt.errors import InputError

LOG = logging.getLogger(__name__)
REMEMBERED_REPLIES = 1024
WATCH_PERIOD_S = 0.5
ERASED = "the first reply to this request was erased with its patient; ask anew with another message id"


class Engine:
    """One run of the engine on one event loop."""

    def __init__(self, settings: Settings) -> None:
        loopback_host(settings.host)
        self._settings = settings
        self._replies: dict[str, asyncio.Task[bytes]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._service = Notifier()
        self._ballast = Ballast(settings.folder, min(LARGEST_BYTES, settings.limits.reserve_bytes))

    def stop(self) -> None:
        """End gracefully; from the loop's own thread."""
        self._stop.set()

    async def run(self, on_ready: Callable[[Endpoints], None]) -> None:
        """Serve until stopped."""
        settings = self._settings
        settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        spool_folder = settings.folder / "spool"
        spool_folder.mkdir(exist_ok=True, mode=0o700)
        session = uuid.uuid4().hex
        with (
            OnlyOne(settings.folder),
            Journal(settings.folder / JOURNAL_FILE, session=session) as self._journal,
            ThreadPoolExecutor(1, "disk") as disk,
            zmq.asyncio.Context() as context,
        ):
            finish_removals(spool_folder)
            self._open(context, session)
            supervisor = Supervisor(
                settings.worker(),
                settings.budgets,
                on_report=lambda report, task: on_report(case, report, task),
                on_death=lambda death: on_death(case, death),
                on_give_up=lambda task: on_give_up(case, task),
            )
            self._case = case = Case(self._stream, supervisor, folder=spool_folder, limits=settings.limits, disk=disk, site=settings.site)
            self._desk = Desk(case)
            self._second = SecondProcess(
                settings.second(), budget_s=settings.second_budget_s, on_report=lambda report: second_reports(case, report)
            )
            case.second = self._second if settings.second_solver else None
            try:
                self._go_on()
                await self._serve(context, on_ready)
            finally:
                for socket in (self._commands, self._images, self._events):
                    socket.close()

        if self._stream.failure:
            raise InputError(str(self._stream.failure))

    def _go_on(self) -> None:
        """With what the last run left, and from now on write down what the next one needs."""
        case, last = self._case, last_state(self._journal)
        self._stream.keep, self._stream.make_room = lambda: kept(case), self._ballast.throw
        with self._stream.together():
            self._stream.note(Entry(RUN, run_row(case, engine=software_version())))
            if last is not None:
                resume(case, last, journal=self._journal.path)

    def _open(self, context: zmq.asyncio.Context, session: str) -> None:
        s = self._settings
        self._commands = router(context.socket, largest_bytes=LARGEST_COMMAND_BYTES, queue=1000)
        self._images = router(context.socket, largest_bytes=LARGEST_SLAB_BYTES, queue=2 * CREDIT_SLABS)
        self._stream = Stream(self._publish, self._journal, session=session)
        self._events = publisher(context.socket, welcome=self._stream.welcome())
        try:
            self.endpoints = Endpoints(
                commands=bind(self._commands, host=s.host, port=s.commands_port, what="commands"),
                images=bind(self._images, host=s.host, port=s.images_port, what="images"),
                events=bind(self._events, host=s.host, port=s.events_port, what="events"),
                pid=os.getpid(),
            )
        except InputError:
            for socket in (self._commands, self._images, self._events):
                socket.close()
            raise

    def _publish(self, frame: bytes) -> None:
        self._events.send(frame)

    async def _serve(self, context: zmq.asyncio.Context, on_ready: Callable[[Endpoints], None]) -> None:
        intake = Intake(self._images, self._case, on_defect=self._defect)
        keeper = asyncio.create_task(self._case.supervisor.run(context))
        running = [self._take_commands, intake.read, self._take_subscriptions, self._beat]
        if self._settings.keep_days is not None:
            running.append(Tidying(self._case, keep_days=self._settings.keep_days).run)
        loops = [asyncio.create_task(self._guarded(loop)) for loop in running]
        writer = asyncio.create_task(intake.write())
        address_file = self._settings.folder / ENDPOINTS_FILE
        self.endpoints.write(address_file)
        try:
            on_ready(self.endpoints)
            self._service.ready()
            log(LOG, "serving", version=software_version(), session=self._stream.session, state=self._case.session.state.value)
            await self._stop.wait()
        finally:
            self._service.stopping()
            address_file.unlink(missing_ok=True)
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await intake.finish()
            writer.cancel()
            self._say_stopping()
            self._desk.close()
            await asyncio.gather(*self._answering, writer, return_exceptions=True)
            await self._second.stop()
            await self._case.supervisor.stop(keeper)
            self._ballast.throw()
            log(LOG, "stopped")

    def _say_stopping(self) -> None:
        """To followers, and to who waits for a plan; then let go of the image's file."""
        self._stream.tell(m.Stopping)
        if self._case.plan_asked:
            self._case.plan_fails(WireError("stopping", "the engine is stopping; start it again, then load the plan"))
        self._case.close_spool()

    async def _guarded(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop; a defect in it is logged and the loop goes on."""
        while True:
            try:
                await loop()
            except zmq.ZMQError as error:
                if error.errno in (zmq.ETERM, zmq.ENOTSOCK):
                    return
                self._defect(error)
            except Exception as error:  # noqa: BLE001 - nothing that comes over a socket may end the engine
                self._defect(error)
            await asyncio.sleep(0.01)

    # ------------------------------------------------------------------------------------------- commands

    async def _take_commands(self) -> None:
        while True:
            peer, *frames = await self._commands.recv_multipart()
            task = asyncio.create_task(self._answer(peer, frames))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _answer(self, peer: bytes, frames: list[bytes]) -> None:
        """Reply to one request; an empty frame before it (as REQ sockets send) is sent back."""
        envelope = [peer, b""] if len(frames) > 1 and frames[0] == b"" else [peer]
        body = frames[len(envelope) - 1 :]
        try:
            if len(body) != 1:
                raise WireError("malformed", f"{len(body)} frames came; a request is one")
            request = decode(body[0], REQUESTS)
            if request.header.message_id.startswith(f"{RELEASE}."):
                raise WireError("malformed", "message ids do not begin with release.; make them at random", request.header.message_id)
        except WireError as error:
            await self._commands.send_multipart([*envelope, self._error(error)])
            return
        if isinstance(request, m.Fetch):  # it only reads: its reply is large, and neither kept nor written down
            await self._commands.send_multipart([*envelope, await self._carry_out(request)])
            return
        request_id = request.header.message_id
        reply = self._replies.get(request_id)
        if reply is None:
            reply = self._replies[request_id] = asyncio.create_task(self._carry_out_once(request))
        frame = await asyncio.shield(reply)
        self._forget_replies()
        if not self._stream.failure:  # else the reply is not written down, and so never given
            await self._commands.send_multipart([*envelope, frame])

    async def _carry_out_once(self, request: m.Message) -> bytes:
        """The first reply to this request, also that of an earlier run; written down before it is given, with what it brought about."""
        if isinstance(request, m.Snapshot):
            return await self._carry_out(request)
        request_id = request.header.message_id
        patient_id = None if isinstance(request, m.LoadPlan) else self._stream.patient_id or None
        first = self._journal.reply(request_id)
        if first is not None:
            return first.payload or self._error(WireError("not_now", ERASED, request_id))
        reply = b""
        with suppress(WireError), nullcontext() if isinstance(request, WAITING) else self._stream.together():
            self._stream.note(Entry(REQUEST, m.encode(blanked(request)), patient_id=patient_id))
            reply = await self._carry_out(request)
            self._stream.note(Entry(REPLY, reply, patient_id=self._stream.patient_id or None, request_id=request_id))
        return reply

    async def _carry_out(self, request: m.Message) -> bytes:
        kind, patient = request.wire_kind(), Ref("patient", self._stream.patient_id)
        try:
            reply = m.encode(await self._desk.carry_out(request))
            log(LOG, "request", level=logging.DEBUG if isinstance(request, m.Snapshot) else logging.INFO, kind=kind, patient=patient)
            return reply
        except Exception as error:  # noqa: BLE001 - told to the client, and logged
            known = self._as_told(error, request)
            log(LOG, "request refused", kind=kind, code=known.code, patient=patient)
            return self._error(WireError(known.code, known.sentence, request.header.message_id))

    def _as_told(self, error: Exception, request: m.Message) -> WireError:
        if not isinstance(error, WireError | InputError):
            self._defect(error)
        return as_told(error, request)

    def _error(self, error: WireError) -> bytes:
        return m.encode(m.Error(header=self._stream.header(), request_id=error.request_id, code=error.code, sentence=error.sentence))

    def _forget_replies(self) -> None:
        """Keep the newest replies; a request repeated after thousands of others is a new one."""
        excess = max(0, len(self._replies) - REMEMBERED_REPLIES)
        for request_id in list(islice((i for i, reply in self._replies.items() if reply.done()), excess)):
            del self._replies[request_id]

    # --------------------------------------------------------------------------------------------- events

    async def _take_subscriptions(self) -> None:
        while True:
            await self._events.recv()

    async def _beat(self) -> None:
        next_beat_s = time.monotonic()
        while True:
            now_s = time.monotonic()
            if self._stream.failure:
                self.stop()
            else:
                self._service.alive()
                self._ballast.take()
            with self._stream.together():
                self._case.watch(now_s=self._stream.now_s, utc_s=self._stream.utc_unix_s)
            if now_s >= next_beat_s:
                self._stream.beat()
                next_beat_s += self._settings.heartbeat_s
                next_beat_s = max(next_beat_s, now_s)
            await asyncio.sleep(min(WATCH_PERIOD_S, self._settings.heartbeat_s, max(next_beat_s - time.monotonic(), 0.0)))

    def _defect(self, error: BaseException) -> None:
        LOG.error("a defect of igrt", exc_info=error)


def serve(settings: Settings, *, on_ready: Callable[[Endpoints], None]) -> None:
    """Run an engine until SIGTERM or SIGINT; `on_ready` hears its addresses. InputError for a host or port that cannot be."""

    async def run() -> None:
        engine = Engine(settings)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, engine.stop)
        await engine.run(on_ready)

    asyncio.run(run())
