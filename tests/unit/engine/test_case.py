"""What time and the disk bring: clock jumps, a disk that fills."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from igrt.bus import messages as m
from igrt.bus.topics import EVENTS, decode
from igrt.engine import case as cases
from igrt.engine.case import Case, Limits
from igrt.engine.states import NotAllowedError, Trigger
from igrt.engine.stream import Stream
from igrt.engine.supervisor import Budgets, Supervisor


@pytest.fixture
def told():
    return []


@pytest.fixture
def case(tmp_path, told):
    stream = Stream(lambda frame: told.append(decode(frame, EVENTS)))
    ignore = {"on_report": lambda *_: None, "on_death": lambda _: None, "on_give_up": lambda _: None}
    with ThreadPoolExecutor(1) as disk:
        yield Case(stream, Supervisor((), Budgets(), **ignore), folder=tmp_path, limits=Limits(disk_low_bytes=0), disk=disk)


def offset_s(case) -> float:
    return case._utc_minus_monotonic_s


@pytest.mark.parametrize("jump_s", [-3600.0, -1.5, 1.5, 86400.0, float("nan")])
def test_a_clock_that_jumps_is_told_once(case, told, jump_s):
    start = offset_s(case)
    case.watch(now_s=100.0, utc_s=start + 100.0)
    assert told == []
    case.watch(now_s=100.5, utc_s=start + 100.5 + jump_s)
    assert [e.alert.code for e in told] == ["clock_jumped"]
    if jump_s == jump_s:
        case.watch(now_s=101.0, utc_s=start + 101.0 + jump_s)
        assert len(told) == 1


def test_a_clock_that_is_slewed_by_the_time_service_has_not_jumped(case, told):
    start = offset_s(case)
    for n in range(1000):
        case.watch(now_s=n * 0.5, utc_s=start + n * 0.5 * 1.0005)
    assert told == []


def test_a_disk_that_fills_is_told_once_and_cleared(case, told, monkeypatch):
    case.limits = Limits(disk_low_bytes=5 << 30)
    free = [4 << 30, 3 << 30, 6 << 30]
    monkeypatch.setattr(cases, "free_bytes", lambda _: free.pop(0))
    for n in range(3):
        case.watch(now_s=float(n), utc_s=offset_s(case) + n)
    assert [type(e) for e in told] == [m.Alert, m.AlertCleared]
    assert "4.0 GiB left" in told[0].alert.sentence


def test_the_case_moves_by_the_table_alone(case):
    with pytest.raises(NotAllowedError):
        case.move(Trigger.ANSWER_ACCEPTED)
