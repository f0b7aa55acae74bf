import numpy as np
import pytest

from igrt.reports.overlay import PLAIN, Window, blend, checkerboard, windows


def test_equal_images_blend_to_grey():
    grey = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    rgb = blend(grey, grey)
    assert (rgb[..., 0] == rgb[..., 1]).all()
    assert (rgb[..., 1] == rgb[..., 2]).all()


def test_what_only_the_plan_shows_bright_is_magenta_and_the_daily_green():
    one, zero = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)
    assert blend(one, zero)[0, 0].tolist() == [255, 0, 255]
    assert blend(zero, one)[0, 0].tolist() == [0, 255, 0]


def test_where_one_image_is_absent_the_other_is_dim_grey_and_nothing_is_nan():
    one, absent = np.ones((1, 1), np.float32), np.full((1, 1), np.nan, np.float32)
    for picture in (blend(one, absent), blend(absent, one), checkerboard(one, absent, pixel_mm=1)):
        assert picture[0, 0, 0] == picture[0, 0, 1] == picture[0, 0, 2]
        assert 50 < picture[0, 0, 0] < 150
    assert blend(absent, absent)[0, 0].tolist() == [0, 0, 0]


def test_squares_alternate():
    plan, daily = np.ones((60, 60), np.float32), np.zeros((60, 60), np.float32)
    board = checkerboard(plan, daily, pixel_mm=1.0)
    assert (board[5, 5, 0], board[5, 35, 0], board[35, 5, 0], board[35, 35, 0]) == (255, 0, 0, 255)


def test_windows_of_images_that_differ_by_a_linear_change_give_equal_pictures():
    plan = np.random.default_rng(1).uniform(-800, 1200, 5000).astype(np.float32)
    daily = 0.7 * plan + 130
    of_plan, of_daily = windows(plan, daily)
    assert np.abs(of_plan.grey(plan) - of_daily.grey(daily)).max() < 1e-4


def test_without_common_anatomy_there_is_still_a_window():
    nowhere = np.full(50, np.nan, np.float32)
    assert windows(nowhere, nowhere) == (PLAIN, PLAIN)


def test_a_daily_image_of_another_scale_is_not_tinted():
    """Any rising change of HU, such as a cone beam's compressed bone, leaves the greys of the same anatomy alike."""
    plan = np.random.default_rng(2).normal(50, 400, 20_000).clip(-850, 1500).astype(np.float32)
    daily = np.where(plan > 200, 200 + 0.5 * (plan - 200), 0.9 * plan).astype(np.float32)
    of_plan, of_daily = windows(plan, daily)
    assert np.abs(of_plan.grey(plan) - of_daily.grey(daily)).mean() < 0.03


def test_what_is_not_finite_stays_so_and_a_window_rises():
    assert np.isnan(PLAIN.grey(np.array([np.nan], np.float32))).all()
    flat, _ = windows(np.zeros(500, np.float32), np.zeros(500, np.float32))
    assert flat.hu[0] < flat.hu[-1]
    with pytest.raises(ValueError, match="rising"):
        Window((3.0, 3.0), (0.0, 1.0))
