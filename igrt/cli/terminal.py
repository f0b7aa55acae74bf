"""What commands write to the terminal: progress on standard error, answers on standard output."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

ProgressCall = Callable[[str, float], None]
STYLES = {
    "proceed": "bold white on green",
    "caution": "bold black on yellow",
    "stop": "bold white on red",
    "refused": "bold white on dark_red",
}
LEVEL_STYLES = {"inform": "cyan", "warn": "bold yellow", "stop": "bold red"}
PIPE_WIDTH = 110
MARGIN = 14


def console(*, error: bool = False) -> Console:
    """A console that takes text as it is (no markup, no guessed colours), wide enough for a sentence when it is not a terminal."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=None if stream.isatty() else PIPE_WIDTH)


def _silence(_stage: str, _fraction: float) -> None:
    """Progress that nobody watches."""


@contextlib.contextmanager
def stages(*, quiet: bool = False) -> Iterator[ProgressCall]:
    """A call `(stage, fraction)` that draws a bar on standard error; draws nothing where that is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield _silence
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(error=True), transient=True) as bars:
        task = bars.add_task("", total=1.0)
        yield lambda stage, fraction: bars.update(task, description=stage.replace("_", " ").ljust(24), completed=fraction)


def print_json(value: Mapping[str, Any]) -> None:
    """One object, alone on standard output, in ASCII whatever the locale; ValueError for NaN, which JSON has not."""
    import json

    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def print_answer(answer: Mapping[str, Any], *, report: str | None = None) -> None:
    """The answer (docs/json.md) for reading: verdict, correction in words, residuals, findings, evidence, what it rests on."""
    from rich.text import Text

    from igrt.reports.words import verdict_words
    from igrt.verification.findings import Outcome

    out = console()
    word, sentence = verdict_words(answer)
    out.print(Text.assemble((f" {word.upper()} ", STYLES[answer["verdict"]]), f" {sentence}"))
    if answer["correction"] is None and answer["outcome"] != Outcome.PARTIAL:
        out.print(answer["reason"])
    out.print()
    for heading, words, style in _lines(answer):
        print_line(out, heading, words, style)
    if report is not None:
        print_line(out, "Report", report)
    out.print()
    out.print(Text(answer["notice"], style="italic"))


def print_line(out: Console, heading: str, words: str, style: str = "") -> None:
    """A heading and its words, wrapped beside it; words without a blank, such as a path, stay whole."""
    from textwrap import TextWrapper

    from rich.text import Text

    wrapper = TextWrapper(width=max(out.width - MARGIN, 40), break_long_words=False, break_on_hyphens=False)
    for index, line in enumerate(wrapper.wrap(words) or [""]):
        out.print(Text.assemble((("" if index else heading).ljust(MARGIN), "dim"), (line, style)), soft_wrap=True)


def _lines(answer: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Heading (once), words and style of each line."""
    from igrt.reports.words import correction_words, figure, in_plane_words, measures, remedy

    moves = ("none",) if answer["correction"] is None else correction_words(answer["correction"])
    yield from _under("Correction", moves)
    if seen := in_plane_words(answer.get("radiographs")):
        yield "In its plane", seen, ""
    if (couch := answer["couch"]) is not None and couch["target"] is not None:
        yield "Couch target", _couch(couch["target"]), ""
    residuals = (answer["residuals_mm"] or {}).items()
    yield from _under("Remaining", [f"{name}: {_with_uncertainty(point)}" for name, point in residuals])
    findings = sorted(answer["findings"], key=lambda finding: ("stop", "warn", "inform").index(finding["level"]))
    for index, finding in enumerate(findings):
        words = f"{finding['level'].upper()}: {finding['sentence']} {remedy(finding)}".rstrip()
        yield "" if index else "Findings", words, LEVEL_STYLES[finding["level"]]
    if rows := measures(answer):
        yield "Evidence", ", ".join(f"{term.lower()} {value}" for term, value, _ in rows[:4]), ""
    if second := answer.get("second_solver"):
        yield "Second solver", second["sentence"], LEVEL_STYLES["stop"] if second["opinion"] == "withdrawn" else ""
    mark = " (research, not for treatment)" if answer["research"] else ""
    yield "Judged by", f"machine profile {answer['machine']}, protocol {answer['protocol']}{mark}", ""
    yield "Computed", f"on {answer['device']} in {figure(sum(answer['seconds'].values()), 1)} s", ""


def _under(heading: str, lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    return ((heading if index == 0 else "", line, "") for index, line in enumerate(lines))


def _with_uncertainty(point: Mapping[str, float]) -> str:
    from igrt.reports.words import figure

    together = point["residual_mm"] + point["uncertainty95_mm"]
    return f"{figure(point['residual_mm'], 2)} mm, with its uncertainty (95 %) {figure(together, 2)} mm"


def _couch(position: Mapping[str, float]) -> str:
    from igrt.reports.words import AXES, figure

    return ", ".join(f"{name.lower()} {figure(position[key])}{unit}" for key, name, _, unit in AXES) + " (IEC 61217)"
