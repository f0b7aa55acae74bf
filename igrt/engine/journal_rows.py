"""What the journal is made of: rows that each carry the hash of the one before, and the ways to fail.

A row is sealed by SHA-256(hash of the row before + its own fields as one MessagePack array). The fields hold commitments,
SHA-256(random salt + content), in place of what may identify a patient: when the content and its salt are deleted the
chain still holds, and nobody can guess the content from what is left.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

import msgspec

from igrt.bus.wire import IDENTIFIER_PATTERN
from igrt.errors import InputError

ERASED_KIND = "patient_erased"
SALT_BYTES = 16
LARGEST_PAYLOAD_BYTES = 64 << 20
_IDENTIFIER = re.compile(IDENTIFIER_PATTERN)
_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


class JournalError(InputError):
    """The journal cannot do what was asked; nothing was written."""


class JournalFullError(JournalError):
    """No space on the disk: nothing of what was to be written is there. It may be tried again once there is space."""


class JournalFailedError(JournalError):
    """The disk failed, or another program wrote: what was to be written counts as not written, and only opening anew helps."""


class AlreadyAnsweredError(ValueError):
    """A second reply to one request: a defect of the caller, who must look for the first reply. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be written: MessagePack, whose data it is, and for a reply the request that it answers."""

    kind: str
    payload: bytes = field(repr=False)
    patient_id: str | None = field(default=None, repr=False, kw_only=True)
    request_id: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.kind == ERASED_KIND:
            raise ValueError(f"kind {ERASED_KIND!r} is written by erasing a patient only")
        for name, value in (("kind", self.kind), ("request_id", self.request_id)):
            if value is not None and not _IDENTIFIER.match(value):
                raise ValueError(f"{name} {value!r} is not 1 to 64 letters, digits, dots, underscores and hyphens")
        if len(self.payload) > LARGEST_PAYLOAD_BYTES:
            raise ValueError(f"a payload of {len(self.payload)} bytes; the journal takes {LARGEST_PAYLOAD_BYTES >> 20} MiB")
        if self.patient_id == "":
            raise ValueError("patient_id is empty; None stands for no patient")


@dataclass(frozen=True, slots=True)
class Head:
    """The last row's number and hash; written down elsewhere, it proves later that no row is missing. Number 0: no row yet."""

    number: int
    sha256: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.sha256.hex()}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """From `number:hash`, as printed; JournalError where it is not that."""
        match = _HEAD.fullmatch(text.strip())
        if not match:
            raise JournalError(f"{text[:80]!r} is no journal head; give it as it was printed, a number, a colon and 64 hexadecimal digits")
        return cls(int(match[1]), bytes.fromhex(match[2]))


NO_ROW = Head(0, bytes(32))


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `payload` is None where it was erased with its patient; `subject` stands for the patient without naming them."""

    number: int
    kind: str
    utc_unix_s: float
    monotonic_s: float
    session: str
    subject: bytes | None
    request_id: str | None
    payload_sha256: bytes
    previous_sha256: bytes
    sha256: bytes
    payload: bytes | None = field(repr=False)

    @property
    def head(self) -> Head:
        """The journal's head while this row is the last."""
        return Head(self.number, self.sha256)

    def seal(self, *, number: int | None = None) -> bytes:
        """The hash that the row's fields give, where wanted as if it had another number."""
        fields: list[object] = [
            self.number if number is None else number,
            self.kind,
            self.utc_unix_s,
            self.monotonic_s,
            self.session,
            self.subject,
            self.payload_sha256,
        ]
        if self.request_id is not None:  # rows of version 1 had no such field, and their hashes must stay
            fields.append(self.request_id)
        return hashlib.sha256(self.previous_sha256 + msgspec.msgpack.encode(fields)).digest()


@dataclass(frozen=True, slots=True)
class Erasure:
    """A patient's data was erased by command, told in row `number`.

    `scrubbed` is False where its bytes are still in the file, for a reader held it or the disk was full: they go when the
    journal is next opened for writing.
    """

    number: int
    utc_unix_s: float
    payloads: int
    scrubbed: bool = True


def new_salt() -> bytes:
    """Random; of fixed length, so that salt and content cannot run into each other."""
    return secrets.token_bytes(SALT_BYTES)


def commitment(salt: bytes, content: bytes) -> bytes:
    """Binds to `content` without telling it, for as long as the salt is not known."""
    return hashlib.sha256(salt + content).digest()
