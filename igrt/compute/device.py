"""Which device answers: chosen once, named, and said why. Nothing falls back in silence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from igrt.compute import reference
from igrt.compute.failure import DeviceError
from igrt.compute.verbs import Verbs
from igrt.errors import InputError

EMULATED = "cuda emulated"
BY_NAME = "asked for by name"
_failed: dict[str, str] = {}  # by the name of a GPU, what it failed at


@dataclass(frozen=True, slots=True)
class Device:
    """A device by its name ("cpu avx2"), its verbs, and why it was chosen."""

    name: str
    verbs: Verbs
    why: str


def choose(name: str | None = None) -> Device:
    """The named device; by default a GPU, where there is one that agrees with the processor, or else the processor. `why` says why.

    Names: `cuda`, `cpu` (its best instruction set), `cpu avx2`, ..., `cuda emulated` and `reference` (both slow); the `name` of a Device
    is one too. InputError where the named one is not here.
    """
    if name == "reference":
        return Device(name, reference, BY_NAME)
    if name == EMULATED:
        from igrt.compute.emulation import emulated_verbs

        return Device(name, emulated_verbs(), BY_NAME)
    if name is not None and not name.startswith("cuda"):
        return _processor(name, "")
    gpu, against = _gpu()
    if gpu is None or gpu.name in _failed:
        return _processor(name, against if gpu is None else _failed[gpu.name])
    if name is None:
        return gpu
    return Device(gpu.name, gpu.verbs, BY_NAME) if name in ("cuda", gpu.name) else _processor(name, "")


def stand_in(failure: DeviceError) -> Device:
    """The processor, for the answer that a GPU failed to give; `why` says so. Whoever asks for it tells the failure to the people there.

    The GPU that failed is not chosen again by this process.
    """
    _failed[failure.device] = str(failure)
    chosen = _processor("cpu", "")
    return Device(chosen.name, chosen.verbs, f"stands in: {failure}")


def _processor(name: str | None, against_gpu: str) -> Device:
    from igrt.compute import cpu  # loads the native module

    if name in (None, "cpu"):
        best = f"best of this processor's {', '.join(cpu.INSTRUCTION_SETS)}"
        return Device(f"cpu {cpu.BEST}", cpu.CpuVerbs(cpu.BEST), f"{best}; no GPU: {against_gpu}" if against_gpu else best)
    kind, _, instruction_set = str(name).partition(" ")
    if kind != "cpu" or instruction_set not in cpu.INSTRUCTION_SETS:
        known = ", ".join(["reference", "cpu", *(f"cpu {i}" for i in cpu.INSTRUCTION_SETS), EMULATED, "cuda"])
        because = f" ({against_gpu})" if against_gpu else ""
        raise InputError(f"device {name!r} is not here{because}; choose one of: {known}")
    return Device(str(name), cpu.CpuVerbs(instruction_set), BY_NAME)


@cache
def _gpu() -> tuple[Device | None, str]:
    """The GPU, or what speaks against it; asked once."""
    from igrt.compute import cpu, cuda
    from igrt.compute.startup_check import disagreement

    try:
        verbs = cuda.verbs()
        wrong = disagreement(verbs, cpu.CpuVerbs(cpu.BEST))
    except (cuda.NoCudaError, DeviceError) as reason:
        return None, str(reason)
    if wrong:
        return None, f"{verbs.runtime.name} gives another {wrong} than the processor; its driver or the GPU is to be looked at"
    return Device(verbs.runtime.name, verbs, "a GPU is here, and agrees with the processor on the start-up check"), ""
