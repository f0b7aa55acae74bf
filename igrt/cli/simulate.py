"""`igrt simulate`: the files of simulated patients, and an imaging system that sends an image to a running engine."""

from __future__ import annotations

import argparse
from pathlib import Path

from igrt.cli.parsing import POSITIONS, Parser, existing, finite

NAME = "simulate"
SUMMARY = "make simulated patients as DICOM files, or send an image as an imager would"
DESCRIPTION = """Two things that stand in for hardware. `files` makes plans and daily images, cone-beam CTs and a pair of
radiographs, of simulated patients, with the set-up error that each was given. `imager` sends a daily image,
slab by slab or radiograph by radiograph, to a running engine and prints what the engine answers."""
EXAMPLES = (
    "igrt simulate files patients/",
    "igrt simulate files patients/ --patient thorax",
    "igrt simulate imager --engine site/engine --plan patients/thorax/plan --daily patients/thorax/fraction-1",
    "igrt simulate imager --engine site/engine --plan patients/head/plan --daily patients/head/fraction-2_kv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parts = parser.add_subparsers(dest="part", metavar="PART", required=True, parser_class=Parser)
    files = parts.add_parser("files", help="make plans and daily images", description="Makes plans and daily images of simulated patients.")
    files.add_argument("folder", type=Path, metavar="FOLDER", help="where to; created")
    files.add_argument("--patient", metavar="NAME", help="only this patient: head, thorax, pelvis")
    imager = parts.add_parser(
        "imager", help="send an image to an engine", description="Sends a daily image to a running engine, as an imaging system does."
    )
    imager.add_argument(
        "--engine", type=existing, required=True, metavar="DIR", help="the engine's folder (SITE/engine), which holds its addresses"
    )
    imager.add_argument(
        "--plan", type=existing, required=True, metavar="PATH", help="folder of the plan, as the engine sees it, or a volume file"
    )
    imager.add_argument(
        "--daily", type=existing, required=True, nargs="+", metavar="PATH", help="folder or files of the daily image, or of radiographs"
    )
    imager.add_argument("--isocentre", type=finite, nargs=3, metavar=("X", "Y", "Z"), help="as for igrt verify")
    imager.add_argument("--daily-isocentre", type=finite, nargs=3, metavar=("X", "Y", "Z"), help="as for igrt verify")
    imager.add_argument("--position", choices=POSITIONS, help="as for igrt verify")
    imager.add_argument("--machine", metavar="PROFILE", help="as for igrt verify")
    imager.add_argument("--protocol", metavar="SITE", help="as for igrt verify")
    imager.add_argument("--table-angle", type=finite, metavar="DEG", help="as for igrt verify")
    imager.add_argument("--slices-per-second", type=finite, metavar="N", help="pace of the scanner (by default as fast as it goes)")
    imager.add_argument("--json", action="store_true", help="print the answer as one JSON object (docs/json.md)")


def run(options: argparse.Namespace) -> int:
    """Makes the files (0), or sends the image (the exit code is the verdict's)."""
    return _files(options) if options.part == "files" else _send(options)


def _files(options: argparse.Namespace) -> int:
    from igrt.cli.terminal import console, stages
    from igrt.errors import InputError
    from igrt.simulation.patients import FRACTIONS, PATIENTS, make_plan
    from igrt.simulation.radiographs import make_image

    if options.patient is not None and options.patient not in PATIENTS:
        raise InputError(f"there is no simulated patient {options.patient!r}; choose one of {', '.join(PATIENTS)}")
    out = console()
    for patient in PATIENTS.values():
        if options.patient in (None, patient.name):
            with stages() as progress:
                plan = make_plan(patient, options.folder, progress=progress)
            out.print(f"{plan}  plan of {patient.name}, {patient.position}", soft_wrap=True)
    for fraction in FRACTIONS:
        if options.patient in (None, fraction.patient):
            with stages() as progress:
                daily = make_image(fraction, options.folder, progress=progress)
            out.print(f"{daily}  {fraction.shows}; truth in {daily.name}_truth.json", soft_wrap=True)
    return 0


def _send(options: argparse.Namespace) -> int:
    from igrt.bus.client import Client
    from igrt.cli.bus_imager import engine_errors, send_and_hear
    from igrt.cli.terminal import print_answer, print_json, stages
    from igrt.errors import InputError
    from igrt.geometry.position import PatientPosition
    from igrt.images.today import load_today
    from igrt.simulation.imager import Pace
    from igrt.verification.findings import Verdict

    if options.slices_per_second is not None and options.slices_per_second <= 0:
        raise InputError(f"--slices-per-second is {options.slices_per_second:g}; give a positive number")
    with stages(quiet=options.json) as progress, engine_errors(), Client(options.engine) as client:
        daily = load_today(options.daily, isocentre_mm=options.daily_isocentre, position=options.position, progress=progress)
        progress("preparing the plan", 0.0)
        position = None if options.position is None else PatientPosition(options.position)
        client.load_plan(
            options.plan, machine=options.machine, protocol=options.protocol, isocentre_mm=options.isocentre, position=position
        )
        pace = Pace(slices_per_s=options.slices_per_second)
        heard = send_and_hear(client, daily, progress=progress, pace=pace, table_angle_deg=options.table_angle)
    if options.json:
        print_json(heard.answer)
    else:
        print_answer(heard.answer)
    return Verdict(heard.answer["verdict"]).exit_code
