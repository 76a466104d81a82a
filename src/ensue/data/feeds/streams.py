"""Feed of one long text as contiguous streams, for truncated backpropagation through time."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ensue.batch import Batch
from ensue.data.contract import Corpus
from ensue.data.feeds.contract import Arrays, Feed, gather


class Streams(Feed):
    """Row r of each batch continues row r of the batch before, so that its state carries over.

    The text is cut into `rows` streams whose lengths differ by at most one. Each batch takes
    `steps` of every stream, and the last one the rest (at most `steps` + 1). All epochs are the
    same.
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
        """Return the steps of every stream at this place."""
        begins, lengths = self._streams
        done = place * self.steps
        lengths = lengths - done if place == len(self) - 1 else np.full(self.rows, self.steps)
        first = begins + done == 0
        input, target, _ = gather(self.corpus, self.start, begins + done, lengths, first)
        fresh = np.full(self.rows, place == 0)
        return Batch({"input": input, "target": target}, lengths, fresh)
