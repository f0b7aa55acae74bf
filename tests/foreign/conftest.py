"""The engines of tests/bus, and the C client, built once."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import zmq

from tests.bus.conftest import plan_file as plan_file
from tests.bus.conftest import start_engine as start_engine

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "examples" / "c"
BUILD_S = 120.0
ABI = Path(__file__).with_name("zmq_abi")


def zmq_flags() -> dict[str, str]:
    """The system's libzmq where it has the header; else the library that pyzmq brings, with the header beside this file."""
    probe = subprocess.run(["cc", "-E", "-x", "c", "-"], input="#include <zmq.h>\n", capture_output=True, text=True, timeout=BUILD_S)
    if probe.returncode == 0:
        return {}
    libraries = sorted(Path(zmq.__file__).parents[1].glob("pyzmq.libs/libzmq*.so*"))
    if not libraries:
        pytest.skip("neither zmq.h nor a libzmq brought by pyzmq is here: install libzmq's header (Debian: libzmq3-dev)")
    return {"ZMQ_CFLAGS": f"-I{ABI}", "ZMQ_LIBS": f"{libraries[0]} -Wl,-rpath,{libraries[0].parent}"}


def sanitizers() -> str:
    """The flags of those that this compiler can link and run; none where it cannot."""
    flags = "-fsanitize=address,undefined -fno-sanitize-recover=all"
    made = subprocess.run(
        ["cc", "-x", "c", "-", *flags.split(), "-o", os.devnull],
        input="int main(void) { return 0; }\n",
        capture_output=True,
        text=True,
        timeout=BUILD_S,
    )
    return flags if made.returncode == 0 else ""


@pytest.fixture(scope="session", params=["plain", "sanitized"])
def c_client(request, tmp_path_factory) -> Path:
    """The compiled client, by the Makefile that the integrator is given."""
    if not shutil.which("cc") or not shutil.which("make"):
        pytest.skip("no C compiler or no make is here: install both (Debian: build-essential)")
    flags = sanitizers() if request.param == "sanitized" else ""
    if request.param == "sanitized" and not flags:
        pytest.skip("this compiler cannot link its sanitizers: install them (Debian: libasan)")
    out = tmp_path_factory.mktemp(request.param)
    settings = {"OUT": str(out), "CFLAGS": f"-O1 -g {flags}", **zmq_flags()}
    made = subprocess.run(
        ["make", "-C", str(SOURCES), *(f"{name}={value}" for name, value in settings.items())],
        capture_output=True,
        text=True,
        timeout=BUILD_S,
    )
    assert made.returncode == 0, made.stderr
    return out / "igrt_client"
