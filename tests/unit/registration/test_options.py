"""What may be asked of a match, and what contradicts itself."""

import numpy as np
import pytest

from igrt.errors import InputError
from igrt.geometry.motion import Frame
from igrt.registration.options import Around, Clipbox, Freedom, Mask, MatchOptions, Mode
from tests.answer_cases import box
from tests.registration_cases import daily_grid, grid_about

STRUCTURE = box("Vertebra", "ORGAN", (0.0, 0.0, 0.0))


def test_the_default_restricts_nothing() -> None:
    options = MatchOptions()
    assert (options.restricted, options.freedom, options.region_words) == (False, Freedom.SIX, "whole")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (MatchOptions(mode=Mode.BONE), "whole"),
        (MatchOptions(region=Clipbox((-1.5, -2, -3), (1, 2, 3))), "box -1.5 -2 -3 to 1 2 3 mm"),
        (MatchOptions(region=Around((STRUCTURE,))), "Vertebra"),
        (MatchOptions(region=Around((STRUCTURE, STRUCTURE), 5)), "Vertebra, Vertebra and 5 mm around"),
    ],
)
def test_a_region_or_a_tissue_restricts(options, words) -> None:
    assert options.restricted
    assert options.region_words == words


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Clipbox((0, 0, 0), (1, 0, 1)), "holds nothing; give the lower corner first"),
        (lambda: Around(()), "needs at least one"),
        (lambda: Around((STRUCTURE,), -1.0), "margin_mm of a region is -1.0; give 0 to 100 mm"),
        (lambda: Around((STRUCTURE,), float("nan")), "margin_mm of a region is nan"),
        (lambda: Mask(daily_grid(), np.ones(daily_grid().shape_kji, bool)), "in frame plan"),
        (lambda: Mask(grid_about((0, 0, 0)), np.ones((2, 2, 2), bool)), "in frame plan"),
        (lambda: Mask(grid_about((0, 0, 0)), np.zeros(grid_about((0, 0, 0)).shape_kji, bool)), "the mask of the region is empty"),
        (lambda: MatchOptions(rotation_centre_mm=(0, 0, 0)), "only a match of rotations alone turns about a point"),
    ],
)
def test_what_contradicts_itself_is_refused(make, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        make()


def test_options_of_the_same_values_are_equal() -> None:
    """So that what was made for one is found again for the next image."""
    one, other = (MatchOptions(region=Clipbox((0, 0, 0), (1, 2, 3)), mode=Mode.BONE) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)


def test_a_mask_is_of_the_plan() -> None:
    grid = grid_about((0, 0, 0), frame=Frame.PLAN)
    assert Mask(grid, np.ones(grid.shape_kji, bool), "liver").words == "liver"
