import math
import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.errors import InputError
from igrt.verification.findings import Level
from igrt.verification.protocol import ProtocolTables, load_protocol
from igrt.verification.schema import keys
from igrt.verification.site import shipped_folder
from igrt.verification.tolerance import Tolerance
from tests.toml_tables import text, with_key, without_key

SHIPPED = sorted((shipped_folder() / "protocols").glob("*.toml"))
TEXT = (shipped_folder() / "protocols" / "default.toml").read_text()
KEYS = {key.name: key for key in keys(ProtocolTables)}
SEVERITY = [None, Level.INFORM, Level.WARN, Level.STOP]


def load(content, tmp_path):
    file = tmp_path / "liver.toml"
    file.write_text(content)
    return load_protocol(str(file), tmp_path)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_protocol_is_valid_and_marked_research(file, tmp_path):
    protocol = load_protocol(file.stem, tmp_path)
    assert protocol.research
    assert protocol.tables.resetup.translation_mm == 50.0
    assert protocol.tables.resetup.rotation_deg == 10.0


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_evidence_is_a_property_of_the_registration_so_one_for_all_sites(file):
    assert tomllib.loads(file.read_text())["evidence"] == tomllib.loads(TEXT)["evidence"]


def test_without_a_name_it_is_the_default(tmp_path):
    assert load_protocol(None, tmp_path).name == "default"


@pytest.mark.parametrize("name", [name for name, key in KEYS.items() if not key.optional])
def test_every_required_key_is_asked_for_by_file_name_and_remedy(name, tmp_path):
    with pytest.raises(InputError, match=rf"liver\.toml: {re.escape(name)} is missing; give "):
        load(text(without_key(tomllib.loads(TEXT), name)), tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("overlap_min = ", "overlap_min = 1", r"evidence.overlap_min = 1\S+ cannot be used; give a number from 0 to 1"),
        ("second_start_offset_min_mm = 20.0", "second_start_offset_min_mm = 19.9", r"offset_min_mm = 19.9 cannot be used; .*20"),
        ("second_start_offset_min_deg = 5.0", "second_start_offset_min_deg = 4.9", r"offset_min_deg = 4.9 cannot be used; .*5"),
        ("[evidence]\n", "[evidence]\nsimilarity_max = 1\n", r"evidence.similarity_max = 1 is not a key of this file"),
        ('missing = "inform"', 'missing = "refuse"', r'target.missing = "refuse" cannot be used; give "inform" or "warn" or "stop"'),
        ('kinds = ["CTV", "ITV", "GTV"]', 'kinds = ["PTV"]', r'target.kinds = .*PTV.* cannot be used; give a list, each "CTV"'),
        ('kinds = ["CTV", "ITV", "GTV"]', "kinds = []", r"target.kinds = \[\] cannot be used"),
        ("translation_mm = 50.0", "translation_mm = nan", r"resetup.translation_mm = nan cannot be used; give a number above 0"),
        ("rotation_deg = 10.0", "rotation_deg = -1.0", r"resetup.rotation_deg = -1.0 cannot be used"),
        ("scan_offset_mm = [0.0, 0.0, 0.0]", "scan_offset_mm = [0.0, 0.0]", r"setup.scan_offset_mm = \[0.0, 0.0\] cannot be used"),
        ("target_mm = { inform = 1.0, warn = 2.0", "target_mm = { inform = 2.5, warn = 2.0", r"residual.target_mm = .*does not rise"),
        ("derived_by = ", "derived_by_whom = ", r"derived_by"),
        ('derived_by = "', 'derived_by = ""  # "', r"derived_by"),
        ("[resetup]", "[axis]\nlateral_mm = { inform = 1, warn = 3, stop = 2 }\n[resetup]", r"axis.lateral_mm = .*does not rise"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_file_key_value_and_remedy(old, new, sentence, tmp_path):
    assert TEXT.count(old) == 1
    with pytest.raises(InputError, match=rf"liver\.toml: .*{sentence}"):
        load(TEXT.replace(old, new), tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("evidence.region_residual_max_mm", 1.5, r"evidence.region_residual_max_mm = 1.5 lies below region_residual_mm.stop"),
        ("evidence.region_residual_mm.inform", 40.0, r"evidence.region_residual_mm = .*does not rise"),
        ("evidence.identity_min", 1.5, r"evidence.identity_min = 1.5 cannot be used"),
        ("evidence.stretch_max", 0.0, r"evidence.stretch_max = 0.0 cannot be used"),
    ],
)
def test_limits_of_the_evidence_fit_together(key, value, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        load(text(with_key(tomllib.loads(TEXT), key, value)), tmp_path)


def test_tolerances_on_single_axes_are_optional(tmp_path):
    axis = load(TEXT + "\n[axis]\nvertical_mm = { inform = 1, warn = 2, stop = 3 }\n", tmp_path).tables.axis
    assert axis.vertical_mm == Tolerance(inform=1, warn=2, stop=3)
    assert axis.lateral_mm is None


def test_a_value_at_a_limit_is_within_it():
    tolerance = Tolerance(inform=1.0, warn=2.0, stop=3.0)
    assert tolerance.exceeded(1.0) is None
    assert tolerance.exceeded(math.nextafter(1.0, 2)) == (Level.INFORM, 1.0)
    assert tolerance.exceeded(2.0) == (Level.INFORM, 1.0)
    assert tolerance.exceeded(math.nextafter(2.0, 3)) == (Level.WARN, 2.0)
    assert tolerance.exceeded(3.0) == (Level.WARN, 2.0)
    assert tolerance.exceeded(math.nextafter(3.0, 4)) == (Level.STOP, 3.0)
    assert tolerance.exceeded(math.nan) == (Level.STOP, 3.0)


limits = st.lists(st.floats(0, 100), min_size=3, max_size=3).map(sorted)


@given(limits, limits, st.floats(0, 100))
def test_wider_tolerance_is_never_worse(narrow, more, value):
    wide = [limit + extra for limit, extra in zip(narrow, more, strict=True)]
    levels = [Tolerance(*limits).exceeded(value) for limits in (narrow, wide)]
    narrow_level, wide_level = (SEVERITY.index(exceeded and exceeded[0]) for exceeded in levels)
    assert wide_level <= narrow_level


@given(limits, st.floats(0, 100), st.floats(0, 100))
def test_a_larger_value_is_never_milder(limits, value, more):
    first, second = (SEVERITY.index(e and e[0]) for e in (Tolerance(*limits).exceeded(value), Tolerance(*limits).exceeded(value + more)))
    assert second >= first
