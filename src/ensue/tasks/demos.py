"""Demos as the data of a training. Loads no torch."""

from collections.abc import Sequence
from pathlib import Path

from ensue.atomic_io import write_atomically
from ensue.data.demos import DEMOS
from ensue.errors import DataError


def demo_name(data: Sequence[Path], task: str, usual: str) -> str | None:
    """Return the name of the demo that `data` means, or None for files; no data means `usual`.

    A folder of a run that is named like a demo does not hide the demo. Raises DataError if the demo
    is for another verb.

    >>> demo_name([], "generate", "text"), demo_name([Path("notes.txt")], "generate", "text")
    ('text', None)
    """
    name = str(data[0]) if data else usual
    if (
        len(data) > 1
        or name not in DEMOS
        or (data and data[0].exists() and not (data[0] / "run.toml").exists())
    ):
        return None
    if task not in (DEMOS[name].task, *DEMOS[name].others):
        hint = f"use it with `ensue train {DEMOS[name].task} {name}`"
        raise DataError(f"the demo is not for {task}", where=name, hint=hint)
    return name


def write_demo(name: str, folder: Path) -> Path:
    """Write a demo into a folder and return its path. Raises UserError if a package is missing."""
    path = folder / f"{name}{DEMOS[name].ending}"
    write_atomically(path, DEMOS[name].text().encode())
    return path
