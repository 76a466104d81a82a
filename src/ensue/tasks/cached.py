"""The data of a run: kept in its cache, or read again from its sources, if they are what they
were."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from ensue.atomic_io import write_errors
from ensue.cache import Cache
from ensue.data.demos import DEMOS
from ensue.data.prepare import fingerprint
from ensue.errors import RunError
from ensue.models.parameters import no_larger_than
from ensue.settings import Settings, read_stored
from ensue.training.folder.run import ABOUT, WEIGHTS, Run

T = TypeVar("T")
S = TypeVar("S", bound=Settings)
CODEC = "codec.json"


def read_settings(run: Run, kind: type[S]) -> tuple[S, list[Path]]:
    """Give the settings of a run, and the sources of its data."""
    settings = read_stored(kind, run.about["settings"], str(run.path / ABOUT))
    return settings, [Path(path) for path in run.about["sources"]]


def limit_model_size(run: Run) -> AbstractContextManager[None]:
    """Within, make no model that is much larger than that of the run, if it has one. Raises
    RunError."""
    return (
        no_larger_than(run.map_arrays(), str(run.path / WEIGHTS))
        if run.has(WEIGHTS)
        else nullcontext()
    )


def load_data(
    run: Run,
    kept: Callable[[Path], T | None],
    read: Callable[[Cache], T],
    told: Callable[[T], tuple[bytes, Mapping[str, Any]]],
) -> T:
    """Give what the cache holds, by `kept`; where it is gone or damaged, what `read` reads into an
    empty one.

    `told` gives codec.json and the fingerprints of the files of either. Once a run has its data
    described, nothing else may take the place of it: raises RunError where the sources are not
    there, or not what they were.
    """
    folder = run.cache
    try:
        found = kept(folder)
        if found is not None:
            _refuse_another(run, found, told)
            return found
        lost = RunError("the data is not in the run", where=str(folder))
    except RunError as error:
        lost = error
    described = run.about.get("data")
    if described is not None:
        _refuse_unless_unchanged(described["files"], lost)
    with _put_aside(folder):
        cache = Cache(folder)
        cache.begin()
        found = read(cache)
        if described is not None:
            codec, files = told(found)
            if codec != run.read(CODEC) or _sums(files) != _sums(described["files"]):
                raise _refusal(
                    lost, "what is read from its sources now is not what it was", "the cache"
                )
    return found


@contextmanager
def _put_aside(folder: Path) -> Generator[None, None, None]:
    """Within, another folder may take its place; where that fails, it comes back as it was."""
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


def _refuse_another(
    run: Run, found: T, told: Callable[[T], tuple[bytes, Mapping[str, Any]]]
) -> None:
    """Raise RunError where the cache is not that of the data which the run has learned from."""
    if run.has(CODEC) and json.loads(told(found)[0]) != run.read_json(CODEC):
        raise RunError(
            "the cache holds other data than the run has learned from",
            where=str(run.path / "cache"),
        )


def _refuse_unless_unchanged(files: Mapping[str, Any], lost: RunError) -> None:
    if not files:
        raise _refusal(lost, "it came from no files from which it could be read again", "the cache")
    for name, known in files.items():
        path = Path(name)
        if path.parent.name == "cache" and path.stem in DEMOS:
            continue  # it is made anew
        if not path.is_file():
            raise _refusal(lost, f"{name} is not there to read it again", f"the cache or {name}")
        try:
            now = fingerprint({path: ""}, lambda finding: None)[name]
        except OSError as error:
            raise _refusal(
                lost, f"{name} cannot be read ({error.strerror})", f"the cache or {name}"
            ) from None
        if now != dict(known):
            raise _refusal(lost, f"{name} has changed since it was read", f"the cache or {name}")


def _refusal(lost: RunError, why: str, what: str) -> RunError:
    return RunError(
        f"{lost.what}, and {why}",
        where=lost.where,
        hint=f"restore {what} from a copy, or train again",
    )


def _sums(files: Mapping[str, Any]) -> list[str]:
    return [one["sha256"] for one in files.values()]
