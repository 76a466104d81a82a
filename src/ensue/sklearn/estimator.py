"""A run that an estimator carries: its folder as bytes, and what opens from it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted

from ensue import api
from ensue.errors import Interrupted, UserError
from ensue.training.contract import Callback
from ensue.training.folder.run import Run
from ensue.training.notes import NOTES, with_notes


class RunEstimator:
    """The files of a run, and what opens from them, which the estimator asks; copies and pickles
    are of the files."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        with TemporaryDirectory(prefix="ensue-") as folder:
            self.save(Path(folder) / "run")
            self.opened: Any = api.open(Path(folder) / "run")

    def save(self, folder: Path) -> None:
        """Write the folder of the run, which is new. Raises FileExistsError."""
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)

    def __getstate__(self) -> dict[str, bytes]:
        return self.files

    def __setstate__(self, files: Mapping[str, bytes]) -> None:
        self.__init__(files)


class Saved:
    """What an estimator can do with its run."""

    run_: RunEstimator

    @property
    def notes_(self) -> list[str]:
        """What was noted while it learned, as `ensue train` shows it."""
        check_is_fitted(self)
        return list(self.run_.opened.run.about.get(NOTES, []))

    def save(self, folder: str | Path) -> None:
        """Write what was learned as the folder of a run, which `ensue.open` and the command line
        use."""
        check_is_fitted(self)
        self.run_.save(Path(folder))


def keep_run(about: Mapping[str, Any], learn: Callable[[Run, Callback], object]) -> RunEstimator:
    """Begin a run in a folder that does not last, learn in it, and keep it with the notes that are
    told to the watch.

    torch's random numbers are left alone.
    """
    with (
        TemporaryDirectory(prefix="ensue-") as folder,
        as_scikit_learn_says(),
        _own_random_numbers(),
    ):
        with Run.create(Path(folder) / "run", about) as run:
            try:
                learn(run, with_notes(run, lambda _: None))
            except Interrupted:
                raise KeyboardInterrupt from None  # there is nothing to go on from
        files = (
            path for path in run.path.iterdir() if path.is_file() and not path.name.startswith(".")
        )
        return RunEstimator({path.name: path.read_bytes() for path in files})


@contextmanager
def as_scikit_learn_says() -> Generator[None, None, None]:
    """Turn what a person can mend into a ValueError, which is what scikit-learn expects."""
    try:
        yield
    except UserError as error:
        raise ValueError(str(error)) from None


@contextmanager
def _own_random_numbers() -> Generator[None, None, None]:
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        yield
