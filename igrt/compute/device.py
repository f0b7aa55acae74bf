"""Which device answers: chosen once, named, and said why. Nothing falls back in silence."""

from __future__ import annotations

from dataclasses import dataclass

from igrt.compute import reference
from igrt.compute.verbs import Verbs
from igrt.errors import InputError


@dataclass(frozen=True, slots=True)
class Device:
    """A device by its name ("cpu avx2"), its verbs, and why it was chosen."""

    name: str
    verbs: Verbs
    why: str


def choose(name: str | None = None) -> Device:
    """The named device: `cpu` (the best instruction set that is there; the default), `cpu avx2`, ..., or `reference` (NumPy, slow)."""
    if name == "reference":
        return Device(name, reference, "asked for by name")
    from igrt.compute import cpu  # loads the native module

    if name in (None, "cpu"):
        return Device(f"cpu {cpu.BEST}", cpu.CpuVerbs(cpu.BEST), f"best of this processor's {', '.join(cpu.INSTRUCTION_SETS)}")
    kind, _, instruction_set = str(name).partition(" ")
    if kind != "cpu" or instruction_set not in cpu.INSTRUCTION_SETS:
        known = ", ".join(["reference", "cpu", *(f"cpu {i}" for i in cpu.INSTRUCTION_SETS)])
        raise InputError(f"device {name!r} is not here; choose one of: {known}")
    return Device(str(name), cpu.CpuVerbs(instruction_set), "asked for by name")
