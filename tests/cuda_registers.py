"""What NVRTC makes of every kernel, without a GPU: registers, spills, stack and shared memory, against a committed table.

python -m tests.cuda_registers            compares, and exits non-zero where they differ
python -m tests.cuda_registers --write    writes the table anew
"""

import ctypes
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from igrt.compute.kernel_source import ADDED_BY_CUPY, OPTIONS, kernel_text

TABLE = Path(__file__).resolve().parents[1] / "kernels" / "cuda" / "registers.toml"
ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
PACKAGE = "nvidia-cuda-nvrtc"
FIELDS = ("registers", "spill_bytes", "stack_bytes", "shared_bytes")
REMEDY = "look whether the change is meant, then write the table anew: python -m tests.cuda_registers --write"
KERNEL = re.compile(
    r"Function properties for (?P<name>\w+)\n"
    r".*?(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads\n"
    r".*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)"
)
Row = tuple[int, ...]  # as FIELDS
Rows = dict[tuple[str, str], Row]  # by kernel and architecture


class Nvrtc:
    """The compiler's library, from its package; FileNotFoundError where that is not installed."""

    def __init__(self) -> None:
        try:
            files = importlib.metadata.files(PACKAGE) or []
        except importlib.metadata.PackageNotFoundError as missing:
            raise FileNotFoundError(f"{PACKAGE} is not installed; pip install {PACKAGE}") from missing
        path = next(file for file in files if re.fullmatch(r"libnvrtc\.so\.\d+", file.name))
        self._library = ctypes.CDLL(str(path.locate()))

    def compile(self, text: str, architecture: str) -> str:
        """The assembler's remarks; RuntimeError with the compiler's log where the text does not compile."""
        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        self._do("nvrtcCreateProgram", ctypes.byref(program), text.encode(), b"igrt.cu", 0, None, None)
        options = [f"--gpu-architecture={architecture}", *OPTIONS, *ADDED_BY_CUPY, "--ptxas-options=-v"]
        failed = self._library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*(o.encode() for o in options)))
        self._do("nvrtcGetProgramLogSize", program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self._do("nvrtcGetProgramLog", program, log)
        self._do("nvrtcDestroyProgram", ctypes.byref(program))
        if failed:
            raise RuntimeError(f"the kernels do not compile for {architecture}: {log.value.decode()}")
        return log.value.decode()

    def _do(self, function: str, *arguments: object) -> None:
        if code := getattr(self._library, function)(*arguments):
            raise RuntimeError(f"{function} gives error {code}")


def measured(nvrtc: Nvrtc, architecture: str, text: str | None = None) -> Rows:
    """A row for every kernel that is compiled."""
    rows: Rows = {}
    for found in KERNEL.finditer(nvrtc.compile(kernel_text() if text is None else text, architecture)):
        shared = re.search(r"(\d+) bytes smem", found["rest"])
        spills = int(found["stores"]) + int(found["loads"])
        rows[found["name"], architecture] = (int(found["registers"]), spills, int(found["stack"]), int(shared[1]) if shared else 0)
    return rows


def table() -> Rows:
    """The committed rows."""
    read = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {
        (kernel, architecture): tuple(row[field] for field in FIELDS)
        for kernel, rows in read.items()
        if isinstance(rows, dict)
        for architecture, row in rows.items()
    }


def compiler() -> str:
    """The compiler that is here, as the table names it."""
    return f"{PACKAGE} {importlib.metadata.version(PACKAGE)}"


def compiler_of_table() -> str:
    """The compiler that the table was written with."""
    return str(tomllib.loads(TABLE.read_text(encoding="utf-8"))["compiler"])


def drift(expected: Rows, got: Rows) -> Iterator[str]:
    """A sentence for every row that differs."""
    for kernel, architecture in sorted(expected.keys() | got.keys()):
        was, now = (rows.get((kernel, architecture)) for rows in (expected, got))
        if was == now:
            continue
        if was is None or now is None:
            yield f"{kernel} for {architecture} is {'new' if was is None else 'gone'}; {REMEDY}"
            continue
        changes = ", ".join(f"{field} {a} -> {b}" for field, a, b in zip(FIELDS, was, now, strict=True) if a != b)
        yield f"{kernel} for {architecture}: {changes}; {REMEDY}"


def write(rows: Rows) -> None:
    """The table, a section a kernel."""
    lines = [
        "# What NVRTC makes of every kernel; written by `python -m tests.cuda_registers --write`, compared by the tests.",
        f'compiler = "{compiler()}"',
    ]
    for kernel in sorted({kernel for kernel, _ in rows}):
        lines += ["", f"[{kernel}]"]
        for architecture in ARCHITECTURES:
            fields = ", ".join(f"{field} = {value}" for field, value in zip(FIELDS, rows[kernel, architecture], strict=True))
            lines.append(f"{architecture} = {{ {fields} }}")
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Compare, or write."""
    nvrtc = Nvrtc()
    rows: Rows = {}
    for architecture in ARCHITECTURES:
        rows |= measured(nvrtc, architecture)
    if arguments == ["--write"]:
        write(rows)
        return 0
    sentences = list(drift(table(), rows))
    sys.stdout.write("".join(f"{sentence}\n" for sentence in sentences))
    return 1 if sentences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
