"""Demos as the data of a training. Loads no torch."""

from collections.abc import Sequence
from pathlib import Path

from ensue.atomic_io import write_atomically
from ensue.data.demos import DEMOS
from ensue.errors import DataError
from ensue.tasks import VERBS

OWNERS = {name: verb.name for verb in VERBS.values() for name in verb.demos}
"""The verb that the data of each demo is made for."""


def demo_name(data: Sequence[Path], task: str) -> str | None:
    """Return the name of the demo that `data` means, or None for files; no data means the first.

    A folder of a run that is named like a demo does not hide the demo. Raises DataError if the demo
    is for another verb.

    >>> demo_name([], "generate"), demo_name([Path("notes.txt")], "generate")
    ('text', None)
    """
    name = str(data[0]) if data else VERBS[task].demos[0]
    if (
        len(data) > 1
        or name not in DEMOS
        or (data and data[0].exists() and not (data[0] / "run.toml").exists())
    ):
        return None
    if task not in (OWNERS[name], *DEMOS[name].others):
        hint = f"use it with `ensue train {OWNERS[name]} {name}`"
        raise DataError(f"the demo is not for {task}", where=name, hint=hint)
    return name


def write_demo(name: str, folder: Path) -> Path:
    """Write a demo into a folder and return its path. Raises UserError if a package is missing."""
    path = folder / f"{name}{DEMOS[name].ending}"
    write_atomically(path, DEMOS[name].text().encode())
    return path
