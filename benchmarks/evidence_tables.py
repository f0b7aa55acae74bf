"""Markdown tables of the fault-injection report, from lines and limits."""

import json
from collections.abc import Sequence

import numpy as np
from evidence_cases import FAULTS
from evidence_statistics import GOOD_MM, Line, Rules, answered, good, good_image, name_of, taken, wrong
from evidence_svg import Series

BINS_MM = (2.0, 3.0)


def sites(lines: Sequence[Line]) -> list[str]:
    """Sites of generated patients, and the real ones by name."""
    return sorted({line["site"] for line in lines})


def faults(lines: Sequence[Line]) -> str:
    """Every fault in words, and how many images have it."""
    rows = ["| fault | images | what is wrong |", "| --- | --- | --- |"]
    rows += [f"| {name} | {sum(line['fault'] == name for line in lines)} | {fault.words} |" for name, fault in FAULTS.items()]
    return "\n".join(rows)


def by_fault(rules: Rules, lines: Sequence[Line]) -> str:
    """Wrong answers by size, those accepted, right answers and those refused; a row for each fault."""
    head = [
        "fault",
        "images",
        "no answer",
        "wrong: 2 – 3 mm",
        "> 3 mm",
        "not this anatomy",
        "accepted",
        "right",
        "of them refused",
        "1 – 2 mm",
    ]
    rows = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    groups = [(name, [line for line in lines if line["fault"] == name]) for name in FAULTS]
    only = [line for line in lines if line["start_only"]]
    for name, group in [*groups, ("all", list(lines)), ("of them the start alone was wrong", only)]:
        bad = [line for line in group if wrong(line)]
        right = [line for line in group if answered(line) and not wrong(line)]
        sized = [line["error_mm"] for line in bad if answered(line) and not line["impossible"]]
        cells = [
            len(group),
            sum(not answered(line) for line in group),
            sum(BINS_MM[0] < e <= BINS_MM[1] for e in sized),
            sum(not e <= BINS_MM[1] for e in sized),
            sum(line["impossible"] for line in group),
            int((~rules.refusing(bad).any(axis=1)).sum()),
            len(right),
            int(rules.refusing(right).any(axis=1).sum()),
            sum(line["error_mm"] > GOOD_MM for line in right),
        ]
        rows.append(f"| {name} | " + " | ".join(str(c) for c in cells) + " |")
    return "\n".join(rows)


def by_measure(rules: Rules, lines: Sequence[Line]) -> str:
    """What each measure refuses alone, what no other does, and what is lost without it, of wrong answers; what it refuses of good ones."""
    bad, right = [line for line in lines if wrong(line) and answered(line)], [line for line in lines if good(line)]
    caught, lost = rules.refusing(bad), rules.refusing(right)
    rows = ["| measure | limit | wrong caught | by it alone | good refused | by it alone |", "| --- | --- | --- | --- | --- | --- |"]
    names = [(name_of(m.key), f"{rules.shown(m):g}" + (", no override" if m.final else "")) for m in rules.measures]
    for n, (name, limit) in enumerate([*names, ("converged", "yes")]):
        single = [int((table[:, n] & (table.sum(axis=1) == 1)).sum()) for table in (caught, lost)]
        rows.append(
            f"| {name} | {limit} | {100 * caught[:, n].mean():.1f} % | {single[0]} | {100 * lost[:, n].mean():.2f} % | {single[1]} |"
        )
    together = [100 * table.any(axis=1).mean() if len(table) else 0.0 for table in (caught, lost)]
    rows.append(f"| all | | {together[0]:.2f} % | | {together[1]:.2f} % | |")
    return "\n".join(rows)


def by_fault_and_measure(rules: Rules, lines: Sequence[Line]) -> str:
    """Of each fault's wrong answers, the share that each measure refuses, in %."""
    names = [name_of(m.key) for m in rules.measures] + ["converged"]
    rows = ["| fault | wrong | " + " | ".join(names) + " |", "|" + " --- |" * (len(names) + 2)]
    for fault in FAULTS:
        bad = [line for line in lines if line["fault"] == fault and wrong(line) and answered(line)]
        if bad:
            shares = 100 * rules.refusing(bad).mean(axis=0)
            rows.append(f"| {fault} | {len(bad)} | " + " | ".join(f"{s:.0f}" for s in shares) + " |")
    return "\n".join(rows)


def values(lines: Sequence[Line]) -> str:
    """Least, 1st, 50th, 99th percentile and largest of every measure: of good cases, and of wrong answers."""
    right, bad = [line for line in lines if good(line)], [line for line in lines if wrong(line) and answered(line)]
    rows = ["| measure | good: least, 1 %, median, 99 %, largest | wrong: least, 1 %, median, 99 %, largest |", "| --- | --- | --- |"]
    for measure in taken(lines):
        cells = []
        for group in (right, bad):
            of = [measure.value(line["evidence"]) for line in group]
            cells.append(", ".join(f"{v:.3g}" for v in np.percentile(of, [0, 1, 50, 99, 100])) if of else "")
        rows.append(f"| {name_of(measure.key)} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def cost(lines: Sequence[Line]) -> str:
    """Medians and 95th percentiles of milliseconds, of good cases."""
    right = [line for line in lines if good(line)]
    rows = ["| | median, ms | 95 % below, ms |", "| --- | --- | --- |"]
    for name in ("image", "preparation", "match", "alone"):
        ms = [1000 * line["seconds"][name] for line in right if name in line["seconds"]]
        if ms:
            rows.append(f"| {name} | {np.median(ms):.0f} | {np.percentile(ms, 95):.0f} |")
    ratio = [line["seconds"]["match"] / line["seconds"]["alone"] for line in right if "alone" in line["seconds"]]
    if ratio:
        rows.append(f"| match with its evidence, times the match alone | {np.median(ratio):.2f} | {np.percentile(ratio, 95):.2f} |")
    return "\n".join(rows)


def cases(rules: Rules, lines: Sequence[Line], *, refused: bool) -> str:
    """Cases one by one: those refused with what refuses them, or those accepted."""
    names = [name_of(m.key) for m in rules.measures] + ["converged"]
    rows = ["| patient | fault | target | parameters | error, mm | refused by |", "| --- | --- | --- | --- | --- | --- |"]
    for line, by in zip(lines, rules.refusing(lines), strict=True):
        if by.any() == refused:
            parameters = ", ".join(f"{k} {_short(v)}" for k, v in line["parameters"].items())
            error = f"{line['error_mm']:.2f}" if answered(line) else ""
            refusing = ", ".join(name for name, out in zip(names, by, strict=True) if out)
            number = f"{line['fault']} {line['n']}"
            rows.append(f"| {line['patient']} | {number} | {line['target']} | {parameters} | {error} | {refusing} |")
    return "\n".join(rows) if len(rows) > 2 else "None."


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else json.dumps(value).strip('"')


def trade(lines: Sequence[Line]) -> list[Series]:
    """For each measure alone, the share of good refused against that of wrong accepted, as its limit moves; in %, at least half a case."""
    right, bad = [line for line in lines if good(line)], [line for line in lines if wrong(line) and answered(line)]
    series = []
    for measure in taken(lines):
        goods, bads = measure.badness(right), measure.badness(bad)
        limits = np.quantile(goods, 1 - np.geomspace(0.5 / len(goods), 0.5, 60))
        x = [max(100 * float((goods > limit).mean()), 50 / len(goods)) for limit in limits]
        y = [max(100 * float((bads <= limit).mean()), 50 / len(bads)) for limit in limits]
        series.append(Series(name_of(measure.key), x, y))
    return series


def derived_by(training: Sequence[Line], judging: Sequence[Line], rules: Rules) -> str:
    """The run in a sentence, for the protocol."""
    patients = len({line["patient"] for line in training})
    counts = [(sum(good_image(line) for line in group), sum(wrong(line) for line in group)) for group in (training, judging)]
    bad, right = [line for line in judging if wrong(line)], [line for line in judging if good_image(line)]
    missed, refused = int((~rules.refusing(bad).any(axis=1)).sum()), int(rules.refusing(right).any(axis=1).sum())
    return (
        f"fault injection, docs/benchmarks/evidence.md: set on {patients} patients ({counts[0][0]} good and {counts[0][1]} wrong images), "
        f"on others {missed} of {counts[1][1]} wrong accepted and {refused} of {counts[1][0]} good refused"
    )
