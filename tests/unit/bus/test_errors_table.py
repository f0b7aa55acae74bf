"""Every code that is sent is in the table of errors."""

import re
from pathlib import Path

import igrt
from igrt.bus.topics import ERRORS

SOURCES = "\n".join(p.read_text() for room in ("bus", "engine") for p in (Path(igrt.__file__).parent / room).glob("*.py"))


def test_every_code_that_is_sent_is_in_the_table_and_the_other_way_round():
    sent = set(re.findall(r'(?:WireError\(|code=|fail_image\(|_task_failed\(case, task, )\s*"(\w+)"', SOURCES))
    assert sent == set(ERRORS)
