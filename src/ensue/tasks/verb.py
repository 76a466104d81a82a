"""A verb as the command line knows it, before torch is loaded. Read this page before adding one.

A verb is a folder of `ensue.tasks` with its name, which `NAMES` lists. `__init__.py` holds its
request and its VERB, `check.py` its CHECK; they load no torch. `task.py` holds its TASK.
docs/make_settings.py writes `flags.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ensue.data.check.contract import Check
    from ensue.settings import Settings
    from ensue.tasks.contract import Task


@dataclass(frozen=True)
class Verb:
    """A verb: its names, its helps, and where its other parts are."""

    name: str
    description: str
    """What its models learn."""
    request: type[Settings]
    """The flags of `ensue VERB`, the keywords in Python, and the schema of a server or form."""
    help: str
    """Help of `ensue VERB`."""
    training_help: str
    """Help of `ensue train VERB`."""
    training_data: str
    """Help of the data of `ensue train VERB`."""
    demos: tuple[str, ...]
    """Its demos among those of `ensue.data.demos`; the first is the data where none is named."""
    data: str = "File or folder in the format of training, a text, or - for standard input."
    """Help of the data of `ensue VERB`, for a verb that has no command of its own in `cli/`."""
    unit: str = "an example"
    """What one answer is of."""
    activity: str = "predicting"
    """What progress says meanwhile."""

    @property
    def flags(self) -> Mapping[str, Mapping[str, Any]]:
        """The verb's own flags of `ensue train`, by name: the type and the help of each."""
        return json.loads(self.flags_file.read_bytes()) if self.flags_file.exists() else {}

    @property
    def flags_file(self) -> Path:
        """The file with the flags; docs/make_settings.py writes it."""
        return Path(__file__).parent / self.name / "flags.json"

    @property
    def check(self) -> Check:
        """The check of its data, which loads no torch either."""
        return import_module(f"ensue.tasks.{self.name}.check").CHECK

    @property
    def task(self) -> Task:
        """The task, which loads torch."""
        return import_module(f"ensue.tasks.{self.name}.task").TASK
