"""Load the data of a run from its cache, or read it again from unchanged source files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import tomli_w

from ensue.atomic_io import format_errors, write_errors
from ensue.cache import Cache
from ensue.data.contract import Finding, Listener
from ensue.data.dataset import CONTENTS, Dataset, Prepared
from ensue.data.demos import DEMOS
from ensue.data.labelled import LabelledReader
from ensue.data.prepare import fingerprint
from ensue.errors import RunError
from ensue.settings import Settings, read_stored
from ensue.tasks.demos import demo_name, write_demo
from ensue.training.contract import Callback, Note
from ensue.training.folder.run import ABOUT, Run

S = TypeVar("S", bound=Settings)
D = TypeVar("D", bound=Dataset)
CODEC = "codec.json"


@dataclass
class Sources:
    """What the data of a run is read from."""

    files: Sequence[Path]
    """Files and folders; a demo is a file in the cache."""
    cache: Path
    """The folder that holds what is read."""
    demo: str | None = None
    """Name of the demo, if it is one."""
    on_event: Callback = lambda event: None
    """What gets the progress of what takes long."""
    reader: LabelledReader | None = None
    """The reader of examples that are in no files."""
    codecs: Mapping[str, Any] | None = None
    """The codecs of a run that was read before."""
    findings: list[Finding] = field(default_factory=list)
    """What is noticed on the way."""

    @property
    def listener(self) -> Listener:
        """The listener that collects the findings."""
        return Listener(self.findings.append)

    def prepared(
        self, dataset: D, format: str, files: Mapping[str, Sequence[Path]], **more: Any
    ) -> Prepared[D]:
        """Describe a dataset by its format, the files of each part with their sums, and `more`."""
        parts = {path: part for part, own in files.items() for path in own}
        prints = fingerprint(parts, self.findings.append)
        return Prepared(dataset, {"format": format, "files": prints, **more}, self.findings)


@dataclass(frozen=True)
class DataSource(Generic[S, D]):
    """How a task reads its data. The run holds what was read, and needs its files no more."""

    verb: str
    settings: type[S]
    dataset: type[D]
    read: Callable[[S, Sources], Prepared[D]]
    """Read, split and encode files. Raises DataError."""
    demo: bool = True
    """Whether it reads the verb's first demo where no files are named."""

    def prepare(self, run: Run, settings: S, files: Sequence[Path], on_event: Callback) -> D:
        """Read the data into the run, unless it is there, and describe it in run.toml."""
        prepared = self._load_or_read(run, settings, files, on_event)
        save_codecs(run, prepared.dataset.codecs)
        run.describe({"data": dict(prepared.about)})
        for finding in prepared.findings:
            on_event(Note(str(finding)))
        return prepared.dataset

    def read_into(self, run: Run, settings: S, reader: LabelledReader) -> None:
        """Read examples that are in no files into the run, so that its training needs none."""
        cache = Cache(run.cache)
        cache.begin()
        self.read(settings, Sources((), run.cache, reader=reader)).save(cache)

    def load(self, run: Run) -> D:
        """Load the data of a run, or read it again if the cache is damaged.

        Raises RunError where reading fails.
        """
        settings, files = read_settings(run, self.settings)
        return self._load_or_read(run, settings, files, lambda _: None).dataset

    def _load_or_read(
        self, run: Run, settings: S, files: Sequence[Path], on_event: Callback
    ) -> Prepared[D]:
        """Load the data from the cache; if it is gone or damaged, read it again into an empty one.

        A run that has described its data accepts no other: raises RunError if the sources are
        missing or have changed.
        """
        folder = run.cache
        try:
            found = self._load(folder)
            if found is not None:
                _refuse_other_data(run, found.dataset)
                return found
            lost = RunError("the data is not in the run", where=str(folder))
        except RunError as error:
            lost = error
        known, checksums = None, list[str]()
        if "data" in run.about:
            with format_errors(str(run.path / ABOUT)):
                known = {name: dict(one) for name, one in run.about["data"]["files"].items()}
                checksums = _checksums(known)
            _refuse_unless_unchanged(known, lost)
        with _put_aside(folder):
            cache = Cache(folder)
            cache.begin()
            known = run.read_json(CODEC) if run.has(CODEC) else None
            demo = demo_name(files, self.verb) if files or self.demo else None
            files = [write_demo(demo, folder)] if demo else files
            found = self.read(settings, Sources(files, folder, demo, on_event, codecs=known))
            found.save(cache)
            if known is not None and (
                json.dumps(found.dataset.codecs).encode() != run.read(CODEC)
                or _checksums(found.about["files"]) != checksums
            ):
                raise _refusal(
                    lost, "the data read from its sources now is not the same", "the cache"
                )
        return found

    def _load(self, folder: Path) -> Prepared[D] | None:
        found = self.dataset.load(folder)
        if found is None:
            return None
        dataset, values = found
        with format_errors(str(folder / CONTENTS)):
            about = {**values["about"], "files": dict(values["about"]["files"])}
            findings = list(map(str, values["findings"]))
            tomli_w.dumps({"data": about, "notes": findings}).encode()  # as run.toml will hold them
            return Prepared(dataset, about, findings)


def save_codecs(run: Run, codecs: Mapping[str, Any]) -> None:
    """Write codec.json."""
    run.write(CODEC, json.dumps(codecs).encode())


def read_settings(run: Run, kind: type[S]) -> tuple[S, list[Path]]:
    """Read the settings of a run, and the paths of its data."""
    settings = read_stored(kind, run.about["settings"], str(run.path / ABOUT))
    return settings, [Path(path) for path in run.about["sources"]]


@contextmanager
def _put_aside(folder: Path) -> Generator[None, None, None]:
    """Move a folder aside while another takes its place; restore it if that fails."""
    old, there = folder.with_name(f".{folder.name}.{os.urandom(6).hex()}.tmp"), folder.exists()
    with write_errors(folder):
        if there:
            folder.rename(old)
    try:
        yield
    except BaseException:
        if there:
            shutil.rmtree(folder, ignore_errors=True)
            with write_errors(folder):
                old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _refuse_other_data(run: Run, dataset: Dataset) -> None:
    """Raise RunError if the cache holds other data than the training data of the run."""
    if run.has(CODEC) and json.loads(json.dumps(dataset.codecs)) != run.read_json(CODEC):
        what = "the cache holds other data than the run was trained on"
        raise RunError(what, where=str(run.path / "cache"))


def _refuse_unless_unchanged(files: Mapping[str, Any], lost: RunError) -> None:
    if not files:
        raise _refusal(lost, "it came from no files that could be read again", "the cache")
    for name, known in files.items():
        path = Path(name)
        if path.parent.name == "cache" and path.stem in DEMOS:
            continue  # demos are generated again
        if not path.is_file():
            raise _refusal(lost, f"{name} is not there to read it again", f"the cache or {name}")
        try:
            now = fingerprint({path: ""}, lambda finding: None)[name]
        except OSError as error:
            raise _refusal(
                lost, f"{name} cannot be read ({error.strerror})", f"the cache or {name}"
            ) from None
        if now != known:
            raise _refusal(lost, f"{name} has changed since it was read", f"the cache or {name}")


def _refusal(lost: RunError, why: str, what: str) -> RunError:
    hint = f"restore {what} from a copy, or train again"
    return RunError(f"{lost.what}, and {why}", where=lost.where, hint=hint)


def _checksums(files: Mapping[str, Any]) -> list[str]:
    return [one["sha256"] for one in files.values()]
