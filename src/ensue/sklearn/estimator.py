"""The run inside an estimator: its files as bytes, and the model that they hold."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted

from ensue import api
from ensue.atomic_io import list_files
from ensue.errors import Interrupted, UserError, for_python
from ensue.training.contract import Callback
from ensue.training.folder.run import Run
from ensue.training.notes import NOTES, with_notes


class RunEstimator:
    """The files of a run, and the model opened from them; a pickle holds the files alone."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        with TemporaryDirectory(prefix="ensue-") as folder:
            self.save(Path(folder) / "run")
            self.opened: Any = api.open(Path(folder) / "run")

    def save(self, folder: Path) -> None:
        """Write the run to a new folder. Raises FileExistsError."""
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)

    def __getstate__(self) -> dict[str, bytes]:
        return self.files

    def __setstate__(self, files: Mapping[str, bytes]) -> None:
        self.__init__(files)


class RunMixin:
    """Mixin for estimators: notes and saving of their run."""

    run_: RunEstimator

    @property
    def notes_(self) -> list[str]:
        """Notes of the training, as `ensue train` shows them."""
        check_is_fitted(self)
        return list(self.run_.opened.run.about.get(NOTES, []))

    def save(self, folder: str | Path) -> None:
        """Save the fitted model as a run, for `ensue.open` and the command line."""
        check_is_fitted(self)
        self.run_.save(Path(folder))


def train_run(about: Mapping[str, Any], train: Callable[[Run, Callback], object]) -> RunEstimator:
    """Train a run in a temporary folder, and read its files into memory.

    The state of torch's random numbers is left as it was.
    """
    with (
        TemporaryDirectory(prefix="ensue-") as folder,
        user_errors_as_value_errors(),
        _own_random_numbers(),
    ):
        with Run.create(Path(folder) / "run", about) as run:
            try:
                train(run, with_notes(run, lambda _: None))
            except Interrupted:
                # The folder is temporary, so there is no checkpoint to resume from.
                raise KeyboardInterrupt from None
        names = [name for name in list_files(run.path) if not name.startswith("checkpoint/")]
        return RunEstimator({name: (run.path / name).read_bytes() for name in names})


@contextmanager
def user_errors_as_value_errors() -> Generator[None, None, None]:
    """Raise a ValueError, which scikit-learn expects, in place of each UserError."""
    try:
        yield
    except UserError as error:
        raise ValueError(for_python(str(error))) from None


@contextmanager
def _own_random_numbers() -> Generator[None, None, None]:
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        yield
