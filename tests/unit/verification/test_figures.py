import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.verification.figures import beyond_decimals


@pytest.mark.parametrize(("value", "decimals"), [(3.4, 1), (-3.04, 2), (3.004, 3), (2.0, 1)])
def test_a_value_beyond_its_limit_is_not_written_as_the_limit(value, decimals):
    assert beyond_decimals(value, 3.0) == decimals


@given(st.integers(1, 50), st.floats(0.001, 20.0))
def test_what_is_written_is_beyond_the_limit_too(limit, beyond):
    value = limit + beyond
    assert float(f"{value:.{beyond_decimals(value, limit)}f}") > limit
