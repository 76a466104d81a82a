"""The contract of a task. Read this page before adding one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.files import TABLES, get_suffix
from ensue.data.labelled import LabelledReader
from ensue.errors import SettingError, in_python
from ensue.models.names import Models
from ensue.settings import FlagField, Settings, find_flags, read, read_arguments
from ensue.tasks.cached import DataSource
from ensue.tasks.in_memory import as_columns, as_path, as_paths
from ensue.tasks.results import CARD, PAGE, RESULT, Report, Scored
from ensue.training.contract import Callback
from ensue.training.folder.run import Run
from ensue.training.settings import TrainingOptions


class Choices(TrainingOptions):
    """Options given for a training, before defaults are filled in; None means not given."""

    data: Sequence[Path] = ()
    """Files and folders, or the name of a demo; empty for the task's own demo."""
    model: str | None = None
    codec: str | None = None
    flags: Mapping[str, Any] = {}
    """Values of the verb's own flags, those of `find_flags(settings)`, by name."""
    assignments: Sequence[str] = ()
    """`key=value`, as after `--set`; they override everything else."""


@dataclass(frozen=True)
class Proposal:
    """All settings, and the reasons for those that were not given."""

    settings: Settings
    reasons: tuple[str, ...]


class Answer(Protocol):
    """One result of a request: a text, a prediction, a tagged sentence, a forecast."""

    def to_json(self) -> dict[str, Any]:
        """Give it as plain JSON values: what `ensue VERB --json` prints."""
        ...


class Trained(ABC):
    """The trained model of any task, as `ensue.train(...)` and `ensue.open(run)` return it."""

    run: Run
    request: ClassVar[type[Settings]]
    """The flags of `ensue VERB`, the keywords in Python, and the schema of a server or form."""

    def make_request(self, **options: Any) -> Any:
        """Make the request from keywords.

        Raises SettingError for an unknown one or a wrong value.
        """
        return read_arguments(self.request, options, self.run.about["task"])

    @abstractmethod
    def answer(
        self, request: Any, data: Any = None, listener: Listener = SILENT
    ) -> Iterator[Answer]:
        """Yield the answers to a request, each as soon as it is finished.

        `data` is a prompt, a text, a list of examples, a table of series, or the Path of a file; a
        string is never the name of a file to a verb that takes texts. Raises UserError.
        """

    def lines(self, answers: Iterable[Any]) -> Iterator[str]:
        """Write answers for people, each as soon as it is there: what `ensue VERB` prints."""
        return (f"{one}\n" for one in answers)

    def name_piped(self, first: bytes) -> str:
        """Choose a file name for the standard input whose ending fits the first bytes.

        It is that of the training data; tables are told apart, whatever training read.
        """
        usual = get_suffix(Path(str((self.run.about["sources"] or [""])[0]))) or ".txt"
        if usual not in TABLES:
            return f"data{usual}"
        if first.removeprefix(BOM_UTF8).lstrip().startswith(b"{"):
            return "data.jsonl"
        tabs = usual == ".tsv" and b"\t" in first.partition(b"\n")[0]
        return "data.tsv" if tabs else "data.csv"

    @property
    def report(self) -> str:
        """The model card (Markdown)."""
        return self.run.read(CARD).decode()

    def save(self, folder: str | Path) -> None:
        """Copy the complete run to a new or empty folder.

        Raises RunError if the folder is not empty, or the disk fails; then nothing is left there.
        """
        self.run.copy(as_path(folder, "save"))


class EvaluateMixin(ABC):
    """What a trained model has that is scored on files of examples."""

    run: Run
    source: ClassVar[DataSource[Any, Any]]
    named_columns: ClassVar[bool] = False
    """Whether the columns of files may have other names than in training."""

    @cached_property
    def data(self) -> Any:
        """Settings of the data, with everything that was guessed filled in."""
        about = self.run.about
        data = about["data"].get("settings", about["settings"]["data"])
        return read(self.source.settings, {**about["settings"], "data": data}).data

    @cached_property
    def parts(self) -> Any:
        """The data of the run, as it was split. Raises RunError if it is not there any more."""
        return self.source.load(self.run)

    @in_python()
    def evaluate(
        self,
        paths: str | Path | Sequence[str | Path] = (),
        columns: Mapping[str, Any] = MappingProxyType({}),
    ) -> Scored:
        """Compute the metrics on files with the truth; without any, on the test part of the run.

        `columns` maps roles to column names that differ from the training data, such as
        {"label": "mood"}. `notes` of the details say what was skipped. Raises DataError,
        SettingError.
        """
        findings, paths, columns = list[Finding](), as_paths(paths), as_columns(columns, "evaluate")
        listener = Listener(findings.append)
        if columns and not self.named_columns:
            what = f"a run of `{self.run.about['task']}` takes no names of columns"
            raise SettingError(what, where="columns", hint="leave them out")
        part = self.read_part(paths, listener, **columns) if paths else None
        return self.score(part).with_notes(findings)

    @abstractmethod
    def read_part(self, paths: Sequence[Path], listener: Listener, **columns: Any) -> Any:
        """Read and encode files as a part of the data. Raises DataError."""

    @abstractmethod
    def score(self, part: Any = None) -> Scored:
        """Compute the metrics on what `read_part` returned, or on the test part."""


@dataclass(frozen=True)
class Task:
    """A task, named by its verb: reader, codec, model, metrics and baselines together."""

    name: str
    settings: type[Settings]
    models: Models
    propose: Callable[[Choices], Proposal]
    """Fill in all settings from the file, then the options, then the assignments. Raises
    SettingError, DataError."""
    train: Callable[[Run, Any, Sequence[Path], Callback], Any]
    """Train in a new or resumed run until its budget is spent, and return the trained model. The
    same call finishes a training that was killed at any moment. Raises UserError,
    KeyboardInterrupt."""
    open: Callable[[Run, Any], Any]
    """Open the trained model of a run, by its settings."""
    report: Report
    """What the verb adds to the summary and the model card."""
    prepare: Callable[[Run, Any, LabelledReader], Any] | None = None
    """Read examples that are in no files into the run, so that `train` needs no files. Raises
    UserError."""
    arrays: tuple[str, ...] = ()
    """Files with arrays that are written after the training."""
    kinds: Mapping[str, Task] = field(default_factory=dict)
    """Tasks of the same verb on other kinds of data, by the setting `kind`."""

    def of(self, settings: Any) -> Task:
        """Get the task of the verb for the kind of data of stored settings."""
        kind = settings.get("kind") if isinstance(settings, Mapping) else None
        return self.kinds.get(kind, self) if isinstance(kind, str) else self

    @property
    def flags(self) -> Mapping[str, FlagField]:
        """The verb's own flags of `ensue train`, by name, for all kinds of data."""
        own = [find_flags(one.settings) for one in (self, *self.kinds.values())]
        return {name: flag for flags in reversed(own) for name, flag in flags.items()}

    @property
    def results(self) -> tuple[str, ...]:
        """Files written after the training; the last is written at the very end and marks the run
        as finished."""
        return (*self.arrays, CARD, PAGE, RESULT)
