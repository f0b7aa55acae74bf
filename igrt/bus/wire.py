"""What all messages share: version, header, and the words that their types are made of."""

from __future__ import annotations

import re
import time
import uuid
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

VERSION = "igrt/1"

Seconds = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Ordinal = Annotated[int, Meta(ge=1, description="from 1")]
Number = Annotated[int, Meta(ge=0, description="place in the numbered event stream; 0 where nothing has been published yet")]
IDENTIFIER_PATTERN = r"^[A-Za-z0-9._-]{1,64}(?![\s\S])"  # the end of the text, which `$` is not: it leaves room for a line feed
NOT_BLANK_PATTERN = r"\S"
Identifier = Annotated[str, Meta(pattern=IDENTIFIER_PATTERN)]
Text = Annotated[str, Meta(max_length=4096)]
Sentence = Annotated[str, Meta(description="one sentence for a person: what is wrong and what to do")]
Vector = tuple[float, float, float]
Range = Annotated[tuple[int, int], Meta(description="first slice, and the one after the last")]


def wire_name(name: str) -> str:
    """`BeginImage` -> `begin_image`: the `kind` of a message type."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Header(Struct, frozen=True, kw_only=True):
    """Carried by every message."""

    version: Annotated[str, Meta(description="the protocol's version; another is refused")] = VERSION
    message_id: Annotated[Identifier, Meta(description="unique; a request that repeats one gets the first reply")]
    session: Annotated[Text, Meta(description="the engine's run, from its welcome or snapshot; empty where not known yet")] = ""
    patient_id: Annotated[Text | None, Meta(description="of the plan in use; null where there is none or its files do not say")] = None
    plan_fingerprint: Annotated[Text | None, Meta(description="SHA-256 of the plan in use; null where there is none")] = None
    utc_unix_s: Annotated[Seconds, Meta(description="sender's UTC clock, since 1970-01-01")]
    monotonic_s: Annotated[
        Seconds,
        Meta(description="sender's monotonic clock, which goes on in suspend (CLOCK_BOOTTIME); comparable within one machine's run only"),
    ]


def monotonic_s() -> float:
    """The machine's monotonic clock; it goes on while the machine is suspended, as time.monotonic does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def new_header(*, session: str = "", patient_id: str | None = None, plan_fingerprint: str | None = None) -> Header:
    """A header with a fresh id and this machine's clocks."""
    return Header(
        message_id=uuid.uuid4().hex,
        session=session,
        patient_id=patient_id,
        plan_fingerprint=plan_fingerprint,
        utc_unix_s=time.time(),
        monotonic_s=monotonic_s(),
    )


class Message(Struct, frozen=True, kw_only=True, tag_field="kind", tag=wire_name):
    """Anything on the bus."""

    header: Header

    @classmethod
    def wire_kind(cls) -> str:
        """The value of `kind`."""
        return str(cls.__struct_config__.tag)


class Reply(Message, frozen=True, kw_only=True):
    """Answers one request."""

    request_id: Annotated[Text, Meta(description="message id of the request; empty where it could not be read")]


class Event(Message, frozen=True, kw_only=True):
    """One of the numbered stream: each number is one more than the one before, or something was missed."""

    number: Number


def encode(message: Message) -> bytes:
    """MessagePack, a map."""
    return msgspec.msgpack.encode(message)
