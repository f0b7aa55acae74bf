"""The worker's keeper, with workers that are a few lines of Python."""

import asyncio
import sys

import pytest
import zmq.asyncio

from igrt.bus import messages as m
from igrt.engine.supervisor import Budgets, Supervisor
from igrt.engine.tasks import DeviceFailed, Done, PlanTask, SlabTask, Started

GOOD = """
import msgspec, sys, zmq
from igrt.engine.tasks import AnyTask, Done, Started, StopTask
socket = zmq.Context().socket(zmq.PAIR)
socket.connect(sys.argv[sys.argv.index("--connect") + 1])
say = lambda r: socket.send(msgspec.msgpack.encode(r))
say(Started(number=0))
while not isinstance(task := msgspec.msgpack.decode(socket.recv(), type=AnyTask), StopTask):
    say(Done(number=task.number))
"""
WAIT_S = 30.0


def supervise(code: str, scenario, **budgets):
    """Run a scenario with a supervisor whose worker is `code`; gives what it heard."""
    heard = []

    async def run():
        command = (sys.executable, "-c", code) if code else ("/nonexistent/worker",)
        supervisor = Supervisor(
            command,
            Budgets(**budgets),
            on_report=lambda report, task: heard.append((report, task)),
            on_death=lambda death: heard.append(death),
            on_give_up=lambda task: heard.append(task),
        )
        with zmq.asyncio.Context() as context:
            keeper = asyncio.create_task(supervisor.run(context))
            try:
                async with asyncio.timeout(WAIT_S):
                    await scenario(supervisor, heard)
            finally:
                await supervisor.stop(keeper)
            assert keeper.done()
            assert supervisor.pid is None

    asyncio.run(run())
    return heard


async def until(heard, condition):
    while not any(condition(h) for h in heard):
        await asyncio.sleep(0.005)


def slab(number: int) -> SlabTask:
    return SlabTask(number=number, k_start=0, slices=1)


def test_tasks_told_before_the_worker_is_up_are_done_in_order():
    async def scenario(supervisor, heard):
        for n in (1, 2, 3):
            supervisor.tell(slab(n))
        await until(heard, lambda h: isinstance(h, tuple) and h[0].number == 3)

    heard = supervise(GOOD, scenario)
    assert [r.number for r, _ in heard] == [0, 1, 2, 3]
    assert [t.number for _, t in heard[1:]] == [1, 2, 3]


def test_after_a_device_failed_the_next_worker_is_on_the_processor_and_told_again():
    failing = GOOD.replace(
        "    say(Done(number=task.number))",
        """    if "cpu" not in sys.argv:
        from igrt.engine.tasks import DeviceFailed
        say(DeviceFailed(number=task.number, sentence="it failed"))
        socket.close()
        sys.exit(0)
    say(Done(number=task.number))""",
    )

    async def scenario(supervisor, heard):
        supervisor.tell(slab(1))
        await until(heard, lambda h: isinstance(h, tuple) and isinstance(h[0], Done))

    heard = supervise(failing, scenario)
    reports = [h[0] for h in heard if isinstance(h, tuple)]
    assert [type(r) for r in reports] == [Started, DeviceFailed, Started, Done]
    assert reports[-1].number == 1


def test_what_an_earlier_worker_did_is_not_given_up_for_what_came_after_it():
    """A worker that dies at once may take what it said of earlier tasks with it."""
    dying = GOOD.replace(
        "    say(Done(number=task.number))",
        """    if task.number == 2:
        import os
        os._exit(7)
    if sys.argv[sys.argv.index("--connect") + 1].endswith("-1"):
        say(Done(number=task.number))""",
    )

    async def scenario(supervisor, heard):
        supervisor.tell(PlanTask(number=1, request=m.LoadPlan(header=m.new_header(), path="p")))
        await until(heard, lambda h: isinstance(h, tuple) and isinstance(h[0], Done))
        supervisor.tell(slab(2))
        await until(heard, lambda h: isinstance(h, PlanTask | SlabTask))

    heard = supervise(dying, scenario)
    assert [h.number for h in heard if isinstance(h, PlanTask | SlabTask)][:1] == [2]


def test_what_was_forgotten_is_not_told_to_the_next_worker():
    async def scenario(supervisor, heard):
        supervisor.tell(PlanTask(number=1, request=m.LoadPlan(header=m.new_header(), path="p")))
        supervisor.tell(slab(2))
        await until(heard, lambda h: isinstance(h, tuple) and h[0].number == 2)
        supervisor.forget((SlabTask,))
        heard.clear()
        supervisor._process.kill()
        await until(heard, lambda h: isinstance(h, tuple) and isinstance(h[0], Done))
        supervisor.tell(slab(3))
        await until(heard, lambda h: isinstance(h, tuple) and h[0].number == 3)

    heard = supervise(GOOD, scenario)
    assert heard[0].cause == "signal 9"
    assert heard[0].doing == "no task"
    assert isinstance(heard[1][0], Started)
    assert [r.number for r, _ in heard[2:]] == [1, 3]


@pytest.mark.parametrize(("code", "cause"), [("", "FileNotFoundError"), ("import sys; sys.exit(3)", "exit code 3")])
def test_a_worker_that_never_starts_is_told_and_its_task_given_up(code, cause):
    async def scenario(supervisor, heard):
        supervisor.tell(slab(1))
        await until(heard, lambda h: isinstance(h, SlabTask))

    heard = supervise(code, scenario, attempts=2)
    assert cause in heard[0].cause
    assert heard[0].doing == "its start"
    assert heard[-1].number == 1


def test_a_worker_that_hangs_at_its_start_is_ended_at_its_budget():
    async def scenario(supervisor, heard):
        await until(heard, lambda _: True)

    heard = supervise("import time; time.sleep(600)", scenario, start_s=0.2)
    assert heard[0].over_budget_s == 0.2


def test_a_worker_that_talks_nonsense_is_replaced():
    nonsense = GOOD.replace("say(Started(number=0))", "socket.send(b'nonsense')")

    async def scenario(supervisor, heard):
        await until(heard, lambda _: True)

    heard = supervise(nonsense, scenario)
    assert "could not be served" in heard[0].cause
