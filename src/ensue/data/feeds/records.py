"""Feed of full records in random order, with similar lengths in a batch."""

from __future__ import annotations

import numpy as np

from ensue.batch import Batch
from ensue.data.contract import Corpus
from ensue.data.feeds.contract import Arrays, Feed, LengthBuckets, cut_pieces, gather


class Records(Feed):
    """Each row is a record from its start; one longer than `steps` is cut into fresh rows."""

    def __init__(self, corpus: Corpus, start: int, rows: int, steps: int, seed: int) -> None:
        self.corpus, self.start = corpus, start
        number, self.begins, ends = cut_pieces(corpus.offsets, steps)
        self.first, self.lengths = number == 0, ends - self.begins
        self.buckets = LengthBuckets(self.lengths, rows, seed)

    def __len__(self) -> int:
        return len(self.buckets)

    def batch(self, epoch: int, place: int) -> Batch[Arrays]:
        """Return one batch of records in the order of this epoch."""
        chosen = self.buckets.batch(epoch, place)
        lengths = self.lengths[chosen]
        input, target, _ = gather(
            self.corpus, self.start, self.begins[chosen], lengths, self.first[chosen]
        )
        fields = {"input": input, "target": target}
        return Batch(fields, lengths, np.ones(len(chosen), bool))
