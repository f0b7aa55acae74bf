"""Mutation testing of the GPU's kernels: each barrier taken out, each bound moved by one. Do the emulation's parity tests notice?

python -m tests.kernel_mutants [FILE[:LINE]]    prints what noticed each; exit code 1 where one went unnoticed

Needs a compiler and the build folder of `make install`; half a minute a mutant on a free core.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nanobind

REPOSITORY = Path(__file__).resolve().parents[1]
PARITY = ("tests/parity", "--ignore", "tests/parity/test_whole_match.py", "-k", "emulated", "-x", "-q", "-p", "no:cacheprovider")
RUN = (
    "import importlib.util, sys, pytest\n"
    "spec = importlib.util.spec_from_file_location('igrt.compute._native_emulation', sys.argv[1])\n"
    "module = importlib.util.module_from_spec(spec)\n"
    "spec.loader.exec_module(module)\n"
    "sys.modules[spec.name] = module\n"
    "raise SystemExit(pytest.main(sys.argv[2:]))\n"
)


class Mutant(NamedTuple):
    """One line of one kernel, changed."""

    file: str
    line: int
    before: str
    after: str


def mutants(folder: Path) -> Iterator[Mutant]:
    """Every one there is."""
    for path in sorted((folder / "cuda").glob("*.cu")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if re.match(r"\s+barrier\(\);", line):
                yield Mutant(path.name, number, line, "")
            if re.match(r"\s+if \(here >= .*\) return;", line):
                yield Mutant(path.name, number, line, line.replace(">=", ">", 1))


def build(kernels: Path, scratch: Path, built: Path) -> Path:
    """The emulation's module over a folder of kernels; the hash is the true one's, or it would not be loaded."""
    nanobind_headers, python_headers = nanobind.include_dir(), sysconfig.get_path("include")
    module = scratch / "mutant.so"
    folders = [f"-I{folder}" for folder in (kernels, built, nanobind_headers, python_headers)]
    flags = ["-std=c++20", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-DIGRT_EMULATION", *folders]
    sources = [str(path) for path in sorted((kernels / "emulation").glob("*.cpp"))]
    subprocess.run(["g++", *flags, *sources, str(built / "libnanobind-static.a"), "-o", str(module)], check=True, timeout=300)
    return module


def noticed(module: Path) -> str | None:
    """What the parity tests say of a module, in a line; None where they pass."""
    done = subprocess.run([sys.executable, "-c", RUN, module, *PARITY], cwd=REPOSITORY, capture_output=True, text=True, timeout=600)
    if done.returncode == 0:
        return None
    faults = re.findall(r"^E\s+\S*Fault: (.*)$", done.stdout, re.MULTILINE)
    failed = re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    return (
        faults[0] if faults else f"no fault, but another result: {failed[0]}" if failed else f"exit {done.returncode}: {done.stdout[-300:]}"
    )


def main(wanted: str) -> int:
    """Build and try every mutant whose place begins as `wanted`, and first the kernels as they are."""
    built = next((REPOSITORY / "build").glob("*/libnanobind-static.a")).parent
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        kernels = scratch / "kernels"
        shutil.copytree(REPOSITORY / "kernels", kernels)
        if sentence := noticed(build(kernels, scratch, built)):
            sys.exit(f"the kernels as they are fail: {sentence}")
        for mutant in mutants(REPOSITORY / "kernels"):
            if not f"{mutant.file}:{mutant.line}".startswith(wanted):
                continue
            path = kernels / "cuda" / mutant.file
            original = path.read_text(encoding="utf-8")
            lines = original.splitlines()
            lines[mutant.line - 1] = mutant.after
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            sentence = noticed(build(kernels, scratch, built))
            path.write_text(original, encoding="utf-8")
            missed += sentence is None
            sys.stdout.write(
                f"{mutant.file}:{mutant.line} {mutant.before.strip()!r} -> {mutant.after.strip()!r}: {sentence or 'NOT NOTICED'}\n"
            )
            sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
