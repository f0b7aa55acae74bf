"""Detector corrections: what a panel counts, back to line integrals."""

import numpy as np
import pytest

from igrt.errors import InputError
from igrt.images.detector import GLARE_SHARE, line_integrals, without_dead_pixels
from igrt.images.radiographs import CollimatorEdges, KvConventions, PixelSense, Radiograph, StatedGeometry

SHAPE = (60, 80)
CONVENTIONS = KvConventions(name="linac1", source_offset_deg=0.0, panel_offset_mm=(0.0, 0.0))


def radiograph(pixels, *, sense=PixelSense.INTENSITY, edges=()) -> Radiograph:
    stated = StatedGeometry(
        gantry_angle_deg=0.0,
        sad_mm=1000.0,
        sid_mm=1500.0,
        spacing_mm=(1.0, 1.0),
        shape=SHAPE,
        receptor_angle_deg=0.0,
        receptor_translation_mm=None,
        position_mm=None,
        orientation=None,
        support_angle_deg=None,
    )
    return Radiograph(
        source="kv.dcm", pixels=np.asarray(pixels, np.float32), edges=edges, sense=sense, kvp=100.0, stated=stated, sop_uid="1"
    )


def body() -> np.ndarray:
    """Line integrals of a smooth patient with air beside it."""
    y, x = np.meshgrid(np.linspace(-1, 1, SHAPE[0]), np.linspace(-1, 1, SHAPE[1]), indexing="ij")
    return np.maximum(4 * (1 - x**2 / 0.5 - y**2 / 2), 0)


def test_logarithm_of_intensities_less_glare() -> None:
    glare = 500.0
    integrals, valid = line_integrals(radiograph(60000 * np.exp(-body()) + glare), CONVENTIONS)
    assert valid.all()
    off = integrals - body()
    plain = np.log(60500 / (60000 * np.exp(-body()) + glare)) - body()
    assert np.abs(off).max() < np.abs(plain).max()  # nearer the truth than the logarithm alone
    assert 0 < GLARE_SHARE < 1  # a share: the darkest pixel holds more than scatter and glare


@pytest.mark.parametrize(
    ("sense", "pixels"),
    [
        (PixelSense.ATTENUATION, body()),
        (PixelSense.LOG_INTENSITY, -body()),
        (PixelSense.INVERTED, 60000 - 60000 * np.exp(-body())),
    ],
)
def test_every_sense_gives_more_where_more_is_absorbed(sense, pixels) -> None:
    integrals, _ = line_integrals(radiograph(pixels, sense=sense), CONVENTIONS)
    assert np.corrcoef(integrals.ravel(), body().ravel())[0, 1] > 0.97


def test_the_profile_states_what_the_file_does_not() -> None:
    noisy = body() + np.random.default_rng(5).normal(0, 0.02, SHAPE)
    unstated = radiograph(noisy, sense=None)
    known = KvConventions(name="linac1", source_offset_deg=0.0, panel_offset_mm=(0.0, 0.0), pixels=PixelSense.ATTENUATION)
    assert (np.abs(line_integrals(unstated, known)[0] - noisy) < 1e-5).mean() > 0.998
    with pytest.raises(InputError, match=r"linac1 no kv\.pixels"):
        line_integrals(unstated, CONVENTIONS)


def test_dead_pixels_take_their_neighbours_median() -> None:
    random = np.random.default_rng(3)
    good = (1000 + 100 * body() + random.normal(0, 3, SHAPE)).astype(np.float32)
    bad = good.copy()
    bad[20, 30], bad[40, 50], bad[5, 5] = 0, 60000, 0
    mended = without_dead_pixels(bad)
    assert np.abs(mended - good)[[20, 40, 5], [30, 50, 5]].max() < 30
    assert (mended != bad).sum() == 3


def test_an_edge_is_not_dead() -> None:
    step = np.where(np.arange(80) < 40, 1000.0, 9000.0) + np.random.default_rng(1).normal(0, 3, SHAPE)
    assert (without_dead_pixels(step.astype(np.float32)) != step.astype(np.float32)).sum() < 5


def test_beyond_the_collimator_and_blind_pixels_are_not_believed() -> None:
    exposed = np.zeros(SHAPE, bool)
    exposed[10:50, 10:70] = True
    edges = tuple(CollimatorEdges(axis=axis, low_mm=-at, high_mm=at, angle_deg=0.0) for axis, at in ((0, 20.0), (1, 13.3)))
    pixels = 60000 * np.exp(-body())
    pixels[~exposed] = 5
    pixels[30:33, 40:43] = 0  # too many to be mended from their neighbours
    integrals, valid = line_integrals(radiograph(pixels, edges=edges), CONVENTIONS)
    assert np.isfinite(integrals).all()
    assert not valid[~exposed].any()
    assert not valid[31, 41]
    assert valid[20, 20]


@pytest.mark.parametrize("pixels", [np.full(SHAPE, -5.0), np.zeros(SHAPE), np.linspace(-1714, -1, 4800).reshape(SHAPE)])
def test_what_is_no_intensity_is_refused(pixels) -> None:
    with pytest.raises(InputError, match="no beam intensities"):
        line_integrals(radiograph(pixels), CONVENTIONS)
