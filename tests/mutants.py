"""Mutation testing of what must not fail open: `python -m tests.mutants [part of a path]`.

Each mutant is one small change of the source, compiled in a forked process in place of its module. It is killed when a test
fails: first the quick ones, called as they are, then the whole folder under pytest. `tests/mutants_equivalent.txt` names mutants
that change nothing that can be observed, each with the reason. Exit code 1 where another survives.
"""

from __future__ import annotations

import ast
import copy
import importlib
import importlib.abc
import importlib.util
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENT = Path(__file__).with_name("mutants_equivalent.txt")
LIMIT_S = 120


class Suite(NamedTuple):
    """Files to mutate, modules whose tests are called first, what pytest runs then, modules loaded once for all."""

    files: tuple[str, ...]
    quick: tuple[str, ...]
    tests: tuple[str, ...]
    preload: tuple[str, ...]


SUITES = {
    "guard": Suite(
        files=("igrt/guard/**/*.py",),
        quick=("tests.unit.guard.test_guard_sentences", "tests.unit.guard.test_guard_docs"),
        tests=tuple(
            f"tests/unit/guard/test_guard_{name}.py"
            for name in ("rules", "limits", "landmarks", "facts", "policy", "mistakes", "decision", "every_couch")
        ),
        preload=("hypothesis", "igrt.geometry.couch", "igrt.geometry.setup"),
    ),
    "states": Suite(
        files=("igrt/engine/states.py",),
        quick=(),
        tests=("tests/unit/engine/test_states.py", "tests/unit/engine/test_engine_docs.py"),
        preload=("hypothesis",),
    ),
}

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
NAMES = {"min": "max", "max": "min", "sin": "cos", "cos": "sin", "radians": "degrees", "degrees": "radians", "all": "any", "any": "all"}


def mutants_of(node: ast.AST) -> Iterator[ast.AST | None]:
    """What may stand in the node's place; None leaves a statement out."""
    match node:
        case ast.Compare(ops=ops):
            for index, operator in enumerate(ops):
                changed = copy.deepcopy(node)
                changed.ops[index] = COMPARISONS[type(operator)]()
                yield changed
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
            yield from values
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in ARITHMETIC:
            yield ast.BinOp(left, ARITHMETIC[type(operator)](), right)
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
            yield ast.Constant(value * 1.01) if value else ast.Constant(-1.0)
        case ast.Constant(value=str() as value):
            yield ast.Constant(value + "?")
        case ast.Name(id=name) if name in NAMES:
            yield ast.Name(NAMES[name], ast.Load())
        case ast.Attribute(value=value, attr=name) if name in NAMES:
            yield ast.Attribute(value, NAMES[name], ast.Load())
        case ast.Call(func=ast.Name(id="abs"), args=[argument]):
            yield argument
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.If(body=body, orelse=orelse):
            yield ast.If(ast.Constant(value=True), body, orelse)
            yield ast.If(ast.Constant(value=False), body, orelse)
        case ast.Tuple(elts=items, ctx=ast.Load()) if len(items) > 1:
            for index in range(len(items)):
                yield ast.Tuple(items[:index] + items[index + 1 :], ast.Load())
        case ast.Dict(keys=keys, values=values) if len(keys) > 1:
            for index in range(len(keys)):
                yield ast.Dict(keys[:index] + keys[index + 1 :], values[:index] + values[index + 1 :])
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.Return(value=None) | ast.Raise() | ast.Continue() | ast.Expr(value=ast.Yield() | ast.YieldFrom() | ast.Call()):
            yield None


def places(tree: ast.Module) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Every node that may be changed, as parent, field and index: no docstring, annotation, decorator or import."""

    def walk(parent: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
        for field, value in ast.iter_fields(parent):
            if field in ("annotation", "returns", "decorator_list", "type_params", "bases"):
                continue
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.AST) or passed_over(child):
                    continue
                yield parent, field, index
                yield from walk(child)

    yield from walk(tree)


def passed_over(node: ast.AST) -> bool:
    """Imports, strings that stand alone, and names for types."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.arg):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if not isinstance(node, ast.Assign):
        return False
    is_alias = isinstance(node.value, ast.Subscript) and isinstance(node.value.value, ast.Name) and node.value.value.id == "tuple"
    return is_alias or (isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "TypeVar")


def mutated_trees(source: str) -> Iterator[tuple[int, str, ast.Module]]:
    """`(line, what became what, tree)` of every mutant of a module."""
    tree = ast.parse(source)
    for parent, field, index in list(places(tree)):
        holder = getattr(parent, field)
        original = holder if index is None else holder[index]
        for mutant in mutants_of(original):
            standing = ast.Pass() if mutant is None else mutant
            _put(parent, field, index, ast.fix_missing_locations(ast.copy_location(standing, original)))
            yield getattr(original, "lineno", 1), f"{_line(original)}  ->  {_line(standing)}", tree
            _put(parent, field, index, original)


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def _line(node: ast.AST) -> str:
    return ast.unparse(node).split("\n")[0]


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module from a tree instead of from its file."""

    def __init__(self, name: str, file: Path, tree: ast.Module) -> None:
        self.name, self.file, self.tree = name, file, tree

    def find_spec(self, fullname: str, _path: Any, _target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """The mutated module alone."""
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(
            fullname,
            self.file,
            loader=self,
            submodule_search_locations=[str(self.file.parent)] if self.file.name == "__init__.py" else None,
        )

    def exec_module(self, module: Any) -> None:
        """Runs the mutated code as the module."""
        exec(compile(self.tree, str(self.file), "exec"), module.__dict__)


def passes_quickly(suite: Suite) -> bool:
    """Whether the quick tests pass, in this process, with the mutant in place."""
    for name in suite.quick:
        module = importlib.import_module(name)
        for test in [value for key, value in vars(module).items() if key.startswith("test_")]:
            test()
    return True


def passes(suite: Suite) -> bool:
    """Whether every test passes."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--no-header", *suite.tests]) == 0


def survives(suite: Suite, prepare: Callable[[], None]) -> bool:
    """Whether every test passes once `prepare` has put the mutant in place."""
    return all(in_a_fork(prepare, test, suite) for test in (passes_quickly, passes))


def in_a_fork(prepare: Callable[[], None], test: Callable[[Suite], bool], suite: Suite) -> bool:
    """The answer of a test in a process of its own; one that raises, dies or does not end in time answers no."""
    child = os.fork()
    if child == 0:
        signal.alarm(LIMIT_S)
        passed = False
        try:
            prepare()
            passed = test(suite)
        finally:
            os._exit(0 if passed else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def files_of(suite: Suite, only: str) -> list[Path]:
    """The suite's files whose path holds `only`."""
    found = sorted(path for pattern in suite.files for path in ROOT.glob(pattern))
    return [file for file in found if only in file.relative_to(ROOT).as_posix()]


def run(suite: Suite, only: str, equivalent: set[str]) -> tuple[int, int]:
    """The number of mutants, and of those that survive and are not known to be equivalent."""
    count = survivors = 0
    for file in files_of(suite, only):
        relative = file.relative_to(ROOT).as_posix()
        name = relative.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        source = file.read_text(encoding="utf-8")
        for line, change, tree in mutated_trees(source):
            count += 1
            label = f"{relative}: {source.splitlines()[line - 1].strip()} | {change}"
            finder = Mutated(name, file, tree)
            if label not in equivalent and survives(suite, partial(sys.meta_path.insert, 0, finder)):
                survivors += 1
                say(f"line {line} survived\n{label}")
    return count, survivors


def say(line: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Runs every suite; a part of a path as argument keeps to the files whose path holds it."""
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    equivalent = {line.rsplit("  #", 1)[0] for line in EQUIVALENT.read_text(encoding="utf-8").splitlines() if line}
    survived = 0
    for title, suite in SUITES.items():
        if not files_of(suite, only):
            continue
        for module in suite.preload:
            importlib.import_module(module)
        if not survives(suite, lambda: None):
            say(f"{title}: the tests fail without any mutant; mend them first")
            return 1
        began = time.monotonic()
        count, survivors = run(suite, only, equivalent)
        survived += survivors
        say(f"{title}: {count} mutants, {survivors} survived, {time.monotonic() - began:.0f} s")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
