"""What can be done in each state of a session, where it leads, and the way to a state that is wanted."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from igrt.engine.states import State
from tests.faults.scenarios import ANY, GO, REFUSE, STOP

S = State


class Edge(NamedTuple):
    """What can be done in a state, with which plans, and where it leads."""

    verb: str
    to: State
    kinds: tuple[str, ...] = ANY


_LOAD = (*(Edge(f"load {kind}", S.READY) for kind in ANY), Edge("load nothing", S.IDLE))
_IMAGE = Edge("image", S.ACQUIRING)
_OVER = (Edge("put_aside", S.READY), _IMAGE, *_LOAD)
EDGES: dict[State, tuple[Edge, ...]] = {
    S.IDLE: _LOAD,
    S.READY: (_IMAGE, *_LOAD),
    S.ACQUIRING: (Edge("rest_of_image", S.REGISTERING),),
    S.REGISTERING: (Edge("wait", S.PROPOSED, (GO, STOP)), Edge("wait", S.REFUSED, (REFUSE,))),
    S.PROPOSED: (
        Edge("approve", S.APPROVED, (GO,)),
        Edge("override", S.APPROVED, (STOP,)),
        Edge("reject", S.REJECTED),
        Edge("wait", S.EXPIRED),
        *_LOAD,
    ),
    S.APPROVED: (Edge("claim", S.CLAIMED), Edge("reject", S.REJECTED), Edge("wait", S.EXPIRED), _IMAGE),
    S.CLAIMED: (Edge("start", S.MOVING), Edge("reject", S.WITHDRAWN), Edge("beam_on", S.INTERRUPTED), _IMAGE),
    S.MOVING: (Edge("arrive", S.IN_POSITION), Edge("reject", S.WITHDRAWN), Edge("stop", S.INTERRUPTED), Edge("go_astray", S.INTERRUPTED)),
    S.IN_POSITION: (Edge("beam_on", S.DELIVERING, (GO,)), _IMAGE),
    S.DELIVERING: (Edge("beam_off", S.READY), _IMAGE, Edge("go_astray", S.INTERRUPTED)),
    S.REFUSED: _OVER,
    S.REJECTED: _OVER,
    S.EXPIRED: _OVER,
    S.WITHDRAWN: _OVER,
    S.INTERRUPTED: (Edge("confirm_there", S.IN_POSITION), Edge("confirm_elsewhere", S.READY), _IMAGE, *_LOAD),
}
STATES = tuple(State)


def path_to(wanted: State, state: State, kind: str, closed: frozenset[str]) -> Edge | None:
    """The first edge of a shortest way; `closed` verbs cannot be done now. None where there is no way, or nowhere to go."""
    start = (state, kind)
    seen, queue = {start}, deque([(start, None)])
    while queue:
        (here, with_plan), first = queue.popleft()
        if here is wanted and first is not None:
            return first
        for edge in EDGES[here]:
            if with_plan not in edge.kinds or (edge.verb in closed and (here is state or edge.verb.startswith("load "))):
                continue
            after = (edge.to, edge.verb.removeprefix("load ") if edge.verb.startswith("load ") else with_plan)
            if after not in seen:
                seen.add(after)
                queue.append((after, first or edge))
    return None
