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
