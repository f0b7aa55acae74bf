"""Credentials never enter the journal, and nothing else is touched."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.bus import messages as m
from igrt.engine.journal import Entry, Journal, read_rows
from igrt.engine.journal_redaction import is_redacted, names_credential, redact

SECRETS = (
    "token",
    "claimToken",
    "claim_token",
    "issued_token",
    "TOKEN",
    "token2",
    "client-secret",
    "api_key",
    "APIKey",
    "password_hash",
    "pin",
)
OTHERS = ("token_sha256", "token_used", "token_expiry_s", "plan_fingerprint", "spin", "key", "session", "request_id", "", "image_id")


@pytest.mark.parametrize("key", SECRETS)
def test_a_field_that_names_a_credential(key):
    assert names_credential(key)


@pytest.mark.parametrize("key", OTHERS)
def test_a_field_that_names_none(key):
    assert not names_credential(key)


@pytest.mark.parametrize("key", SECRETS)
def test_what_stands_there_is_replaced_at_any_depth(key):
    payload = msgspec.msgpack.encode({"a": [{"b": {key: "hush-hush"}}], "kept": 1})
    kept = redact(payload)
    assert b"hush" not in kept
    assert msgspec.msgpack.decode(kept) == {"a": [{"b": {key: "redacted"}}], "kept": 1}
    assert is_redacted(kept)
    assert not is_redacted(payload)


def test_a_whole_object_under_such_a_key_goes():
    assert b"hush" not in redact(msgspec.msgpack.encode({"credentials": {"user": "hush", "values": ["hush"]}}))


def test_nothing_to_hide_stays_nothing():
    payload = msgspec.msgpack.encode({"token": None})
    assert redact(payload) == payload
    assert not is_redacted(payload)


def test_a_second_key_of_the_same_name_hides_nothing():
    hidden = b"\x82\xa1a" + msgspec.msgpack.encode({"token": "hush-hush"}) + b"\xa1a\x80"
    assert msgspec.msgpack.decode(hidden) == {"a": {}}
    assert b"hush" not in redact(hidden)
    assert b"hush" not in redact(b"\x81\xc4\x05token\xa9hush-hush"), "a key of bytes"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text().filter(lambda k: not names_credential(k)), inner, max_size=4),
        max_leaves=12,
    )
)
def test_what_holds_no_credential_keeps_its_bytes(value):
    payload = msgspec.msgpack.encode(value)
    assert redact(payload) == payload
    assert not is_redacted(payload)


def test_messages_of_the_bus_keep_their_bytes():
    payload = m.encode(m.StateChanged(header=m.new_header(session="s"), number=3, previous="idle", state="ready", trigger="plan_loaded"))
    assert redact(payload) == payload


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x81", b"\x80\x80", b"\x91" * 5000, b"\x81\x80\x80", b"\xa1\xff"])
def test_no_messagepack_is_refused(payload):
    with pytest.raises(ValueError, match="no MessagePack"):
        redact(payload)


def test_no_file_of_the_journal_ever_holds_one(tmp_path):
    path = tmp_path / "j.sqlite"
    with Journal(path, session="s") as journal:
        journal.append_all(
            [
                Entry("claim", msgspec.msgpack.encode({"token": "hush-hush", "proposal": 3})),
                Entry("reply", msgspec.msgpack.encode({"claim_token": "hush-hush"}), request_id="r1"),
            ]
        )
        assert is_redacted(journal.reply("r1").payload)
        for file in tmp_path.iterdir():
            assert b"hush-hush" not in file.read_bytes()
    assert next(msgspec.msgpack.decode(row.payload) for row in read_rows(path)) == {"token": "redacted", "proposal": 3}
