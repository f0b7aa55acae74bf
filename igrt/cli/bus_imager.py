"""An imaging system's turn on the bus: send the image, hear the answer and the alerts that go with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from igrt.bus.client import Client
    from igrt.bus.messages import AlertState, CouchReadout, Proposal
    from igrt.cli.terminal import ProgressCall
    from igrt.images.radiographs import Radiographs
    from igrt.images.records import Daily
    from igrt.simulation.imager import Pace

ANSWER_TIMEOUT_S = 120.0
DEFECTS = ("defect", "worker_failed", "malformed")


@dataclass(frozen=True, slots=True)
class Heard:
    """What the engine said of one image; `wait_s` is from the image's last byte received to the answer published.

    `proposal` is the event that told of it where there is a correction.
    """

    answer: Mapping[str, Any]
    alerts: tuple[AlertState, ...]
    wait_s: float
    proposal: Proposal | None = None


@contextlib.contextmanager
def engine_errors() -> Iterator[None]:
    """What the engine refuses, or its silence, as an InputError with its sentence; a defect of the engine stays one (RuntimeError)."""
    from igrt.bus.errors import EngineSilentError, RefusedError
    from igrt.errors import InputError

    try:
        yield
    except EngineSilentError as problem:
        raise InputError(str(problem)) from problem
    except RefusedError as problem:
        if problem.code in DEFECTS:
            raise RuntimeError(f"the engine: {problem}") from problem
        raise InputError(str(problem)) from problem


def send_and_hear(
    client: Client,
    daily: Daily | Radiographs,
    *,
    progress: ProgressCall,
    pace: Pace | None = None,
    couch: CouchReadout | None = None,
    table_angle_deg: float | None = None,
) -> Heard:
    """Sends `daily` for the plan that the client loaded, and waits for what the engine says of it; errors as of the client."""
    from igrt.bus.messages import Proposal
    from igrt.simulation.imager import send_daily

    def stored(slices: int, total: int) -> None:
        progress("sending the image", slices / total)

    image_id = send_daily(client, daily, pace=pace, couch=couch, table_angle_deg=table_angle_deg, progress=stored)
    progress("waiting for the answer", 1.0)
    event = client.wait_for_answer(image_id, timeout_s=ANSWER_TIMEOUT_S)
    alerts = tuple(alert for alert in client.snapshot().alerts if alert.code.startswith("verdict_"))
    wait_s = event.published_monotonic_s - event.last_byte_received_monotonic_s
    return Heard(event.answer, alerts, wait_s, event if isinstance(event, Proposal) else None)
