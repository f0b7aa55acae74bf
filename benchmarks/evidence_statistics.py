"""What the lines of `evidence_run.py` come to: which answers were wrong, limits from some patients, rates and intervals of others."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from evidence_anatomies import REAL_SEED, STORED_SEED
from numpy.typing import NDArray

Line = dict
Doubles = NDArray[np.float64]
WRONG_MM, GOOD_MM = 2.0, 1.0
TRUE_RATE = 0.00044  # wrong vertebrae, of fractions
BUDGET, FINAL_BUDGET = 0.006, 0.001  # of the good cases that set the limits: refused at all, and with no override
WORTH = 10.0  # good cases that may be refused for a wrong one caught: what is allowed of each is 1 % and 0.1 %
SURE = 0.25  # a wrong answer is caught for sure that lies so far beyond a limit, of the limit's distance from the median good case
MARGINS = (0.25, 0.1)  # first limits: beyond the worst good case, of its distance from the median
UNSEEN = 0.25  # of a good case: the price of a step that refuses none of those that are there
OUTLIER = 3.0  # times as far from the median as the next: no limit stands on such a case, which is refused
NOT_TAKEN = (-9.0, 999.0)
BELIEVED = ("second_start_difference_max_mm", "translation_sd_max_mm", "rotation_sd_max_deg", "similarity_min")  # and has converged
# Floors, not fitted: they guard against what is not among these images (motions that nothing shows, a match on next to nothing).
FLOORS = {"overlap_min": 0.6, "inliers_min": 0.5, "observability_min": 0.01, "samples_min": 2000.0}


@dataclass(frozen=True)
class Measure:
    """A rule of the protocol: its key, its value in a line's evidence, whether more is better, whether nobody sets it aside."""

    key: str
    value: Callable[[dict], float]
    at_least: bool
    final: bool = False

    def badness(self, lines: Iterable[Line]) -> Doubles:
        """Larger is worse; what is not a number is worst."""
        values = np.array([self.value(line["evidence"]) for line in lines], float)
        return np.nan_to_num(-values if self.at_least else values, nan=np.inf)


def _named(name: str) -> Callable[[dict], float]:
    return lambda evidence: evidence[name]


def _most(name: str) -> Callable[[dict], float]:
    return lambda evidence: max(evidence[name])


MEASURES = (
    Measure("identity_min", _named("identity"), at_least=True, final=True),
    Measure("mirror_margin_min", _named("mirror_margin"), at_least=True, final=True),
    Measure("stretch_max", _named("stretch"), at_least=False, final=True),
    Measure("vertebra_margin_min", _named("vertebra_margin"), at_least=True),
    Measure("region_residual_max_mm", _named("region_residual_mm"), at_least=False),
    Measure("target_residual_max_mm", _named("target_residual_mm"), at_least=False),
    Measure("second_metric_offset_max_mm", _named("second_metric_offset_mm"), at_least=False),
    Measure("swap_difference_max_mm", _named("swap_difference_mm"), at_least=False),
    Measure("rival_margin_min", _named("rival_margin"), at_least=True),
    Measure("overlap_min", _named("overlap"), at_least=True),
    Measure("similarity_min", _named("similarity"), at_least=True),
    Measure("inliers_min", _named("inliers"), at_least=True),
    Measure("second_start_difference_max_mm", _named("second_start_difference_mm"), at_least=False),
    Measure("translation_sd_max_mm", _most("translation_sd_mm"), at_least=False),
    Measure("rotation_sd_max_deg", _most("rotation_sd_deg"), at_least=False),
    Measure("observability_min", _named("observability"), at_least=True),
    Measure("samples_min", _named("samples"), at_least=True),
)


def name_of(key: str) -> str:
    """A measure in words."""
    for end in ("_min", "_max", "_max_mm", "_max_deg", "_min_mm"):
        key = key.removesuffix(end)
    return key.replace("_", " ")


def load(files: Sequence[Path]) -> list[Line]:
    """Every line of the files, in the order of the cases."""
    lines = [json.loads(text) for file in files for text in file.read_text().splitlines()]
    return sorted(lines, key=lambda line: (line["site"], line["seed"], line["fault"], line["n"]))


def judges(line: Line) -> bool:
    """Whether the patient is of the half that judges; all real ones of the benchmark are."""
    return line["seed"] in (REAL_SEED, STORED_SEED) or line["seed"] % 2 == 1


def answered(line: Line) -> bool:
    """Whether there was a pose at all."""
    return "evidence" in line


def wrong(line: Line) -> bool:
    """Whether the answer must not be used; an image of something else has no answer that may be."""
    return line["impossible"] or (answered(line) and not line["error_mm"] <= WRONG_MM)


def good_image(line: Line) -> bool:
    """A good image, whatever the answer."""
    return line["fault"] == "good"


def good(line: Line) -> bool:
    """A good image with a right answer."""
    return good_image(line) and answered(line) and not wrong(line)


@dataclass(frozen=True)
class Rules:
    """A limit for each measure that was taken, in badness."""

    limits: dict[str, float]

    @property
    def measures(self) -> list[Measure]:
        """Those with a limit."""
        return [m for m in MEASURES if m.key in self.limits]

    def refusing(self, lines: Sequence[Line]) -> NDArray[np.bool_]:
        """(lines, measures) who refuses; the last column is what has not converged. Lines without an answer are refused by all."""
        there = np.array([answered(line) for line in lines], bool)
        table = np.ones((len(lines), len(self.limits) + 1), bool)
        with_answer = [line for line in lines if answered(line)]
        for column, measure in enumerate(self.measures):
            table[there, column] = measure.badness(with_answer) > self.limits[measure.key]
        table[there, -1] = [not line["evidence"]["converged"] for line in with_answer]
        return table

    def final(self, lines: Sequence[Line]) -> NDArray[np.bool_]:
        """(lines,) who is refused by what nobody sets aside.

        That is by identity, side or size where the match is otherwise to be believed: of a match that failed they say nothing, and where a
        person then sets the pose by hand they are measured again.
        """
        refusing = self.refusing(lines)
        columns = [n for n, measure in enumerate(self.measures) if measure.final]
        failed = [n for n, measure in enumerate(self.measures) if measure.key in BELIEVED] + [-1]
        return refusing[:, columns].any(axis=1) & ~refusing[:, failed].any(axis=1)

    def ever_final(self, lines: Sequence[Line]) -> NDArray[np.bool_]:
        """(lines,) who is refused by identity, side or size, whether the match failed or not."""
        columns = [n for n, measure in enumerate(self.measures) if measure.final]
        return self.refusing(lines)[:, columns].any(axis=1)

    def toml(self) -> str:
        """The lines of a protocol's table [evidence]."""
        return "\n".join(f"{m.key} = {abs(self.limits[m.key]) if self.limits[m.key] == 0 else self.shown(m):g}" for m in self.measures)

    def shown(self, measure: Measure) -> float:
        """The limit as the protocol has it."""
        return -self.limits[measure.key] if measure.at_least else self.limits[measure.key]


def rounded(limit: float) -> float:
    """To three digits, towards what is accepted."""
    if limit == 0 or not np.isfinite(limit):
        return limit
    step = 10.0 ** (np.floor(np.log10(abs(limit))) - 2)
    return float(f"{np.ceil(limit / step) * step:.6g}")


def taken(lines: Sequence[Line]) -> list[Measure]:
    """The measures that were taken somewhere."""
    known = [line["evidence"] for line in lines if answered(line)]
    return [m for m in MEASURES if any(m.key.startswith("samples") or m.value(e) not in NOT_TAKEN for e in known if _has(m, e))]


def _has(measure: Measure, evidence: dict) -> bool:
    try:
        measure.value(evidence)
    except KeyError:
        return False
    return True


def fitted(lines: Sequence[Line]) -> Rules:
    """Limits from the lines of the patients that set them, with `FLOORS`.

    Each limit begins beyond the worst good case that is no outlier, by a quarter of its distance from the median. Then, step by step, that
    limit is drawn in (to a tenth of that distance, then past one good case after the other) which catches the most wrong answers for each
    good case. One counts as caught by a rule in full where it lies a quarter beyond the limit, in part nearer by. It ends where
    0.6 % of the good cases are refused, 0.1 % by what nobody sets aside, or a good case buys less than a tenth of a wrong one.
    """
    right, bad = [line for line in lines if good(line)], [line for line in lines if wrong(line) and answered(line)]
    measures = [m for m in taken(lines) if m.key not in FLOORS]
    ladders = [_Ladder.of(measure, right, bad) for measure in measures]
    left = np.array([float(line["evidence"]["converged"]) for line in bad])
    while True:
        best = max(_offers(ladders, left), default=None)
        if best is None:
            break
        _, n, step = best
        ladders[n].step = step
    floors = {m.key: -FLOORS[m.key] for m in taken(lines) if m.key in FLOORS}
    return Rules({ladder.measure.key: rounded(float(ladder.limits[ladder.step])) for ladder in ladders} | floors)


def _offers(ladders: "Sequence[_Ladder]", left: Doubles) -> Iterator[tuple[float, int, int]]:
    """What next steps are worth: wrong answers caught for each good case, the ladder, the step. `left`: 0 for what has not converged."""
    now = np.stack([ladder.refused[ladder.step] for ladder in ladders])
    missed = np.stack([ladder.missed[ladder.step] for ladder in ladders])
    final = np.array([ladder.measure.final for ladder in ladders])
    for n, ladder in enumerate(ladders):
        others = left * np.delete(missed, n, axis=0).prod(axis=0)
        for step in range(ladder.step + 1, len(ladder.limits)):
            then = now.copy()
            then[n] = ladder.refused[step]
            if then.any(axis=0).mean() > BUDGET or then[final].any(axis=0).mean() > FINAL_BUDGET:
                break
            price = float(then.any(axis=0).sum() - now.any(axis=0).sum()) + UNSEEN * (step - ladder.step)
            bought = float((others * (missed[n] - ladder.missed[step])).sum())
            if bought * WORTH >= price:
                yield bought / price, n, step


@dataclass
class _Ladder:
    """The limits that a measure may have, from wide to narrow; at each, which good cases it refuses, how far it misses wrong ones."""

    measure: Measure
    limits: Doubles
    refused: NDArray[np.bool_]
    missed: Doubles
    step: int = 0

    @classmethod
    def of(cls, measure: Measure, right: Sequence[Line], bad: Sequence[Line]) -> "_Ladder":
        """Limits that refuse no good case but an outlier, with margins that shrink; then 1, 2, ... of them, each half way to the next."""
        values, wrongs = measure.badness(right), measure.badness(bad)
        worst, middle = np.sort(values)[::-1][: int(2 * BUDGET * len(values)) + 4], float(np.median(values))
        if worst[0] - middle > OUTLIER * (worst[1] - middle):
            worst = worst[1:]
        limits = np.concatenate([worst[0] + np.array(MARGINS) * (worst[0] - middle), (worst[:-1] + worst[1:]) / 2])
        beyond = [(wrongs - limit) / max(SURE * (limit - middle), 1e-12) for limit in limits]
        return cls(measure, limits, np.stack([values > limit for limit in limits]), 1 - np.clip(beyond, 0, 1))


def by_patient(lines: Sequence[Line], counted: NDArray[np.bool_], draws: int = 4000) -> tuple[float, float, float]:
    """A share of the lines in %, and its 95 % interval from patients drawn anew."""
    names = sorted({line["patient"] for line in lines})
    index = np.array([names.index(line["patient"]) for line in lines])
    many, of = np.bincount(index, counted, len(names)), np.bincount(index, minlength=len(names))
    drawn = np.random.default_rng(1).integers(0, len(names), (draws, len(names)))
    shares = 100 * many[drawn].sum(axis=1) / of[drawn].sum(axis=1)
    low, high = np.percentile(shares, [2.5, 97.5])
    return 100 * float(counted.mean()), float(low), float(high)


def at_most(count: int, of: int) -> float:
    """The share in % that `count` of `of` independent cases exclude at 95 % (Clopper and Pearson, one-sided)."""
    low, high = count / of, 1.0
    for _ in range(60):
        p = (low + high) / 2
        n = np.arange(count + 1)
        logs = np.array([sum(np.log((of - m) / (m + 1)) for m in range(k)) for k in n]) + n * np.log(p) + (of - n) * np.log1p(-p)
        low, high = (p, high) if np.exp(logs).sum() > 0.05 else (low, p)
    return 100 * high


def worth_of_an_alarm(caught: float, false_alarms: float, rate: float = TRUE_RATE) -> float:
    """The share of alarms that are true."""
    return caught * rate / (caught * rate + false_alarms * (1 - rate))


def scaled_deviations(lines: Sequence[Line]) -> Doubles:
    """Absolute errors of target vertices over their stated standard deviations, every axis of every vertex."""
    return np.abs(np.concatenate([line["deviations"] for line in lines]))
