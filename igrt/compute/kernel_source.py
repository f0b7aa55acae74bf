"""The kernels as one text for NVRTC, and what it says of its entry points."""

from __future__ import annotations

import functools
import re
from pathlib import Path

OPTIONS = ("--std=c++17", "--fmad=false")  # no contraction, as on the CPU: the emulation should give the GPU's bits
ADDED_BY_CUPY = ("-ftz=true", "--device-as-default-execution-space")  # float32 below 1e-38 counts as zero on a GPU
INCLUDE = re.compile(r'#include "([^"]+)"')
ENTRY = re.compile(r"^ENTRY\((\w+), (\w+)\)", re.MULTILINE)
THREADS = re.compile(r"^constexpr i32 (\w+_threads) = (\d+);", re.MULTILINE)


def kernel_folder() -> Path:
    """The kernels that ship: inside an installed package, or at the root of a checkout. FileNotFoundError where there are none."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "kernels", package.parent / "kernels"):
        if (folder / "portable.hpp").is_file():
            return folder
    raise FileNotFoundError(f"no kernels beside {package}; install igrt again")


@functools.cache
def kernel_text() -> str:
    """Every entry point with the headers it needs, each once: all that NVRTC has to see, so that a hash of it is a hash of the kernels."""
    folder = kernel_folder()
    seen: set[Path] = set()
    return "\n".join(_flat(path, folder, seen) for path in sorted((folder / "cuda").glob("*.cu")))


def _flat(path: Path, folder: Path, seen: set[Path]) -> str:
    if path in seen:
        return ""
    seen.add(path)
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        include = INCLUDE.match(line)
        if include and not include[1].startswith("emulation/"):  # of the host alone
            near = path.parent / include[1]
            lines.append(_flat(near if near.is_file() else folder / include[1], folder, seen))
        elif line != "#pragma once":
            lines.append(line)
    return "\n".join(lines)


@functools.cache
def threads_of_entries() -> dict[str, int]:
    """Threads of a block of every entry point, by its name."""
    threads = {name: int(count) for name, count in THREADS.findall(kernel_text())}
    return {name: threads[constant] for name, constant in ENTRY.findall(kernel_text())}
