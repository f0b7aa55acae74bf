"""The native modules are the ones that the sources say, and say so otherwise."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from igrt.compute import cpu


def test_every_native_module_carries_the_hash_of_the_sources() -> None:
    if not (cpu.CHECKOUT / "kernels").is_dir():
        pytest.skip("no sources beside the package: installed from a wheel")
    for name in cpu.INSTRUCTION_SETS:
        assert cpu.source_hash(cpu.CHECKOUT) == cpu.load_native(name).SOURCE_HASH


def test_changed_sources_are_noticed(tmp_path, monkeypatch) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "portable.hpp").write_text("// changed\n")
    (tmp_path / "CMakeLists.txt").write_text("")
    monkeypatch.setattr(cpu, "CHECKOUT", tmp_path)
    with pytest.raises(cpu.NativeBuildError, match="other sources; run `make install`"):
        cpu.load_native("baseline")


def test_the_hash_covers_every_source(tmp_path) -> None:
    (tmp_path / "kernels" / "cpu").mkdir(parents=True)
    (tmp_path / "CMakeLists.txt").write_text("a")
    seen = {cpu.source_hash(tmp_path)}
    for name in ("kernels/a.hpp", "kernels/cpu/b.cpp", "CMakeLists.txt"):
        (tmp_path / name).write_text("new")
        seen.add(cpu.source_hash(tmp_path))
    assert len(seen) == 4


def test_a_missing_module_says_what_to_run() -> None:
    with pytest.raises(cpu.NativeBuildError, match="not built; run `make install`"):
        cpu.load_native("sparc")


def test_an_instruction_set_that_is_not_here() -> None:
    with pytest.raises(ValueError, match="has no sparc"):
        cpu.CpuVerbs("sparc")


def test_no_threads_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one thread"):
        cpu.CpuVerbs(cpu.BEST).set_threads(0)


def test_several_python_threads_share_the_pool() -> None:
    verbs = cpu.CpuVerbs(cpu.BEST)
    hu = np.random.default_rng(1).integers(-1000, 1000, (40, 50, 60)).astype(np.int16)
    expected = verbs.shrink(hu, (2, 2, 2))
    same: list[bool] = []

    def work() -> None:
        same.extend(bool((verbs.shrink(hu, (2, 2, 2)) == expected).all()) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert same == [True] * 80


def test_the_pool_survives_a_fork() -> None:
    """A child has none of its parent's threads; it must not wait for them."""
    code = (
        "import os, numpy as np\n"
        "from igrt.compute import cpu\n"
        "v = cpu.CpuVerbs(cpu.BEST); v.set_threads(2); hu = np.zeros((8, 8, 8), np.int16)\n"
        "v.shrink(hu, (2, 2, 2)); pid = os.fork(); v.shrink(hu, (2, 2, 2))\n"
        "if pid == 0: raise SystemExit(0)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
