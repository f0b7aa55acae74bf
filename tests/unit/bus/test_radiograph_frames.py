"""Radiographs as they are sent and as they arrive: the same numbers, whatever the file's pixels were."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from igrt.bus.radiographs import check_frames, frame_name, received, sent
from igrt.errors import InputError
from igrt.geometry.position import PatientPosition
from igrt.images.radiographs import CollimatorEdges, PixelSense, Radiograph, StatedGeometry

SHAPE = (3, 4)


def radiograph(pixels, **changes) -> Radiograph:
    stated = {
        "gantry_angle_deg": 270.0,
        "sad_mm": 1000.0,
        "sid_mm": 1500.0,
        "spacing_mm": (0.4, 0.5),
        "shape": SHAPE,
        "receptor_angle_deg": 1.5,
        "receptor_translation_mm": np.array([3.0, -2.0, -500.0]),
        "position_mm": np.array([-1.0, 2.0]),
        "orientation": np.array([1.0, 0.0, 0.0, 0.0, -1.0, 0.0]),
        "support_angle_deg": 359.5,
    }
    for name in list(stated):
        if name in changes:
            stated[name] = changes.pop(name)
    known = {"source": "a.dcm", "sense": PixelSense.INVERTED, "kvp": 90.0, "sop_uid": "1.2.3", "edges": ()}
    return Radiograph(pixels=np.asarray(pixels, np.float32), stated=StatedGeometry(**stated), **(known | changes))


def there_and_back(*images: Radiograph):
    frames, pixels = zip(*(sent(image) for image in images), strict=True)
    frames = msgspec.msgpack.decode(msgspec.msgpack.encode(frames), type=list[type(frames[0])])
    return received(frames, np.stack(pixels), position=PatientPosition.HFS, patient_id="P", source="pair", image_id="x").images


def test_every_field_arrives() -> None:
    edges = (CollimatorEdges(axis=1, low_mm=-10.0, high_mm=20.0, angle_deg=5.0),)
    image = radiograph(np.arange(12).reshape(SHAPE), edges=edges)
    (again,) = there_and_back(image)
    assert (again.source, again.sense, again.kvp, again.sop_uid, again.edges) == ("a.dcm", PixelSense.INVERTED, 90.0, "1.2.3", edges)
    for name in StatedGeometry.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again.stated, name), getattr(image.stated, name))
    np.testing.assert_array_equal(again.pixels, image.pixels)


def test_what_a_file_does_not_state_is_not_stated_on_the_bus() -> None:
    silent = dict.fromkeys(("receptor_translation_mm", "position_mm", "orientation", "support_angle_deg", "sense", "kvp"))
    (again,) = there_and_back(radiograph(np.zeros(SHAPE), **silent))
    assert (again.sense, again.kvp) == (None, None)
    assert [getattr(again.stated, name) for name in ("receptor_translation_mm", "position_mm", "orientation", "support_angle_deg")] == [
        None
    ] * 4


@given(arrays(np.float32, SHAPE, elements=st.integers(-30000, 35000)))
def test_whole_numbers_arrive_as_they_are(values) -> None:
    (again,) = there_and_back(radiograph(values))
    np.testing.assert_array_equal(again.pixels, values)


@given(arrays(np.float32, SHAPE, elements=st.floats(-7, 12, width=32)))
def test_other_numbers_are_rounded_to_65536_steps(values) -> None:
    (again,) = there_and_back(radiograph(values))
    step = (float(values.max()) - float(values.min())) / 65535
    assert np.abs(again.pixels.astype(float) - values).max() <= 0.5 * step + 2e-6


def test_pixels_that_are_no_numbers_are_not_sent() -> None:
    pixels = np.zeros(SHAPE)
    pixels[0, 0] = np.nan
    with pytest.raises(InputError, match=r"a\.dcm: some of its pixels are no numbers"):
        sent(radiograph(pixels))


def test_a_frame_without_a_name_is_called_by_its_place_and_one_without_a_uid_is_itself() -> None:
    frames = [msgspec.structs.replace(sent(radiograph(np.zeros(SHAPE)))[0], source=None, uid=None) for _ in range(2)]
    check_frames(frames, source="pair")
    assert frame_name(frames, 1, source="pair") == "pair, radiograph 2 of 2"
    stored = np.zeros((2, *SHAPE), np.uint16)
    arrived = received(frames, stored, position=PatientPosition.HFS, patient_id=None, source="pair", image_id="x")
    assert [image.sop_uid for image in arrived.images] == ["x.0", "x.1"]
    silent = [msgspec.structs.replace(frame, kvp=None) for frame in frames]
    arrived = received(silent, stored, position=PatientPosition.HFS, patient_id=None, source="pair", image_id="x")
    assert arrived.notes[1] == "pair, radiograph 2 of 2 states no tube voltage; 100 kV is taken."
