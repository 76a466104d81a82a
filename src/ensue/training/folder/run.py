"""Run folder: complete, resumable, and all that is needed to use a trained model.

`run.toml` begins with `format = 4` and holds the configuration. `manifest.json` holds the SHA-256
of every other file that is written at once (weights.safetensors, codec.json, report.md, ...).
Before such a file is replaced, the manifest lists the sums of both its old and its new content;
afterwards only the new one. A crash between the writes thus leaves no file that the manifest does
not know. The logs (metrics.jsonl, samples.jsonl) only grow; the checkpoint holds their sizes and
sums. The checkpoint and the cache hold their own sums.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tomli_w
from pydantic import TypeAdapter

from ensue.atomic_io import (
    TEMPORARY,
    append,
    damage_error,
    folder_inside,
    format_errors,
    hash_inside,
    list_files,
    open_inside,
    parse_json,
    path_inside,
    read_errors,
    read_inside,
    sync,
    sync_folder,
    trim,
    write_atomically,
    write_errors,
)
from ensue.errors import RunError
from ensue.settings import parse_toml, to_finite
from ensue.training.contract import Event, Progress, Sample
from ensue.training.folder.arrays import map_arrays, pack_arrays, read_note, unpack_arrays
from ensue.training.folder.checkpoint import Checkpoint
from ensue.training.folder.lock import Lock

FORMAT = 4
ABOUT, MANIFEST, WEIGHTS = "run.toml", "manifest.json", "weights.safetensors"
METRICS, SAMPLES, CHECKPOINT = "metrics.jsonl", "samples.jsonl", "checkpoint/last.safetensors"
ABSENT = "absent"
"""Entry of the manifest for a file that may be missing, while it is first written or removed."""
LOGS: dict[str, type] = {METRICS: Progress, SAMPLES: Sample}
"""Type of a line of each log."""
CHANGED = "its content has changed since it was saved (SHA-256 mismatch)"
SMALL = 4_000_000
"""Largest size of run.toml and manifest.json, in bytes."""

T = TypeVar("T")


class Run:
    """A run folder, open for reading (`open`) or, exclusively, for writing (`create`, `resume`)."""

    def __init__(
        self, path: Path, about: Mapping[str, Any], sums: dict[str, list[str]], lock: Lock | None
    ) -> None:
        self.path = path
        self.about = about
        """Content of run.toml: nested tables."""
        self._sums, self._lock = sums, lock

    @property
    def resuming(self) -> str:
        """The shell command that resumes the training."""
        return shlex.join(["ensue", "resume", str(self.path)])

    @classmethod
    def create(cls, path: Path | str, about: Mapping[str, Any]) -> Run:
        """Create a run in a new or empty folder; `about` holds the tables of run.toml.

        Raises RunError if the folder is not empty.
        """
        path = Path(path)
        _check_vacant(path)
        with write_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        run = cls(path, {}, {}, Lock(path))
        _check_vacant(path)
        try:
            with write_errors(path):
                folder_inside(path, "checkpoint").mkdir(exist_ok=True)
                sync_folder(path.parent)
            run._write_manifest()
            run.describe({"format": FORMAT, "versions": _versions(), **about})
        except RunError:
            run.discard()
            raise
        return run

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Open a run for reading, and verify all checksums.

        Raises RunError if the run is missing, damaged or of another format.
        """
        path = Path(path)
        about = _read_about(path)
        run = cls(path, about, _read_manifest(path), lock=None)
        try:
            for name, sums in run._sums.items():
                _verify(path, name, sums)
        except RunError:
            if _read_manifest(path) != run._sums:
                return cls.open(path)  # a training wrote in the meantime: verify again
            raise
        return run

    @classmethod
    def resume(cls, path: Path | str) -> Run:
        """Open a run for writing; lines logged after the last checkpoint are cut off.

        Raises RunError as `open` does, and if another process is writing to it.
        """
        path = Path(path)
        _read_about(path)
        lock = Lock(path)
        try:
            run = cls.open(path)
            run._lock = lock
            run._cut_logs()
            run._tidy()
        except RunError:
            lock.release()
            raise
        return run

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def discard(self) -> None:
        """Remove the folder and its content, after a training that could not begin."""
        self.close()
        if not self.path.is_symlink():
            shutil.rmtree(self.path, ignore_errors=True)
            return
        # The user made the link, so it stays.
        for entry in self.path.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def _cut_logs(self) -> None:
        checkpoint = self.checkpoint()
        for name, size in checkpoint.sizes.items() if checkpoint else ():
            trim(self.path, name, size)
        for name, known in checkpoint.sums.items() if checkpoint else ():
            if checkpoint and checkpoint.sizes.get(name) and hash_inside(self.path, name) != known:
                raise damage_error(str(self.path / name), CHANGED)

    def _tidy(self) -> None:
        """Remove temporary files of a killed process; safe because this process has the lock."""
        for folder in (self.path, self.path / "checkpoint"):
            for path in folder.glob(TEMPORARY):
                with write_errors(path):
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(
                        missing_ok=True
                    )

    @property
    def cache(self) -> Path:
        """The folder of the encoded data, which may be deleted.

        Raises RunError if it is a link, or not a folder.
        """
        return folder_inside(self.path, "cache")

    def copy(self, folder: Path | str) -> None:
        """Copy the run to a new or empty folder; the copy is complete.

        Raises RunError if the folder is not empty or the disk fails; then no copy is left.
        """
        Run.create(folder, self.about).discard()
        try:
            for name in list_files(self.path):
                _copy(self.path, name, Path(folder))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def describe(self, tables: Mapping[str, Any]) -> None:
        """Write tables to run.toml; they replace those of the same name."""
        about = {**self.about, **tables}
        if about != self.about:
            self.about = about
            self.write(ABOUT, tomli_w.dumps(about).encode())

    def write(self, name: str, data: bytes) -> None:
        """Replace a file atomically: a crash leaves the old or new one and a valid manifest."""
        path, new = path_inside(self.path, name), hashlib.sha256(data).hexdigest()
        old = self._sums.get(name, [ABSENT])
        if path.exists() and old == [new]:
            return
        self._sums[name] = [*old, new]
        self._write_manifest()
        write_atomically(path, data)
        self._sums[name] = [new]
        self._write_manifest()

    def remove(self, *names: str) -> None:
        """Remove outdated files; a crash leaves each of them complete or removed."""
        names = tuple(name for name in names if name in self._sums)
        if not names:
            return
        self._sums |= {name: [*self._sums[name], ABSENT] for name in names}
        self._write_manifest()
        with write_errors(self.path):
            for name in names:
                path_inside(self.path, name).unlink(missing_ok=True)
                del self._sums[name]
            sync_folder(self.path)
        self._write_manifest()

    def has(self, name: str) -> bool:
        """Return whether a file has been written."""
        return name in self._sums and path_inside(self.path, name).exists()

    def read(self, name: str) -> bytes:
        """Return the content of a file. Raises RunError if the run does not have it yet."""
        return read_inside(self.path, self._found(name).name)

    def read_json(self, name: str) -> Any:
        """Return the content of a JSON file. Raises RunError if it is missing or damaged."""
        return self.parse(name, lambda values: values)

    def parse(self, name: str, make: Callable[[Any], T]) -> T:
        """Apply `make` to the content of a JSON file. Raises RunError if missing or damaged."""
        return parse_json(self.read(name), str(self.path / name), make)

    def write_arrays(
        self, arrays: Mapping[str, np.ndarray], name: str = WEIGHTS, note: str = ""
    ) -> None:
        """Write the weights of a model, with a note."""
        self.write(name, pack_arrays(arrays, note))

    def read_note(self, name: str = WEIGHTS) -> str:
        """Read the note that was written with the weights of a model; empty if there is none."""
        path = self._found(name)
        with read_errors(path):
            return read_note(path)

    def read_arrays(self, name: str = WEIGHTS) -> dict[str, np.ndarray]:
        """Read the weights of a model."""
        return unpack_arrays(self.read(name), str(self.path / name))

    def map_arrays(self, name: str = WEIGHTS) -> dict[str, np.ndarray]:
        """Map the weights of a model into memory, without reading them."""
        path = self._found(name)
        with read_errors(path):
            return map_arrays(path)

    def _found(self, name: str) -> Path:
        if not self.has(name):
            hint = f"finish the training with `{self.resuming}`"
            raise RunError(f"the run has no {name} yet", where=str(self.path), hint=hint)
        return path_inside(self.path, name)

    def record(self, event: Event) -> None:
        """Append an event to its log, if it has one."""
        for log, kind in LOGS.items():
            if type(event) is kind:
                append(
                    self.path,
                    log,
                    (json.dumps(to_finite(asdict(event)), allow_nan=False) + "\n").encode(),
                )

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Read the lines of a log. Raises RunError that names the line if one is damaged."""
        data = read_inside(self.path, name) if path_inside(self.path, name).exists() else b""
        line_of = TypeAdapter(LOGS.get(name, dict))

        def row(values: Any) -> dict[str, Any]:
            line_of.validate_python(values)
            return values

        lines = enumerate(data.splitlines(), 1)
        return [
            parse_json(line, f"{self.path / name}:{number}", row, "the line")
            for number, line in lines
        ]

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint; once this returns, it and all earlier log lines are on disk."""
        sizes = {name: sync(self.path, name) for name in LOGS}
        sums = {name: hash_inside(self.path, name) for name, size in sizes.items() if size}
        with write_errors(self.path):
            sync_folder(self.path)  # else a crash could lose the name of a new log
        write_atomically(
            path_inside(self.path, CHECKPOINT), checkpoint.with_logs(sizes, sums).pack()
        )

    def checkpoint(self) -> Checkpoint | None:
        """Return the last checkpoint, or None. Raises RunError if it is damaged."""
        path = path_inside(self.path, CHECKPOINT)
        if not path.exists():
            return None
        checkpoint = Checkpoint.unpack(read_inside(self.path, CHECKPOINT), str(path))
        if checkpoint.sizes.keys() - LOGS.keys() or any(
            size < 0 for size in checkpoint.sizes.values()
        ):
            raise damage_error(str(path), "it names an unknown log")
        return checkpoint

    def _write_manifest(self) -> None:
        text = json.dumps({"format": FORMAT, "sha256": self._sums}, indent=1, sort_keys=True)
        write_atomically(path_inside(self.path, MANIFEST), text.encode())


def _copy(run: Path, name: str, folder: Path) -> None:
    """Copy a file of a run into a folder that has no file of this name."""
    with open_inside(run, name) as source, write_errors(folder / name):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("xb") as target:
            shutil.copyfileobj(source, target)


def _check_vacant(path: Path) -> None:
    """Raise RunError unless the folder is new or empty.

    Leftovers of a run that was killed before it had begun are ignored.
    """
    hint = "give another folder with --out"
    if not path.exists():
        return
    if not path.is_dir():
        raise RunError("there is a file of this name", where=str(path), hint=hint)
    if (path / ABOUT).exists():
        hint = f"{hint}, or continue with `{shlex.join(['ensue', 'resume', str(path)])}`"
        raise RunError("there is a run in this folder already", where=str(path), hint=hint)
    if any(
        item.name not in (MANIFEST, "checkpoint") and item.name[0] != "." for item in path.iterdir()
    ):
        raise RunError("the folder is not empty", where=str(path), hint=hint)


def _read_about(path: Path) -> dict[str, Any]:
    if path.is_file():
        check = shlex.join(["ensue", "check", str(path)])
        hint = f"to train on it, see `{check}`; then give the folder of that run"
        raise RunError("this is a file, not a run folder", where=str(path), hint=hint)
    if not path.is_dir():
        what = "there is no such run folder"
        raise RunError(what, where=str(path), hint="check the name for a typing error")
    with read_errors(path):
        is_run = (path / ABOUT).exists()
    if not is_run:
        what = f"this is not a run: it has no {ABOUT}"
        raise RunError(what, where=str(path), hint="give a run folder")
    data = read_inside(path, ABOUT, SMALL)
    try:
        about = parse_toml(data)
    except ValueError as error:
        raise damage_error(str(path / ABOUT), str(error)) from None
    if about.get("format") != FORMAT:
        problem = f"the run has format {about.get('format')!r}, and this version reads {FORMAT}"
        with format_errors(str(path / ABOUT)):
            maker = about.get("versions", {}).get("ensue", "that made it")
        # Until a release, versions of one number have several formats.
        hint = "train again" if maker == version("ensue") else f"use it with ensue {maker}"
        raise RunError(problem, where=str(path / ABOUT), hint=hint)
    return about


def _read_manifest(path: Path) -> dict[str, list[str]]:
    def make(values: Any) -> dict[str, list[str]]:
        return {str(name): [str(one) for one in known] for name, known in values["sha256"].items()}

    return parse_json(read_inside(path, MANIFEST, SMALL), str(path / MANIFEST), make)


def _verify(path: Path, name: str, sums: list[str]) -> None:
    if ABSENT in sums and not path_inside(path, name).exists():
        return
    if hash_inside(path, name) not in sums:
        raise damage_error(str(path / name), CHANGED)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {
        name: version(name) for name in ("ensue", "torch", "numpy")
    }
