"""Credentials never enter the journal: what stands under a key that names one is replaced before anything is written.

Replaced and not refused: a client that sends a field too many must not stop a session. `token_sha256` and the like stay,
for a digest of a random token tells nothing and lets a replay compare.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

REDACTED = "redacted"
_ANYWHERE = frozenset({"password", "passwd", "passphrase", "secret", "credential", "credentials", "authorization", "cookie"})
_LAST = frozenset({"token", "tokens", "pin", "otp", "bearer", "jwt"})
_LAST_TWO = frozenset({("api", "key"), ("private", "key"), ("access", "key"), ("session", "key")})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def names_credential(key: str) -> bool:
    """Whether a field of this name holds a credential: `token`, `claimToken`, `client_secret`; not `token_sha256`, `token_used`."""
    words = [w.lower() for w in _WORD.findall(key)]
    return bool(_ANYWHERE.intersection(words) or _LAST.intersection(words[-1:]) or tuple(words[-2:]) in _LAST_TWO)


def redact(payload: bytes) -> bytes:
    """The payload as it may be kept; ValueError where it is no MessagePack.

    Always decoded and encoded again, so that no second key of the same name hides what stands under the first. What msgspec
    encoded and holds no credential keeps its bytes.
    """
    try:
        return msgspec.msgpack.encode(_clean(msgspec.msgpack.decode(payload)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(f"the payload is no MessagePack: {error}") from error


def is_redacted(payload: bytes) -> bool:
    """Whether something was replaced: the payload is then not what was sent."""
    return _holds_mark(msgspec.msgpack.decode(payload))


def _key(key: Any) -> str:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: REDACTED if v is not None and names_credential(_key(k)) else _clean(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_clean(v) for v in value]
    return value


def _holds_mark(value: Any) -> bool:
    if isinstance(value, dict):
        return any((v == REDACTED and names_credential(_key(k))) or _holds_mark(v) for k, v in value.items())
    return isinstance(value, list) and any(_holds_mark(v) for v in value)
