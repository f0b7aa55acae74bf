"""The proxy of the network faults does what it is told: resets, tears, delays, and else hands on every byte in order."""

import asyncio
import os
import random
from contextlib import suppress

import pytest

from tests.faults.proxy import FAULTS, HOLD_S, Proxy
from tests.faults.room import free_ports

DATA = random.Random(1).randbytes(100_000)
WAIT_S = 20.0


async def through_the_proxy(fault):
    """What an echo gives back with and after a fault, whether the connection was lost, and how long it took."""
    client_port, echo_port, _ = free_ports()

    async def echo(reader, writer):
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
        writer.transport.abort()

    server = await asyncio.start_server(echo, "127.0.0.1", echo_port)
    control_end, tell_end = os.pipe()
    ready = asyncio.Event()
    serving = asyncio.create_task(Proxy([(client_port, echo_port)], control_end, random.Random(2)).serve(ready.set))
    await ready.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", client_port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    loop = asyncio.get_running_loop()
    began_s, came, lost = loop.time(), b"", False
    if fault:
        os.write(tell_end, bytes([FAULTS.index(fault)]))
        await asyncio.sleep(0)  # the reader of the pipe is called before what is written below is carried
    writer.write(DATA)
    try:
        while len(came) < len(DATA) and (data := await reader.read(1 << 16)):
            came += data
        lost = len(came) < len(DATA)
    except OSError:
        lost = True
    took_s = loop.time() - began_s
    serving.cancel()
    writer.transport.abort()
    server.close()
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=WAIT_S)
    for end in (tell_end, control_end):
        os.close(end)
    return came, lost, took_s


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_what_goes_through(fault):
    came, lost, took_s = asyncio.run(through_the_proxy(fault))
    assert DATA.startswith(came)
    assert lost is (fault in ("cut", "tear"))
    if fault == "hold":
        assert took_s >= HOLD_S
