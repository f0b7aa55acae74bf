"""docs/bus.md, made from the types and tables of the bus: `python -m igrt.bus.docs > docs/bus.md`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from igrt.bus import manual
from igrt.bus import messages as m
from igrt.bus.topics import ERRORS, EVENTS, SLABS, VERBS

_TOP = f"""# The bus: `{m.VERSION}`

Made by `python -m igrt.bus.docs > docs/bus.md` from the types that `igrt/bus/messages.py` hands on; a test compares.
[asyncapi.json](asyncapi.json) has the same types for machines. A client in another language needs nothing else: `examples/c` is one.
"""


PARTS = (
    m.ImageGrid,
    m.RadiographFrame,
    m.Jaws,
    m.CouchReadout,
    m.ImageState,
    m.AlertState,
    m.FetchedStructure,
    m.LoadedPlan,
    m.StatedUnits,
    m.Release,
    m.Denial,
    m.Standing,
)


def markdown() -> str:
    """The whole document."""
    parts = [_TOP, *_chapters(), "## Header\n", _fields(m.Header)]
    parts.append("## Commands\n")
    for verb in VERBS.values():
        parts += [_message(verb.request, "request"), _message(verb.reply, "reply")]
    parts.append(_message(m.Error, "reply"))
    parts.append("## Images\n")
    parts += [_message(kind, "followed by the frame of voxels") for kind in SLABS.values()]
    parts.append(_message(m.SlabStored, "reply"))
    parts.append("## Events\n")
    parts += [_message(kind, "numbered" if issubclass(kind, m.Event) else "not numbered") for kind in EVENTS.values()]
    parts.append("## Parts of messages\n")
    parts += [_part(kind) for kind in PARTS]
    parts += ["## Errors\n", _table(("code", "meaning"), ERRORS.items())]
    return "\n".join(parts)


def _chapters() -> Iterable[str]:
    """What a client must know beside the fields."""
    for title, text in (
        ("Connecting", manual.CONNECTING),
        ("Encoding", manual.ENCODING + "\n" + manual.example()),
        ("Units and axes", manual.CONVENTIONS),
        ("Requests and replies", manual.REQUESTS),
        ("Sending an image", manual.SENDING),
        ("Following events", manual.FOLLOWING),
        ("Fetching", manual.FETCHING),
        ("Measuring a pose", manual.MEASURING),
        ("From a proposal to the couch", manual.RELEASING),
    ):
        yield f"## {title}\n\n{text}"
    yield "## States\n\nThe table of transitions is in [engine.md](engine.md).\n"
    yield _table(("state", "meaning"), ((f"`{state}`", meaning) for state, meaning in manual.STATES.items()))
    yield "## Times\n"
    yield _table(("time", "s", "meaning"), ((what, f"{limit_s:g}", meaning) for what, (limit_s, meaning) in manual.TIMINGS.items()))


def _message(kind: type[m.Message], role: str) -> str:
    return f"### `{kind.wire_kind()}` ({role})\n\n{inspect.getdoc(kind)}\n\n{_fields(kind)}"


def _part(kind: type[msgspec.Struct]) -> str:
    return f"### {kind.__name__}\n\n{inspect.getdoc(kind)}\n\n{_fields(kind)}"


def _fields(kind: type[msgspec.Struct]) -> str:
    (schema,), components = msgspec.json.schema_components([kind], ref_template="{name}")
    properties = components[schema["$ref"]]["properties"]
    rows = []
    for field in msgspec.structs.fields(kind):
        if field.name == "header":
            continue
        described = properties[field.encode_name]
        default = "" if field.required else f"`{msgspec.json.encode(_default(field)).decode()}`"
        rows.append((f"`{field.encode_name}`", _type(described), default, described.get("description", "")))
    return _table(("field", "type", "default", "meaning"), rows) if rows else "No fields beside the header.\n"


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"])
        kind = getattr(m, name)
        if issubclass(kind, m.Message):
            return f"`{kind.wire_kind()}`"
        return name if issubclass(kind, msgspec.Struct) else "one of " + ", ".join(f"`{v.value}`" for v in kind)
    if "anyOf" in schema:
        return " or ".join(_type(s) for s in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(f"`{v}`" for v in schema["enum"])
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(_type(s) for s in schema['prefixItems'])}]"
        return f"list of {_type(schema['items'])}"
    if schema.get("contentEncoding"):
        return "bin"
    if schema.get("pattern") == m.IDENTIFIER_PATTERN:
        return "string of 1 to 64 letters (a-z, A-Z), digits, dots, hyphens, underscores"
    words = {"minimum": "at least {}", "maximum": "at most {}", "minLength": "of at least {}", "maxLength": "of at most {} characters"}
    limits = [words[key].format(schema[key]) for key in words if key in schema]
    limits += ["not blank"] if schema.get("pattern") == m.NOT_BLANK_PATTERN else []
    return " ".join([{"object": "map", "number": "float"}.get(kind, kind), *limits])


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
