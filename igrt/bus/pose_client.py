"""The client's call that has a pose measured; `igrt.bus.client.Client` has it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

from igrt.bus import messages as m
from igrt.bus.errors import RefusedError
from igrt.bus.release_client import REQUEST_TIMEOUT_S
from igrt.geometry.motion import Frame, RigidMotion

EVALUATE_TIMEOUT_S = 60.0
_MessageT = TypeVar("_MessageT", bound=m.Message)


class PoseCalls(ABC):
    """A pose set by hand, measured."""

    @abstractmethod
    def _header(self) -> m.Header: ...

    @abstractmethod
    def _request(self, request: m.Message, reply_type: type[_MessageT], *, timeout_s: float) -> _MessageT: ...

    @abstractmethod
    def wait_for(self, kinds: type[_MessageT] | tuple[type[_MessageT], ...], *, timeout_s: float, image_id: str | None = None) -> _MessageT:
        """As `Client.wait_for`."""

    def evaluate_pose(
        self, image_id: str, plan_from_daily: RigidMotion, *, by: str, timeout_s: float = EVALUATE_TIMEOUT_S
    ) -> m.PoseEvaluated:
        """All evidence and findings at a pose (`plan_from_daily`, LPS mm) of the image answered last; what stands goes on standing.

        RefusedError where it cannot be measured. Events that come meanwhile are passed over, as by `wait_for`.
        """
        if (plan_from_daily.target, plan_from_daily.source) != (Frame.PLAN, Frame.DAILY):
            raise ValueError(f"a pose is plan_from_daily; this one is {plan_from_daily.name}")
        a, b, c, d = (tuple(float(value) for value in row) for row in plan_from_daily.matrix)
        request = m.EvaluatePose(header=self._header(), image_id=image_id, plan_from_daily=(a, b, c, d), by=by)  # type: ignore[arg-type]
        self._request(request, m.EvaluatePoseReply, timeout_s=REQUEST_TIMEOUT_S)
        while True:
            event = self.wait_for((m.PoseEvaluated, m.PoseNotEvaluated), timeout_s=timeout_s)
            assert isinstance(event, m.PoseEvaluated | m.PoseNotEvaluated)
            if event.evaluation_id == request.header.message_id:
                if isinstance(event, m.PoseNotEvaluated):
                    raise RefusedError(event.code, event.sentence)
                return event
