import pytest

from igrt.reports.context import readable_name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Müller^Jörg", "Müller, Jörg"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou"),
        ("Doe^Jane^Q^Dr^PhD", "Doe, Jane Q Dr PhD"),
        ("Doe", "Doe"),
        ("^Jane", "Jane"),
        ("", None),
        (None, None),
    ],
)
def test_person_names(name, text):
    assert readable_name(name) == text
