"""Every denial in its own words: `denials.txt`, written by `python -m tests.unit.guard.test_guard_sentences` and read by people."""

import re
from pathlib import Path

from tests.unit.guard.test_guard_rules import broken_in_turn

DENIALS = Path(__file__).with_name("denials.txt")


def as_text():
    return [re.sub(r" at 0x[0-9a-f]+", "", f"{name} {index}: {sentence}") for name, index, sentence in broken_in_turn()]


def test_every_denial_says_what_it_said():
    assert as_text() == DENIALS.read_text(encoding="utf-8").splitlines()


def test_no_denial_is_a_defect_in_disguise():
    assert not [line for line in as_text() if "not to be judged" in line]


if __name__ == "__main__":
    DENIALS.write_text("\n".join(as_text()) + "\n", encoding="utf-8")
