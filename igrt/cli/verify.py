"""`igrt verify`: a plan and a daily image in, the answer out, as text, JSON or a report."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igrt.cli.parsing import POSITIONS, existing, finite
from igrt.errors import InputError

if TYPE_CHECKING:
    from igrt.cli.terminal import ProgressCall
    from igrt.images.radiographs import KvConventions, Radiographs
    from igrt.images.records import Daily, Plan
    from igrt.verification.compared import Compared
    from igrt.verification.protocol import ProtocolTables

NAME = "verify"
SUMMARY = "match a daily image to its plan: correction, findings, verdict"
DESCRIPTION = """Matches a daily cone-beam CT, or kV radiographs, to the planning CT and says what couch correction
follows, how sure it is, and whether to proceed. One radiograph alone shows no depth and gives no correction.
The exit code is the verdict's, or that of
stop where the second solver contradicts it. DICOM folders state isocentre and patient position themselves; volume files
(.mha, .nii.gz, .nrrd) need --isocentre and --position."""
EXAMPLES = (
    "igrt verify --plan plan/ --daily cbct/ --protocol thorax --report report.html",
    "igrt verify --plan plan/ --daily cbct/ --machine linac3 --couch 0 -620 -145 0 0 0 --json",
    "igrt verify --plan plan/ --daily cbct/ --region 'vertebra*' --margin 10 --mode bone",
    "igrt verify --plan plan/ --daily cbct/ --second-solver --json",
    "igrt verify --plan plan/ --daily kv000.dcm kv270.dcm --report report.html",
    "igrt verify --plan plan/ --daily kv315.dcm kv045.dcm --protocol prostate_markers",
    "igrt verify --plan ct.nii.gz --daily cbct.nii.gz --isocentre 14 -4 -160 --daily-isocentre 0 0 0 --position HFS",
)
AXES = ("LAT", "LONG", "VERT", "PITCH", "ROLL", "YAW")
COUCH_FIELDS = ("lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    _add_images(parser.add_argument_group("images"))
    _add_machine(parser.add_argument_group("machine and protocol"))
    _add_match(parser.add_argument_group("match (by default as the protocol says)"))
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print the answer as one JSON object (docs/json.md)")
    output.add_argument("--report", type=Path, metavar="FILE.html", help="write a self-contained report")


def _add_images(images: argparse._ArgumentGroup) -> None:
    images.add_argument(
        "--plan", type=existing, required=True, metavar="PATH", help="folder of DICOM files (CT, RTSTRUCT, RTPLAN) or a volume file"
    )
    images.add_argument(
        "--daily",
        type=existing,
        required=True,
        nargs="+",
        metavar="PATH",
        help="folder or files of the daily cone-beam CT or of radiographs (RT Image), or a volume file",
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


def _add_machine(machine: argparse._ArgumentGroup) -> None:
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
    machine.add_argument(
        "--scan-offset",
        type=finite,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help="shift made on purpose after the scan, IEC 61217 fixed axes, mm (by default the protocol's)",
    )
    machine.add_argument("--device", metavar="NAME", help="cpu, cpu avx2, cuda, ... (by default the best there is)")


def _add_match(match: argparse._ArgumentGroup) -> None:
    match.add_argument(
        "--region",
        metavar="REGION",
        help="whole, target, a structure's name or pattern, a box X0,Y0,Z0,X1,Y1,Z1 (plan LPS mm), or a volume file (above 0 inside)",
    )
    match.add_argument("--margin", type=finite, default=0.0, metavar="MM", help="with --region of structures: match this far around them")
    match.add_argument("--mode", choices=("grey", "bone", "soft"), help="tissue of the planning CT that is matched")
    freedom = match.add_mutually_exclusive_group()
    freedom.add_argument("--translations-only", action="store_true", help="seek shifts alone; the patient is not turned")
    freedom.add_argument(
        "--rotation-centre", type=finite, nargs=3, metavar=("X", "Y", "Z"), help="seek turns alone, about this point (plan LPS mm)"
    )
    match.add_argument(
        "--match-on",
        choices=("anatomy", "markers"),
        help="what the correction rests on, where the protocol has implanted markers; the other is matched beside it",
    )
    match.add_argument(
        "--manual-pose", type=existing, metavar="FILE.json", help="a pose set by hand: JSON with plan_from_daily, 4x4, LPS mm"
    )
    match.add_argument(
        "--second-solver", action="store_true", help="have SimpleITK match the images too, and wait for whether it confirms (about 10 s)"
    )


def run(options: argparse.Namespace) -> int:
    """Verifies, prints, reports; the exit code is the verdict's."""
    from igrt.cli.terminal import print_answer, print_json, stages
    from igrt.reports import html

    if options.report is not None:
        html.check_destination(options.report)
    with stages(quiet=options.json) as progress:
        plan, daily, kv, answer, compared = _answer(options, progress)
        if options.report is not None:
            progress("writing the report", 0.0)
            html.write(options.report, html.render(answer, plan=plan, daily=daily, kv=kv, compared=compared))
    if options.json:
        print_json(answer)
    else:
        print_answer(answer, report=None if options.report is None else str(options.report))
    return _exit_code(answer)


def _exit_code(answer: dict[str, Any]) -> int:
    """The verdict's; at least that of stop where the second solver contradicts the answer."""
    from igrt.verification.findings import Verdict
    from igrt.verification.second_solver import Opinion

    code = Verdict(answer["verdict"]).exit_code
    contradicted = answer.get("second_solver", {}).get("opinion") == Opinion.WITHDRAWN
    return max(code, Verdict.STOP.exit_code) if contradicted else code


def _answer(
    options: argparse.Namespace, progress: ProgressCall
) -> tuple[Plan, Daily | Radiographs, KvConventions, dict[str, Any], Compared | None]:
    """The images, the kV conventions, the answer's JSON object, its seconds with those of reading the files, and what it compared."""
    from igrt.answer import verify
    from igrt.geometry.couch import CouchPosition
    from igrt.images.load import load_plan
    from igrt.images.today import load_today
    from igrt.verification.machine import load_machine
    from igrt.verification.match_choice import resting_on
    from igrt.verification.protocol import load_protocol

    machine, protocol = load_machine(options.machine, options.site), load_protocol(options.protocol, options.site)
    if options.match_on is not None:
        protocol = resting_on(protocol, options.match_on)
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
    daily = load_today(options.daily, isocentre_mm=options.daily_isocentre, position=options.position, progress=progress)
    daily_read = time.perf_counter()
    given = verify(
        plan,
        daily,
        machine=machine,
        protocol=protocol,
        site=options.site,
        couch_start=couch,
        table_angle_deg=options.table_angle,
        image_table_angle_deg=options.image_table_angle,
        scan_offset_mm=None if options.scan_offset is None else tuple(options.scan_offset),
        device=options.device,
        progress=progress,
        **_match_settings(options, plan, protocol.tables),
    )
    answer = given.to_json()
    answer["seconds"] = {"read_plan": plan_read - began, "read_daily": daily_read - plan_read, **answer["seconds"]}
    if options.second_solver:
        from igrt.verification.record_json import plain
        from igrt.verification.second_solver import second_opinion

        progress("second solver", 0.0)
        answer["second_solver"] = plain(second_opinion(plan, daily, answer, protocol=protocol))
    return plan, daily, machine.kv, answer, given.compared


def _match_settings(options: argparse.Namespace, plan: Plan, tables: ProtocolTables) -> dict[str, Any]:
    """What the options of the group `match` make of the protocol's own; nothing where none is given."""
    from dataclasses import replace

    from igrt.registration.options import Freedom, Mode
    from igrt.verification.match_choice import match_options, pose_of, region_of

    changed: dict[str, Any] = {}
    if options.region is not None:
        changed["region"] = region_of(plan, options.region, options.margin, tables)
    elif options.margin:
        raise InputError("--margin is given without --region; name the structures that it goes around")
    if options.mode is not None:
        changed["mode"] = Mode(options.mode)
    if options.translations_only:
        changed["freedom"] = Freedom.TRANSLATIONS
    if options.rotation_centre is not None:
        changed |= {"freedom": Freedom.ROTATIONS, "rotation_centre_mm": tuple(options.rotation_centre)}
    settings: dict[str, Any] = {"options": replace(match_options(plan, tables), **changed)} if changed else {}
    if options.manual_pose is not None:
        settings["manual"] = pose_of(options.manual_pose)
    return settings
