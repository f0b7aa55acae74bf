"""TOML tables to typed records: strict, and every error names file, key, value and remedy.

A record is a `Table` whose fields are `Annotated[type, Meta(description=..., ge=..., le=...)]`. The
description is the one place where a key is explained: errors quote it and docs/physicist.md is made from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from igrt.errors import InputError

Record = TypeVar("Record", bound=msgspec.Struct)
_AT = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]+)`")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A TOML table: a key that is not known is an error."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a schema: dotted name, what may stand there in words, whether it may be left out (with its table), what it means."""

    name: str
    accepts: str
    optional: bool
    meaning: str


def convert(tables: Mapping[str, Any], schema: type[Record], path: Path) -> Record:
    """The record that the tables of `path` describe; InputError where a key is unknown, absent, mistyped or out of range."""
    try:
        return msgspec.convert(tables, schema, strict=True)
    except msgspec.ValidationError as problem:
        raise InputError(_sentence(str(problem), tables, schema, path)) from None


def keys(schema: type[msgspec.Struct], prefix: str = "", *, optional: bool = False) -> Iterator[Key]:
    """Every key of the schema, in the order of the file, tables unfolded."""
    hints = get_type_hints(schema, include_extras=True)
    for field in msgspec.structs.fields(schema):
        kind, metas = _unwrap(hints[field.name])
        absent = optional or not field.required
        if get_origin(kind) in (Union, UnionType):
            kind, inner_metas = _unwrap(next(argument for argument in get_args(kind) if argument is not NoneType))
            metas = inner_metas + metas
        name = f"{prefix}{field.encode_name}"
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from keys(kind, f"{name}.", optional=absent)
            continue
        meaning = next((meta.description for meta in metas if meta.description), None)
        if meaning is None:
            raise TypeError(f"{schema.__name__}.{field.name} has no description; explain the key in its Meta")
        yield Key(name, _accepts(kind, metas), absent, meaning)


def reject(path: Path, key: str, value: object, problem: str) -> InputError:
    """An error about a value that is well formed but does not fit the others; `problem` ends with the remedy."""
    return InputError(f"{path}: {key} = {_toml(value)} {problem}")


def _sentence(problem: str, tables: Mapping[str, Any], schema: type[msgspec.Struct], path: Path) -> str:
    at = _AT.search(problem)
    where = at["path"] if at else ""
    known = {key.name: key for key in keys(schema)}
    if missing := _MISSING.search(problem):
        name = _join(where, missing["key"])
        inner = [key for key in known if key == name or key.startswith(f"{name}.")]
        hint = _hint(known[name]) if name in known else f"give the table [{name}] with {', '.join(inner)}"
        return f"{path}: {name} is missing; {hint}"
    if unknown := _UNKNOWN.search(problem):
        name = _join(where, unknown["key"])
        beneath = _join(where, "")
        siblings = dict.fromkeys(beneath + key.removeprefix(beneath).partition(".")[0] for key in known if key.startswith(beneath))
        return f"{path}: {name} = {_toml(_value(tables, name))} is not a key of this file; use one of {', '.join(siblings)}"
    name = re.sub(r"\[(\d+|\.\.\.)\]", "", where)
    stated = _value(tables, name)
    hint = _hint(known[name]) if name in known else f"give the table [{name}]"
    return f"{path}: {name or 'the file'} = {_toml(stated)} cannot be used; {hint}"


def _hint(key: Key) -> str:
    return f"give {key.accepts}: {key.meaning[0].lower()}{key.meaning[1:]}"


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _value(tables: Mapping[str, Any], name: str) -> object:
    value: object = tables
    for part in name.split(".") if name else []:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str):
        return f'"{value}"'
    return str(value)


def _unwrap(kind: Any) -> tuple[Any, tuple[msgspec.Meta, ...]]:
    """The type beneath Annotated, and its Metas from the inner to the outer."""
    if get_origin(kind) is Annotated:
        inner, *extras = get_args(kind)
        return inner, tuple(extra for extra in extras if isinstance(extra, msgspec.Meta))
    return kind, ()


def _accepts(kind: Any, metas: tuple[msgspec.Meta, ...]) -> str:
    """What may stand there, in words."""
    if get_origin(kind) is Literal:
        return " or ".join(_toml(choice) for choice in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return " or ".join(_toml(str(member)) for member in kind)
    if get_origin(kind) is tuple:
        arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
        each = _accepts(*_unwrap(arguments[0]))
        return f"a list, each {each}" if Ellipsis in get_args(kind) else f"a list of {len(arguments)}, each {each}"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return words.get(kind, "a date and time with time zone") + _range(metas)


def _range(metas: tuple[msgspec.Meta, ...]) -> str:
    def limit(*names: str) -> float | None:
        return next((value for meta in metas for name in names if (value := getattr(meta, name)) is not None), None)

    low, above, high = limit("ge"), limit("gt"), limit("le", "lt")
    if above is not None:
        return f" above {above:g}" + (f" up to {high:g}" if high is not None else "")
    if low is not None:
        return f" from {low:g} to {high:g}" if high is not None else f" of at least {low:g}"
    return f" of at most {high:g}" if high is not None else ""
