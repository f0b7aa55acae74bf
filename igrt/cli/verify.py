"""`igrt verify`: a plan and a daily image in, the answer out, as text, JSON or a report."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igrt.cli.parsing import POSITIONS, existing, finite

if TYPE_CHECKING:
    from igrt.cli.terminal import ProgressCall
    from igrt.images.records import Daily, Plan

NAME = "verify"
SUMMARY = "match a daily image to its plan: correction, findings, verdict"
DESCRIPTION = """Matches a daily cone-beam CT to the planning CT and says what couch correction follows, how sure it
is, and whether to proceed. The exit code is the verdict. DICOM folders state isocentre and patient
position themselves; volume files (.mha, .nii.gz, .nrrd) need --isocentre and --position."""
EXAMPLES = (
    "igrt verify --plan plan/ --daily cbct/ --protocol thorax --report report.html",
    "igrt verify --plan plan/ --daily cbct/ --machine linac3 --couch 0 -620 -145 0 0 0 --json",
    "igrt verify --plan ct.nii.gz --daily cbct.nii.gz --isocentre 14 -4 -160 --daily-isocentre 0 0 0 --position HFS",
)
AXES = ("LAT", "LONG", "VERT", "PITCH", "ROLL", "YAW")
COUCH_FIELDS = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    images = parser.add_argument_group("images")
    images.add_argument(
        "--plan", type=existing, required=True, metavar="PATH", help="folder of DICOM files (CT, RTSTRUCT, RTPLAN) or a volume file"
    )
    images.add_argument(
        "--daily",
        type=existing,
        required=True,
        nargs="+",
        metavar="PATH",
        help="folder or files of the daily cone-beam CT, or a volume file",
    )
    images.add_argument(
        "--isocentre", type=finite, nargs=3, metavar=("X", "Y", "Z"), help="plan isocentre, LPS mm, where the files do not state it"
    )
    images.add_argument(
        "--daily-isocentre",
        type=finite,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help="machine isocentre in the daily image, LPS mm (by default as the machine profile says; volume files: as --isocentre)",
    )
    images.add_argument("--position", choices=POSITIONS, help="patient position, where the files do not state it")
    images.add_argument("--plan-isocentre", metavar="CHOICE", help="which isocentre, where the plan has several (the error lists them)")
    images.add_argument("--setup", metavar="CHOICE", help="which patient set-up, where the plan has several")
    machine = parser.add_argument_group("machine and protocol")
    machine.add_argument("--machine", metavar="PROFILE", help="machine profile (by default the research default, and the output says so)")
    machine.add_argument("--protocol", metavar="SITE", help="tolerances by site of the body, such as head, thorax, pelvis")
    machine.add_argument("--site", type=existing, metavar="DIR", help="the clinic's folder of profiles and protocols ($IGRT_SITE)")
    machine.add_argument(
        "--table-angle",
        type=finite,
        metavar="DEG",
        help="planned IEC 61217 patient support angle at which the couch corrects (by default the plan's, else 0)",
    )
    machine.add_argument(
        "--image-table-angle",
        type=finite,
        metavar="DEG",
        help="the angle that the couch was read at for the image (by default the yaw of --couch where a turntable yaws, else as planned)",
    )
    machine.add_argument(
        "--couch", type=finite, nargs=6, metavar=AXES, help="couch during the scan, IEC 61217 mm and degrees: gives an absolute target"
    )
    machine.add_argument("--device", metavar="NAME", help="cpu, cpu avx2, ... (by default the best there is)")
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print the answer as one JSON object (docs/json.md)")
    output.add_argument("--report", type=Path, metavar="FILE.html", help="write a self-contained report")


def run(options: argparse.Namespace) -> int:
    """Verifies, prints, reports; the exit code is the verdict's."""
    from igrt.cli.terminal import print_answer, print_json, stages
    from igrt.reports import html
    from igrt.verification.findings import Verdict

    if options.report is not None:
        html.check_destination(options.report)
    with stages(quiet=options.json) as progress:
        plan, daily, answer = _answer(options, progress)
        if options.report is not None:
            progress("writing the report", 0.0)
            html.write(options.report, html.render(answer, plan=plan, daily=daily))
    if options.json:
        print_json(answer)
    else:
        print_answer(answer, report=None if options.report is None else str(options.report))
    return Verdict(answer["verdict"]).exit_code


def _answer(options: argparse.Namespace, progress: ProgressCall) -> tuple[Plan, Daily, dict[str, Any]]:
    """The images and the answer's JSON object, its seconds with those of reading the files."""
    from igrt.answer import verify
    from igrt.geometry.couch import CouchPosition
    from igrt.images.load import load_daily, load_plan
    from igrt.verification.machine import load_machine
    from igrt.verification.protocol import load_protocol

    machine, protocol = load_machine(options.machine, options.site), load_protocol(options.protocol, options.site)
    couch = None if options.couch is None else CouchPosition(**dict(zip(COUCH_FIELDS, options.couch, strict=True)))
    began = time.perf_counter()
    plan = load_plan(
        options.plan,
        isocentre_mm=options.isocentre,
        position=options.position,
        isocentre_choice=options.plan_isocentre,
        setup_choice=options.setup,
        progress=progress,
    )
    plan_read = time.perf_counter()
    daily = load_daily(options.daily, isocentre_mm=options.daily_isocentre, position=options.position, progress=progress)
    daily_read = time.perf_counter()
    answer = verify(
        plan,
        daily,
        machine=machine,
        protocol=protocol,
        site=options.site,
        couch_start=couch,
        table_angle_deg=options.table_angle,
        image_table_angle_deg=options.image_table_angle,
        device=options.device,
        progress=progress,
    ).to_json()
    answer["seconds"] = {"read_plan": plan_read - began, "read_daily": daily_read - plan_read, **answer["seconds"]}
    return plan, daily, answer
