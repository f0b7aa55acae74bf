"""What each rule of the evidence would do to an archive of answers, and what limit a share of its patients holds.

    python benchmarks/archive_limits.py answers/*.json [--protocol NAME] [--site DIR] [--refuse 0.001]

The files are answers as `igrt verify --json` printed them. A patient counts once, by the worst of its answers (the folder of the file names
the patient: answers/PATIENT/FRACTION.json). Printed for every rule: how many patients were asked, the worst value, the value that
all but `--refuse` of the patients hold, the protocol's limit, and how many patients it refuses, with a 95 % interval (Wilson). Give right
matches to see what right matches cost, wrong ones to see what the limits catch.
"""

import argparse
import json
import math
from collections import defaultdict
from pathlib import Path

from igrt.registration.match import measured
from igrt.verification.evidence_rule import Rule
from igrt.verification.evidence_rules import RULES
from igrt.verification.evidence_table import EvidenceTable
from igrt.verification.protocol import load_protocol
from igrt.verification.record import Answer


def worst_by_patient(files: list[Path], rule: Rule) -> dict[str, float]:
    """The value farthest beyond, or closest to, the limit of each patient whose answers the rule was asked of."""
    values: dict[str, list[float]] = defaultdict(list)
    for file in files:
        answer = Answer.from_json(json.loads(file.read_text()))
        if answer.evidence is not None and asked(answer, rule):
            values[str(file.parent.resolve())].append(rule.value(answer.evidence))
    worse = min if rule.at_least else max
    lacking = -math.inf if rule.at_least else math.inf
    return {who: worse(value if measured(value) and math.isfinite(value) else lacking for value in found) for who, found in values.items()}


def asked(answer: Answer, rule: Rule) -> bool:
    """Whether the rule applies to the match of an answer; of radiographs only what its words were checked by."""
    return any(words.startswith(rule.what) for words in answer.checked)


def held_by(values: list[float], rule: Rule, share: float) -> float:
    """The limit beyond which `share` of the values lie: the strictest that they still hold."""
    ordered = sorted(values, reverse=rule.at_least)
    return ordered[min(math.ceil((1 - share) * len(ordered)), len(ordered)) - 1]


def wilson(count: int, total: int) -> tuple[float, float]:
    """95 % interval of a share."""
    z, share = 1.96, count / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def report(files: list[Path], table: EvidenceTable, refuse: float) -> list[str]:
    """A line for each rule."""
    lines = [f"{'rule':62} patients {'worst':>10} {'held':>10} {'limit':>10}  refused"]
    for rule in RULES:
        values = list(worst_by_patient(files, rule).values())
        if not values:
            continue
        limit = rule.limit(table)
        beyond = sum(not (value >= limit if rule.at_least else value <= limit) for value in values)
        low, high = wilson(beyond, len(values))
        worst, held = held_by(values, rule, 0.0), held_by(values, rule, refuse)
        lines.append(
            f"{rule.what:62} {len(values):8d} {worst:10.3g} {held:10.3g} {limit:10.3g}  {beyond} ({100 * low:.2f} to {100 * high:.2f} %)"
        )
    return lines


def main() -> None:
    """Read the answers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("answers", nargs="+", type=Path)
    parser.add_argument("--protocol")
    parser.add_argument("--site", type=Path)
    parser.add_argument("--refuse", type=float, default=0.001, help="share of the patients that may be refused")
    options = parser.parse_args()
    evidence = load_protocol(options.protocol, options.site).tables.evidence
    print(f"limits set by: {evidence.derived_by}")
    print("\n".join(report(options.answers, evidence, options.refuse)))


if __name__ == "__main__":
    main()
