"""What docs/guard.md says of the rules, and what the guard says when they are broken, is what the code does."""

import ast
from pathlib import Path

from igrt.guard import landmarks
from igrt.guard.policy import LIMITS
from igrt.guard.table import RULES
from tests.unit.guard.test_guard_rules import ROWS, broken_in_turn

HERE = Path(__file__).resolve()
DOCS = HERE.parents[3] / "docs" / "guard.md"


def section(title):
    return DOCS.read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]


def rows(title):
    lines = [line for line in section(title).splitlines() if line.startswith("|")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def test_the_table_of_rules_is_the_table_of_the_code():
    assert rows("Rules") == [(f"`{rule.name}`", rule.protects_from) for rule in RULES]


def test_the_limits_are_those_of_the_code():
    assert [row[:2] for row in rows("Limits")] == [(f"`{name}`", f"{most:g}") for name, most in LIMITS.items()]


def test_every_rule_broken_in_turn_is_shown_with_its_sentence():
    first = {}
    for name, _, sentence in broken_in_turn():
        first.setdefault(name, sentence)
    assert rows("Every rule broken in turn") == [(f"`{name}`", sentence) for name, sentence in first.items()]
    assert list(first) == list(ROWS)


def test_it_is_written_without_geometrys_chain_and_without_matrices():
    tree = ast.parse(Path(landmarks.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} | {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert modules == {
        "__future__",
        "collections.abc",
        "dataclasses",
        "igrt.geometry.couch_model",
        "igrt.geometry.position",
        "igrt.guard.facts",
        "igrt.guard.request",
        "math",
    }
