"""The spool as a folder: which images lie in it, and how one is taken out of it without being there by half.

Voxels go first and the description last, so that what an interruption leaves is a description alone: `finish_removals` takes it away.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from igrt.engine.journal_schema import sync_folder
from igrt.engine.spool import Description

BLOCK_BYTES = 512


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image on disk: `bytes` that it takes up, when it was last written; `description` is None where it cannot be read."""

    image_id: str
    path: Path
    description: Description | None
    bytes: int
    written_utc_s: float


def stored_images(spool: Path) -> list[StoredImage]:
    """Images of a spool folder, the oldest first; none where there is no such folder. What vanishes meanwhile is not listed."""
    images = []
    for beside in sorted(spool.glob("*.json")):
        voxels = beside.with_suffix(".hu")
        try:
            about, description = voxels.stat(), _description(beside)
        except FileNotFoundError:
            continue
        images.append(StoredImage(beside.stem, voxels, description, about.st_blocks * BLOCK_BYTES, about.st_mtime))
    return sorted(images, key=lambda image: image.written_utc_s)


def _description(path: Path) -> Description | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Description)
    except msgspec.MsgspecError:
        return None


def remove(image: StoredImage) -> None:
    """Take one image off the disk; on disk when this returns."""
    image.path.unlink(missing_ok=True)
    sync_folder(image.path.parent)
    image.path.with_suffix(".json").unlink(missing_ok=True)
    sync_folder(image.path.parent)


def finish_removals(spool: Path) -> list[str]:
    """Take away what an interruption left of images that were being removed, or begun and never acknowledged; their ids.

    Only while no engine writes into the folder.
    """
    names = {path.name for path in spool.iterdir()} if spool.is_dir() else set()
    halves = [
        name
        for name in sorted(names)
        if (name.endswith(".json") and f"{name[:-5]}.hu" not in names)
        or (name.endswith(".hu") and f"{name[:-3]}.json" not in names)
        or name.endswith(".json.tmp")
    ]
    for name in halves:
        (spool / name).unlink(missing_ok=True)
    if halves:
        sync_folder(spool)
    return sorted({name.split(".json")[0].removesuffix(".hu") for name in halves})
