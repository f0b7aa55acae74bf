"""The start-up check passes what agrees and names the verb that does not."""

import numpy as np
import pytest

from igrt.compute import cpu, reference
from igrt.compute.emulation import emulated_verbs
from igrt.compute.gpu import GpuVerbs
from igrt.compute.startup_check import disagreement


def test_devices_that_agree() -> None:
    processor = cpu.CpuVerbs(cpu.BEST)
    assert disagreement(emulated_verbs(), processor) is None
    assert disagreement(reference, processor) is None


def spoiled(verb: str):
    right = getattr(GpuVerbs, verb)

    def wrong(*arguments, **named):
        given = right(*arguments, **named)
        if verb == "draw":
            return given[:-5]
        return tuple(a + a.dtype.type(2) for a in given) if isinstance(given, tuple) else given * given.dtype.type(2)

    return wrong


@pytest.mark.parametrize("verb", ["shrink", "normalise", "correlate", "draw", "accumulate"])
def test_a_verb_that_differs_is_named(verb, monkeypatch) -> None:
    monkeypatch.setattr(GpuVerbs, verb, spoiled(verb))
    assert disagreement(emulated_verbs(), cpu.CpuVerbs(cpu.BEST)) == verb


def test_what_is_not_a_number_does_not_agree(monkeypatch) -> None:
    monkeypatch.setattr(GpuVerbs, "accumulate", lambda *_a, **_b: np.full((3, 32), np.nan))
    assert disagreement(emulated_verbs(), cpu.CpuVerbs(cpu.BEST)) == "accumulate"
