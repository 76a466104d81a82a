"""One long text as contiguous streams side by side, for truncated back-propagation through time."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ensue.batch import Batch
from ensue.data.contract import Corpus
from ensue.data.feeds.contract import Arrays, Feed, gather, whole_weight


class Streams(Feed):
    """Row r of each batch goes on where row r of the batch before ended, so that the state can be
    carried.

    The text is cut into `rows` streams whose lengths differ by at most one; each batch takes
    `steps` of them all, the last what is left (at most `steps` + 1). Every epoch is the same.
    """

    def __init__(self, corpus: Corpus, start: int, rows: int, steps: int) -> None:
        self.corpus, self.start, self.steps = corpus, start, steps
        self.rows = min(rows, len(corpus))

    @cached_property
    def _streams(self) -> tuple[Arrays, Arrays]:
        short, longer = divmod(len(self.corpus), self.rows)
        row = np.arange(self.rows)
        return row * short + np.minimum(row, longer), short + (row < longer)

    def __len__(self) -> int:
        return -(-(len(self.corpus) // self.rows) // self.steps)

    def batch(self, epoch: int, place: int) -> Batch[Arrays]:
        """Give the steps at this place of every stream."""
        begins, lengths = self._streams
        done = place * self.steps
        lengths = lengths - done if place == len(self) - 1 else np.full(self.rows, self.steps)
        first = begins + done == 0
        input, target, _ = gather(self.corpus, self.start, begins + done, lengths, first)
        fresh = np.full(self.rows, place == 0)
        return Batch({"input": input, "target": target}, lengths, whole_weight(self.rows), fresh)
