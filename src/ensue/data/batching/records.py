"""Whole records in random order, those of like length together."""

from __future__ import annotations

import numpy as np

from ensue.batch import Batch
from ensue.data.batching.contract import Arrays, Feed, gather, generator, pooled, whole_weight
from ensue.data.contract import Corpus


class Records(Feed):
    """Each row is a record from its start; one longer than `steps` is cut into several rows, each fresh."""

    def __init__(self, corpus: Corpus, start: int, rows: int, steps: int, seed: int) -> None:
        self.corpus, self.start, self.rows, self.steps, self.seed = corpus, start, rows, steps, seed
        begins, lengths = corpus.offsets[:-1], np.diff(corpus.offsets)
        cuts = -(-lengths // steps)
        cut = np.arange(cuts.sum()) - np.repeat(np.cumsum(cuts) - cuts, cuts)
        self.first = cut == 0
        self.begins = np.repeat(begins, cuts) + cut * steps
        self.lengths = np.minimum(np.repeat(lengths, cuts) - cut * steps, steps)
        self._order: tuple[int, Arrays, Arrays] | None = None

    def __len__(self) -> int:
        return -(-len(self.begins) // self.rows)

    def batch(self, epoch: int, place: int) -> Batch[Arrays]:
        """Give the records that the order of this epoch has at this place."""
        order, batches = self._ordered(epoch)
        chosen = order[batches[place] * self.rows : (batches[place] + 1) * self.rows]
        lengths = self.lengths[chosen]
        input, target, _ = gather(self.corpus, self.start, self.begins[chosen], lengths, self.first[chosen])
        fields = {"input": input, "target": target}
        return Batch(fields, lengths, whole_weight(len(chosen)), np.ones(len(chosen), bool))

    def _ordered(self, epoch: int) -> tuple[Arrays, Arrays]:
        """Give the rows of an epoch in the order of batches, and the order in which these come; kept for one epoch."""
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, *pooled(self.lengths, self.rows, generator(self.seed, epoch))
        return self._order[1:]
