"""TOML tables with one key changed, and written again: for tests of files."""

import copy


def with_key(tables, name, value):
    """The tables with one dotted key set."""
    changed = copy.deepcopy(tables)
    *path, last = name.split(".")
    table = changed
    for part in path:
        table = table.setdefault(part, {})
    table[last] = value
    return changed


def without_key(tables, name):
    """The tables without one dotted key."""
    changed = copy.deepcopy(tables)
    *path, last = name.split(".")
    table = changed
    for part in path:
        table = table[part]
    del table[last]
    return changed


def text(tables):
    """As the text of a file."""
    return "\n".join(_lines(tables, ""))


def _lines(tables, prefix):
    values = [f"{key} = {_value(value)}" for key, value in tables.items() if not isinstance(value, dict)]
    inner = [(f"{prefix}{key}", value) for key, value in tables.items() if isinstance(value, dict)]
    return values + [line for name, table in inner for line in (f"[{name}]", *_lines(table, f"{name}."))]


def _value(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
