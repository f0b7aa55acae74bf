"""docs/bus.md, made from the types and tables of the bus: `python -m igrt.bus.docs > docs/bus.md`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from igrt.bus import messages as m
from igrt.bus.sockets import CREDIT_SLABS, ENDPOINTS_FILE, LARGEST_COMMAND_BYTES, LARGEST_SLAB_BYTES
from igrt.bus.topics import ERRORS, EVENTS, HEARTBEAT_LOST_S, HEARTBEAT_PERIOD_S, SLABS, VERBS

_TEXT = f"""# The bus: `{m.VERSION}`

Made by `python -m igrt.bus.docs > docs/bus.md` from the types that `igrt/bus/messages.py` hands on; a test compares.

The engine listens on three ZeroMQ sockets of this machine's loopback. Their addresses stand in `{ENDPOINTS_FILE}` in the engine's
folder while it runs (`commands`, `images`, `events`).

| socket | type | your end | carries |
|---|---|---|---|
| commands | ROUTER | DEALER (or REQ) | one frame a request, one frame a reply; at most {LARGEST_COMMAND_BYTES >> 20} MiB |
| images | ROUTER | DEALER | two frames a slab, message and voxels; one frame a reply; at most {LARGEST_SLAB_BYTES >> 20} MiB |
| events | XPUB | SUB, subscribed to everything (the empty prefix) | one frame an event |

Every message is a MessagePack map. `kind` names its type, `header` is in all of them. Ignore fields and events that you do not know;
a message of another version than `{m.VERSION}` is refused. Fields with a default may be left out.

**Requests are idempotent.** A request that repeats a message id gets the first reply again, and is not carried out again. Where no
reply comes, send the same frame again; this holds over a restart of the engine too.

**Sending an image.** `load_plan`, or `snapshot` to learn the plan in use. `begin_image` with the plan's fingerprint in the header;
the reply sets the credit (now {CREDIT_SLABS}): so many slabs may be unacknowledged. Send slabs in any order and of any number of slices;
each is acknowledged once it is on disk (`slab_stored`), or refused (`error`). Send a refused slab again where its code is
`bad_slab` or `no_credit`. Broken off? `begin_image` with the same image id and description tells what is missing, in another
run of the engine too. When nothing is missing, `end_image`; the answer comes as `proposal` or `refusal`, then `verdict`, then an
`alert` where something must be known, or as `image_failed`.

**Following.** Subscribe, wait for `welcome`, ask for the `snapshot`, drop events up to its `number`, then follow. Each event's
number is one more than the last one's, and the heartbeat (every {HEARTBEAT_PERIOD_S:.0f} s) tells the last one: after a gap, or another
`session`, ask for the snapshot again. Who reads too slowly loses events, and holds up nobody. No heartbeat for
{HEARTBEAT_LOST_S:.0f} s: trust nothing on the screen.

**From a proposal to the couch.** A person sends `approve` (for a verdict of stop `override`, by name and with the reason) with the
`proposal_id`; the event `approved` carries a token. The linac then sends `report_machine` (what it has loaded, whether its beam is on)
and within 5 s `claim`, with the token and the couch read back. `claim_reply` carries the absolute target, once and never again for
this proposal, or every reason why not (docs/guard.md). A claim is denied where anything is missing: give `couch` in `begin_image` and
`end_image` and `fraction` in `load_plan`. The linac moves under its own hold-to-run and reads its couch back with `report_couch`: `start`,
`during`, then `after`, or `stopped` where it did not get there. `chain_closed` says where it is against where it was sent, and whether a
verification image is needed before the beam: then `begin_image` again. Beam on and off are told with `report_machine`.

**Hold.** On the event `hold` the linac stops couch and beam and sends `acknowledge_hold`; who joins later finds it in the snapshot. To
move again needs a new release. After an interruption a person sends `confirm_couch` with the couch read back, or an image is taken again.

**After a restart of the engine** plan, image, proposal, approval and alerts stand as they stood. What was released and not yet in
position is interrupted, and held.
"""


PARTS = (
    m.ImageGrid,
    m.CouchReadout,
    m.ImageState,
    m.AlertState,
    m.LoadedPlan,
    m.StatedUnits,
    m.Release,
    m.Denial,
    m.Standing,
)


def markdown() -> str:
    """The whole document."""
    parts = [_TEXT, "## Header\n", _fields(m.Header)]
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
    if schema.get("pattern") == m.IDENTIFIER_PATTERN:
        return "string of 1 to 64 letters (a-z, A-Z), digits, dots, hyphens, underscores"
    words = {"minimum": "at least {}", "maximum": "at most {}", "maxLength": "of at most {} characters"}
    limits = [words[key].format(schema[key]) for key in words if key in schema]
    return " ".join([{"object": "map", "number": "float"}.get(kind, kind), *limits])


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
