import json

import numpy as np
import pytest
import SimpleITK

from igrt.errors import InputError
from igrt.registration.options import Around, Clipbox, Freedom, Mask, MatchOptions, Mode
from igrt.verification.match_choice import match_options, pose_of, region_of, target_options
from igrt.verification.protocol import load_protocol
from tests.answer_cases import ISOCENTRE_MM, box, make_plan

PLAN = make_plan([box("CTV", "CTV", ISOCENTRE_MM), box("Vertebra L4", "ORGAN", ISOCENTRE_MM), box("vertebra L5", "ORGAN", ISOCENTRE_MM)])
TABLES = load_protocol().tables
TOLERANCE = "{ inform = 1.0, warn = 2.0, stop = 4.0 }"


def tables(tmp_path, text):
    file = tmp_path / "own.toml"
    file.write_text((load_protocol().file.path).read_text() + text)
    return load_protocol(str(file), tmp_path).tables


def test_without_a_table_all_is_matched():
    assert match_options(PLAN, TABLES) == MatchOptions()
    assert target_options(PLAN, TABLES) is None


def test_the_protocol_names_structures_and_the_plan_has_them(tmp_path):
    own = tables(
        tmp_path, '\n[match]\nmode = "bone"\nregion = "structures"\nstructures = ["VERT*"]\nmargin_mm = 10.0\nfreedom = "translations"\n'
    )
    options = match_options(PLAN, own)
    assert [s.name for s in options.region.structures] == ["Vertebra L4", "vertebra L5"]
    assert (options.region.margin_mm, options.mode, options.freedom) == (10.0, Mode.BONE, Freedom.TRANSLATIONS)
    with pytest.raises(InputError, match=r"needs a structure 'VERT\*'; the plan has CTV; choose another region"):
        match_options(make_plan([box("CTV", "CTV", ISOCENTRE_MM)]), own)


def test_the_soft_tissue_of_the_target_is_matched_by_shifts(tmp_path):
    own = tables(tmp_path, f"\n[match.target_position]\nmargin_mm = 5.0\ntolerance_mm = {TOLERANCE}\n")
    options = target_options(PLAN, own)
    assert ([s.name for s in options.region.structures], options.mode, options.freedom) == (["CTV"], Mode.SOFT, Freedom.TRANSLATIONS)
    assert target_options(make_plan(()), own) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('\n[match]\nregion = "structures"\n', r"match.structures = \[\] does not go with region"),
        ('\n[match]\nstructures = ["a"]\n', r"does not go with region = \"whole\""),
        ('\n[match]\nmode = "teeth"\n', r"match.mode = \"teeth\" cannot be used; give \"grey\" or \"bone\" or \"soft\""),
        ("\n[match.target_position]\nmargin_mm = 5.0\n", "match.target_position.tolerance_mm is missing"),
        (
            "\n[match.target_position]\nmargin_mm = 5.0\ntolerance_mm = { inform = 3.0, warn = 2.0, stop = 4.0 }\n",
            "match.target_position.tolerance_mm = .* does not rise",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_an_error(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        tables(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "margin_mm", "expected"),
    [
        ("whole", 0.0, None),
        ("-1,-2,-3,4,5.5,6", 0.0, Clipbox((-1, -2, -3), (4, 5.5, 6))),
        ("target", 3.0, Around((PLAN.structures[0],), 3.0)),
        ("vertebra l5", 0.0, Around((PLAN.structures[2],))),
    ],
)
def test_regions_that_a_user_names(text, margin_mm, expected):
    assert region_of(PLAN, text, margin_mm, TABLES) == expected


@pytest.mark.parametrize(
    ("text", "margin_mm", "sentence"),
    [
        ("1,2,3", 0.0, "has 3 numbers; give six"),
        ("whole", 5.0, "leave --margin out"),
        ("liver", 0.0, "needs a structure 'liver'; the plan has CTV, Vertebra L4, vertebra L5"),
    ],
)
def test_regions_that_there_are_not(text, margin_mm, sentence):
    with pytest.raises(InputError, match=sentence):
        region_of(PLAN, text, margin_mm, TABLES)


def test_a_volume_file_is_a_mask(tmp_path):
    image = SimpleITK.GetImageFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 20)
    SimpleITK.WriteImage(image, str(tmp_path / "bones.mha"))
    region = region_of(PLAN, str(tmp_path / "bones.mha"), 0.0, TABLES)
    assert isinstance(region, Mask)
    assert (int(region.inside.sum()), region.words) == (3, "mask bones.mha")


def test_a_pose_is_read_where_there_is_one(tmp_path):
    file = tmp_path / "pose.json"
    matrix = np.eye(4)
    matrix[:3, 3] = (1, 2, 3)
    file.write_text(json.dumps({"plan_from_daily": matrix.tolist()}))
    np.testing.assert_array_equal(pose_of(file).matrix, matrix)
    for wrong in ("", "{}", '{"plan_from_daily": null}', json.dumps({"plan_from_daily": (2 * matrix).tolist()}), "[1]"):
        file.write_text(wrong)
        with pytest.raises(InputError, match="holds no pose"):
            pose_of(file)
