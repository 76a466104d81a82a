"""Feed of sequences of records, in random order; a long sequence is cut into pieces."""

from __future__ import annotations

import numpy as np

from ensue.batch import Batch
from ensue.data.dataset import Examples
from ensue.data.feeds.contract import Arrays, Feed, LengthBuckets, cut_pieces

WARMUP = 16
"""Steps before a piece that are read and not counted, so that it does not begin blindly."""


class StepFeed(Feed):
    """Each row is a sequence, or a piece of at most `steps` steps with those before it.

    Batches have the fields "symbols" and "numbers" (batch, time, ...), and "counted" (batch, time),
    false for the steps before a piece.
    """

    unit = "steps"

    def __init__(self, examples: Examples, rows: int, steps: int, seed: int) -> None:
        self.examples = examples
        number, begins, ends = cut_pieces(examples.offsets, steps)
        self.warmup = np.where(number > 0, WARMUP, 0)
        self.begins, self.lengths = begins - self.warmup, ends - begins + self.warmup
        self.buckets = LengthBuckets(self.lengths, rows, seed)

    def __len__(self) -> int:
        return len(self.buckets)

    def batch(self, epoch: int, place: int) -> Batch[Arrays]:
        """Return one batch of sequences in the order of this epoch."""
        chosen = self.buckets.batch(epoch, place)
        lengths = self.lengths[chosen]
        step = np.arange(lengths.max())
        real = step < lengths[:, None]
        at = np.where(real, self.begins[chosen, None] + step, self.begins[chosen, None])
        symbols, numbers = (self.examples.steps[name][at] for name in ("symbols", "numbers"))
        fields = {
            "symbols": symbols.astype(np.int64),
            "numbers": numbers.astype(np.float32),
            "counted": real & (step >= self.warmup[chosen, None]),
        }
        return Batch(fields, lengths, np.ones(len(chosen), bool))
