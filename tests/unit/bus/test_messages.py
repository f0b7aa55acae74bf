"""The types: what they carry, how they are named, and that what is encoded is read back."""

import re

import msgspec
import pytest

from igrt.bus import messages as m
from igrt.bus.docs import PARTS
from igrt.bus.topics import ERRORS, EVENTS, REPLIES, REQUESTS, SLAB_REPLIES, SLABS, VERBS, WireError, decode
from igrt.geometry.position import PatientPosition

KINDS = {**REQUESTS, **REPLIES, **EVENTS, **SLABS, **SLAB_REPLIES}
# Numbers without a unit: counts, indices, shares, directions, identities.
UNITLESS = {
    "number",
    "last_number",
    "k_start",
    "slices",
    "slices_stored",
    "slices_total",
    "crc32",
    "fraction",
    "similarity",
    "similarity_there",
    "rounds",
    "missing",
    "plan_from_daily",  # a rotation and a shift in mm in one matrix, as in the answer
    "shape_kji",
    "direction_i",
    "direction_j",
    "direction_k",
    "shape",
    "orientation",
    "rescale_slope",
    "rescale_intercept",
    "kvp",  # DICOM's word, which is its unit
}
UNIT = re.compile(r"_(mm|deg|s|bytes|slabs)$")


def numeric(schema: dict) -> bool:
    parts = [schema, *schema.get("anyOf", []), *schema.get("prefixItems", [])]
    if isinstance(schema.get("items"), dict):
        parts.append(schema["items"])
    return any(p.get("type") in ("number", "integer") or ("prefixItems" in p and p is not schema and numeric(p)) for p in parts)


def every_struct() -> list[type[msgspec.Struct]]:
    return [m.Header, *PARTS, *KINDS.values()]


@pytest.mark.parametrize("kind", every_struct(), ids=lambda k: k.__name__)
def test_every_number_ends_in_its_unit(kind):
    (schema,), components = msgspec.json.schema_components([kind])
    properties = components[schema["$ref"].rsplit("/", 1)[1]]["properties"]
    wrong = [name for name, field in properties.items() if numeric(field) and not UNIT.search(name) and name not in UNITLESS]
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.__name__)
def test_every_type_has_a_header_a_name_and_a_sentence(kind):
    assert kind.wire_kind() == m.wire_name(kind.__name__)
    assert "header" in {f.name for f in msgspec.structs.fields(kind)}
    assert kind.__doc__.rstrip().endswith(".") or ":" in kind.__doc__


def test_a_message_is_read_back_as_it_was():
    message = m.BeginImage(
        header=m.new_header(session="s", patient_id="P1", plan_fingerprint="f"),
        image_id="scan-1",
        grid=m.ImageGrid(shape_kji=(1, 2, 3), origin_mm=(0.1, -0.2, 1e-300), spacing_mm=(1.0, 2.0, 3.0)),
        position=PatientPosition.FFDL,
        couch=m.CouchReadout(lateral_mm=1.0, longitudinal_mm=2.0, vertical_mm=3.0),
    )
    assert decode(m.encode(message), REQUESTS) == message


def test_headers_have_ids_of_their_own():
    assert len({m.new_header().message_id for _ in range(100)}) == 100


@pytest.mark.parametrize("image_id", ["", "a/b", "../a", "a b", "a" * 65, "ä", "a\n"])
def test_image_ids_are_fit_to_be_file_names(image_id):
    frame = msgspec.msgpack.encode({"kind": "end_image", "header": msgspec.to_builtins(m.new_header()), "image_id": image_id})
    with pytest.raises(WireError, match="image_id"):
        decode(frame, REQUESTS)


def test_every_verb_has_a_reply_of_its_own_and_every_error_its_words():
    assert {v.reply.wire_kind() for v in VERBS.values()} == {f"{name}_reply" for name in VERBS}
    assert all(words and not words.endswith(".") for words in ERRORS.values())


def test_only_the_reply_to_a_claim_releases():
    releasing = [name for name, verb in VERBS.items() if "release" in {f.name for f in msgspec.structs.fields(verb.reply)}]
    assert releasing == ["claim"]
