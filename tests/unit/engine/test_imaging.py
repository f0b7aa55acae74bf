"""What an announced image must be: every field that cannot be is refused in one sentence that names it."""

import math

import msgspec
import pytest

from igrt.bus import messages as m
from igrt.bus.topics import REQUESTS, WireError, decode
from igrt.engine.imaging import require_agreed_angle, require_volume_or_radiographs
from igrt.errors import InputError
from igrt.geometry.position import PatientPosition
from igrt.images.radiographs import KvConventions, PixelSense
from igrt.verification.table_angle import TableAngles

KV = KvConventions(name="test", source_offset_deg=0.0, panel_offset_mm=(0.0, 0.0))
GRID = m.ImageGrid(shape_kji=(4, 5, 6), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
FRAME = m.RadiographFrame(
    gantry_angle_deg=270.0,
    sad_mm=1000.0,
    shape=(384, 512),
    spacing_mm=(0.776, 0.776),
    receptor_angle_deg=0.0,
    sid_mm=1500.0,
    pixels="intensity",
    kvp=100.0,
)


def begin(*frames: m.RadiographFrame, **changes) -> m.BeginImage:
    known = {"radiographs": list(frames) or None, "dtype": "uint16", "position": PatientPosition.HFS, "source": "the pair", "image_id": "a"}
    return m.BeginImage(header=m.new_header(), **(known | changes))


def with_(**changes) -> m.RadiographFrame:
    return msgspec.structs.replace(FRAME, **changes)


def test_a_pair_and_a_volume_are_taken() -> None:
    require_volume_or_radiographs(begin(FRAME, with_(gantry_angle_deg=0.0)), KV)
    require_volume_or_radiographs(begin(grid=GRID, dtype="int16"), KV)
    everything = with_(
        receptor_translation_mm=(3.0, -2.0, -500.0),
        first_pixel_mm=(-198.3, 148.6),
        orientation=(1.0, 0.0, 0.0, 0.0, -1.0, 0.0),
        rescale_slope=2.0,
        rescale_intercept=-5.0,
        table_angle_deg=359.9,
        jaws=[m.Jaws(axis="x", low_mm=-100.0, high_mm=90.0, angle_deg=5.0)],
        uid="1.2.3",
        source="AP",
    )
    require_volume_or_radiographs(begin(everything), KV)
    require_agreed_angle(begin(everything), TableAngles(table_angle_deg=0.0, image_table_angle_deg=0.0, planned_by="test"))
    with pytest.raises(InputError, match="angle"):  # it was looked at: another angle of the images is refused
        require_agreed_angle(begin(everything), TableAngles(table_angle_deg=0.0, image_table_angle_deg=5.0, planned_by="test"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gantry_angle_deg": math.nan}, "gantry_angle_deg is nan; give finite"),
        ({"gantry_angle_deg": 2700.0}, "gantry_angle_deg is 2700; give an angle"),
        ({"receptor_angle_deg": math.inf}, "receptor_angle_deg is inf"),
        ({"receptor_angle_deg": -361.0}, "receptor_angle_deg is -361"),
        ({"sad_mm": 0.0}, "sad_mm is 0; give a positive"),
        ({"sad_mm": math.nan}, "sad_mm is nan"),
        ({"sid_mm": -1500.0}, "sid_mm is -1500; give a positive"),
        ({"sid_mm": 990.0, "receptor_translation_mm": (0.0, 0.0, -500.0)}, "contradicts itself: sid_mm is 990, but sad_mm 1000"),
        ({"sid_mm": None}, "lacks both sid_mm and receptor_translation_mm"),
        ({"sid_mm": None, "receptor_translation_mm": (0.0, 0.0, 1000.0)}, "0.0 mm from the source"),
        ({"receptor_translation_mm": (0.0, math.nan, -500.0)}, "receptor_translation_mm is"),
        ({"spacing_mm": (0.776, 0.0)}, "spacing_mm is [0.776, 0.0]; give two positive"),
        ({"spacing_mm": (math.inf, 1.0)}, "spacing_mm is [inf, 1.0]; give finite"),
        ({"first_pixel_mm": (math.nan, 1.0)}, "first_pixel_mm is [nan, 1.0]"),
        ({"orientation": (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)}, "orthonormal directions"),
        ({"orientation": (0.0, 0.0, 1.0, 0.0, -1.0, 0.0)}, "orthonormal directions"),
        ({"orientation": (math.nan, 0.0, 0.0, 0.0, -1.0, 0.0)}, "orientation is"),
        ({"rescale_slope": 0.0}, "rescale_slope is 0"),
        ({"rescale_slope": math.nan}, "rescale_slope is nan"),
        ({"rescale_intercept": math.inf}, "rescale_intercept is inf"),
        ({"kvp": 0.0}, "kvp is 0; give a positive"),
        ({"kvp": 6000.0}, "tube voltage is 6000 kV"),
        ({"kvp": math.nan}, "kvp is nan"),
        ({"pixels": None}, "does not state pixels, and machine profile test no kv.pixels"),
        ({"table_angle_deg": math.nan}, "table_angle_deg is nan"),
        ({"jaws": [m.Jaws(axis="x", low_mm=9.0, high_mm=-9.0)]}, "jaws x are open from 9 to -9"),
        ({"jaws": [m.Jaws(axis="y", low_mm=-9.0, high_mm=math.nan)]}, "jaws y are open from -9 to nan"),
        ({"jaws": [m.Jaws(axis="y", low_mm=-9.0, high_mm=9.0, angle_deg=math.inf)]}, "jaws y"),
    ],
)
@pytest.mark.parametrize("name", [None, "lateral"])
def test_a_field_that_cannot_be_is_refused_in_one_sentence(changes, words, name) -> None:
    with pytest.raises(InputError) as caught:
        require_volume_or_radiographs(begin(FRAME, with_(source=name, **changes)), KV)
    sentence = str(caught.value)
    assert words in sentence
    assert sentence.startswith(name or "the pair, radiograph 2 of 2")
    assert "\n" not in sentence
    assert ". " not in sentence


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (begin(), "give grid for a volume, or radiographs"),
        (begin(FRAME, grid=GRID), "not both"),
        (begin(FRAME, dtype="int16"), "dtype is int16; radiographs must be uint16"),
        (begin(grid=GRID), "dtype is uint16; a volume must be int16"),
        (begin(FRAME, isocentre_mm=(0.0, 0.0, 0.0)), "leave isocentre_mm out"),
        (begin(FRAME, frame_of_reference_uid="1.2"), "leave frame_of_reference_uid out"),
        (begin(FRAME, with_(shape=(384, 511))), "shape is [384, 511], but the first frame's is [384, 512]"),
        (begin(with_(uid="1.2"), with_(uid="1.2")), "its uid is that of an earlier frame"),
    ],
)
def test_an_image_is_a_volume_or_radiographs_that_belong_together(request_, words) -> None:
    with pytest.raises(InputError) as caught:
        require_volume_or_radiographs(request_, KV)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source_offset_deg": None}, "does not state kv.source_offset_deg"),
        ({"panel_offset_mm": None}, "does not state kv.panel_offset_mm"),
    ],
)
def test_what_neither_frame_nor_profile_states_is_refused(change, words) -> None:
    known = {"name": "linac3", "source_offset_deg": 0.0, "panel_offset_mm": (0.0, 0.0)}
    with pytest.raises(InputError, match=words):
        require_volume_or_radiographs(begin(FRAME), KvConventions(**(known | change)))
    profile = KvConventions(**known, pixels=PixelSense.INVERTED)
    require_volume_or_radiographs(begin(with_(pixels=None)), profile)


def test_a_frame_taken_at_another_table_angle_is_refused() -> None:
    angles = TableAngles(table_angle_deg=0.0, image_table_angle_deg=0.0, planned_by="test")
    with pytest.raises(InputError, match=r"radiograph 2 of 2 was taken at patient support angle 4.* give image_table_angle_deg"):
        require_agreed_angle(begin(FRAME, with_(table_angle_deg=4.0)), angles)


@pytest.mark.parametrize(
    ("field", "value"),
    [("shape", [1, 512]), ("shape", [384, 70000]), ("pixels", "bright"), ("spacing_mm", [1.0]), ("jaws", [{}] * 9), ("sad_mm", "far")],
)
def test_what_is_of_another_type_is_malformed(field, value) -> None:
    message = msgspec.to_builtins(begin(FRAME))
    message["radiographs"][0][field] = value
    with pytest.raises(WireError, match=r"begin_image cannot be read: .*radiographs\[0\]") as caught:
        decode(msgspec.msgpack.encode(message), REQUESTS)
    assert caught.value.code == "malformed"
    message["radiographs"] = []
    with pytest.raises(WireError, match="begin_image cannot be read"):
        decode(msgspec.msgpack.encode(message), REQUESTS)
