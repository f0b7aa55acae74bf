"""The report of one answer: a single HTML file that loads nothing, runs nothing and prints well."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from igrt.errors import InputError
from igrt.geometry.motion import Frame, RigidMotion
from igrt.images.radiographs import KvConventions, Radiographs
from igrt.images.records import Daily, Plan
from igrt.reports import regions
from igrt.reports.context import context
from igrt.reports.hypotheses import side_by_side
from igrt.reports.pictures import Gallery, gallery
from igrt.reports.words import figure
from igrt.verification.compared import Compared


def render(
    answer: Mapping[str, Any],
    *,
    plan: Plan,
    daily: Daily | Radiographs,
    created: datetime | None = None,
    kv: KvConventions | None = None,
    steps: Sequence[tuple[str, str]] = (),
    compared: Compared | None = None,
) -> str:
    """The page of an answer as its public JSON states it (docs/json.md), with the images that it was given for.

    `created` is the time that the page names, by default now (UTC); `kv` is the machine profile's, which radiographs need; `steps` is
    what was done with the answer, heading and words of each; `compared` is the answer's own (`Answer.compared`), for the pictures of two
    vertebrae side by side, which its JSON cannot give. InputError where the answer is for another plan.
    """
    if answer["plan_fingerprint"] != plan.fingerprint:
        raise InputError(f"the answer is for another plan than {plan.source}; give the plan that it was computed from")
    before, after = _motion(answer["start_plan_from_daily"]), answer["plan_from_daily"]
    pictures = _gallery(plan, daily, kv, before=before, after=None if after is None else _motion(after))
    values = context(answer, plan=plan, daily=daily, pictures=pictures, created=created or datetime.now(UTC))
    values["steps"] = steps
    values["side_by_side"] = side_by_side(plan, daily, compared) if compared and isinstance(daily, Daily) else ()
    parts = isinstance(daily, Daily) and regions.shown(answer)
    values["moved"] = regions.region_rows(answer, plan) if parts else ()
    values["arrows"] = regions.region_pictures(answer, plan, daily, before) if parts and isinstance(daily, Daily) else ()
    values["lengthened"] = regions.LENGTHENED
    values["style"] = markupsafe.Markup(_template("report.css"))  # noqa: S704 - ours, not the caller's
    return _environment().get_template("report.html").render(values)


def _gallery(
    plan: Plan, daily: Daily | Radiographs, kv: KvConventions | None, *, before: RigidMotion, after: RigidMotion | None
) -> Gallery:
    if isinstance(daily, Daily):
        return gallery(plan, daily, before=before, after=after)
    if kv is None:
        raise ValueError("a report on radiographs needs the conventions that they were matched with; give kv")
    from igrt.compute.radiographs import RadiographVerbs
    from igrt.reports.radiograph_pictures import radiograph_gallery

    return radiograph_gallery(plan, daily, kv, before=before, after=after, verbs=RadiographVerbs())


def check_destination(path: Path) -> None:
    """InputError where a report could not be written at `path`; to be asked before the work that it would report."""
    folder = path.parent
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the report a file name such as {path / 'report.html'}")
    if not folder.is_dir():
        raise InputError(f"the folder {folder} of the report does not exist; create it or choose another")
    if not os.access(folder, os.W_OK):
        raise InputError(f"the folder {folder} of the report cannot be written to; choose another or change its permissions")


def write(path: Path, page: str) -> None:
    """Writes `page` so that `path` holds all of it or what it held before; InputError where it cannot."""
    check_destination(path)
    try:
        _replace(path, page.encode("utf-8"))
    except OSError as problem:
        raise InputError(f"the report {path} could not be written ({problem.strerror}); free space or choose another folder") from problem


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _motion(matrix: Sequence[Sequence[float]]) -> RigidMotion:
    return RigidMotion.from_matrix(matrix, target=Frame.PLAN, source=Frame.DAILY)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = figure
    return environment


def _template(name: str) -> str:
    return (resources.files("igrt.reports") / "templates" / name).read_text(encoding="utf-8")
