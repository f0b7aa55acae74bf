"""Import rules that import-linter cannot state: compiled modules, and a reference that needs NumPy alone."""

import ast
from pathlib import Path

import pytest

import igrt

PACKAGE = Path(igrt.__file__).parent


def imported(file: Path) -> set[str]:
    """Every module name that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_native_modules_are_named_in_compute_alone(file: Path):
    names_native = "_native_" in file.read_text()

    assert not names_native or file.parent == PACKAGE / "compute"


@pytest.mark.parametrize("file", sorted((PACKAGE / "compute").glob("*reference.py")), ids=lambda file: file.name)
def test_the_reference_needs_numpy_alone(file: Path):
    roots = {name.split(".")[0] for name in imported(file)}

    assert roots <= {"__future__", "numpy", "igrt", "typing", "collections"}
    assert {name for name in imported(file) if name.startswith("igrt")} <= {
        name for name in imported(file) if name.startswith(("igrt.compute", "igrt.geometry"))
    }
