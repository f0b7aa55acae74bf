"""How rules read a request: what is missing, not finite or of another kind is a breach, never a value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

from igrt.geometry.couch_model import ANGLES, TRANSLATIONS, CouchPosition
from igrt.geometry.motion import RigidMotion
from igrt.guard.policy import Policy
from igrt.guard.request import Now, Point, ReleaseRequest

T = TypeVar("T")
Rows = tuple[Point, Point, Point]
AXES = {axis: f"{axis}_mm" for axis in TRANSLATIONS} | {axis: f"{axis}_deg" for axis in ANGLES}
"""The fields of a couch position, by axis."""
SUPPLY = "supply it, then claim again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A rule broken: which field, its value, what the limit is, and what to do."""

    field: str
    value: str
    limit: str
    remedy: str

    @property
    def sentence(self) -> str:
        """All four in one sentence."""
        return f"{self.field} is {self.value}, but {self.limit}: {self.remedy}."


class UnknownError(Exception):
    """A rule cannot be judged, because a value that it needs is not there."""

    def __init__(self, breach: Breach) -> None:
        super().__init__(breach.sentence)
        self.breach = breach


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """What a rule judges."""

    request: ReleaseRequest
    policy: Policy
    now: Now


def look(root: object, path: str) -> object:
    """The value at a path such as `linac.loaded.beam`; None where any step of it is missing."""
    value = root
    for name in path.split("."):
        value = getattr(value, name, None)
    return value


def known(root: object, path: str, kind: type[T]) -> T:
    """The value at the path; UnknownError where it is not of that kind."""
    value = look(root, path)
    if not isinstance(value, kind):
        raise _unknown(path, value, f"a value of type {kind.__name__} is needed")
    return value


def number(root: object, path: str) -> float:
    """A finite number."""
    return _finite(look(root, path), path)


def whole(root: object, path: str) -> int:
    """A whole number from 1."""
    value = look(root, path)
    if type(value) is not int or value < 1:
        raise _unknown(path, value, "a whole number from 1 is needed")
    return value


def text(root: object, path: str) -> str:
    """A string that is not blank."""
    value = look(root, path)
    if not isinstance(value, str) or not value.strip():
        raise _unknown(path, value, "a text that is not blank is needed")
    return str(value)


def point(root: object, path: str) -> Point:
    """Three finite numbers."""
    return _point(look(root, path), path)


def points(root: object, path: str, *, count: int) -> tuple[Point, ...]:
    """So many points."""
    value = look(root, path)
    if not isinstance(value, tuple) or len(value) != count:
        raise _unknown(path, value, f"a tuple of {count} points is needed")
    return tuple(_point(item, f"{path}[{index}]") for index, item in enumerate(value))


def couch_position(root: object, path: str) -> CouchPosition:
    """A couch position, all six of it finite."""
    value = known(root, path, CouchPosition)
    for name in AXES.values():
        number(root, f"{path}.{name}")
    return value


def motion(root: object, path: str) -> tuple[Rows, Point]:
    """Rotation by rows and translation (mm) of a rigid motion, as plain numbers that are finite."""
    value = known(root, path, RigidMotion)
    first, second, third = (_point(tuple(row), f"{path}.rotation") for row in value.rotation.tolist())
    return (first, second, third), _point(tuple(value.translation_mm.tolist()), f"{path}.translation_mm")


def shown(value: object) -> str:
    """A value in a sentence: a plain one as it is, another by its type."""
    if value is None:
        return "missing"
    return repr(value) if isinstance(value, str | float | int) else f"a {type(value).__name__}"


def _point(value: object, path: str) -> Point:
    if not isinstance(value, tuple) or len(value) != 3:
        raise _unknown(path, value, "a tuple of three numbers is needed")
    x, y, z = (_finite(item, path) for item in value)
    return x, y, z


def _finite(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, float | int) or not math.isfinite(value):
        raise _unknown(path, value, "a finite number is needed")
    return float(value)


def _unknown(path: str, value: object, limit: str) -> UnknownError:
    return UnknownError(Breach(field=path.removeprefix("request."), value=shown(value), limit=limit, remedy=SUPPLY))
