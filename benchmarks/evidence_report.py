"""What fault injection showed: limits set on half of the patients, judged on the others; tables, curves, and pictures of what was missed.

    python benchmarks/evidence_report.py FILE.jsonl [FILE.jsonl ...] [--toml] [--out FOLDER] [--pictures ANATOMIES]

`--toml` prints the lines for the protocol's table [evidence] alone. `--out` writes the curves there as SVG, and with `--pictures` (the
folder of anatomies of the run) each wrong answer that nothing refused: plan and daily image at the answer. Patients of even seed set
the limits; those of odd seed, and all real ones, judge (of an archive: every second). Intervals are the 2.5th and 97.5th percentiles
over patients drawn anew.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import evidence_tables as tables
import numpy as np
from evidence_anatomies import REAL_SEED, STORED_SEED
from evidence_statistics import (
    Line,
    Rules,
    at_most,
    by_patient,
    fitted,
    good,
    good_image,
    judges,
    load,
    scaled_deviations,
    worth_of_an_alarm,
    wrong,
)
from evidence_svg import Series, svg

LEAST_PATIENTS = 20
NOMINAL = np.array([0.5, 0.6, 0.68, 0.8, 0.9, 0.95, 0.98, 0.99, 0.997])
TWO_SIDED = np.array([0.6745, 0.8416, 0.9945, 1.2816, 1.6449, 1.96, 2.3263, 2.5758, 2.9677])  # deviations that hold so much of a normal


def bars(rules: Rules, lines: Sequence[Line]) -> str:
    """The three bars of refusals; a good image counts as refused whatever its answer was."""
    bad, right = [line for line in lines if wrong(line)], [line for line in lines if good_image(line)]
    missed, refused, final = ~rules.refusing(bad).any(axis=1), rules.refusing(right).any(axis=1), rules.final(right)
    rows = ["| | of | share | 95 % by patient | excluded at 95 % |", "| --- | --- | --- | --- | --- |"]
    table = (
        ("wrong, accepted", missed, bad),
        ("good, refused", refused, right),
        ("good, no override", final, right),
        ("good, refused by identity, side or size, failed matches too", rules.ever_final(right), right),
    )
    for name, counted, of in table:
        share, low, high = by_patient(of, counted)
        most = at_most(int(counted.sum()), len(of))
        rows.append(f"| {name} | {counted.sum()} of {len(of)} | {share:.2f} % | {low:.2f} – {high:.2f} % | above {most:.2f} % |")
    return "\n".join(rows)


def reliability(lines: Sequence[Line], scale: float) -> list[float]:
    """Shares of errors within the intervals that ought to hold `NOMINAL`, deviations scaled."""
    z = scaled_deviations(lines)
    return [float((z <= scale * width).mean()) for width in TWO_SIDED]


def scale_that_holds(lines: Sequence[Line]) -> float:
    """What deviations must be scaled by for 95 % of errors to lie within 1.96 of them."""
    return float(np.percentile(scaled_deviations(lines), 95) / 1.96)


def coverage(training: Sequence[Line], judging: Sequence[Line], rules: Rules) -> tuple[str, list[Series]]:
    """How much stated intervals hold, as stated and scaled; and the curve."""

    def accepted(lines: Sequence[Line]) -> list[Line]:
        right = [line for line in lines if good(line)]
        return [line for line, out in zip(right, rules.refusing(right).any(axis=1), strict=True) if not out]

    setting, judged = accepted(training), accepted(judging)
    scale = scale_that_holds(setting)
    rows = ["| intervals of | as stated | deviations × " + f"{scale:.2f}" + " |", "| --- | --- | --- |"]
    for name, group in [
        ("patients that set the limits", setting),
        ("patients that judge", judged),
        *((site, [line for line in judged if line["site"] == site]) for site in tables.sites(judged)),
    ]:
        if group:
            z = scaled_deviations(group)
            rows.append(f"| {name}, {len(group)} images | {100 * (z <= 1.96).mean():.1f} % | {100 * (z <= 1.96 * scale).mean():.1f} % |")
    curves = [
        Series("as stated", NOMINAL, reliability(judged, 1.0)),
        Series(f"deviations × {scale:.2f}", NOMINAL, reliability(judged, scale)),
    ]
    return "\n".join(rows), [*curves, Series("ideal", NOMINAL, list(NOMINAL))]


def alarm(rules: Rules, lines: Sequence[Line]) -> str:
    """What an alarm is worth where one fraction of 2,300 is wrong."""
    right = [line for line in lines if good_image(line)]
    refused, final = rules.refusing(right).any(axis=1), rules.ever_final(right)
    rows = ["| alarm | catches | false alarms | true, of all alarms |", "| --- | --- | --- | --- |"]
    groups = {"wrong vertebra": ["wrong vertebra", "start at another vertebra"], "any fault": None}
    for name, faults in groups.items():
        bad = [line for line in lines if wrong(line) and (faults is None or line["fault"] in faults)]
        if bad:
            kinds = (
                ("any rule", rules.refusing(bad).any(axis=1), refused),
                ("identity, side or size", rules.ever_final(bad), final),
            )
            for kind, caught, false in kinds:
                # Where none of the good was refused, half a case stands in for none.
                share = max(float(false.sum()), 0.5) / len(right)
                worth = worth_of_an_alarm(float(caught.mean()), share)
                rows.append(f"| {name}, {kind} | {100 * caught.mean():.1f} % | {100 * share:.2f} % | {100 * worth:.1f} % |")
    return "\n".join(rows)


def halves(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """Those that set the limits, those that judge."""
    return [line for line in lines if not judges(line)], [line for line in lines if judges(line)]


def main() -> None:
    """Print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--toml", action="store_true", help="the protocol's lines alone")
    parser.add_argument("--out", type=Path, help="folder for the curves")
    parser.add_argument("--pictures", type=Path, help="folder of the anatomies, to show what was missed")
    options = parser.parse_args()
    lines = load(options.files)
    training, judging = halves(lines)
    known = len({line["patient"] for line in training})
    if known < LEAST_PATIENTS:
        raise SystemExit(
            f"limits of {known} patients hold for no other; give results of at least {LEAST_PATIENTS} that set them and as many that judge"
        )
    rules = fitted(training)
    if options.toml:
        print(rules.toml())
        print(f'derived_by = "{tables.derived_by(training, judging, rules)}"')
        return
    held, curves = coverage(training, judging, rules)
    swapped = fitted([line for line in judging if line["seed"] not in (REAL_SEED, STORED_SEED)])
    parts = {
        "Faults": tables.faults(lines),
        "Limits": f"```toml\n{rules.toml()}\n```",
        "Judged": bars(rules, judging),
        "The patients that set the limits": bars(rules, training),
        "Halves exchanged": bars(swapped, training),
        "By fault": tables.by_fault(rules, judging),
        "What caught what": tables.by_measure(rules, judging),
        "What caught which fault, %": tables.by_fault_and_measure(rules, judging),
        "Values": tables.values(lines),
        "Coverage": held,
        "An alarm": alarm(rules, judging),
        "Cost": tables.cost(lines),
        "Missed": tables.cases(rules, [line for line in judging if wrong(line)], refused=False),
        "Good and refused": tables.cases(rules, [line for line in judging if good_image(line)], refused=True),
    }
    print("\n\n".join(f"## {name}\n\n{text}" for name, text in parts.items()))
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "evidence-reliability.svg").write_text(svg(curves, ("stated", "held")))
        (options.out / "evidence-caught.svg").write_text(
            svg(tables.trade(judging), ("good refused, %", "wrong accepted, %"), logarithmic=True)
        )
        if options.pictures:
            from evidence_pictures import missed

            missed(rules, judging, options.pictures, options.out)


if __name__ == "__main__":
    main()
