"""Where calibration files come from: the site's own folder first, what ships with igrt where the site has none."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import platformdirs

from igrt.errors import InputError

SITE_VARIABLE = "IGRT_SITE"
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Kind(StrEnum):
    """Kinds of calibration file, named as their folders are."""

    MACHINE = "machines"
    PROTOCOL = "protocols"

    @property
    def words(self) -> str:
        """Such as `machine profile`."""
        return {Kind.MACHINE: "machine profile", Kind.PROTOCOL: "protocol"}[self]


@dataclass(frozen=True, slots=True)
class CalibrationFile:
    """One TOML file as it was read: `shipped` is true where the site has no file of that name."""

    kind: Kind
    name: str
    path: Path
    shipped: bool
    sha256: str
    tables: dict[str, Any]

    @property
    def words(self) -> str:
        """Where it came from, for the output."""
        return f"{self.kind.words} {self.name} ({'as shipped with igrt' if self.shipped else self.path})"


def site_folder(site: Path | None = None) -> Path:
    """The site folder: `site`, else $IGRT_SITE, else the user's data directory. It need not exist."""
    if site is not None:
        return Path(site)
    named = os.environ.get(SITE_VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("igrt", appauthor=False)


def shipped_folder() -> Path:
    """The calibration folder that ships: inside an installed package, or at the root of a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "calibration", package.parent / "calibration"):
        if folder.is_dir():
            return folder
    raise RuntimeError(f"igrt was installed without its calibration files (looked in {package} and beside it); install it again")


def available(kind: Kind, site: Path | None = None) -> tuple[str, ...]:
    """Names that can be asked for, the site's and the shipped ones together."""
    folders = (site_folder(site) / kind, shipped_folder() / kind)
    return tuple(sorted({file.stem for folder in folders if folder.is_dir() for file in folder.glob("*.toml")}))


def read_calibration(kind: Kind, name: str, site: Path | None = None) -> CalibrationFile:
    """The file of that name, the site's before the shipped one; a name that ends in .toml is a path.

    Raises InputError where there is no such file, or it is not TOML.
    """
    if name.endswith(".toml"):
        return _read(kind, Path(name).stem, Path(name), shipped=False)
    if not NAME_PATTERN.fullmatch(name):
        raise InputError(f"{kind.words} {name!r} is not a name; use letters, digits, '-' and '_', or the path of a .toml file")
    own = site_folder(site) / kind / f"{name}.toml"
    if own.is_file():
        return _read(kind, name, own, shipped=False)
    shipped = shipped_folder() / kind / f"{name}.toml"
    if shipped.is_file():
        return _read(kind, name, shipped, shipped=True)
    raise InputError(
        f"there is no {kind.words} {name!r} in {own.parent} nor among those that ship; "
        f"choose one of {', '.join(available(kind, site))}, or write {own}"
    )


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Tables of a TOML file and its SHA-256; InputError names the file where it cannot be read."""
    try:
        content = path.read_bytes()
        return tomllib.loads(content.decode("utf-8")), hashlib.sha256(content).hexdigest()
    except OSError as problem:
        raise InputError(f"{path} cannot be read ({problem.strerror}); check the path and its permissions") from problem
    except UnicodeDecodeError as problem:
        raise InputError(f"{path} is not UTF-8 text (byte {problem.start}); save it as UTF-8") from problem
    except tomllib.TOMLDecodeError as problem:
        raise InputError(f"{path} is not valid TOML ({problem}); correct that line") from problem


def _read(kind: Kind, name: str, path: Path, *, shipped: bool) -> CalibrationFile:
    tables, sha256 = read_toml(path)
    return CalibrationFile(kind=kind, name=name, path=path, shipped=shipped, sha256=sha256, tables=tables)
