"""Feed for scoring: every symbol once, after everything before it in its record."""

from __future__ import annotations

import numpy as np

from ensue.batch import Batch
from ensue.data.contract import Corpus
from ensue.data.feeds.contract import Arrays, Feed, gather


class ScoringFeed(Feed):
    """One long text in a single row, `steps` at a time; short records `rows` at a time, by length.

    A record longer than `steps` is a single row too. Its state continues from one batch to the next
    exactly where the row is not fresh. The field "at" (batch, time) is the position of each target
    in the corpus, and -1 past the end; the record is `searchsorted(corpus.offsets, at, "right") -
    1`.
    """

    def __init__(self, corpus: Corpus, start: int, rows: int, steps: int) -> None:
        self.corpus, self.start, self.rows, self.steps = corpus, start, rows, steps
        lengths = np.diff(corpus.offsets)
        order = np.argsort(lengths, kind="stable")
        short = np.searchsorted(lengths[order], steps, "right")
        self.short, self.long = order[:short], order[short:]
        self.short_batches = -(-len(self.short) // rows)
        self.long_ends = np.cumsum(-(-lengths[self.long] // steps))

    def __len__(self) -> int:
        return self.short_batches + int(self.long_ends[-1] if len(self.long_ends) else 0)

    def batch(self, epoch: int, place: int) -> Batch[Arrays]:
        """Return some short records, or the next steps of a long one."""
        offsets, done = self.corpus.offsets, 0
        if place < self.short_batches:
            records = self.short[place * self.rows : (place + 1) * self.rows]
        else:
            which = np.searchsorted(self.long_ends, place - self.short_batches, "right")
            records = self.long[[which]]
            before = self.long_ends[which - 1] if which else 0
            done = int(place - self.short_batches - before) * self.steps
        begins = offsets[records] + done
        lengths = np.minimum(offsets[records + 1] - begins, self.steps)
        fresh = np.full(len(records), done == 0)
        input, target, at = gather(self.corpus, self.start, begins, lengths, fresh)
        return Batch({"input": input, "target": target, "at": at}, lengths, fresh)
