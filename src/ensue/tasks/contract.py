"""What a task is. Read this page before adding one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ensue.data.labelled import LabelledReader
from ensue.models.sizes import SizeName
from ensue.settings import Settings
from ensue.training.contract import Callback
from ensue.training.folder.run import Run


@dataclass(frozen=True)
class Choices:
    """What a person said about a training, before anything is filled in; None is what they left
    open."""

    data: Sequence[Path] = ()
    """Files and folders, or the name of a demo; empty for the task's own demo."""
    model: str | None = None
    codec: str | None = None
    size: SizeName | None = None
    minutes: float | None = None
    epochs: int | None = None
    seed: int | None = None
    device: str | None = None
    valid: Path | None = None
    test: Path | None = None
    config: Path | None = None
    """A TOML file of settings, or the run.toml of a run; what is said elsewhere goes before it."""
    assignments: Sequence[str] = ()
    """`key=value`, as after `--set`; they go before everything else."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Of those that were not written after `--set`, the flag that stands for each."""
    memory: str | None = None
    """What counting n-grams may take, such as 4G."""


@dataclass(frozen=True)
class Proposal:
    """Every setting, filled in, and why those were chosen that the person left open."""

    settings: Settings
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """The result of a training as it is told on a terminal: one table, the sentence, and what to
    try next."""

    columns: tuple[str, ...]
    rows: list[list[str]]
    """Of each model, the last of them the one that the run holds."""
    lines: tuple[str, ...]
    """What is said below the table."""
    commands: tuple[tuple[str, str], ...]
    """Commands to try next, and what each is for."""


REPORT, RESULT = "report.md", "result.json"


class Trained:
    """What `ensue.train(...)` and `ensue.open(run)` give, whatever the task."""

    run: Run

    @property
    def report(self) -> str:
        """The model card (Markdown)."""
        return self.run.read(REPORT).decode()

    def save(self, folder: str | Path) -> None:
        """Copy the whole run to a folder that is new or empty; nothing else is needed to use it.

        Raises RunError if there is something in the folder, or the disk refuses; then nothing
        stays.
        """
        self.run.copy(folder)


@dataclass(frozen=True)
class Task:
    """What is learned, named by its verb: it joins reader, codec, model, metrics and baselines."""

    name: str
    description: str
    settings: type[Settings]
    results: tuple[str, ...]
    """What a training writes once it has learned, the last of them at its very end: a run that
    has it has finished."""
    propose: Callable[[Choices], Proposal]
    """Fill in all settings: from the file, then from what was said, then key by key. Raises
    SettingError, DataError."""
    trains: Callable[[Any], bool]
    """Tell by the settings whether what learns is a network, which needs a device, or is fitted
    at one go."""
    train: Callable[[Run, Any, Sequence[Path], Callback], Any]
    """Train in a run, new or resumed, by its settings, until its budget is spent, and give what can
    be used. The same call finishes a training that was killed at any moment. Raises UserError,
    KeyboardInterrupt."""
    open: Callable[[Run, Any], Any]
    """Give what a run has learned, ready to use, by its settings."""
    summarise: Callable[[Run], Summary]
    """Tell what came of a training that has finished."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Flags of `train` that are short for a setting: "label" for "data.label"."""
    prepare: Callable[[Run, Any, LabelledReader], Any] | None = None
    """Read examples that lie in no files into the run, so that `train` needs none. Raises
    UserError."""
