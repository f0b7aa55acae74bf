"""The kernels as one text: every header once, before who needs it."""

import re

from igrt.compute.kernel_source import kernel_folder, kernel_text, threads_of_entries


def test_every_entry_point_is_in_the_text() -> None:
    written = {name for file in (kernel_folder() / "cuda").glob("*.cu") for name in re.findall(r"ENTRY\((\w+)", file.read_text())}
    assert set(threads_of_entries()) == written
    assert len(written) >= 14


def test_blocks_are_whole_warps() -> None:
    assert all(threads % 32 == 0 and 32 <= threads <= 1024 for threads in threads_of_entries().values())


def test_no_header_is_left_to_be_found() -> None:
    includes = re.findall(r'#include ["<]([^">]+)', kernel_text())
    assert includes == ["emulation/words.hpp"]  # of the host alone
    assert kernel_text().count("struct RaySteps {") == 1
