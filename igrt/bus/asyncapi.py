"""docs/asyncapi.json, the bus as an AsyncAPI 3.0 document: `python -m igrt.bus.asyncapi > docs/asyncapi.json`.

It is made from the types and tables that the engine and its clients run on. What AsyncAPI has no word for (a second raw frame, credit,
timings) is in extensions, `x-...`, and in docs/bus.md.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from igrt.bus import manual
from igrt.bus import messages as m
from igrt.bus.sockets import CREDIT_SLABS, EVENT_QUEUE, LARGEST_COMMAND_BYTES, LARGEST_SLAB_BYTES
from igrt.bus.topics import ERRORS, EVENTS, REPLIES, REQUESTS, SLAB_REPLIES, SLABS, VERBS

_JSON = dict[str, Any]
_REF = "#/components/schemas/{name}"
_EVERY = {**REQUESTS, **REPLIES, **SLABS, **SLAB_REPLIES, **EVENTS}


def document() -> _JSON:
    """The whole document, ready for JSON."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:igrt:bus",
        "info": {
            "title": "igrt bus",
            "version": m.VERSION,
            "description": "Image-guided radiotherapy: images in, a checked couch correction out, claimed once. docs/bus.md says how.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/vnd.msgpack",
        "servers": {socket: _server(socket, port, kind) for socket, port, kind in _SOCKETS},
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": {kind: _message(kind) for kind in _EVERY}, "schemas": _schemas()},
        "x-errors": dict(ERRORS),
        "x-states": dict(manual.STATES),
        "x-timings": {what: {"limit_s": limit_s, "meaning": meaning} for what, (limit_s, meaning) in manual.TIMINGS.items()},
    }


_SOCKETS = (
    ("commands", 5570, "ROUTER; connect a DEALER or REQ"),
    ("images", 5571, "ROUTER; connect a DEALER"),
    ("events", 5572, "XPUB; connect a SUB"),
)


def _server(socket: str, port: int, kind: str) -> _JSON:
    return {
        "host": f"127.0.0.1:{port}",
        "protocol": "zmtp",
        "protocolVersion": "3.1",
        "description": f"ZeroMQ {kind}. The port is a default; endpoints.json in the engine's folder has the address ({socket}).",
    }


def _channels() -> _JSON:
    def channel(name: str, title: str, kinds: Iterable[str], **extensions: Any) -> _JSON:
        return {
            "address": None,
            "title": title,
            "servers": [{"$ref": f"#/servers/{name}"}],
            "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds},
            **extensions,
        }

    return {
        "commands": channel(
            "commands",
            "Requests, one frame each, and their replies; a repeated message id gets the first reply",
            {**REQUESTS, **REPLIES},
            **{"x-largest-frame-bytes": LARGEST_COMMAND_BYTES},
        ),
        "images": channel(
            "images",
            "Slabs of an image, and their acknowledgements",
            {**SLABS, **SLAB_REPLIES},
            **{"x-largest-frame-bytes": LARGEST_SLAB_BYTES, "x-credit-slabs": CREDIT_SLABS},
        ),
        "events": channel(
            "events",
            "One numbered stream for all; subscribe to the empty prefix, wait for welcome, ask for the snapshot, follow",
            EVENTS,
            **{"x-queue-frames": EVENT_QUEUE},
        ),
    }


def _operations() -> _JSON:
    """What the engine does; a client does the opposite."""

    def listed(channel: str, kinds: Iterable[str]) -> list[_JSON]:
        return [{"$ref": f"#/channels/{channel}/messages/{kind}"} for kind in kinds]

    def answers(channel: str, requests: Iterable[str], replies: Iterable[str]) -> _JSON:
        where = {"$ref": f"#/channels/{channel}"}
        return {
            "action": "receive",
            "channel": where,
            "messages": listed(channel, requests),
            "reply": {"channel": where, "messages": listed(channel, replies)},
        }

    requests = {kind: answers("commands", [kind], [verb.reply.wire_kind(), "error"]) for kind, verb in VERBS.items()}
    for kind, verb in VERBS.items():
        requests[kind]["x-names-plan"] = verb.names_plan
    return {
        **requests,
        **{kind: answers("images", [kind], SLAB_REPLIES) for kind in SLABS},
        "tell": {"action": "send", "channel": {"$ref": "#/channels/events"}, "messages": listed("events", EVENTS)},
    }


def _message(kind: str) -> _JSON:
    of = _EVERY[kind]
    message: _JSON = {
        "name": kind,
        "title": of.__name__,
        "summary": inspect.getdoc(of),
        "payload": {"$ref": _REF.format(name=of.__name__)},
    }
    if issubclass(of, m.Reply):
        message["correlationId"] = {"location": "$message.payload#/request_id", "description": "the request's header.message_id"}
    elif kind in REQUESTS or kind in SLABS:
        message["correlationId"] = {"location": "$message.payload#/header/message_id"}
    if kind in SLABS:
        message["x-frames"] = [
            "this message",
            "the voxels: length_bytes bytes, little-endian int16 Hounsfield units or uint16 stored values of radiographs, "
            "slices x rows x columns, column index fastest",
        ]
    if issubclass(of, m.Event):
        message["x-numbered"] = True
    return message


def _schemas() -> _JSON:
    _, components = msgspec.json.schema_components(_EVERY.values(), ref_template=_REF)
    return {name: _draft_07(schema) for name, schema in sorted(components.items())}


def _draft_07(schema: Any) -> Any:
    """A schema of msgspec (JSON Schema 2020-12) in the words of draft 07, on which AsyncAPI's schema object rests."""
    if isinstance(schema, list):
        return [_draft_07(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    changed = {key: _draft_07(value) for key, value in schema.items() if key not in ("prefixItems", "discriminator", "contentEncoding")}
    if "contentEncoding" in schema:  # of bytes in JSON; in MessagePack they are bin
        changed |= {"format": "binary", "x-msgpack": "bin"}
    if "prefixItems" in schema:
        changed |= {"items": _draft_07(schema["prefixItems"]), "additionalItems": False}
    if "discriminator" in schema:
        changed["discriminator"] = schema["discriminator"]["propertyName"]
    return _annotated(changed)


_UNIT = re.compile(r"_(mm|deg|s|bytes)$")


def _annotated(schema: _JSON) -> _JSON:
    """Each field whose name ends in a unit says so as `x-unit` too."""
    for name, field in schema.get("properties", {}).items():
        if isinstance(field, dict) and (unit := _UNIT.search(name)) and "$ref" not in field:
            field["x-unit"] = unit[1]
    return schema


def text() -> str:
    """The document as it is committed."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=1).decode() + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
