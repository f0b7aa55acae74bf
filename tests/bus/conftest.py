"""An engine of its own for each test, in a thread, with a worker that needs no images."""

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from igrt.bus.client import Client
from igrt.bus.sockets import Endpoints
from igrt.compute.volume import Volume
from igrt.engine.case import Limits
from igrt.engine.record import FILE
from igrt.engine.replay import replay
from igrt.engine.server import Engine, Settings
from igrt.engine.supervisor import Budgets
from igrt.geometry.grid import Grid
from igrt.geometry.motion import Frame

FAKE_WORKER = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))
WAIT_S = 30.0


@dataclass
class Running:
    """An engine under test."""

    folder: Path
    settings: Settings
    engine: Engine = field(init=False)
    endpoints: Endpoints = field(init=False)
    failure: BaseException | None = None

    def start(self) -> None:
        ready = threading.Event()

        async def run() -> None:
            self.loop = asyncio.get_running_loop()
            self.engine = Engine(self.settings)

            def on_ready(endpoints: Endpoints) -> None:
                self.endpoints = endpoints
                ready.set()

            await self.engine.run(on_ready)

        def main() -> None:
            try:
                asyncio.run(run())
            except BaseException as error:  # noqa: BLE001 - raised where the test waits
                self.failure = error
                ready.set()

        self.thread = threading.Thread(target=main)
        self.thread.start()
        assert ready.wait(WAIT_S)
        if self.failure:
            self.thread.join(WAIT_S)
            raise self.failure

    def stop(self) -> None:
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.engine.stop)
            self.thread.join(WAIT_S)
            assert not self.thread.is_alive()
        if self.failure:
            raise self.failure

    @property
    def worker_pid(self) -> int | None:
        return self.engine._case.supervisor.pid

    def on_loop(self, call: Callable[[], Any]) -> Any:
        """Run something on the engine's own thread."""

        async def run() -> Any:
            return call()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(WAIT_S)


@pytest.fixture
def start_engine(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start engines; keywords go into the settings."""
    folders: set[Path] = set()
    with ExitStack() as stack:

        def start(**changes: Any) -> Running:
            defaults: dict[str, Any] = {
                "folder": tmp_path / "engine",
                "worker_command": FAKE_WORKER,
                "heartbeat_s": 0.1,
                "limits": Limits(reserve_bytes=0, disk_low_bytes=0),
                "budgets": Budgets(),
            }
            settings = Settings(**(defaults | changes))
            running = Running(settings.folder, settings)
            running.start()
            stack.callback(running.stop)
            folders.add(running.folder)
            return running

        yield start
    for folder in folders:
        if (folder / FILE).exists():
            assert list(replay(folder, answers=False).sentences) == []  # whatever happened, it is decided the same again


@pytest.fixture
def engine(start_engine: Callable[..., Running]) -> Running:
    """One with the defaults."""
    return start_engine()


@pytest.fixture
def client(engine: Running) -> Iterator[Client]:
    """A client of `engine`."""
    with Client(engine.endpoints) as client:
        yield client


@pytest.fixture
def plan_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a plan of the fake worker."""

    def write(name: str = "plan.json", **behaviour: Any) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(behaviour))
        return path

    return write


@pytest.fixture
def volume() -> Volume:
    """A small image whose slices all differ."""
    return make_volume()


def make_volume(shape: tuple[int, int, int] = (20, 6, 5), seed: int = 1) -> Volume:
    hu = np.random.default_rng(seed).integers(-1000, 2000, shape).astype(np.int16)
    return Volume(Grid.aligned(Frame.DAILY, shape_kji=shape, origin_mm=(1.0, -2.0, 3.0), spacing_mm=(1.0, 1.5, 2.0)), hu)
