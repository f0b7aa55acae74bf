"""The answers given again: each recorded image through the worker's own code, with the recorded plan, calibration and clock."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from igrt.bus import messages as m
from igrt.compute import device as devices
from igrt.engine.basis import Basis, this_build
from igrt.engine.record import ANSWER, IMAGE_REMOVED, PLAN, AnswerRow, PlanRow
from igrt.engine.replay_compare import Difference, differences
from igrt.engine.replay_turns import Turn
from igrt.engine.solver import AnswerSolver
from igrt.engine.tasks import PlanReady
from igrt.errors import InputError
from igrt.verification.superseding import with_differences

CHUNK_BYTES = 1 << 24
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An answer of the journal with all that gave it; `event` holds the answer and is None where it failed."""

    row: int
    plan: PlanRow
    answered: AnswerRow
    event: bytes | None

    @property
    def image_id(self) -> str:
        """Of the image."""
        return self.answered.description.image_id

    @property
    def basis(self) -> Basis:
        """What the answer rests on beside plan and image."""
        return self.answered.basis

    @property
    def outcome(self) -> dict[str, Any]:
        """The answer as the worker gave it, without what the engine found beside an earlier image; or why there is none."""
        answer = None if self.event is None else with_differences(msgspec.msgpack.decode(self.event)["answer"], ())
        return {"answer": answer, "failed": self.answered.failed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An image answered again: on which device, compared bit for bit (`exact`) or within tolerance, and what differs."""

    row: int
    image_id: str
    device: str
    exact: bool
    seconds: float
    differences: tuple[Difference, ...]


class Collector:
    """Takes the turns of a journal one by one.

    `recorded` are its answers, `gone` the rows of those whose image a command took off the disk later, `without_basis` the rows of answers
    that cannot be given again.
    """

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.gone: set[int] = set()
        self.without_basis: list[int] = []
        self._plan: PlanRow | None = None

    def take(self, turn: Turn) -> None:
        """Note what of it an answer needs."""
        for row in turn.rows:
            if row.kind == IMAGE_REMOVED and row.payload is not None:
                image_id = msgspec.msgpack.decode(row.payload)["image_id"]
                self.gone |= {one.row for one in self.recorded if one.image_id == image_id}
        if turn.erased:
            return
        self._plan = turn.read(PLAN, PlanRow) or self._plan
        answered, told = turn.read(ANSWER, AnswerRow), turn.first(m.Proposal) or turn.first(m.Refusal) or turn.first(m.PoseEvaluated)
        if answered and self._plan:
            event = None if told is None else m.encode(told)
            self.recorded.append(Recorded(row=turn.number, plan=self._plan, answered=answered, event=event))
        elif told:
            self.without_basis.append(turn.number)


def require_image(recorded: Recorded, folder: Path) -> Path:
    """The file of the voxels, the very ones of the journal; InputError names it where it is missing or changed."""
    path = folder / f"{recorded.image_id}.hu"
    d, digest = recorded.answered.description, hashlib.sha256()
    left = d.slices * d.slice_bytes
    try:
        with path.open("rb") as file:
            while left > 0 and (data := file.read(min(left, CHUNK_BYTES))):
                digest.update(data)
                left -= len(data)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}), of image {recorded.image_id} in row {recorded.row}; give the folder of the images"
        ) from error
    if left or digest.hexdigest() != recorded.basis.image_sha256:
        raise InputError(
            f"{path} is not the image that was answered in row {recorded.row}: its voxels have another SHA-256; restore it from a backup"
        )
    return path


def require_plan(recorded: Recorded, plans: Path | None) -> Path:
    """Where the plan lies now: where it was, or in `plans` under its own name."""
    was = Path(recorded.plan.request.path)
    places = [was] if plans is None else [plans / was.name, plans]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise InputError(f"{places[0]}: the plan of image {recorded.image_id} is not there; give the folder that holds it")
    return found


class Answering:
    """Gives answers again, the plan kept prepared from one image to the next."""

    def __init__(self, *, plans: Path | None, device: str | None, progress: Progress) -> None:
        self._plans, self._device, self._progress = plans, device, progress
        self._solver: AnswerSolver | None = None
        self._loaded: tuple[PlanRow, str] | None = None
        self._found: tuple[Difference, ...] = ()

    def again(self, recorded: Recorded, image: Path) -> Answer:
        """The answer on the recorded device, or the one asked for; InputError where its plan is missing or another."""
        began_s = time.perf_counter()
        device = _device(self._device, recorded.basis.device)
        solver = self._prepared(recorded, device)
        exact = device == recorded.basis.device and recorded.basis.build.answers_as(this_build())
        was, given = recorded.outcome, self._answer(solver, recorded, image)
        if not exact and None not in (was["failed"], given["failed"]):
            was = given  # the same failure, in the words of another build
        found = (*self._found, *differences(was, given, exact=exact))
        return Answer(
            row=recorded.row,
            image_id=recorded.image_id,
            device=device,
            exact=exact,
            seconds=time.perf_counter() - began_s,
            differences=found,
        )

    def _prepared(self, recorded: Recorded, device: str) -> AnswerSolver:
        plan = recorded.plan
        if self._solver is not None and self._loaded == (plan, device):
            return self._solver
        assert plan.ready.used is not None
        path = require_plan(recorded, self._plans)
        solver = AnswerSolver(None, device)
        ready = solver.load_for(plan.ready.number, msgspec.structs.replace(plan.request, path=str(path)), plan.ready.used, self._progress)
        if ready.fingerprint != plan.ready.fingerprint:
            raise InputError(
                f"{path} is not the plan that was in use (another fingerprint); give the plan as it was, image {recorded.image_id}"
            )
        exact = recorded.basis.build.answers_as(this_build())
        self._found = tuple(differences(_plain(plan.ready), _plain(ready), exact=exact, new=("prepare_s",), field="plan"))
        self._solver, self._loaded = solver, (plan, device)
        return solver

    def _answer(self, solver: AnswerSolver, recorded: Recorded, image: Path) -> dict[str, Any]:
        """As `Recorded.outcome`."""
        d = recorded.answered.description
        try:
            solver.begin(d, image)
            solver.add(0, d.slices)
            answered = recorded.answered
            answer = solver.answer(self._progress, judged_utc_unix_s=answered.basis.judged_utc_unix_s, pose=answered.pose)
        except InputError as error:  # which may name the plan, and that may lie elsewhere now
            sentence = str(error).replace(str(require_plan(recorded, self._plans)), recorded.plan.request.path)
            return {"answer": None, "failed": sentence}
        return {"answer": msgspec.msgpack.decode(msgspec.msgpack.encode(answer)), "failed": None}


def _device(asked: str | None, recorded: str) -> str:
    """What was asked for, else the recorded one where this machine has it, else its best."""
    if asked is not None:
        return devices.choose(asked).name
    try:
        return devices.choose(recorded).name
    except InputError:
        return devices.choose().name


def _plain(ready: PlanReady) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(ready))
