import pytest

from igrt.cli.main import build_parser
from igrt.cli.sentences import ARGUMENTS, on_command_line


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("a.mha states no isocentre; give isocentre_mm, the plan's", "a.mha states no isocentre; give --isocentre, the plan's"),
        ("isocentre_mm [1.0] is not the isocentre", "--isocentre [1.0] is not the isocentre"),
        ("x; give position, one of HFS", "x; give --position, one of HFS"),
        ("correct the profile, or state the daily isocentre with the image", "correct the profile, or give --daily-isocentre"),
        (
            "p has 2 isocentres: 1 at (0); choose one by its number",
            "p has 2 isocentres: 1 at (0); choose one by its number with --plan-isocentre",
        ),
        ("p has 2 set-ups: 1; choose one by its number", "p has 2 set-ups: 1; choose one by its number with --setup"),
        ("two\n  lines", "two lines"),
        ("nothing to say", "nothing to say"),
    ],
)
def test_parameters_become_arguments(sentence, said):
    assert on_command_line(sentence) == said


def test_every_argument_that_is_named_exists():
    verify = ["verify", "--plan", ".", "--daily", "."]
    values = {"--isocentre": ["0", "0", "0"], "--daily-isocentre": ["0", "0", "0"], "--position": ["HFS"]}
    for _, replacement in ARGUMENTS:
        argument = "--" + replacement.split("--")[1].split()[0]
        build_parser().parse_args([*verify, argument, *values.get(argument, ["1"])])
