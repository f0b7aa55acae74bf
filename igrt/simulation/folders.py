"""Folders that simulated patients are written to."""

from __future__ import annotations

from pathlib import Path

from igrt.errors import InputError


def new_folder(folder: Path) -> Path:
    """The folder, made where it is not there; InputError where it holds files."""
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} already holds files; write to another folder or remove it first")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
