import io

import pytest

from igrt.cli import terminal
from igrt.cli.terminal import console, print_line, stages


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_draws_nothing_where_nobody_watches(capsys):
    with stages() as progress:
        progress("register", 0.5)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_is_on_standard_error_and_can_be_silenced(quiet, monkeypatch, capsys):
    screen = Terminal()
    monkeypatch.setattr(terminal.sys, "stderr", screen)
    with stages(quiet=quiet) as progress:
        progress("prepare_plan", 0.5)
    assert ("prepare plan" in screen.getvalue()) is not quiet
    assert capsys.readouterr().out == ""


def test_lines_wrap_beside_their_heading_and_paths_stay_whole(capsys):
    path = "/a/" + "long/" * 60 + "report.html"
    print_line(console(), "Report", f"{'word ' * 40}{path}")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Report  ")
    assert all(line.startswith(" " * terminal.MARGIN) for line in lines[1:])
    assert lines[-1].strip() == path


def test_text_from_files_is_never_markup(capsys):
    print_line(console(), "Findings", "patient [bold]X[/bold] :warning:")
    assert "[bold]X[/bold] :warning:" in capsys.readouterr().out


def test_one_radiograph_shows_what_it_measures_with_its_uncertainty(capsys):
    seen = {"across_mm": 3.0, "along_mm": -4.0, "turn_deg": 1.0, "across_sd_mm": 0.1, "along_sd_mm": 0.2, "turn_sd_deg": 0.05}
    empty = dict.fromkeys(("correction", "couch", "residuals_mm", "evidence"))
    answer = {"verdict": "caution", "outcome": "partial", "reason": "", "notice": "Research.", "research": True, "findings": [], **empty}
    answer |= {"radiographs": {"in_plane": seen}, "machine": "m", "protocol": "p", "device": "cpu", "seconds": {}}
    terminal.print_answer(answer)
    printed = " ".join(capsys.readouterr().out.split())
    assert "Correction none In its plane across +3.0 ± 0.20 mm, along −4.0 ± 0.40 mm, turn +1.0 ± 0.10°" in printed
    assert "depth N/A" in printed
    terminal.print_answer({**answer, "radiographs": None})
    assert "In its plane" not in capsys.readouterr().out
