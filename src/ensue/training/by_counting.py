"""Learning by counting: the symbols are collected, and a table is estimated once at the end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

from ensue.batch import Batch
from ensue.models.contract import Autoregressive
from ensue.training.contract import Learner, Snapshot, Update

Estimate = Callable[[np.ndarray, np.ndarray], Autoregressive]
"""From ids and offsets (record r is ids[offsets[r]:offsets[r + 1]]) to a model."""


class ByCounting(Learner):
    """Teach a model whose tables follow from the data in one go, such as an n-gram.

    Its loop is one epoch with one evaluation at the end; `model` is there after `finish`.
    """

    def __init__(self, estimate: Estimate) -> None:
        self._estimate = estimate
        self._done: list[np.ndarray] = []
        self._open: dict[int, list[np.ndarray]] = {}
        self.model: Autoregressive | None = None

    def update(self, batch: Batch[np.ndarray], scale: float) -> Update:
        """Collect the targets; a row that is not fresh goes on with its record of the batch before."""
        for row, length in enumerate(batch.lengths):
            if batch.fresh[row] and row in self._open:
                self._done.append(np.concatenate(self._open.pop(row)))
            self._open.setdefault(row, []).append(np.array(batch["target"][row, :length]))
        return Update(None, int(batch.lengths.sum()))

    def finish(self) -> None:
        """Estimate the model."""
        ids, offsets = self._records()
        self.model = self._estimate(ids, offsets)

    def _records(self) -> tuple[np.ndarray, np.ndarray]:
        """Give all that was collected as ids and offsets, records that are still open last."""
        records = self._done + [np.concatenate(parts) for parts in self._open.values()]
        offsets = np.cumsum([0, *map(len, records)], dtype=np.int64)
        return np.concatenate(records) if records else np.zeros(0, np.int64), offsets

    @contextmanager
    def as_used(self) -> Generator[None, None, None]:
        """Nothing changes within: a table is always as it is used."""
        yield

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give the tables; none before `finish`."""
        return {} if self.model is None else dict(self.model.arrays())

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over tables."""
        if self.model is None:
            self.finish()
        if self.model is not None:
            self.model.load(arrays)

    def snapshot(self) -> Snapshot:
        """Give what was collected."""
        ids, offsets = self._records()
        return Snapshot({"ids": torch.tensor(ids), "offsets": torch.tensor(offsets)}, {"open": list(self._open)})

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to where `snapshot` was taken."""
        ids, offsets = (snapshot.tensors[name].numpy() for name in ("ids", "offsets"))
        records = np.split(ids, offsets[1:-1]) if len(offsets) > 1 else []
        rows = snapshot.values["open"]
        self._done = records[: len(records) - len(rows)]
        self._open = {row: [record] for row, record in zip(rows, records[len(self._done) :], strict=True)}
