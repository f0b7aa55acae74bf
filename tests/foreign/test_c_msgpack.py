"""examples/c/msgpack.c: reads what msgspec writes, writes what msgspec reads, and holds on frames that are broken in any way."""

import ctypes
import random
import struct
import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igrt.bus import messages as m
from tests.foreign.conftest import SOURCES, sanitizers

BUILD_S = 120.0
BROKEN = 20_000


class Value(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("end", ctypes.c_void_p))


class Buffer(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.POINTER(ctypes.c_uint8)),
        ("size", ctypes.c_size_t),
        ("capacity", ctypes.c_size_t),
        ("failed", ctypes.c_bool),
    )


def compiled(out: Path, *arguments: str) -> Path:
    command = ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{SOURCES}", *arguments, str(SOURCES / "msgpack.c"), "-o", str(out)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S)
    assert made.returncode == 0, made.stderr
    return out


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    built = ctypes.CDLL(str(compiled(tmp_path_factory.mktemp("msgpack") / "msgpack.so", "-shared", "-fPIC", "-O1")))
    for name in ("mp_root", "mp_get", "mp_item", "mp_length", "mp_is_nil", "mp_bool", "mp_int", "mp_float", "mp_text"):
        getattr(built, name).restype = ctypes.c_bool
    return built


def read(library, value: Value, like):
    """What the C code reads where `like` should be."""
    if isinstance(like, dict):
        found = {}
        for key in like:
            inner = Value()
            assert library.mp_get(value, key.encode(), ctypes.byref(inner))
            found[key] = read(library, inner, like[key])
        return found
    if isinstance(like, list):
        length, found = ctypes.c_uint32(), []
        assert library.mp_length(value, ctypes.byref(length))
        for index in range(length.value):
            inner = Value()
            assert library.mp_item(value, index, ctypes.byref(inner))
            found.append(read(library, inner, like[index]))
        assert not library.mp_item(value, length.value, ctypes.byref(Value()))
        return found
    if like is None:
        return None if library.mp_is_nil(value) else "not nil"
    kind, name = {bool: (ctypes.c_bool, "mp_bool"), int: (ctypes.c_int64, "mp_int"), float: (ctypes.c_double, "mp_float")}.get(
        type(like), (None, "")
    )
    if kind:
        out = kind()
        assert getattr(library, name)(value, ctypes.byref(out))
        return out.value
    text, size = ctypes.c_char_p(), ctypes.c_size_t()
    assert library.mp_text(value, ctypes.byref(text), ctypes.byref(size))
    return ctypes.string_at(text, size.value).decode()


KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
CONTENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(KEYS, inner, max_size=20),
    max_leaves=60,
)


@settings(max_examples=200)
@given(content=CONTENTS)
def test_it_reads_what_msgspec_writes(library, content):
    frame, value = msgspec.msgpack.encode(content), Value()
    held = ctypes.create_string_buffer(frame, len(frame))
    assert library.mp_root(held, len(frame), ctypes.byref(value))
    assert read(library, value, content) == content
    assert not library.mp_root(held, len(frame) - 1, ctypes.byref(value))


def put(library, buffer: Buffer, content) -> None:
    at = ctypes.byref(buffer)
    match content:
        case None:
            library.mp_put_nil(at)
        case bool():
            library.mp_put_bool(at, content)
        case int():
            library.mp_put_int(at, ctypes.c_int64(content))
        case float():
            library.mp_put_float(at, ctypes.c_double(content))
        case str():
            library.mp_put_text(at, content.encode())
        case list():
            library.mp_put_array(at, len(content))
            for item in content:
                put(library, buffer, item)
        case dict():
            library.mp_put_map(at, len(content))
            for key, item in content.items():
                put(library, buffer, key)
                put(library, buffer, item)


@settings(max_examples=200)
@given(content=CONTENTS.filter(lambda c: "\\u0000" not in msgspec.json.encode(c).decode()))
def test_msgspec_reads_what_it_writes(library, content):
    buffer = Buffer()
    put(library, buffer, content)
    assert not buffer.failed
    frame = ctypes.string_at(buffer.data, buffer.size)
    library.mp_free(ctypes.byref(buffer))
    assert msgspec.msgpack.decode(frame) == content


def broken_frames(seed: int) -> list[bytes]:
    """Frames of the bus, cut, with bytes changed, with lengths that lie, and noise."""
    draw = random.Random(seed)
    couch = m.CouchReadout(lateral_mm=1.0, longitudinal_mm=-2.0, vertical_mm=3.5)
    release = m.Release(proposal_id="p", machine="m", start=couch, target=couch)
    whole = [
        m.encode(m.Claimed(header=m.new_header(session="s" * 70), number=300, release=release)),
        m.encode(
            m.ClaimDenied(header=m.new_header(), number=70_000, proposal_id="p", denials=[m.Denial(rule="r", sentence="s" * 300)] * 20)
        ),
        msgspec.msgpack.encode({"header": [[1.5, -1, 2**40, None, True, "text"]] * 20, "missing": [[0, 4], [7, 9]], "": {"": ""}}),
    ]
    frames = list(whole)
    while len(frames) < BROKEN:
        frame = bytearray(draw.choice(whole))
        for _ in range(draw.randint(0, 6)):
            frame[draw.randrange(len(frame))] = draw.choice((draw.randrange(256), 0xDB, 0xDD, 0xDF, 0xC6, 0xFF, 0xCB))
        frames.append(bytes(frame[: draw.randint(0, len(frame))]) if draw.random() < 0.5 else bytes(frame))
    return [*frames, *(draw.randbytes(draw.randint(0, 60)) for _ in range(BROKEN))]


def test_no_broken_frame_makes_it_read_beyond_its_end(tmp_path):
    flags = sanitizers()
    if not flags:
        pytest.skip("this compiler cannot link its sanitizers: install them (Debian: libasan)")
    program = compiled(tmp_path / "walk", "-g", "-O1", *flags.split(), str(Path(__file__).with_name("msgpack_walk.c")))
    frames = broken_frames(seed=11)
    told = b"".join(struct.pack("<I", len(frame)) + frame for frame in frames)
    ran = subprocess.run([str(program)], input=told, capture_output=True, timeout=BUILD_S)
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    whole, seen = (int(count) for count in ran.stdout.split())
    assert 3 <= whole < len(frames)
    assert seen > len(frames)
