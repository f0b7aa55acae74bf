import io

import numpy as np
import pytest
import SimpleITK

from igrt.reports.png import data_uri, png


def test_another_reader_sees_the_same_pixels(tmp_path):
    rgb = np.random.default_rng(5).integers(0, 256, (7, 11, 3)).astype(np.uint8)
    path = tmp_path / "picture.png"
    path.write_bytes(png(rgb))
    assert np.array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))), rgb)


@pytest.mark.parametrize(
    "wrong", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3)), np.zeros((0, 2, 3), np.uint8)]
)
def test_anything_else_is_no_picture(wrong):
    with pytest.raises(ValueError, match="a picture is uint8"):
        png(wrong)


def test_the_address_holds_the_picture():
    import base64

    rgb = np.zeros((1, 1, 3), np.uint8)
    scheme, content = data_uri(rgb).split(",")
    assert scheme == "data:image/png;base64"
    assert io.BytesIO(base64.b64decode(content)).read() == png(rgb)
